"""Requests to a rank: stop, asked for by a signal, by the launcher's file, or by the launcher's end; or save and go on.

In training it means: finish the step, save, exit 75. Before the first step there is nothing to save, and the rank ends
at once. One that hangs and does not come to its next save is ended after LAST_SECONDS. No torch here.
"""

import os
import signal
import threading
import time
from dataclasses import dataclass, field

from corpus.errors import RetryError
from train.loop.hold import asked_to_stop, launcher_gone

WATCH_SECONDS = 1.0  # between two looks for the launcher
LAST_SECONDS = 1800.0  # a step, the save and its hashes; as long as ranks wait for each other


class SignalFlag:
    """What a signal handler may set at any moment, and again within itself.

    threading.Event may not be: it is set under a lock, and a second signal within that would wait for it for ever.
    """

    __slots__ = ("_is_set",)

    def __init__(self) -> None:
        """Begin unset."""
        self._is_set = False

    def set(self) -> None:
        """Set it."""
        self._is_set = True

    def clear(self) -> None:
        """Unset it."""
        self._is_set = False

    def is_set(self) -> bool:
        """Say whether it is set."""
        return self._is_set


@dataclass(kw_only=True, slots=True)
class StopRequest:
    """Request to stop one rank; `launcher` is the word of the `corpuscle train` that started it, None for others."""

    output: str
    rank: int
    launcher: str | None
    parent: int = field(default_factory=os.getppid)
    asked: SignalFlag = field(default_factory=SignalFlag)
    training: SignalFlag = field(default_factory=SignalFlag)  # set before the first step
    saving: SignalFlag = field(default_factory=SignalFlag)  # SIGUSR1 asks for a checkpoint

    def arm(self) -> None:
        """Listen to signals from now on, and watch the launcher."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` stays what it is
                signal.signal(number, lambda *_: self._ask())
        signal.signal(signal.SIGUSR1, lambda *_: self.saving.set())
        threading.Thread(target=self._watch, name="launcher", daemon=True).start()

    def wanted(self) -> bool:
        """Say, at a step, whether this rank was asked to stop."""
        return self.asked.is_set()

    def save_wanted(self) -> bool:
        """Say, once for each request, whether this rank was asked for a checkpoint."""
        wanted = self.saving.is_set()
        self.saving.clear()
        return wanted

    def _ask(self) -> None:
        self.asked.set()
        if not self.training.is_set():
            os._exit(RetryError.exit_code)

    def _watch(self) -> None:
        while not (self._asked_by_file() or self._orphaned()):
            time.sleep(WATCH_SECONDS)
        self._ask()
        time.sleep(LAST_SECONDS)
        os._exit(RetryError.exit_code)

    def _asked_by_file(self) -> bool:
        return self.launcher is not None and self.rank == 0 and asked_to_stop(self.output, self.launcher)

    def _orphaned(self) -> bool:
        return os.getppid() != self.parent or (self.launcher is not None and launcher_gone(self.launcher))
