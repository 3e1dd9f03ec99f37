"""End by a signal: SIGTERM and SIGHUP end a command soon, whatever it does, with a line and the exit code 75.

A scheduler sends the one, a terminal that is closed the other; SIGXCPU, for CPU seconds of `ulimit -St` or of a batch
system that are used up, is answered alike. The command unwinds as it does after Ctrl-C: temporary
files are removed, worker processes ended, and the finished parts stay. Python calls a handler between two of its own
instructions, which inside a library's long call can be minutes away: a thread ends the process then. Where Python
ignores what a handler raises (while it destroys an object), the signal is sent once more. So is a Ctrl-C that a library
drops: Arrow imports modules in the midst of a conversion and forgets every error of theirs. `corpuscle train` has
handlers of its own while its ranks run, and a signal that was ignored from the start (`nohup`) stays so.
"""

import atexit
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

from corpus.errors import RetryError
from pipelines.beam.forks import TASKS, paused_threads

NUMBERS: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU)
UNWIND_SECONDS: Final = 3.0
AGAIN_SECONDS: Final = 0.05
NOBODY: Final = b"\0"  # no signal has this number
LOOK_SECONDS: Final = 0.25  # between two looks whether a Ctrl-C is still on its way; after two in vain it was dropped


@contextmanager
def end_on_signals() -> Iterator["_Ending"]:
    """End this process with a line and RetryError's exit code when a signal comes while the block runs."""
    ending = _Ending()
    for number in NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, ending.unwind)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, ending.interrupt)
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    ending.listen(read)
    paused_threads.append(lambda: ending.deaf(read, write))
    sys.unraisablehook = ending.send_again
    atexit.register(_ignore, *NUMBERS)  # the first to be registered is the last to run
    try:
        yield ending
    finally:  # whatever the block made of it: a terminal that is gone makes its last words fail
        ending.is_over = True
        _ignore(signal.SIGINT)
        if ending.number:
            os._exit(RetryError.exit_code)


def _ignore(*numbers: signal.Signals) -> None:
    """Ignore signals while the interpreter is torn down: it would die of them, and all work is done."""
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


def _is_unwinding(thread: int) -> bool:
    """Say whether a thread deals with an exception that no `except Exception` would take: with its ends, or blocks'."""
    held: Any = sys._current_exceptions().get(thread)
    error: BaseException | None = held[1] if isinstance(held, tuple) else held  # a tuple before Python 3.12
    while error is not None:
        if not isinstance(error, (Exception, GeneratorExit)):
            return True
        error = error.__context__
    return False


class _Ending:
    """What a signal sets off: `number` is the first one's, 0 before it."""

    def __init__(self) -> None:
        self.number = 0
        self.is_over = False  # the work is done, whatever signal comes now
        self.interrupted = 0  # times, by SIGINT
        self._ignored = False
        self._is_watched = False
        self._stderr = -1
        with suppress(OSError):  # the caller closed it
            self._stderr = os.dup(2)  # a stage silences its own while a library works

    def unwind(self, number: int, frame: object) -> None:
        """Handle a signal: leave what the main thread does by SystemExit, which nothing takes for an error."""
        if self.is_over or (self.number and not self._ignored):
            return
        self._ignored = False
        if not self.number:
            self._say(number)
        raise SystemExit(RetryError.exit_code)

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Handle SIGINT as Python does, and remember it."""
        if self.is_over:
            return
        self.interrupted += 1
        signal.default_int_handler(number, frame)

    def send_again(self, unraisable: Any) -> None:
        """Stand for `sys.unraisablehook`: what a signal raised where nothing can be raised is raised a moment later."""
        signals = {KeyboardInterrupt: signal.SIGINT, SystemExit: self.number}
        if not (number := signals.get(unraisable.exc_type)):
            sys.__unraisablehook__(unraisable)
            return
        self._ignored = True
        main = threading.main_thread().ident
        timer = threading.Timer(AGAIN_SECONDS, signal.pthread_kill, (main, number))
        timer.daemon = True
        timer.start()

    def listen(self, read: int) -> None:
        """Start the thread that hears of signals."""
        self._thread = threading.Thread(target=self.insist, args=(read,), daemon=True)
        self._thread.start()

    @contextmanager
    def deaf(self, read: int, write: int) -> Iterator[None]:
        """Do without that thread while the block runs; of a signal that comes meanwhile it hears afterwards."""
        os.write(write, NOBODY)
        self._thread.join()
        while os.path.exists(f"{TASKS}/{self._thread.native_id}"):  # Linux buries it a moment after Python
            time.sleep(0.001)
        try:
            yield
        finally:
            self.listen(read)

    def insist(self, read: int) -> None:
        """End the process when a signal that `unwind` is there for has not ended it in time."""
        while number := os.read(read, 1)[0]:
            handler: Any = signal.getsignal(number)
            if handler == self.interrupt and not self._is_watched:
                self._is_watched = True
                threading.Thread(target=self.see_it_arrive, daemon=True).start()
            if handler == self.unwind:
                break
        else:  # told to stop
            return
        time.sleep(UNWIND_SECONDS)
        if not self.number:
            self._say(number)
        os._exit(RetryError.exit_code)

    def see_it_arrive(self) -> None:
        """Send SIGINT once more whenever its handler has raised and yet the work goes on."""
        main = threading.main_thread().ident or 0
        looks, wanted = 0, 1
        while not self.is_over:
            time.sleep(LOOK_SECONDS)
            looks = 0 if self.interrupted < wanted or _is_unwinding(main) else looks + 1
            if looks == 2 and not self.is_over:
                looks, wanted = 0, self.interrupted + 1
                signal.pthread_kill(main, signal.SIGINT)

    def _say(self, number: int) -> None:
        """Write the line; by the system's own call, since a handler may have come in the midst of a `print`."""
        self.number = number
        name = signal.Signals(number).name
        with suppress(OSError):
            said = f"stopped by {name}; the same command goes on from the finished parts"
            line = (
                json.dumps({"event": "signal", "text": said})
                if os.environ.get("CORPUSCLE_LOG_FORMAT") == "json"
                else f"error: {said}"
            )
            os.write(self._stderr, f"{line}\n".encode())
