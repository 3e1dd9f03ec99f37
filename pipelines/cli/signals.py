"""End by a signal: SIGTERM and SIGHUP end a command soon, whatever it does, with a line and the exit code 75.

A scheduler sends the one, a terminal that is closed the other. The command unwinds as it does after Ctrl-C: temporary
files are removed, worker processes ended, and the finished parts stay. Python calls a handler between two of its own
instructions, which inside a library's long call can be minutes away: a thread ends the process then. `corpuscle train`
has handlers of its own while its ranks run, and a signal that was ignored from the start (`nohup`) stays so.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from corpus.errors import RetryError

NUMBERS: Final = (signal.SIGTERM, signal.SIGHUP)
UNWIND_SECONDS: Final = 3.0


@contextmanager
def end_on_signals() -> Iterator[None]:
    """End this process with a line and RetryError's exit code when a signal comes while the block runs."""
    ending = _Ending()
    for number in NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, ending.unwind)
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=ending.insist, args=(read,), daemon=True).start()
    try:
        yield
    finally:  # whatever the block made of it: a terminal that is gone makes its last words fail
        if ending.number:
            os._exit(RetryError.exit_code)


class _Ending:
    """What a signal sets off: `number` is the first one's, 0 before it."""

    def __init__(self) -> None:
        self.number = 0
        self._stderr = -1
        with suppress(OSError):  # the caller closed it
            self._stderr = os.dup(2)  # a stage silences its own while a library works

    def unwind(self, number: int, frame: object) -> None:
        """Handle a signal: leave what the main thread does by SystemExit, which nothing takes for an error."""
        if not self.number:
            self._say(number)
            raise SystemExit(RetryError.exit_code)

    def insist(self, read: int) -> None:
        """End the process when a signal that `unwind` is there for has not ended it in time."""
        while number := os.read(read, 1)[0]:
            handler: Any = signal.getsignal(number)
            if handler == self.unwind:
                break
        time.sleep(UNWIND_SECONDS)
        if not self.number:
            self._say(number)
        os._exit(RetryError.exit_code)

    def _say(self, number: int) -> None:
        """Write the line; by the system's own call, since a handler may have come in the midst of a `print`."""
        self.number = number
        name = signal.Signals(number).name
        with suppress(OSError):
            os.write(
                self._stderr, f"error: stopped by {name}; the same command goes on from the finished parts\n".encode()
            )
