"""Signs of life: which rank is behind while a step takes long.

All ranks do the same parts of steps in the same order, and wait for each other within them. Each counts the parts it
came to. While a step takes longer than it should, a thread of each rank writes its count into a file, and rank 0 says
who has the lowest: the one that the others wait for, or that has gone. No torch here.
"""

import json
import os
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from corpus import storage
from corpus.errors import CorpuscleError
from corpus.stage.workspace import WORK
from train.job import LOGS

FOLDER = f"{WORK}/beats"
USUAL = 20  # steps whose median says how long one takes
SLOW = 5.0  # times as long is worth a word, after `stall_seconds` at the least
STALE = 3.0  # times the rhythm of signs: a rank that has written none for so long is not heard
_SHOWN = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Beat:
    """What a rank wrote last: the parts that it came to, and what it does; `at` is its time of day."""

    count: int
    step: int
    part: str
    at: float


@dataclass(kw_only=True, slots=True)
class Heartbeat:
    """Heartbeat of one rank; rank 0 alone speaks."""

    output: str
    rank: int
    ranks: int
    stall_seconds: float
    say: Callable[[str], None]
    step: int = 0
    part: str = ""
    count: int = 0
    began: float = field(default_factory=time.monotonic)
    took: deque[float] = field(default_factory=lambda: deque(maxlen=USUAL))
    ended: threading.Event = field(default_factory=threading.Event)
    told_at: float = 0.0  # seconds into the step at which it was spoken of last

    def start(self) -> None:
        """Begin to watch, in a thread that ends with the process or by `stop`."""
        os.makedirs(storage.join(self.output, FOLDER), exist_ok=True)
        self.begin(self.step)
        threading.Thread(target=self._watch, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """End the watch."""
        self.ended.set()

    def begin(self, step: int) -> None:
        """Note that a step begins, counted as steps done when it ends."""
        now = time.monotonic()
        if self.count:
            self.took.append(now - self.began)
        self.began, self.step, self.told_at = now, step, 0.0
        self.enter("waits for its rows")

    def enter(self, part: str) -> None:
        """Note that the rank came to a part of its step."""
        self.part = part
        self.count += 1

    def limit(self) -> float:
        """Return after how many seconds a step takes long."""
        return max(self.stall_seconds, SLOW * statistics.median(self.took) if self.took else 0.0)

    def look(self) -> None:
        """Write a sign of life if the step takes long; of rank 0, say who is behind: then, and after twice as long."""
        seconds = time.monotonic() - self.began
        if seconds < self.limit():
            return
        content = {"count": self.count, "step": self.step, "part": self.part, "at": time.time()}
        with storage.write_atomic(self._path(self.rank)) as sink:
            sink.write(json.dumps(content).encode())
        due = max(2 * self.told_at, self.limit() + self._rhythm())  # the others had time to write theirs
        if self.rank == 0 and seconds >= due:
            self.told_at = seconds
            self.say(slow_step(self.step, seconds, self._beats(), time.time(), stale=STALE * self._rhythm()))

    def _watch(self) -> None:
        while not self.ended.wait(self._rhythm()):
            try:
                self.look()
            except (OSError, CorpuscleError):  # a sign of life is not worth a run
                continue

    def _rhythm(self) -> float:
        return min(5.0, self.stall_seconds / 6)

    def _beats(self) -> list[Beat | None]:
        return [self._read(rank) for rank in range(self.ranks)]

    def _read(self, rank: int) -> Beat | None:
        try:
            with storage.open_read(self._path(rank)) as source:
                content: dict[str, Any] = json.loads(source.read())
            return Beat(**content)
        except (OSError, ValueError, TypeError):
            return None

    def _path(self, rank: int) -> str:
        return storage.join(self.output, FOLDER, f"rank-{rank}.json")


def slow_step(step: int, seconds: float, beats: list[Beat | None], now: float, *, stale: float) -> str:
    """Return the line about a step that takes long: who has not been heard, else who has come least far."""
    silent = [rank for rank, beat in enumerate(beats) if beat is None or now - beat.at > stale]
    if silent:
        verb = "has" if len(silent) == 1 else "have"
        said = f"{_named(silent)} {verb} given no sign of life"
        return f"step {step:,} takes {seconds:,.0f} s: {said}; see {LOGS}/rank-{silent[0]}.log, or its machine"
    known = [beat for beat in beats if beat is not None]
    least = min(beat.count for beat in known)
    behind = [rank for rank, beat in enumerate(known) if beat.count == least]
    if len(behind) == len(known):
        return f"step {step:,} takes {seconds:,.0f} s, on all ranks: {known[0].part}"
    verb = "has" if len(behind) == 1 else "have"
    waiting = len(known) - len(behind)
    return (
        f"{_named(behind)} {verb} not finished step {step:,}, {seconds:,.0f} s: {known[behind[0]].part}, and "
        f"{waiting} of {len(known)} ranks are further ({max(known, key=lambda beat: beat.count).part})"
    )


def _named(ranks: list[int]) -> str:
    shown = ", ".join(map(str, ranks[:_SHOWN])) + (", …" if len(ranks) > _SHOWN else "")
    return f"rank{'s' * (len(ranks) > 1)} {shown}"
