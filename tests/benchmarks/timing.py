"""How the benchmarks time: CPU seconds, the best of some rounds, all ways of doing a thing in turn."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """One way of reading: how many records, in how many CPU seconds."""

    name: str
    num_records: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.num_records / self.seconds


def timed(works: dict[str, Callable[[], int]], *, rounds: int) -> dict[str, Timing]:
    """Return the best of some rounds of each, taken in turns: what else runs on the machine only ever adds."""
    timings: dict[str, Timing] = {}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.process_time()
            count = work()
            seconds = time.process_time() - start
            if name not in timings or seconds < timings[name].seconds:
                timings[name] = Timing(name=name, num_records=count, seconds=seconds)
    return timings


def print_timings(timings: list[Timing], *, floor: Timing, peer: Timing) -> None:
    """Print a table of rates with their ratios to the floor and to the peer."""
    print(f"{'':28}{'records':>9}{'CPU s':>9}{'rec/CPU s':>12}{'x floor':>9}{'x peer':>9}")
    for one in timings:
        print(
            f"{one.name:28}{one.num_records:9,}{one.seconds:9.2f}{one.rate:12,.0f}"
            f"{one.rate / floor.rate:9.2f}{one.rate / peer.rate:9.2f}"
        )


def children_timed(name: str, count: int, work: Callable[[], None]) -> Timing:
    """Time work that other processes do for this one."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Timing(name=name, num_records=count, seconds=seconds)
