"""Where the CPU seconds of one process go: to the step that is at work, and to no step above it.

Off unless `Meter.start` was called, as `rehearse` does: it runs everything in one process, one step at a time, and the
pool threads of Arrow count for the step that waits for them.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class Meter:
    """The seconds by step of this process, and what the steps counted."""

    on = False
    seconds: ClassVar[dict[str, float]] = defaultdict(float)
    counts: ClassVar[Counter[str]] = Counter()
    step = "rest"
    _since = 0.0

    @classmethod
    def switch(cls, step: str) -> str:
        """Let the time from now on count for a step; return the step that was at work."""
        now = time.process_time()
        cls.seconds[cls.step] += now - cls._since
        before, cls.step, cls._since = cls.step, step, now
        return before

    @classmethod
    def start(cls) -> None:
        """Begin anew."""
        cls.on, cls.step, cls._since = True, "rest", time.process_time()
        cls.seconds.clear()
        cls.counts.clear()

    @classmethod
    def stop(cls) -> None:
        """End, with the time until now counted."""
        cls.switch("rest")
        cls.on = False


@contextmanager
def metered(step: str) -> Iterator[None]:
    """Let the block count for a step."""
    if not Meter.on:
        yield
        return
    before = Meter.switch(step)
    try:
        yield
    finally:
        Meter.switch(before)


def count(name: str, number: int) -> None:
    """Add to a count of the rehearsal."""
    if Meter.on:
        Meter.counts[name] += number
