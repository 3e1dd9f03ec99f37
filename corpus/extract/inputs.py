"""From the paths a user gives to the tasks that read them.

Files, directories, globs, tars of JATS and unpacked trees come in; `InputTask`s go out: one PubMed file, one tar,
or one chunk of loose JATS files each. A task's name and fingerprint depend on base names and contents alone, so
the same files give the same output wherever they lie and in whatever order they were named.
"""

import glob
import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from corpus import storage
from corpus.errors import UsageError
from corpus.ncbi.archives.article_store import STAGE
from corpus.ncbi.archives.fetched import PUBMED_STAGE, fetched, pieces, pubmed_files
from corpus.ncbi.archives.file_lists import list_path
from corpus.stage.manifest import Manifest

PUBMED, JATS_TAR, JATS_FILES, JATS_STORE = "pubmed", "jats_tar", "jats_files", "jats_store"

_PUBMED_SUFFIXES = (".xml", ".xml.gz")
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz")
LOOSE_SUFFIXES = (".xml", ".nxml", ".xml.gz", ".nxml.gz")
_PMC_NAME = re.compile(r"PMC\d", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class InputTask:
    """What one call of a reader reads: one file, or one chunk of loose articles in sorted order."""

    name: str  # unique stem of the output
    kind: str  # pubmed, jats_tar, jats_files or jats_store
    paths: tuple[str, ...]  # of a store: the shard and its index
    bytes: int
    fingerprint: str  # SHA-256 over names and contents, metadata JSON included
    rows: tuple[int, int] = (0, 0)  # of a store's index: first, and behind the last


def find_inputs(*, pubmed: Sequence[str], pmc: Sequence[str], articles_per_part: int) -> list[InputTask]:
    """Return the tasks for the paths given, largest first, then by name.

    Raises UsageError for paths that name no usable file (all of them at once), and for two different files that
    would get the same name.
    """
    missing: list[str] = []
    stores = {path: manifest for path in pmc if (manifest := fetched(path)) and manifest.stage == STAGE}
    pmc = [path for path in pmc if path not in stores]
    citations = _collect(pubmed, _PUBMED_SUFFIXES, "PubMed files (.xml, .xml.gz)", missing)
    articles = _collect(pmc, _TAR_SUFFIXES + LOOSE_SUFFIXES, "JATS (.xml, .nxml, or .tar, .tar.gz, .tar.xz)", missing)
    if missing:
        raise UsageError("no input there:\n  " + "\n  ".join(missing) + "\nCheck the paths (and the mount).")
    tars = [path for path in articles if path.lower().endswith(_TAR_SUFFIXES)]
    loose = [path for path in articles if not path.lower().endswith(_TAR_SUFFIXES)]
    tasks = [_file_task(path, PUBMED) for path in citations]
    tasks += [_file_task(path, JATS_TAR) for path in tars]
    tasks += _loose_tasks(loose, articles_per_part)
    tasks += [task for path, manifest in stores.items() for task in _store_tasks(path, manifest, articles_per_part)]
    _check_unique([(task.name, path) for task in tasks if task.kind != JATS_FILES for path in task.paths[:1]])
    return sorted(tasks, key=lambda task: (-task.bytes, task.name))


def metadata_path(path: str) -> str | None:
    """Return the path of the bucket's JSON for a loose article, or None.

    It lies beside the XML, in a folder `metadata` beside it, or in one beside its folder, as in the bucket.
    """
    folder, name = os.path.dirname(path), stem(path)
    places = (folder, storage.join(folder, "metadata"), storage.join(os.path.dirname(folder) or ".", "metadata"))
    candidates = (storage.join(place or ".", f"{name}.json") for place in places)
    return next((candidate for candidate in candidates if storage.exists(candidate)), None)


def _collect(arguments: Sequence[str], suffixes: tuple[str, ...], what: str, missing: list[str]) -> list[str]:
    """Return the usable files behind the arguments, each once; arguments without any go to `missing`."""
    found: dict[str, str] = {}
    for argument in arguments:
        files, named = _expand(argument)
        usable = [path for path in files if path.lower().endswith(suffixes) and not _hidden(path, argument)]
        if not usable and not named:
            missing.append(f"{argument}: " + (f"holds no {what}" if files else "nothing is there"))
        for path in usable:
            identity = path if storage.is_remote(path) else os.path.realpath(path)
            found[identity] = min(path, found.get(identity, path))
    if arguments and not found and not missing:
        missing.append(f"{' '.join(arguments)}: no {what} among these files")
    return sorted(found.values())


def _expand(argument: str) -> tuple[list[str], bool]:
    """Return the files an argument stands for, and whether it names one file that exists."""
    if (mirror := fetched(argument)) and mirror.stage == PUBMED_STAGE:
        return pubmed_files(argument, mirror), False
    if storage.is_remote(argument):
        return _expand_remote(argument)
    if os.path.isfile(argument):
        return [argument], True
    matches = [argument] if os.path.isdir(argument) else glob.glob(argument, recursive=True)
    files: list[str] = []
    for match in matches:
        if os.path.isdir(match):
            files += [os.path.join(match, name) for name in storage.walk_files(match)]
        else:
            files.append(match)
    return files, False


def _expand_remote(argument: str) -> tuple[list[str], bool]:
    import fsspec  # 0.35 s, and local paths never need it

    if glob.has_magic(argument):
        return [opened.full_name for opened in fsspec.open_files(argument)], False
    names = storage.walk_files(argument)
    if not names and storage.exists(argument):
        return [argument], True
    return [storage.join(argument, name) for name in names], False


def _hidden(path: str, argument: str) -> bool:
    """Say whether a file, or a folder on the way to it below the argument, is hidden (`.part`, `._name`)."""
    below = path[len(argument) :] if path.startswith(argument) else storage.base_name(path)
    return storage.base_name(path).startswith(".") or any(name.startswith(".") for name in below.split("/"))


def _store_tasks(path: str, manifest: Manifest, articles: int) -> list[InputTask]:
    return [
        InputTask(
            name=piece.name,
            kind=JATS_STORE,
            paths=(piece.shard, piece.index),
            bytes=piece.bytes,
            fingerprint=piece.fingerprint,
            rows=(piece.first, piece.last),
        )
        for piece in pieces(path, manifest, articles)
    ]


def _file_task(path: str, kind: str) -> InputTask:
    name = storage.base_name(path)
    return InputTask(
        name=stem(path),
        kind=kind,
        paths=(path,),
        bytes=storage.size(path),
        fingerprint=_fingerprint([(name, storage.sha256_file(path)), *_listed([path] if kind == JATS_TAR else [])]),
    )


def _loose_tasks(paths: Iterable[str], articles_per_part: int) -> list[InputTask]:
    """Return tasks of at most `articles_per_part` loose articles, in the order of base names, then folders."""
    named = sorted((storage.base_name(path), _identity(path), path) for path in paths)
    _check_unique([(identity, path) for _, identity, path in named])
    tasks = []
    for start in range(0, len(named), articles_per_part):
        chunk = named[start : start + articles_per_part]
        contents = [(name, file) for name, _, path in chunk for file in (path, metadata_path(path)) if file]
        tasks.append(
            InputTask(
                name=f"articles-{start // articles_per_part:05d}",
                kind=JATS_FILES,
                paths=tuple(path for *_, path in chunk),
                bytes=sum(storage.size(path) for *_, path in chunk),
                fingerprint=_fingerprint(
                    [(name, storage.sha256_file(file)) for name, file in contents]
                    + _listed([path for *_, path in chunk if not metadata_path(path)])
                ),
            )
        )
    return tasks


def _identity(path: str) -> str:
    """Return what must be unique: a base name with a PMC id, else folder and base name (many hold a `main.nxml`)."""
    name = storage.base_name(path)
    if _PMC_NAME.match(name):
        return name
    full = path if storage.is_remote(path) else os.path.abspath(path)
    return storage.join(storage.base_name(os.path.dirname(full)), name)


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


def _listed(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Return names and contents of the lists that go with some files."""
    places = sorted({place for path in paths if (place := list_path(path))})
    return [(storage.base_name(place), storage.sha256_file(place)) for place in places]


def _fingerprint(contents: list[tuple[str, str]]) -> str:
    listing = "".join(f"{digest}  {name}\n" for name, digest in contents)
    return hashlib.sha256(listing.encode()).hexdigest()
