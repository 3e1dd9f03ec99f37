"""Candidate pairs from LSH buckets: documents that share a bucket of some band may be duplicates.

In come (bucket hash, document key) rows of one partition, in any order; out go pairs of keys, in an order of their own.
A bucket of up to `max_pairs_bucket` documents gives all its pairs. A larger one gives two edges a document, to the
smallest key of the bucket and to the next larger key, so that 100,000 equal hashes cost 200,000 edges and not five
thousand million.
"""

from typing import Final

import numpy as np
from numba import njit

from corpus.arrays.types import EdgeKeys, Hashes, Keys, Mask, Numbers
from corpus.dedup.minhash import COUNTED, Signed
from corpus.dedup.shingles import Shingles

MIN_SHINGLES: Final = COUNTED  # below it a set says too little: such a document only matches an equal text

_TEXT_BUCKET: Final = np.uint64(0xE7037ED1A0B428DB)  # keeps the buckets of equal texts apart from those of bands


def bucket_rows(
    doc_keys: Keys, signed: Signed | Shingles, bands: Hashes, *, only_equal: Mask | None = None
) -> tuple[Hashes, Keys]:
    """Return (bucket hashes, document keys), uint64[num_rows] each: the rows that documents bring to the shuffle.

    `bands` is uint64[num_docs, num_bands] (`corpus.dedup.minhash.band_hashes`). Every document with a word brings the
    bucket of its whole text; one with `MIN_SHINGLES` shingles or more also brings the bucket of every band, unless
    `only_equal`, bool[num_docs], says that only an equal text can be its duplicate (`corpus.dedup.notices`).
    """
    worded, banded = signed.counts > 0, signed.counts >= MIN_SHINGLES
    if only_equal is not None:
        banded &= ~only_equal
    hashes = np.concatenate([signed.texts[worded] ^ _TEXT_BUCKET, bands[banded].ravel()])
    keys = np.concatenate([doc_keys[worded], np.repeat(doc_keys[banded], bands.shape[1])])
    return hashes, keys


def _shared_rows(hashes: Hashes, keys: Keys) -> tuple[Keys, Numbers]:
    """Return the distinct keys of each bucket of two or more, ascending, and where each bucket starts and ends."""
    order = np.argsort(hashes)
    follows = np.diff(hashes[order], prepend=hashes[order[:1]] ^ np.uint64(1)) == 0
    shared = order[follows | np.append(follows[1:], False)]  # most buckets hold one row: only the rest is sorted on
    shared = shared[np.lexsort((keys[shared], hashes[shared]))]
    hashes, keys = hashes[shared], keys[shared]
    fresh = np.ones(len(keys), np.bool_)
    fresh[1:] = (hashes[1:] != hashes[:-1]) | (keys[1:] != keys[:-1])
    hashes, keys = hashes[fresh], keys[fresh]
    return keys, np.concatenate([[0], np.flatnonzero(hashes[1:] != hashes[:-1]) + 1, [len(keys)]])


@njit(cache=True, nogil=True)
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
    return distinct_edges(_bucket_edges(keys, starts, max_pairs_bucket))
