"""Tally of a fetch: counts for the eye, and a log of JSON lines for the record.

Every fault, with its kind and URL, is a line of `fetch.jsonl`; the terminal shows rate, what is left, and
faults by kind.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO, Any

from rich.filesize import decimal

from corpus.stage.progress import LINE_SECONDS, say

LOG = "fetch.jsonl"
_ENOUGH = 16  # objects that are done, from which their mean says something of the others


class FetchTally:
    """Counts of one phase of a fetch, and the log of the whole; `total` objects are expected."""

    def __init__(self, log_path: str) -> None:
        os.makedirs(os.path.dirname(log_path) or ".", exist_ok=True)
        self._log: IO[str] = open(log_path, "a", encoding="utf-8")  # noqa: SIM115  closed by close()
        self.faults: Counter[str] = Counter()
        self.requests = self.received = 0
        self.begin("", 0)

    def begin(self, label: str, total: int, *, bytes_each: float = 0.0, unit: str = "objects") -> None:
        """Start a phase; `bytes_each` is a first guess of an object's size, for the bytes that are left."""
        self.label, self.total, self.unit = label, total, unit
        self.done = self.reused = 0
        self.bytes = 0
        self._guess = bytes_each
        self._start = time.monotonic()
        if label:
            self.note("phase", name=label, total=total)

    def add(self, size: int) -> None:
        """Count an object that was fetched and verified."""
        self.done += 1
        self.bytes += size

    def fault(self, kind: str, url: str, detail: str, *, attempt: int, final: bool) -> None:
        """Count a fault and log it with its URL."""
        self.faults[kind] += 1
        self.note("gave_up" if final else "retry", kind=kind, url=url, detail=detail[:300], attempt=attempt)

    def note(self, event: str, **facts: Any) -> None:
        """Write a line to the log."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "event": event, **facts}
        self._log.write(json.dumps(line, ensure_ascii=True) + "\n")
        self._log.flush()

    def line(self) -> str:
        """Return what a person is shown."""
        seconds = max(1e-3, time.monotonic() - self._start)
        rate, speed = self.done / seconds, self.bytes / seconds
        left = max(0, self.total - self.done - self.reused)
        # The bytes of files in flight count already: a mean over few that are done would be far too large.
        each = self.bytes / self.done if self.done >= _ENOUGH or not self._guess else self._guess
        seconds_left = left / rate if self.done >= _ENOUGH else left * each / speed if speed else 0.0
        ahead = f", about {decimal(int(left * each))} and {duration(seconds_left)} left" if seconds_left else ""
        kinds = self._kinds()
        return (
            f"{self.label}: {self.done + self.reused:,} of {self.total:,} {self.unit}, {rate:,.0f}/s, "
            f"{decimal(int(speed))}/s{ahead}" + (f"; faults: {kinds}" if kinds else "")
        )

    def faults_line(self, log: str) -> str:
        """Return what a person is told of all faults at the end, "" without any."""
        if not self.faults:
            return ""
        return f"{self.faults.total():,} faults in {self.requests:,} requests ({self._kinds()}); {log} names each"

    def committed(self, **facts: Any) -> None:
        """Log the end of a run that is finished, with what it took."""
        self.note("committed", requests=self.requests, received=self.received, faults=dict(self.faults), **facts)

    def _kinds(self) -> str:
        return ", ".join(f"{kind} {count:,}" for kind, count in self.faults.most_common())

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Show the line while the block runs: twice a second on a terminal, else every 30 seconds."""
        task = asyncio.create_task(self._show())
        try:
            yield
        finally:
            task.cancel()
            if sys.stderr.isatty():
                print(f"\r{self.line()}\x1b[K", file=sys.stderr)

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    async def _show(self) -> None:
        while True:
            if sys.stderr.isatty():
                await asyncio.sleep(0.5)
                print(f"\r{self.line()}\x1b[K", end="", file=sys.stderr, flush=True)
            else:
                await asyncio.sleep(LINE_SECONDS)
                say(self.line())


def duration(seconds: float) -> str:
    """Return seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
