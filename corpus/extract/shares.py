"""Shares of the inputs, one a machine: which tasks are whose, by their sizes."""

import heapq
from collections.abc import Iterable

from corpus.errors import UsageError


def own_share(sizes: Iterable[tuple[str, int]], shard: tuple[int, int]) -> frozenset[str]:
    """Return the names of one shard's tasks: the largest first, each to the shard that has the fewest bytes so far.

    The same for whoever asks, for it depends on names and sizes alone. Raises UsageError for more shards than tasks.
    """
    number, count = shard
    ordered = sorted(sizes, key=lambda one: (-one[1], one[0]))
    if count > max(1, len(ordered)):
        raise UsageError(f"shard {number}/{count}: there are {len(ordered):,} input tasks; use at most so many shards")
    loads = [(0, place) for place in range(1, count + 1)]
    own = []
    for name, size in ordered:
        load, place = heapq.heappop(loads)
        heapq.heappush(loads, (load + size + 1, place))  # a file of no bytes is a task too
        if place == number:
            own.append(name)
    return frozenset(own)
