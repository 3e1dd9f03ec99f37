"""Signs of life: which rank is behind while a step takes long.

All ranks do the same parts of steps in the same order, and wait for each other within them. Each counts the parts it
came to. While a step takes longer than it should, a thread of each rank writes its count into a file, and rank 0 says
who has the lowest: the one that the others wait for, or that has gone. Machines do not agree about the time of day, and
somebody may set it: how old a sign is rank 0 knows from when it saw it change, by its own clock. No torch here.
"""

import json
import math
import os
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from corpus import storage
from corpus.errors import CorpuscleError
from corpus.stage.workspace import WORK
from train.job import LOGS

FOLDER = f"{WORK}/beats"
USUAL = 20  # steps whose median says how long one takes
SLOW = 5.0  # times as long is worth a word, after `stall_seconds` at the least
STALE = 3.0  # times the rhythm of signs: a rank that has given none for so long is not heard
_SHOWN = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Beat:
    """What a rank wrote last: the parts that it came to, and what it does; each `sign` has another number."""

    count: int
    step: int
    part: str
    sign: int


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
    began: float = 0.0
    took: deque[float] = field(default_factory=lambda: deque(maxlen=USUAL))
    ended: threading.Event = field(default_factory=threading.Event)
    told_at: float = 0.0  # seconds into the step at which it was spoken of last
    clock: Callable[[], float] = time.monotonic
    signs: int = 0  # given
    seen: dict[int, tuple[int, float]] = field(default_factory=dict)  # sign of each rank, when it was seen first

    def start(self) -> None:
        """Begin to watch, in a thread that ends with the process or by `stop`."""
        os.makedirs(storage.join(self.output, FOLDER), exist_ok=True)
        Path(self._path(self.rank)).unlink(missing_ok=True)  # of an earlier start
        self.begin(self.step)
        threading.Thread(target=self._watch, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """End the watch."""
        self.ended.set()

    def begin(self, step: int) -> None:
        """Note that a step begins, counted as steps done when it ends."""
        now = self.clock()
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
        seconds = self.clock() - self.began
        if seconds < self.limit():
            return
        self.signs += 1
        beat = Beat(count=self.count, step=self.step, part=self.part, sign=self.signs)
        with storage.write_atomic(self._path(self.rank)) as sink:
            sink.write(json.dumps(asdict(beat)).encode())
        if self.rank:
            return
        beats = [self._heard(rank) for rank in range(self.ranks)]
        due = max(2 * self.told_at, self.limit() + self._rhythm())  # the others had time to write theirs
        if seconds >= due:
            self.told_at = seconds
            self.say(slow_step(self.step, seconds, beats))

    def _watch(self) -> None:
        while not self.ended.wait(self._rhythm()):
            try:
                self.look()
            except (OSError, CorpuscleError):  # a sign of life is not worth a run
                continue

    def _rhythm(self) -> float:
        return min(5.0, self.stall_seconds / 6)

    def _heard(self, rank: int) -> Beat | None:
        """Return what a rank wrote; None if it did not change for long, or is of a step before and never changed."""
        beat, now = self._read(rank), self.clock()
        if beat is None:
            return None
        known = self.seen.get(rank)
        if known is None or known[0] != beat.sign:
            since = -math.inf if known is None and beat.step < self.step else now
            self.seen[rank] = beat.sign, since
        return beat if now - self.seen[rank][1] <= STALE * self._rhythm() else None

    def _read(self, rank: int) -> Beat | None:
        try:
            with storage.open_read(self._path(rank)) as source:
                content: dict[str, Any] = json.loads(source.read())
            return Beat(**content)
        except (OSError, ValueError, TypeError):
            return None

    def _path(self, rank: int) -> str:
        return storage.join(self.output, FOLDER, f"rank-{rank}.json")


def slow_step(step: int, seconds: float, beats: list[Beat | None]) -> str:
    """Return the line about a step that takes long: who has not been heard (None), else who has come least far."""
    silent = [rank for rank, beat in enumerate(beats) if beat is None]
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
