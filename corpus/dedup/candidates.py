"""Candidate pairs from LSH buckets: documents that share a bucket of some band may be duplicates.

In come (bucket hash, document key) rows of one partition, in any order; out go pairs of keys, in an order of their own.
A bucket of up to `max_pairs_bucket` documents gives all its pairs. A larger one gives two edges a document, to the
smallest key of the bucket and to the next larger key, so that 100,000 equal hashes cost 200,000 edges and not five
thousand million. Two notices (`corpus.dedup.notices`) are a pair only when their texts are equal: in the buckets of
bands their keys carry a mark, which sorts them behind all other documents, so that each meets one that is none.
Two documents of another corpus (`corpus.records.are_other`) are no pair: nothing becomes of them.

A partition is planned to be small, but equal hashes go to one partition however many there are. When its rows are more
than `max_rows`, they are taken in slices of the hash; a slice that stays too large is one hot bucket, and its documents
are taken in slices of the key. The pairs are those of `candidate_edges` on all rows at once, bit for bit.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np

from corpus.arrays.hashing import DEGSKI
from corpus.arrays.kernel import kernel
from corpus.arrays.lookup import index_in_sorted
from corpus.arrays.types import EdgeKeys, Hashes, Keys, Mask, Numbers
from corpus.dedup.minhash import COUNTED, Signed
from corpus.dedup.shingles import Shingles
from corpus.records import are_other

MIN_SHINGLES: Final = COUNTED  # below it a set says too little: such a document only matches an equal text

_TEXT_BUCKET: Final = np.uint64(0xE7037ED1A0B428DB)  # keeps the buckets of equal texts apart from those of bands
MAX_ROWS: Final = 8_000_000  # 128 MB of rows, about 600 MB while they are sorted
MAX_PAIRS_BUCKET: Final = 32
_NOTICE: Final = np.uint64(1 << 63)  # above all document keys
_TABLE_BITS: Final = 20  # a megabyte, which stays in the processor's cache
_BITS: Final = 12
_LEVELS: Final = 4  # 48 bits of the hash: what is still together then has one hash

Read = Callable[[], Iterable[np.ndarray]]


def bucket_rows(
    doc_keys: Keys, signed: Signed | Shingles, bands: Hashes, *, notices: Mask | None = None
) -> tuple[Hashes, Keys]:
    """Return (bucket hashes, document keys), uint64[num_rows] each: the rows that documents bring to the shuffle.

    `bands` is uint64[num_docs, num_bands] (`corpus.dedup.minhash.band_hashes`). Every document with a word brings the
    bucket of its whole text; one with `MIN_SHINGLES` shingles or more also brings the bucket of every band, those of
    `notices`, bool[num_docs], under a key that says so.
    """
    worded, banded = signed.counts > 0, signed.counts >= MIN_SHINGLES
    marked = doc_keys if notices is None else np.where(notices, doc_keys | _NOTICE, doc_keys)
    hashes = np.concatenate([signed.texts[worded] ^ _TEXT_BUCKET, bands[banded].ravel()])
    keys = np.concatenate([doc_keys[worded], np.repeat(marked[banded], bands.shape[1])])
    return hashes, keys


def _sought(edges: EdgeKeys) -> EdgeKeys:
    """Return the edges, uint64[num_edges, 2], not between two marked keys or others, without marks and a < b."""
    plain = edges[~((edges & _NOTICE) > 0).all(axis=1)] & ~_NOTICE
    plain = plain[~are_other(plain).all(axis=1)]
    plain.sort(axis=1)
    return plain


def _repeated(hashes: Hashes) -> Numbers:
    """Return the places of all values that stand there twice or more, ascending.

    Values are sorted faster than places, and a table of bits passes over nearly all that stand alone.
    """
    ordered = np.sort(hashes)
    values = ordered[1:][ordered[1:] == ordered[:-1]]
    bits = np.zeros(1 << _TABLE_BITS, np.bool_)
    # Hashes of one partition share some of their bits: which ones the product does not show.
    bits[values * DEGSKI >> np.uint64(64 - _TABLE_BITS)] = True
    places = np.flatnonzero(bits[hashes * DEGSKI >> np.uint64(64 - _TABLE_BITS)])
    return places[index_in_sorted(hashes[places], values) >= 0]


def _shared_rows(hashes: Hashes, keys: Keys) -> tuple[Keys, Numbers]:
    """Return the distinct keys of each bucket of two or more, ascending, and where each bucket starts and ends."""
    shared = _repeated(hashes)  # most buckets hold one row: only the rest is sorted on
    shared = shared[np.lexsort((keys[shared], hashes[shared]))]
    hashes, keys = hashes[shared], keys[shared]
    fresh = np.ones(len(keys), np.bool_)
    fresh[1:] = (hashes[1:] != hashes[:-1]) | (keys[1:] != keys[:-1])
    hashes, keys = hashes[fresh], keys[fresh]
    return keys, np.concatenate([[0], np.flatnonzero(hashes[1:] != hashes[:-1]) + 1, [len(keys)]])


@kernel
def _bucket_edges(keys: Keys, starts: Numbers, max_pairs_bucket: int) -> EdgeKeys:
    """Return the edges of all buckets `keys[starts[k]:starts[k + 1]]`, with repeats between buckets."""
    room = 0
    for k in range(len(starts) - 1):
        size = starts[k + 1] - starts[k]
        room += size * (size - 1) // 2 if size <= max_pairs_bucket else 2 * size
    edges = np.empty((room, 2), np.uint64)
    filled = 0
    for k in range(len(starts) - 1):
        first, last = starts[k], starts[k + 1]
        small = last - first <= max_pairs_bucket
        for j in range(first + 1, last):
            for i in range(first if small else j - 1, j):
                edges[filled, 0], edges[filled, 1] = keys[i], keys[j]
                filled += 1
            if not small and j > first + 1:
                edges[filled, 0], edges[filled, 1] = keys[first], keys[j]
                filled += 1
    return edges[:filled]


def distinct_edges(edges: EdgeKeys) -> EdgeKeys:
    """Return the edges, uint64[num_edges, 2], sorted and without repeats."""
    if not len(edges):
        return np.zeros((0, 2), np.uint64)
    edges = edges[np.lexsort((edges[:, 1], edges[:, 0]))]
    fresh = np.ones(len(edges), np.bool_)
    fresh[1:] = (edges[1:] != edges[:-1]).any(axis=1)
    return edges[fresh]


def candidate_edges(bucket_hashes: Hashes, doc_keys: Keys, *, max_pairs_bucket: int = 32) -> EdgeKeys:
    """Return the candidate pairs, uint64[num_edges, 2] with a < b, sorted and distinct, whatever the order of rows.

    `bucket_hashes` and `doc_keys` are uint64[num_rows]; a row may occur more than once.
    """
    keys, starts = _shared_rows(bucket_hashes, doc_keys)
    return distinct_edges(_sought(_bucket_edges(keys, starts, max_pairs_bucket)))


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
            yield _sought(np.concatenate([neighbours, np.column_stack([np.full(len(far), smallest), far])]))
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
