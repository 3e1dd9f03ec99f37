"""Spool of a fetch: the folder of its unfinished work, and its log."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import isal

from corpus import storage
from corpus.fetch.config import TERMS, FetchConfig
from corpus.fetch.http.tally import LOG, FetchTally
from corpus.ncbi.archives.fetched import UNFINISHED
from corpus.stage.claim import check_claim
from corpus.stage.lock import held
from corpus.stage.progress import say
from corpus.stage.workspace import WORK, Workspace


def spool_folder(config: FetchConfig, output: str) -> str:
    """Return the local folder of unfinished work: inside a local output, else one of its own for this output."""
    if config.spool is not None:
        return config.spool
    if not storage.is_remote(output):
        return os.path.join(output, WORK)
    return os.path.join(tempfile.gettempdir(), f"corpuscle-fetch-{hashlib.sha256(output.encode()).hexdigest()[:16]}")


def mark_unfinished(workspace: Workspace) -> None:
    """Leave a mark that a reader of the directory sees until the manifest is there."""
    with storage.write_atomic(workspace.path(f"{WORK}/{UNFINISHED}")) as sink:
        sink.write(b"`corpuscle fetch` is not finished here\n")


@contextmanager
def held_spool(config: FetchConfig, output: str) -> Iterator[None]:
    """Hold a spool that lies outside the output while the block runs.

    Raises RetryError when another process of this machine has it, UsageError when it is a folder of other files, since
    it is removed in the end; or when the output is, so that no spool is made for it.
    """
    check_claim(output)
    spool = spool_folder(config, output)
    inside = not storage.is_remote(output) and spool == os.path.join(output, WORK)
    with nullcontext() if inside else held(spool):
        yield


@contextmanager
def recorded(config: FetchConfig, output: str) -> Iterator[FetchTally]:
    """Yield the run's tally; its log lies in the output when the block ends."""
    remote = storage.is_remote(output)
    # Beside the spool, which is removed when the store is finished.
    path = f"{spool_folder(config, output).rstrip('/')}.{LOG}" if remote else os.path.join(output, LOG)
    if not storage.exists(storage.join(output, LOG)) and not os.path.exists(path):
        say(f"{config.source}: {TERMS[type(config)]}")
    tally = FetchTally(path)
    tally.note("start", source=config.source, settings=config.identity(), isal=isal.__version__)
    try:
        yield tally
    except BaseException as error:
        tally.note("stopped", error=f"{type(error).__name__}: {error}"[:500])
        raise
    finally:
        tally.close()
        if told := tally.faults_line(storage.join(output, LOG)):
            say(told)
        if remote:
            _move_log(path, storage.join(output, LOG))


def _move_log(local: str, path: str) -> None:
    """Put a log behind the one that is there."""
    before = b""
    if storage.exists(path):
        with storage.open_read(path) as source:
            before = source.read()
    with open(local, "rb") as source, storage.write_atomic(path) as sink:
        sink.write(before + source.read())
    os.unlink(local)
