"""The files of anyone's corpus: found by name, known by content, in an order that does not go by how they are given.

A file that is given goes by its base name, one below a directory by its path from there; under that name its result is
written. Two of one name are refused, since one result would take the other's place.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from corpus import storage
from corpus.errors import CorruptError, RetryError, UsageError
from corpus.stage.manifest import Input
from corpus.storage import parquet
from corpus.storage.lines import FORMS, PARQUET, codec_of, is_data_file

_LINE_BYTES: Final = 1500  # of a document in JSON lines, about: only how the work is cut goes by it
_PACKED_TO: Final = 3  # times its size, about, a packed file becomes


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignFile:
    """One file of a corpus that is read."""

    path: str
    name: str  # relative to what was given; its result has it too
    digest: str  # SHA-256 of its bytes
    version: str  # of `storage.version`: another one tells that it was written again
    bytes: int  # its size [bytes]
    num_docs: int  # as its footer says; of JSON lines about

    @property
    def is_parquet(self) -> bool:
        """Say whether it is Parquet, or else JSON lines."""
        return self.name.endswith(PARQUET)

    @property
    def as_input(self) -> Input:
        """Return the file as an input of the stage."""
        return Input(name=self.name, fingerprint=self.digest)

    def check_same(self) -> None:
        """Raise RetryError when the file is no more the one that was found."""
        if storage.version(self.path) != self.version:
            said = "changed after the start; nothing was committed, run the same command again"
            raise RetryError(f"{self.path}: {said}")


def find_foreign(given: Sequence[str], *, output: str | None = None) -> tuple[ForeignFile, ...]:
    """Return the files of directories and files that were given, hashed, in the order of their names.

    Raises UsageError for what is not there or cannot be read, for two files of one name, and for the output itself.
    """
    if not given:
        raise UsageError("dedup: no input; give files or directories")
    return tuple(foreign_file(path, name) for name, path in sorted(foreign_paths(given, output).items()))


def foreign_paths(given: Sequence[str], output: str | None = None) -> dict[str, str]:
    """Return the paths of the files of what was given, by name; raises as `find_foreign` does, and reads none."""
    found: dict[str, str] = {}
    for name, path in (pair for one in dict.fromkeys(given) for pair in _named(one.rstrip("/") or one, output)):
        if found.setdefault(name, path) != path:
            said = "give a directory above both, so that their names differ"
            raise UsageError(f"dedup: {found[name]} and {path} would both be written as {name}; {said}")
    return found


def _named(base: str, output: str | None) -> Iterator[tuple[str, str]]:
    """Yield (name, path) of the files of one thing given."""
    if output is not None and f"{_plain(output)}/".startswith(f"{_plain(base)}/"):
        raise UsageError(f"{base}: holds the output {output}, or is it; give another --output")
    if not storage.exists(base):
        raise UsageError(f"{base}: there is no such file or directory; check the path")
    if not storage.is_remote(base) and os.path.isfile(base):
        if not is_data_file(storage.base_name(base)):
            raise UsageError(f"{base}: its name is none of {FORMS}, so how to read it is not known; rename it")
        yield storage.base_name(base), base
        return
    names = [name for name in storage.walk_files(base) if is_data_file(name)]
    if not names:
        if storage.is_remote(base) and is_data_file(storage.base_name(base)):
            yield storage.base_name(base), base
            return
        raise UsageError(f"{base}: holds no file to read; expected {FORMS}")
    yield from ((name, storage.join(base, name)) for name in names)


def _plain(path: str) -> str:
    return path.rstrip("/") if storage.is_remote(path) else os.path.realpath(path)


def foreign_file(path: str, name: str) -> ForeignFile:
    """Return what is known of a file, which is read whole; raises UsageError for one that cannot be."""
    if storage.readable(name) != name:
        raise UsageError(f"{storage.readable(path)}: its name is no UTF-8; rename it")
    version, size = storage.version(path), storage.size(path)
    try:
        if name.endswith(PARQUET):
            rows = parquet.num_rows(path)
        else:
            rows = 1 + size * (_PACKED_TO if codec_of(name) else 1) // _LINE_BYTES
        digest = storage.sha256_file(path)
    except (OSError, CorruptError) as error:
        raise unreadable(path, error) from error
    return ForeignFile(path=path, name=name, digest=digest, version=version, bytes=size, num_docs=rows)


def unreadable(path: str, error: BaseException) -> UsageError:
    """Return the error for a file that cannot be read in its form."""
    form = "Parquet" if path.endswith(PARQUET) else "JSON lines"
    said = str(error.__cause__ or error).partition("\n")[0]
    return UsageError(f"{path}: not readable as {form} ({said}); mend it, or take it away")
