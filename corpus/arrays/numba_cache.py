"""Where numba keeps what it compiled, and who compiles: one process at a time, which says so.

numba keeps its cache beside the source, or below the user's home, and gives up where it can write neither. Here it is
given a folder first, by the environment, so that worker processes have the same.
"""

import fcntl
import gc
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from corpus.arrays.cache_folder import cache_folder, is_writable

FOLDER: Final = "NUMBA_CACHE_DIR"  # numba's own variable
COMMAND: Final = "CORPUSCLE_COMMAND"  # in a worker process: the one that it works for
WAIT_SECONDS: Final = 300.0  # for a process that compiles; one that was stopped in the midst of it holds nobody up
POLL_SECONDS: Final = 0.05
_BESIDE = Path(__file__).parent / "__pycache__"


def choose_folder(beside: Path = _BESIDE) -> Path | None:
    """Return the folder of numba's cache: the user's choice, beside the source, below their caches, or a private one.

    None where nothing can be written. What is not beside the source is in numba's environment variable then, for this
    process and those that it starts.
    """
    chosen = os.environ.get(FOLDER)
    if chosen and is_writable(Path(chosen)):
        return Path(chosen)
    if is_writable(beside):
        _tell_numba(None)
        return beside
    folder = cache_folder("numba")
    _tell_numba(folder)
    return folder


def _tell_numba(folder: Path | None) -> None:
    if folder is None:
        os.environ.pop(FOLDER, None)
    else:
        os.environ[FOLDER] = str(folder)
    if "numba" in sys.modules:  # it has read its environment already
        settings: Any = sys.modules["numba"].config
        settings.CACHE_DIR = "" if folder is None else str(folder)


class CompileLock:
    """The right to compile into a folder, which one process of this machine has at a time, for kernels within kernels.

    numba compiles in one thread of a process at a time, so this one counts without a lock of its own.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._depth = 0
        self._file = -1
        self._collects = False

    def acquire(self) -> None:
        """Wait until no other process compiles; without a word go on where files cannot be locked."""
        self._depth += 1
        if self._depth > 1 or self.folder is None:
            return
        self._collects = gc.isenabled()
        gc.disable()  # numba makes objects by the million, and what it has no more use for is freed without
        with suppress(OSError):
            self._file = os.open(self.folder / "compiling.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + WAIT_SECONDS
        while self._file >= 0 and time.monotonic() < deadline:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(POLL_SECONDS)
            except OSError:
                break
            else:
                break

    def release(self) -> None:
        """Let the next process compile."""
        self._depth -= 1
        if self._depth:
            return
        if self._collects:
            gc.enable()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    @contextmanager
    def let_go_behind(self) -> Iterator[None]:
        """Let the next process compile in the end, whatever raised before what was compiled could be kept."""
        depth = self._depth
        try:
            yield
        finally:
            while self._depth > depth:
                self.release()

    def announce(self) -> None:
        """Say once a command that it compiles, and where that is kept; the file of the lock holds who said it last."""
        global _announced
        command = os.environ.get(COMMAND, str(os.getpid()))
        if _announced == command:
            return
        _announced, told = command, ""
        if self._file >= 0:
            with suppress(OSError):
                told = os.pread(self._file, 64, 0).decode(errors="replace")
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, command.encode(), 0)
        if told != command and sys.stderr is not None:
            print(_words(self.folder), file=sys.stderr, flush=True)


def _words(folder: Path | None) -> str:
    if folder is None:
        return (
            "compiling at every start, up to 20 s: no folder for compiled code can be written; "
            f"set {FOLDER} to one that can"
        )
    return (
        f"compiling once on this machine, up to 20 s; kept in {folder} (`corpuscle doctor --compile` does it "
        "beforehand, for all stages)"
    )


_announced = ""
LOCK: Final = CompileLock(choose_folder())
