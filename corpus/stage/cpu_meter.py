"""CPU seconds of one process by step: they go to the step that is at work, and to no step above it.

Off but for the block of `metering`, as `rehearse` has it: it runs everything in one process, one step at a time, and
the pool threads of Arrow count for the step that waits for them.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

REST = "rest"  # what is outside of all steps


class Meter:
    """CPU seconds by step, from now on; `step` is the one at work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.step = REST
        self._since = time.process_time()

    def switch(self, step: str) -> str:
        """Let the time from now on count for a step; return the step that was at work."""
        now = time.process_time()
        self.seconds[self.step] += now - self._since
        before, self.step, self._since = self.step, step, now
        return before


_meter: Meter | None = None  # of this process: steps are pickled on their way to work, and a meter cannot go with them


def is_metering() -> bool:
    """Say whether the steps of this process count their seconds."""
    return _meter is not None


@contextmanager
def metering() -> Iterator[Meter]:
    """Yield the meter of all steps of this process while the block runs."""
    global _meter
    _meter = meter = Meter()
    try:
        yield meter
    finally:
        meter.switch(REST)
        _meter = None


@contextmanager
def metered(step: str) -> Iterator[None]:
    """Let the block count for a step, if a meter is on."""
    meter = _meter
    if meter is None:
        yield
        return
    before = meter.switch(step)
    try:
        yield
    finally:
        meter.switch(before)
