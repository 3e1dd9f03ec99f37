"""What ties ranks to a directory and to who started them: rank 0's lock, a request to stop, and the launcher's life.

Rank 0 holds the lock for as long as it lives, whoever started it: never do two sets of ranks write into one directory.
Ranks below torchrun or DeepSpeed's launcher cannot be signalled from outside without their launcher ending them too
early, so they are asked by a file that rank 0 looks for; it names the start that it is for. No torch here.
"""

import fcntl
import os
import signal
import socket
import time
from contextlib import suppress

import psutil

from corpus import storage
from corpus.errors import RetryError
from corpus.stage.workspace import WORK
from train.job import RANKS_LOCK

STOP = f"{WORK}/stop"
TAKE_SECONDS = 3.0  # a launcher that looks whether the lock is free has it for a moment
FREE_SECONDS = 10.0  # ranks whose launcher was killed end by themselves
POLL_SECONDS = 0.1


class RanksBusyError(RetryError):
    """Other ranks are training in this directory."""


def hold_ranks(output: str) -> int:
    """Take the lock of a directory for rank 0 and return its descriptor, to be left open until the process ends.

    Raises RanksBusyError when ranks that somebody else started hold it.
    """
    descriptor = os.open(storage.join(output, RANKS_LOCK), os.O_CREAT | os.O_RDWR)
    deadline = time.monotonic() + TAKE_SECONDS
    while not _taken(descriptor):
        if time.monotonic() > deadline:
            os.close(descriptor)
            raise _busy(output)
        time.sleep(POLL_SECONDS)
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, f"{socket.gethostname()} {os.getpid()}\n".encode(), 0)
    return descriptor


def check_no_ranks(output: str) -> None:
    """Raise RanksBusyError when ranks are still training in a directory; those that are ending get a moment."""
    deadline = time.monotonic() + FREE_SECONDS
    while ranks_hold(output):
        if time.monotonic() > deadline:
            raise _busy(output)
        time.sleep(POLL_SECONDS)


def ranks_hold(output: str) -> bool:
    """Say whether a rank 0, on this machine or on another that shares the directory, holds it."""
    try:
        descriptor = os.open(storage.join(output, RANKS_LOCK), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _taken(descriptor)
    finally:
        os.close(descriptor)


def end_holder(output: str) -> None:
    """Kill rank 0, if it holds the directory from this machine; without it the others end."""
    host, pid = _holder(output)
    if host == socket.gethostname() and pid is not None and ranks_hold(output):
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()


def ask_to_save(output: str) -> None:
    """Ask the ranks for a checkpoint, by SIGUSR1 to rank 0, if it holds the directory from this machine."""
    if not ranks_hold(output):
        return
    host, pid = _holder(output)
    if host == socket.gethostname() and pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)


def this_launcher() -> str:
    """Return the word that ranks get from the process that started them: where it runs, and its number."""
    return f"{socket.gethostname()}:{os.getpid()}"


def launcher_gone(launcher: str) -> bool:
    """Say whether the launcher of this rank has ended; of one on another machine nobody here can say."""
    host, _, pid = launcher.rpartition(":")
    return host == socket.gethostname() and int(pid) not in [parent.pid for parent in psutil.Process().parents()]


def ask_to_stop(output: str, launcher: str) -> None:
    """Ask the ranks that this launcher started to save and end."""
    with storage.write_atomic(storage.join(output, STOP)) as sink:
        sink.write(launcher.encode())


def asked_to_stop(output: str, launcher: str) -> bool:
    """Say whether the launcher asked its ranks to save and end."""
    try:
        with storage.open_read(storage.join(output, STOP)) as source:
            return source.read() == launcher.encode()
    except FileNotFoundError:
        return False


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(output: str) -> tuple[str, int | None]:
    """Return machine and process of the rank 0 that holds a directory, as far as it has written them."""
    with storage.open_read(storage.join(output, RANKS_LOCK)) as source:
        words = source.read(1000).decode(errors="replace").split()
    return (words[0], int(words[1])) if len(words) == 2 and words[1].isdecimal() else ("another machine", None)


def _busy(output: str) -> RanksBusyError:
    host, pid = _holder(output)
    return RanksBusyError(
        f"{output}: ranks of another start are still training here (rank 0 is process {pid or 'unknown'} on {host}); "
        "wait for them, or end them with SIGTERM, which saves; then run the same command with --resume"
    )
