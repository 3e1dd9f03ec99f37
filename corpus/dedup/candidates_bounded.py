"""Candidate pairs of a partition of any size in bounded memory: hot partitions are read several times, in slices.

A partition is planned to be small, but equal hashes go to one partition however many there are. When its rows are more
than `max_rows`, they are taken in slices of the hash; a slice that stays too large is one hot bucket, and its documents
are taken in slices of the key. The pairs are those of `candidate_edges` on all rows at once, bit for bit.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np

from corpus.arrays.types import EdgeKeys, Hashes, Keys, Numbers
from corpus.dedup.candidates import candidate_edges

MAX_ROWS: Final = 8_000_000  # 128 MB of rows, about 600 MB while they are sorted
MAX_PAIRS_BUCKET: Final = 32
_BITS: Final = 12
_LEVELS: Final = 4  # 48 bits of the hash: what is still together then has one hash

Read = Callable[[], Iterable[np.ndarray]]


def bounded_candidate_edges(read: Read, *, max_rows: int = MAX_ROWS) -> Iterator[EdgeKeys]:
    """Yield the candidate pairs, uint64[num_edges, 2] at a time, of the rows that `read` gives in blocks.

    `read` gives structured rows with the fields `hash` and `key`, uint64 each, and may be called many times.
    """
    yield from _sliced(read, level=0, max_rows=max_rows)


def _sliced(read: Read, *, level: int, max_rows: int) -> Iterator[EdgeKeys]:
    if sum(len(rows) for rows in read()) <= max_rows:
        rows = _all(read)
        yield candidate_edges(rows["hash"].copy(), rows["key"].copy(), max_pairs_bucket=MAX_PAIRS_BUCKET)
    elif level == _LEVELS:
        hashes = np.unique(np.concatenate([np.unique(rows["hash"]) for rows in read()]))
        for one in hashes:

            def keys(one: np.uint64 = one) -> Iterator[Keys]:
                return (rows["key"][rows["hash"] == one] for rows in read())

            if sum(map(len, keys())) <= max_rows:  # it only shares its lower 48 bits with a hot one
                few = np.concatenate(list(keys()))
                yield candidate_edges(np.full(len(few), one), few, max_pairs_bucket=MAX_PAIRS_BUCKET)
            else:
                yield from _hot_bucket(keys, max_rows)
    else:
        shift = np.uint64(_BITS * level)
        counts = np.zeros(1 << _BITS, np.int64)
        for rows in read():
            counts += np.bincount(_slot(rows["hash"], shift), minlength=1 << _BITS)
        for first, last in _groups(counts, max_rows):

            def inside(first: int = first, last: int = last) -> Iterator[np.ndarray]:
                for rows in read():
                    slot = _slot(rows["hash"], shift)
                    yield rows[(slot >= first) & (slot < last)]

            yield from _sliced(inside, level=level + 1, max_rows=max_rows)


def _hot_bucket(read_keys: Callable[[], Iterable[Keys]], max_rows: int) -> Iterator[EdgeKeys]:
    """Yield the pairs of one bucket: each document with the smallest key, and with the next smaller one."""
    ends = [(int(keys.min()), int(keys.max())) for keys in read_keys() if len(keys)]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    width = (high - low) // (1 << _BITS) + 1
    counts = np.zeros(1 << _BITS, np.int64)
    for keys in read_keys():
        counts += np.bincount(((keys - np.uint64(low)) // np.uint64(width)).astype(np.int64), minlength=1 << _BITS)
    smallest, before = np.uint64(low), None
    for first, last in _groups(counts, max_rows):
        start, end = low + first * width, low + last * width
        inside = [keys[(keys >= np.uint64(start)) & (keys < np.uint64(end))] for keys in read_keys()]
        distinct = np.unique(np.concatenate(inside))
        chain = distinct if before is None else np.concatenate([[before], distinct])
        if len(chain) > 1:
            neighbours = np.column_stack([chain[:-1], chain[1:]])
            far = chain[1:][chain[:-1] != smallest]  # the second smallest is a neighbour of the smallest already
            yield np.concatenate([neighbours, np.column_stack([np.full(len(far), smallest), far])])
        before = distinct[-1] if len(distinct) else before


def _slot(hashes: Hashes, shift: np.uint64) -> Numbers:
    return ((hashes >> shift) & np.uint64((1 << _BITS) - 1)).astype(np.int64)


def _groups(counts: Numbers, limit: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of slots with at most `limit` rows each, or of one slot; empty ones join those before them."""
    first, held = 0, 0
    for slot, count in enumerate(counts.tolist()):
        if held and held + count > limit:
            yield first, slot
            first, held = slot, 0
        held += count
    if held:
        yield first, len(counts)


def _all(read: Read) -> np.ndarray:
    blocks = list(read())
    return np.concatenate(blocks) if blocks else np.zeros(0, [("hash", "<u8"), ("key", "<u8")])
