"""Batches of a run: the rows of each and where it begins in the order, a pure function of its number.

A run's order is one stream of rows; a batch is a piece of it, and the next begins where it ends. All pieces are as
long, but for those of a warm-up: over the first `steps` batches they grow by `start` rows at a time to `full`, as
GPT-3's did and Megatron's do (`--rampup-batch-size`). The size belongs to the place in the order, so rows left out move
no other batch; which one a step trains on says `train.checkpoint.skipped`. Batches count from 0, as steps do.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, kw_only=True, slots=True)
class Batches:
    """Sizes of a run's batches: `start` rows at first, `full` from batch `steps` on; `start` divides `full`."""

    full: int
    start: int
    steps: int

    def rows(self, number: int) -> int:
        """Return the rows of a batch."""
        return self.full if number >= self.steps else self.start * (1 + number * self._growths // self.steps)

    def first(self, number: int) -> int:
        """Return the place in the order where a batch begins: the rows of all batches before it."""
        warm = min(number, self.steps)
        return self.start * (warm + _growths_before(warm, self._growths, self.steps)) + (number - warm) * self.full

    def places(self, number: int) -> range:
        """Return the places in the order of a batch's rows."""
        first = self.first(number)
        return range(first, first + self.rows(number))

    def count_for(self, rows: float) -> int:
        """Return how many batches, from the first on, have so many rows: the nearest number, and at least one."""
        behind = rows - self.first(self.steps)
        if behind >= 0:
            return max(1, self.steps + round(behind / self.full))
        above = bisect_left(range(self.steps), rows, key=self.first)
        near = min((above - 1, above), key=lambda number: abs(self.first(number) - rows))
        return max(1, near)

    @property
    def _growths(self) -> int:
        return self.full // self.start - 1


@lru_cache(maxsize=1024)
def _growths_before(number: int, growths: int, steps: int) -> int:
    """Return how often batches before one of the warm-up have grown, all added up: each growth counts once a batch."""
    return sum(max(0, number - -(-growth * steps // growths)) for growth in range(1, growths + 1))


def dividing_starts(full: int, together: int) -> tuple[int, ...]:
    """Return the sizes below `full` that a warm-up may start from, `together` rows being a micro-step of all ranks."""
    return tuple(size for size in range(together, full, together) if full % size == 0)


def nearest(sizes: Sequence[int], size: int) -> str:
    """Return the sizes nearest to one, at most two and in their order, as advice; "" where there are none."""
    best = sorted(sorted(sizes, key=lambda each: (abs(each - size), each))[:2])
    return " or ".join(map(str, best))
