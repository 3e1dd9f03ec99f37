"""Reading of a finished stage: its files stay as its manifest names them until the reader is done.

A reader holds the stage's directory itself, which needs no right to write there and no file; whoever wants to put
another result in the place of this one waits for it (`corpus.stage.switch`), and can do all else meanwhile. On a
bucket, and on a disk without such locks, nobody can be held off: there, as everywhere, a stage looks before its commit
whether the manifests of what it read are still the same (`Workspace.commit`), and a manifest always changes before any
file that it names does.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace

from corpus import storage
from corpus.errors import CorruptError, RetryError, UsageError
from corpus.stage.manifest import Manifest, canonical_json, damage_text, missing_parts, read_manifest
from corpus.stage.progress import say

WAIT_SECONDS = 600.0  # for readers that go on
POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class StageRead:
    """A finished stage that another one reads, by what its manifest said at the start."""

    base: str
    digest: str

    def check_unchanged(self) -> None:
        """Raise RetryError when another manifest is there now, or none."""
        with suppress(UsageError, CorruptError):
            if stage_read(self.base, read_manifest(self.base)) == self:
                return
        raise RetryError(
            f"{self.base}: changed while it was read (brought up to date, made again or removed), so nothing was "
            "committed; run the same command again"
        )


def stage_read(base: str, manifest: Manifest) -> StageRead:
    """Return what is remembered of a stage that is read."""
    plain = replace(manifest, parts=tuple(replace(part, path=part.name) for part in manifest.parts))
    return StageRead(base=base, digest=hashlib.sha256(canonical_json(asdict(plain))).hexdigest())


def read_whole(base: str, stage: str, roles: Collection[str]) -> Manifest:
    """Return the manifest of a finished stage of which the parts of some roles are read.

    Raises what `read_manifest` does, CorruptError when such a part is missing or has another size.
    """
    manifest = read_manifest(base, stage)
    read = replace(manifest, parts=tuple(part for part in manifest.parts if part.role in roles))
    if damaged := list(missing_parts(base, read)):
        again = f"the `corpuscle {stage}` that made them, run again, makes them again"
        raise CorruptError(f"{damage_text(damaged)}; {again}")
    return manifest


def check_content(path: str, sha256: str) -> None:
    """Raise CorruptError when a part that was just read is not what its manifest says; a bucket's is not read twice."""
    if not storage.is_remote(path) and storage.sha256_file(path) != sha256:
        raise CorruptError(f"{path}: differs from the manifest's sha256; run `corpuscle verify` on its directory")


@contextmanager
def held_for_reading(base: str) -> Iterator[None]:
    """Hold a directory, beside other readers, against whoever wants to replace the result in it."""
    said = "its next result is being put in its place"
    with _locked(base, fcntl.LOCK_SH, said):
        yield


@contextmanager
def without_readers(base: str) -> Iterator[None]:
    """Hold a directory against all readers, once those that are there are done."""
    with _locked(base, fcntl.LOCK_EX, "somebody reads the result that is to be replaced"):
        yield


@contextmanager
def _locked(base: str, kind: int, said: str) -> Iterator[None]:
    descriptor = None
    if not storage.is_remote(base):
        with suppress(OSError):  # no such directory, or none that may be listed
            descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if descriptor is not None:
            _wait_for_lock(descriptor, kind, f"{base}: {said}")
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _wait_for_lock(descriptor: int, kind: int, said: str) -> None:
    """Lock an open directory, where its file system can; say so when that takes long, raise RetryError after all."""
    until = time.monotonic() + WAIT_SECONDS
    waiting = False
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise RetryError(
                    f"{said}, for longer than {WAIT_SECONDS:.0f} s; all that was made is kept: run the same command "
                    "again when that is over"
                ) from None
            if not waiting:
                say(f"{said}; waiting for it to end")
            waiting = True
            time.sleep(POLL_SECONDS)
        except OSError:  # network file systems without such locks
            return
        else:
            return
