"""What all processes that a benchmark starts take, wherever they end up: those of a Slurm node are nobody's children.

Each is known by a variable in the environment that it was started with.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

EVERY_SECONDS = 0.2
MARK = "CORPUSCLE_BENCHMARK"


@dataclass(kw_only=True, slots=True)
class Cost:
    """What the processes that carry the mark took."""

    wall: float = 0.0
    peak: int = 0  # bytes, all together
    cpu: dict[tuple[int, float], float] = field(default_factory=dict)  # seconds by process
    seen: dict[int, bool] = field(default_factory=dict)  # whether a process carries the mark

    def sample(self) -> None:
        """Take in what all processes have used by now."""
        held, there = 0, psutil.pids()
        self.seen = {pid: self.seen[pid] if pid in self.seen else _is_marked(pid) for pid in there}
        for pid in filter(self.seen.__getitem__, there):
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                used = process.cpu_times()
                self.cpu[process.pid, process.create_time()] = used.user + used.system
                held += process.memory_info().rss
        self.peak = max(self.peak, held)


@contextmanager
def cost() -> Iterator[Cost]:
    """Measure all processes that are started while the block runs."""
    os.environ[MARK] = f"{os.getpid()}-{time.monotonic_ns()}"
    found, stop, start = Cost(), threading.Event(), time.monotonic()

    def watch() -> None:
        while not stop.wait(EVERY_SECONDS):
            found.sample()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()
        found.wall = time.monotonic() - start


def mark() -> dict[str, str]:
    """Return the mark, for what is started with an environment of its own."""
    return {MARK: os.environ[MARK]} if MARK in os.environ else {}


def _is_marked(pid: int) -> bool:
    """Say whether a process was started by this benchmark; its own is not, whose environment is that of before."""
    with suppress(psutil.Error):
        return psutil.Process(pid).environ().get(MARK) == os.environ[MARK]
    return False
