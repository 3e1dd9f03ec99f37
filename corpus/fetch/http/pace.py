"""Pace of requests to a server: attempts, waits, deadlines, and how many at once.

A server that answers "slow down" halves the number of requests in flight, at most once a second; every success adds a
little again. Waits between attempts grow and are drawn at random, so that clients do not come back together.
"""

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass

_START = 32  # requests in flight before the server has shown what it takes
_HALVE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """Limits of one run against one server; seconds and bytes."""

    connections: int = 128
    attempts: int = 8  # of one object; faults that repeat themselves (404, a wrong MD5) get fewer
    attempts_certain: int = 3
    first_wait: float = 0.5
    longest_wait: float = 30.0
    grace: float = 20.0  # seconds until an answer must begin, and that any body may take
    slowest: float = 20_000.0  # bytes a second below which a body is given up
    give_up_after: int = 100  # objects that failed in a row: the source is down

    def wait(self, attempt: int, asked: float = 0.0) -> float:
        """Return the seconds before attempt number `attempt` (from 1); `asked` is the server's Retry-After."""
        most = min(self.longest_wait, self.first_wait * 2.0**attempt)
        return max(min(asked, self.longest_wait), random.uniform(most / 4, most))


class Gate:
    """Lets a number of requests through at once that follows what the server takes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(min(_START, most))
        self._active = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._halved = 0.0
        self._ever_slow = False

    @property
    def limit(self) -> int:
        """The requests allowed in flight now."""
        return int(self._limit)

    async def __aenter__(self) -> None:
        while self._active >= int(self._limit):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._active += 1

    async def __aexit__(self, *_raised: object) -> None:
        self._active -= 1
        self._wake()

    def fine(self) -> None:
        """Note an answer without complaint."""
        self._limit = min(self._most, self._limit + (1.0 / self._limit if self._ever_slow else 1.0))
        self._wake()

    def slow(self) -> None:
        """Note that the server asked for patience."""
        now = time.monotonic()
        if now - self._halved > _HALVE_SECONDS:
            self._halved, self._ever_slow = now, True
            self._limit = max(1.0, self._limit / 2)

    def _wake(self) -> None:
        free = int(self._limit) - self._active
        while self._waiting and free > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1
