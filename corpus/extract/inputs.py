"""The inputs of `extract`: from the paths a user gives to the tasks that read them.

Files, directories, globs, tars of JATS and unpacked trees come in; `InputTask`s go out: one PubMed file, one tar,
or one chunk of loose JATS files each. A task's name and fingerprint depend on base names and contents alone, so
the same files give the same output wherever they lie and in whatever order they were named.
"""

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Final

from corpus import storage
from corpus.errors import UsageError
from corpus.extract.search import SearchNotes, find_files, first_of, unread
from corpus.extract.shares import own_share
from corpus.ncbi.archives.article_store import STAGE
from corpus.ncbi.archives.fetched import fetched, piece_fingerprint, piece_rows, pieces
from corpus.ncbi.archives.file_lists import list_path
from corpus.ncbi.archives.kinds import FileKind, file_kind
from corpus.stage.manifest import Manifest
from corpus.stage.progress import progress, say
from corpus.storage.side_by_side import side_by_side

_PUBMED_SUFFIXES = (".xml", ".xml.gz")
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz")
LOOSE_SUFFIXES = (".xml", ".nxml", ".xml.gz", ".nxml.gz")
_PMC_NAME = re.compile(r"PMC\d", re.IGNORECASE)
_HASHERS: Final = 8  # threads that hash files: a bucket answers eight as fast as one
_LISTED: Final = 20  # problems that a message names
_LOOKED_AT: Final = 1000  # files whose kind is looked at when all before them were of the wrong one
_AT_ONCE: Final = 32  # files given to them together; between such runs progress is shown


@dataclass(frozen=True, kw_only=True, slots=True)
class HashedFile:
    """One file as it was when it was hashed."""

    path: str
    sha256: str
    version: str  # `storage.version`
    stated: bool = False  # the hash, by the manifest of a fetched mirror

    def differs(self, at_start: str) -> str:
        """Return "changed" or "damaged" for a file that is not what was hashed; `at_start`: its version before reading.

        A local file is hashed once more, now from memory; a bucket, where that would be another download, has versions.
        """
        now = storage.version(self.path)
        as_hashed = now == self.version
        if not now or now != at_start:
            return "changed"
        if as_hashed if storage.is_remote(self.path) else storage.sha256_file(self.path) == self.sha256:
            return ""
        return "damaged" if self.stated and as_hashed else "changed"


@dataclass(frozen=True, kw_only=True, slots=True)
class InputTask:
    """What one call of a reader reads: one of the classes below."""

    name: str  # unique stem of the output
    paths: tuple[str, ...]  # what holds the XML
    bytes: int
    fingerprint: str  # SHA-256 over names and contents, metadata JSON and lists included
    files: tuple[HashedFile, ...] = ()  # which the fingerprint is made of, but for a store's: its index is checked

    @property
    def is_remote(self) -> bool:
        """Whether the task's files lie in a store."""
        return storage.is_remote(self.paths[0])

    def versions(self) -> list[str]:
        """Return the versions that the files have now."""
        return list(side_by_side(lambda file: storage.version(file.path), self.files, remote=self.is_remote))

    def differing(self, before: Sequence[str]) -> dict[str, list[str]]:
        """Return paths by `HashedFile.differs`; `before`: `versions` when reading began."""
        found: dict[str, list[str]] = {}
        compared = side_by_side(
            lambda pair: pair[0].differs(pair[1]), zip(self.files, before, strict=True), remote=self.is_remote
        )
        for file, word in zip(self.files, compared, strict=True):
            if word:
                found.setdefault(word, []).append(storage.readable(file.path))
        return found


class PubmedFile(InputTask):
    """One PubMed file."""


class JatsTar(InputTask):
    """One tar of JATS articles."""


class JatsFiles(InputTask):
    """One chunk of loose JATS articles, in sorted order."""

    def differing(self, before: Sequence[str]) -> dict[str, list[str]]:
        """Return paths by `HashedFile.differs`, and metadata that came beside an article since it was hashed."""
        found = InputTask.differing(self, before)
        hashed = {file.path for file in self.files}
        places = side_by_side(metadata_path, self.paths, remote=self.is_remote)
        if fresh := [storage.readable(place) for place in places if place and place not in hashed]:
            found.setdefault("changed", []).extend(fresh)
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class StorePiece(InputTask):
    """A run of articles of one shard of a fetched store: rows `first` to `last` - 1 of its index."""

    index: str
    first: int
    last: int

    def differing(self, before: Sequence[str]) -> dict[str, list[str]]:
        """Return the index if it lists other articles by now; the articles are checked against it as they are read."""
        rows = piece_rows(self.index, self.first, self.last)
        return {"changed": [storage.readable(self.index)]} if piece_fingerprint(rows) != self.fingerprint else {}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """A task before its files are hashed: `contents` are the names and files that its fingerprint is made of."""

    task: type[InputTask]
    name: str
    paths: tuple[str, ...]
    contents: tuple[tuple[str, str], ...]

    def size(self) -> int:
        """Return the bytes of what holds the XML."""
        return sum(side_by_side(storage.size, self.paths, remote=storage.is_remote(self.paths[0])))

    def hashed(self, files: Mapping[str, HashedFile], size: int) -> InputTask:
        """Return the task; `files`: all files by path."""
        listing = "".join(f"{files[path].sha256}  {name}\n" for name, path in self.contents)
        return self.task(
            name=self.name,
            paths=self.paths,
            bytes=size,
            fingerprint=hashlib.sha256(listing.encode()).hexdigest(),
            files=tuple(files[path] for _, path in self.contents),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class InputTasks:
    """Tasks to do, and a digest of the names and sizes of all tasks, of other shards too."""

    tasks: tuple[InputTask, ...]
    whole: str


def find_inputs(*, pubmed: Sequence[str], pmc: Sequence[str], articles_per_part: int) -> list[InputTask]:
    """Return the tasks for the paths given, largest first, then by name; raises as `find_shard`."""
    return list(find_shard(pubmed=pubmed, pmc=pmc, articles_per_part=articles_per_part).tasks)


def find_shard(
    *, pubmed: Sequence[str], pmc: Sequence[str], articles_per_part: int, shard: tuple[int, int] = (1, 1)
) -> InputTasks:
    """Return the tasks of a shard (i of n) for the paths given, largest first, then by name.

    Their files are hashed for it, but for those whose hash a fetched mirror's manifest states. Raises UsageError for
    paths that name no usable file (all of them at once), for two different files that would get the same name, and for
    more shards than tasks.
    """
    notes = SearchNotes()
    stores = {path: manifest for path in pmc if (manifest := fetched(path)) and manifest.stage == STAGE}
    pmc = [path for path in pmc if path not in stores]
    citations = find_files(pubmed, _PUBMED_SUFFIXES, "PubMed files (.xml, .xml.gz)", notes)
    jats = "JATS (.xml, .nxml, or .tar, .tar.gz, .tar.xz)"
    articles = find_files(pmc, _TAR_SUFFIXES + LOOSE_SUFFIXES, jats, notes)
    _check_notes(notes)
    _check_kind(citations, FileKind.PUBMED)
    _check_kind(articles, FileKind.JATS)
    tars = [path for path in articles if path.lower().endswith(_TAR_SUFFIXES)]
    loose = [path for path in articles if not path.lower().endswith(_TAR_SUFFIXES)]
    found = [_of_file(PubmedFile, path) for path in citations] + [_of_file(JatsTar, path) for path in tars]
    found += _of_loose(loose, articles_per_part)
    stored = [task for path, manifest in stores.items() for task in _store_tasks(path, manifest, articles_per_part)]
    named = [(one.name, one.paths[0]) for one in found if one.task is not JatsFiles]
    _check_unique(named + [(task.name, task.paths[0]) for task in stored])
    sizes = [(one.name, one.size()) for one in found] + [(task.name, task.bytes) for task in stored]
    own = own_share(sizes, shard)
    found = [one for one in found if one.name in own]
    files = _hashed({path for one in found for _, path in one.contents}, notes.digests)
    bytes_of = dict(sizes)
    tasks = [one.hashed(files, bytes_of[one.name]) for one in found] + [task for task in stored if task.name in own]
    listing = "".join(f"{size} {name}\n" for name, size in sorted(sizes))
    return InputTasks(
        tasks=tuple(sorted(tasks, key=lambda task: (-task.bytes, task.name))),
        whole=hashlib.sha256(listing.encode()).hexdigest(),
    )


def _check_notes(notes: SearchNotes) -> None:
    """Raise UsageError for paths that cannot be read, and name files there that no reader takes."""
    if problems := list(dict.fromkeys(notes.problems)):
        listed = "\n  ".join(problems[:_LISTED])
        more = f"\n  … and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
        raise UsageError(f"inputs that cannot be read:\n  {listed}{more}\nCheck the paths (and the mount).")
    if others := unread(notes):
        count = "1 file is" if len(others) == 1 else f"{len(others):,} files are"
        say(f"{count} not understood and not read: {first_of(others)}")


def _check_kind(paths: Sequence[str], kind: FileKind) -> None:
    """Raise UsageError when all files given as one kind are of the other; one look, where the first is as it should."""
    if paths and all(file_kind(path) is kind.other for path in paths[:_LOOKED_AT]):
        raise UsageError(other_kind(paths, kind.other))


def other_kind(paths: Sequence[str], kind: FileKind) -> str:
    """Return the message for files given to the wrong option; `kind` is what they hold."""
    count = "1 file holds" if len(paths) == 1 else f"{len(paths):,} files hold"
    return f"{count} {kind.value}, given as {kind.other.option}: {first_of(paths)}\nGive them as {kind.option}."


def _hashed(paths: Collection[str], known: Mapping[str, str]) -> dict[str, HashedFile]:
    """Return each file with its SHA-256: the one that is known, else that of its bytes."""

    def hashed(path: str) -> HashedFile:
        version = storage.version(path)  # before its bytes: who changes them from now on is noticed
        digest = known.get(path) or storage.sha256_file(path)
        return HashedFile(path=path, sha256=digest, version=version, stated=path in known)

    files: dict[str, HashedFile] = {}
    ordered = sorted(paths)
    with progress("hashing inputs", len(ordered)) as shown, ThreadPoolExecutor(_HASHERS) as pool:
        for start in range(0, len(ordered), _AT_ONCE):  # a tree may hold millions of articles
            some = ordered[start : start + _AT_ONCE]
            files |= zip(some, pool.map(hashed, some), strict=True)
            shown.advance(len(some))
    return files


def metadata_path(path: str, exists: Callable[[str], bool] = storage.exists) -> str | None:
    """Return the path of the bucket's JSON for a loose article, or None.

    It lies beside the XML, in a folder `metadata` beside it, or in one beside its folder, as in the bucket.
    """
    folder, name = os.path.dirname(path), stem(path)
    places = (folder, storage.join(folder, "metadata"), storage.join(os.path.dirname(folder) or ".", "metadata"))
    candidates = (storage.join(place or ".", f"{name}.json") for place in places)
    return next((candidate for candidate in candidates if exists(candidate)), None)


def _store_tasks(path: str, manifest: Manifest, articles: int) -> list[InputTask]:
    return [
        StorePiece(
            name=piece.name,
            paths=(piece.shard,),
            bytes=piece.bytes,
            fingerprint=piece.fingerprint,
            index=piece.index,
            first=piece.first,
            last=piece.last,
        )
        for piece in pieces(path, manifest, articles)
    ]


def _of_file(task: type[InputTask], path: str) -> _Found:
    contents = [(storage.readable_name(path), path), *(_lists([path]) if task is JatsTar else ())]
    return _Found(task=task, name=storage.readable(stem(path)), paths=(path,), contents=tuple(contents))


def _of_loose(paths: Iterable[str], articles_per_part: int) -> list[_Found]:
    """Return tasks of at most `articles_per_part` loose articles, in the order of base names, then folders."""
    named = sorted((storage.readable_name(path), _identity(path), path) for path in paths)
    _check_unique([(identity, path) for _, identity, path in named])
    found = []
    for start in range(0, len(named), articles_per_part):
        some = named[start : start + articles_per_part]
        beside = side_by_side(metadata_path, [path for _, _, path in some], remote=storage.is_remote(some[0][2]))
        chunk = [(name, path, metadata) for (name, _, path), metadata in zip(some, beside, strict=True)]
        contents = [(name, file) for name, path, metadata in chunk for file in (path, metadata) if file]
        contents += _lists(path for _, path, metadata in chunk if not metadata)
        name, files = f"articles-{start // articles_per_part:05d}", tuple(path for _, path, _ in chunk)
        found.append(_Found(task=JatsFiles, name=name, paths=files, contents=tuple(contents)))
    return found


def _identity(path: str) -> str:
    """Return what must be unique: a base name with a PMC id, else folder and base name (many hold a `main.nxml`)."""
    name = storage.readable_name(path)
    if _PMC_NAME.match(name):
        return name
    full = path if storage.is_remote(path) else os.path.abspath(path)
    return storage.join(storage.readable_name(os.path.dirname(full)), name)


def stem(path: str) -> str:
    """Return a path's base name without the suffixes of data and compression."""
    name = storage.base_name(path)
    for suffix in (".gz", ".xz", ".tgz", ".txz", ".tar", ".xml", ".nxml", ".json"):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
    return name


def _check_unique(named: list[tuple[str, str]]) -> None:
    """Raise UsageError for two different files under one name: one would overwrite the other."""
    paths: dict[str, list[str]] = {}
    for name, path in named:
        paths.setdefault(name, []).append(path)
    twice = [f"{name}: {', '.join(sorted(places))}" for name, places in sorted(paths.items()) if len(places) > 1]
    if twice:
        raise UsageError(
            "different files share one name, and their records would too:\n  "
            + "\n  ".join(twice[:20])
            + "\nGive only one of them, or rename one."
        )


def _lists(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Return names and paths of the lists that go with some files."""
    exists = cache(storage.exists)  # many files have the same folders above them
    places = {list_path(path, exists) for path in paths}
    return [(storage.readable_name(place), place) for place in sorted(filter(None, places))]
