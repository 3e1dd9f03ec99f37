"""Lock of an output directory for one running stage, `run.json`, what the run cost, and its log of events.

`run.json` beside the manifest holds what the run cost: times and memory depend on the machine and so
have no place in the manifest.
"""

import fcntl
import json
import os
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from corpus import storage
from corpus.errors import RetryError
from corpus.stage.claim import LOCK as LOCK
from corpus.stage.claim import MARK, NO_FORMS, Forms, check_claim
from corpus.stage.events import recorded_events
from corpus.stage.manifest import MANIFEST, has_manifest, read_manifest

RUN_FACTS = "run.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """What a run cost, on this machine."""

    wall_seconds: float  # from start to commit [seconds]
    cpu_seconds: float  # of this process and of its children that have ended [seconds]
    bytes_read: int  # of the inputs of the tasks that were done, 0 where a stage does not count them [bytes]
    peak_memory_mb: int  # of the largest single process [10^6 bytes]
    cores: int | None  # of the machine
    python: str  # version
    platform: str  # system, kernel and processor


@dataclass(kw_only=True, slots=True)
class WorkDone:
    """What a run has to do, for `run.json`: the bytes that its tasks read, and what it measured itself, by name."""

    bytes_read: int = 0
    measured: dict[str, Any] = field(default_factory=dict)


@contextmanager
def running_stage(output: str) -> Iterator[WorkDone]:
    """Hold a directory for one running stage; leave `run.json` and `events.jsonl` when the block committed a manifest.

    What the block says of its work goes into the file too.

    Raises UsageError for a directory that is not ours, RetryError when another process holds it or it vanishes.
    """
    with held(output), _noticed_to_vanish(output):
        before = _committed(output)
        wall, cpu = time.monotonic(), _cpu_seconds()
        work = WorkDone()
        with recorded_events(output, lambda: _news(output, before, wall)):
            yield work
        if _committed(output) not in (None, before):
            facts = RunFacts(
                wall_seconds=round(time.monotonic() - wall, 2),
                cpu_seconds=round(_cpu_seconds() - cpu, 2),
                bytes_read=work.bytes_read,
                peak_memory_mb=round(max(_usage(who).ru_maxrss for who in _WHO) / 1e3),
                cores=os.cpu_count(),
                python=platform.python_version(),
                platform=platform.platform(),
            )
            with storage.write_atomic(storage.join(output, RUN_FACTS)) as sink:
                sink.write(json.dumps(asdict(facts) | work.measured, indent=1).encode() + b"\n")


def _news(output: str, before: bytes | None, started: float) -> dict[str, Any] | None:
    """Return what a run committed, for its log of events; None when the manifest is the one that was there."""
    if _committed(output) in (None, before):
        return None
    manifest = read_manifest(output)
    seconds = round(time.monotonic() - started, 2)
    books = {"read": manifest.books.read, "kept": manifest.books.kept, "dropped": dict(manifest.books.dropped)}
    return {"stage": manifest.stage, "fingerprint": manifest.fingerprint, "seconds": seconds, "books": books}


@contextmanager
def _noticed_to_vanish(output: str) -> Iterator[None]:
    """Raise RetryError, instead of whatever comes of it, when a local directory is removed or moved meanwhile."""
    if storage.is_remote(output):
        yield
        return
    descriptor = os.open(output, os.O_RDONLY)  # as long as it is open, no other directory gets its number
    try:
        yield
    except Exception as error:
        _check_there(output, descriptor, error)
        raise
    else:
        _check_there(output, descriptor, None)
    finally:
        os.close(descriptor)


def _check_there(output: str, descriptor: int, cause: Exception | None) -> None:
    try:
        there = os.path.samestat(os.stat(output), os.fstat(descriptor))
    except FileNotFoundError:
        there = False
    if not there:
        raise RetryError(
            f"{output}: the directory vanished while the stage was running (it was removed or moved), and what it had "
            "written with it; run the same command again"
        ) from cause


def _committed(output: str) -> bytes | None:
    """Return the manifest that is there, which an update replaces by another."""
    if not has_manifest(output):
        return None
    with storage.open_read(storage.join(output, MANIFEST)) as source:
        return source.read()


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _usage(who: int) -> resource.struct_rusage:
    return resource.getrusage(who)


def _cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(_usage, _WHO))


@contextmanager
def held(output: str, *, also: Forms = NO_FORMS) -> Iterator[None]:
    """Hold a local directory while the block runs; of a remote one nobody can say who writes there.

    It is marked as ours; a remote one only until a manifest says it. `also` as in `corpus.stage.claim`.

    Raises UsageError, before anything is written, for a directory that is not ours (`corpus.stage.claim`), RetryError
    when another process holds it.
    """
    check_claim(output, also=also)
    if storage.is_remote(output):
        with storage.write_atomic(storage.join(output, LOCK)) as sink:
            sink.write(MARK)
        yield
        if has_manifest(output):
            storage.remove_file(storage.join(output, LOCK))
        return
    os.makedirs(output, exist_ok=True)
    descriptor = os.open(os.path.join(output, LOCK), os.O_CREAT | os.O_RDWR)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RetryError(
                f"{output}: another corpuscle is writing here; wait for it, or choose another --output"
            ) from None
        if os.fstat(descriptor).st_size == 0:
            os.pwrite(descriptor, MARK, 0)
        yield
    finally:
        os.close(descriptor)
