"""Manifest of a stage, which is its commit: files and their hashes, settings, inputs, and where every record went.

`manifest.json` is written last. Readers take their files from it and never list a directory. It holds
no times, paths or machine facts, so the same inputs give the same bytes anywhere; `run.json` beside it
holds those. The books must balance exactly: read = kept + Σ dropped by reason.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Final

from corpus import storage
from corpus.errors import CorruptError, DataError, UsageError
from corpus.storage.json_files import BadJsonError, build, check_inside, read_json

MANIFEST = "manifest.json"
NEXT: Final = "_next"  # folder of what takes the place of a committed result, see `corpus.stage.switch`
SPLITS: Final = ("train", "validation", "test")  # roles of the parts that hold documents or tokens
PACKAGE: Final = "corpuscle"
_AGAIN: Final = "remove the directory and run the stage again"


@cache
def package_version() -> str:
    """Return the version of the installed package, "unknown" where its modules run without an installation."""
    from importlib import metadata  # 20 ms, and most commands never ask

    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One committed file: `role` says what it is (records, rejects, train, validation, test, decisions, tokens, …)."""

    path: str  # relative to the manifest
    role: str  # what the file is: records, rejects, train, decisions, …
    rows: int  # rows, documents or tokens, by role; 0 where nothing is counted
    bytes: int  # size [bytes]
    sha256: str  # of the content, hexadecimal

    @property
    def name(self) -> str:
        """Return the path that the file has, or will have when a switch that was stopped is finished."""
        return self.path.removeprefix(f"{NEXT}/")


@dataclass(frozen=True, kw_only=True, slots=True)
class Books:
    """Records read, kept and dropped by reason; adding two books adds every count."""

    read: int = 0  # what the stage was given [records]
    kept: int = 0  # what it passed on [records]
    dropped: Mapping[str, int] = field(default_factory=dict)  # by reason; read = kept + their sum [records]

    def __add__(self, other: "Books") -> "Books":
        reasons = sorted({*self.dropped, *other.dropped})
        dropped = {reason: self.dropped.get(reason, 0) + other.dropped.get(reason, 0) for reason in reasons}
        return Books(read=self.read + other.read, kept=self.kept + other.kept, dropped=dropped)

    def check(self, where: str) -> None:
        """Raise DataError unless read = kept + Σ dropped."""
        total = self.kept + sum(self.dropped.values())
        if self.read != total:
            raise DataError(
                f"{where}: the books do not balance: read {self.read} ≠ kept {self.kept} + dropped "
                f"{sum(self.dropped.values())} = {total}; nothing was committed, please report this"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """One input of a stage by name and content: a file's SHA-256, or an earlier stage's fingerprint."""

    name: str  # base name of the file, or the stage
    fingerprint: str  # SHA-256 (PubMed's own MD5 in `fetch`) of the content, or the stage's fingerprint


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """The committed result of one stage."""

    stage: str  # the verb that wrote it
    revision: int  # of the stage's code; raised when the same input gives other bytes
    fingerprint: str  # SHA-256 of stage, revision, configuration and inputs: the identity of the output
    config: Mapping[str, Any]  # the settings that decide the bytes; see [cli.md](cli.md)
    inputs: tuple[Input, ...]  # what the stage read
    parts: tuple[Part, ...]  # every file of the output, in the order of their paths
    books: Books  # where every record went
    summary: Mapping[str, Any]  # numbers of the stage; `corpuscle inspect DIR` prints them
    version: str = field(default_factory=package_version)  # of the package that wrote it; a fact alone

    def paths(self, base: str, role: str) -> list[str]:
        """Return the full paths of the parts of one role, in manifest order."""
        return [storage.join(base, part.path) for part in self.parts if part.role == role]


def fingerprint(stage: str, config: Mapping[str, Any], inputs: Iterable[Input], *, revision: int) -> str:
    """Return the identity of a stage's output: stage, identity config, inputs, and revision of the stage's code.

    The revision is the constant `REVISION` of the stage's room: raised when the same input gives other bytes. The
    version of the package is no part of it, for most releases change most stages not at all.
    """
    content = {
        "stage": stage,
        "revision": revision,
        "config": config,
        "inputs": sorted([item.name, item.fingerprint] for item in inputs),
    }
    return hashlib.sha256(canonical_json(content)).hexdigest()


def write_manifest(base: str, manifest: Manifest) -> None:
    """Check the books and commit the manifest, with a hash of itself."""
    manifest.books.check(f"{manifest.stage} in {base}")
    content = asdict(manifest)
    content["sha256"] = hashlib.sha256(canonical_json(content)).hexdigest()
    with storage.write_atomic(storage.join(base, MANIFEST)) as sink:
        sink.write(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n")


def has_manifest(base: str) -> bool:
    """Say whether a directory holds a committed stage."""
    return storage.exists(storage.join(base, MANIFEST))


def read_manifest(base: str, stage: str | None = None) -> Manifest:
    """Read and verify a manifest; `stage` is the stage that must have written it.

    Raises UsageError when there is none or it is another stage's, CorruptError when its bytes were changed, or when it
    was written by another program or version, or names files outside its directory.
    """
    path = storage.join(base, MANIFEST)
    if not storage.exists(path):
        need = f" Run `corpuscle {stage}` into it first." if stage else ""
        raise UsageError(f"{base}: no {MANIFEST}, so no finished stage is here.{need}")
    content = read_json(path, _AGAIN, nan=True)  # a loss may be none
    if not isinstance(content, dict) or "sha256" not in content:
        raise CorruptError(f"{path}: not a manifest of {PACKAGE}; check the path, or {_AGAIN}")
    stated = content.pop("sha256")
    if hashlib.sha256(canonical_json(content)).hexdigest() != stated:
        raise CorruptError(f"{path}: its content does not match its own hash; {_AGAIN}")
    try:
        manifest = _from_json(content)
    except BadJsonError as error:
        raise CorruptError(f"{path}: {error}; {_written_by(content)}") from error
    if stage and manifest.stage != stage:
        raise UsageError(f"{base}: holds the output of `{manifest.stage}`, expected `{stage}`; check the path")
    return manifest


def missing_parts(base: str, manifest: Manifest) -> Iterator[str]:
    """Yield one line for every part that is missing or has another size; contents are `verify_parts`'s to read."""
    remote = storage.walk_sizes(base) if storage.is_remote(base) else None
    for part in manifest.parts:
        path = storage.join(base, part.path)
        there = remote.get(part.path) if remote is not None else _local_size(path)
        if there is None:
            yield f"{path}: missing"
        elif there != part.bytes:
            yield f"{path}: {there} bytes, the manifest says {part.bytes}"


def damage_text(damaged: Sequence[str]) -> str:
    """Return the first line of `missing_parts` and how many more there are."""
    return damaged[0] + (f", and {len(damaged) - 1} more such parts" if len(damaged) > 1 else "")


def _local_size(path: str) -> int | None:
    return os.path.getsize(path) if os.path.exists(path) else None


def verify_parts(base: str, manifest: Manifest) -> Iterable[str]:
    """Yield one line for every part that is missing or differs from the manifest."""
    for part in manifest.parts:
        path = storage.join(base, part.path)
        if not storage.exists(path):
            yield f"{path}: missing"
        elif storage.size(path) != part.bytes:
            yield f"{path}: {storage.size(path)} bytes, the manifest says {part.bytes}"
        elif storage.sha256_file(path) != part.sha256:
            yield f"{path}: content differs from the manifest's sha256"


def _from_json(content: dict[str, Any]) -> Manifest:
    # What was made before revisions were counted is revision 1.
    manifest = build(Manifest, {"revision": 1, **content}, optional=("version",))
    for part in manifest.parts:
        check_inside(part.path)
    return manifest


def _written_by(content: dict[str, Any]) -> str:
    """Return which version wrote a manifest that this one does not understand, as far as it says, and what to do."""
    version, own = str(content.get("version", "unknown"))[:40], package_version()
    if version == own:
        return _AGAIN
    return f"written by {PACKAGE} {version}, this is {own}: install that version, or {_AGAIN}"


def canonical_json(content: Any) -> bytes:
    """Return the one JSON text that stands for some content when it is hashed."""
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
