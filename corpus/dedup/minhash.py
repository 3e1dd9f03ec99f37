"""MinHash signatures and LSH bands: from shingle sets to the 64-bit bucket hashes that are shuffled.

Signatures are bit for bit those of datasketch 2.0 (scheme `affine32`) on the low 32 bits of each shingle hash:
MurmurHash3's 32-bit finalizer once, then `a * h + b mod 2^32` with odd `a` for each permutation, and the least
value of each. The parameters come from numpy's legacy `RandomState`, whose stream numpy has frozen for good
(NEP 19), so equal seeds give equal signatures everywhere.

Bands: a document falls into one bucket a band, by the hash of `rows` signature values; two documents of Jaccard
similarity s share a bucket with probability 1 - (1 - s^rows)^bands (`collision_curve`).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.arrays.hashing import DEGSKI, GOLDEN
from corpus.arrays.hashing_kernels import murmur_finalizer
from corpus.arrays.kernel import kernel, part
from corpus.arrays.types import Hashes, Numbers
from corpus.dedup.fold_table import FoldTable, fold_table
from corpus.dedup.shingle_kernels import room_for, unsorted_shingles
from corpus.dedup.shingles import Shingles, octets
from corpus.errors import UsageError

RECALL_AT_THRESHOLD: Final = 0.995
COUNTED: Final = 8  # distinct shingles of a document: with as many it takes part in the search

_EMPTY: Final = np.uint32(0xFFFFFFFF)  # of a document without shingles, as in datasketch
_LOW_32: Final = np.uint64(0xFFFFFFFF)
_FMIX_1: Final = np.uint64(0x85EBCA6B)
_FMIX_2: Final = np.uint64(0xC2B2AE35)


def permutations(num_perm: int, seed: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Return the multipliers and addends, uint32[num_perm] each, that datasketch draws for `seed`."""
    generator = np.random.RandomState(seed)
    multipliers = generator.randint(0, 1 << 31, num_perm, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return multipliers, generator.randint(0, 1 << 32, num_perm, dtype=np.uint32)


@part
def _premixed(value: np.uint64) -> np.uint32:
    value = value & _LOW_32
    value = (value ^ (value >> np.uint64(16))) * _FMIX_1 & _LOW_32
    value = (value ^ (value >> np.uint64(13))) * _FMIX_2 & _LOW_32
    return np.uint32(value ^ (value >> np.uint64(16)))


@part
def _sign(
    hashes: Hashes,
    start: np.int64,
    end: int,
    multipliers: npt.NDArray[np.uint32],
    addends: npt.NDArray[np.uint32],
    signature: npt.NDArray[np.uint32],
) -> None:
    """Take four shingles at a time, which halves the time: the signature is read and written once for all four.

    The last group repeats its last shingle, as the least of equal values is that value.
    """
    last = end - 1
    for k in range(start, end, 4):
        h0, h1 = _premixed(hashes[k]), _premixed(hashes[min(k + 1, last)])
        h2, h3 = _premixed(hashes[min(k + 2, last)]), _premixed(hashes[min(k + 3, last)])
        for p in range(len(multipliers)):
            a, b = multipliers[p], addends[p]
            least = min(np.uint32(a * h0 + b), np.uint32(a * h1 + b))
            least = min(least, min(np.uint32(a * h2 + b), np.uint32(a * h3 + b)))
            signature[p] = min(signature[p], least)


@kernel
def _signatures(
    hashes: Hashes, offsets: Numbers, multipliers: npt.NDArray[np.uint32], addends: npt.NDArray[np.uint32]
) -> npt.NDArray[np.uint32]:
    documents, num_perm = len(offsets) - 1, len(multipliers)
    signatures = np.empty((documents, num_perm), np.uint32)
    signatures[:] = _EMPTY  # numba compiles `np.full` for a second
    for d in range(documents):
        _sign(hashes, offsets[d], offsets[d + 1], multipliers, addends, signatures[d])
    return signatures


def signatures(shingles: Shingles, *, num_perm: int = 128, seed: int = 1) -> npt.NDArray[np.uint32]:
    """Return the MinHash signatures, uint32[num_docs, num_perm]; all ones in every bit where there is no shingle."""
    return _signatures(shingles.hashes, shingles.offsets, *permutations(num_perm, seed))


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """What `num_docs` texts bring to the search, without their shingles."""

    signatures: npt.NDArray[np.uint32]  # [num_docs, num_perm]
    texts: Hashes  # [num_docs], of all words in order: equal for exact duplicates
    counts: Numbers  # [num_docs], of distinct shingles, counted to `COUNTED`


@part
def _num_distinct(values: Hashes, count: int, seen: Hashes) -> int:
    """Return the number of distinct values among the first `count`, or the length of `seen` if there are more."""
    distinct = 0
    for k in range(count):
        known = 0
        while known < distinct and seen[known] != values[k]:
            known += 1
        if known == distinct:
            seen[distinct] = values[k]
            distinct += 1
            if distinct == len(seen):
                break
    return distinct


@kernel
def _signed(
    data: npt.NDArray[np.uint8],
    offsets: Numbers,
    multipliers: npt.NDArray[np.uint32],
    addends: npt.NDArray[np.uint32],
    table: FoldTable,
) -> tuple[npt.NDArray[np.uint32], Hashes, Numbers]:
    documents, room = len(offsets) - 1, room_for(offsets)
    segments, delimiters, shingles = np.empty(room, np.uint64), np.zeros(room, np.uint64), np.empty(room, np.uint64)
    seen = np.empty(COUNTED, np.uint64)
    signatures = np.empty((documents, len(multipliers)), np.uint32)
    signatures[:] = _EMPTY
    texts, counts = np.empty(documents, np.uint64), np.empty(documents, np.int64)
    for d in range(documents):
        count, texts[d] = unsorted_shingles(data, offsets[d], offsets[d + 1], segments, delimiters, shingles, table)
        _sign(shingles, np.int64(0), count, multipliers, addends, signatures[d])
        counts[d] = _num_distinct(shingles, count, seen)
    return signatures, texts, counts


def sign(texts: pa.LargeStringArray, *, num_perm: int = 128, seed: int = 1) -> Signed:
    """Return the signatures of normalised texts (`corpus.dedup.shingles.normalize`) and what else the buckets need.

    They are those of `signatures(shingle(texts))`, without the sorting that sets need and a least value does not.
    """
    made, hashes, counts = _signed(*octets(texts), *permutations(num_perm, seed), fold_table())
    return Signed(signatures=made, texts=hashes, counts=counts)


def collision_probability(similarity: float, num_bands: int, rows: int) -> float:
    """Return the probability that two documents of this Jaccard similarity share a bucket of some band."""
    return 1.0 - (1.0 - similarity**rows) ** num_bands


def collision_curve(num_bands: int, rows: int, steps: int = 20) -> list[tuple[float, float]]:
    """Return (similarity, probability of becoming candidates) at `steps` + 1 even points from 0 to 1."""
    return [(k / steps, collision_probability(k / steps, num_bands, rows)) for k in range(steps + 1)]


def bands_for(threshold: float, num_perm: int = 128) -> tuple[int, int]:
    """Return (num_bands, rows) for a Jaccard threshold.

    The rule: the most rows (the fewest false candidates) with which bands made of at most `num_perm` values propose
    a pair just at the threshold with probability 0.995, and then the fewest bands (the least to shuffle) that do so.
    At 0.8 and 128 that is 18 bands of 6 rows. Recall over all pairs above the threshold is higher still, and false
    candidates cost one exact comparison each. datasketch's optimiser weighs both errors alike (9 bands of 13 rows
    here): it has no verification behind it, and would miss three of five pairs at the threshold.
    Raises UsageError where `num_perm` values cannot do it.
    """
    if 0.0 < threshold <= 1.0:
        for rows in range(num_perm, 0, -1):
            for num_bands in range(1, num_perm // rows + 1):
                if collision_probability(threshold, num_bands, rows) >= RECALL_AT_THRESHOLD:
                    return num_bands, rows
    raise UsageError(
        f"dedup threshold {threshold}: {num_perm} permutations cannot propose pairs at it with probability "
        f"{RECALL_AT_THRESHOLD}; choose a threshold of at most 1, and of at least {4 / num_perm:.2g} or so"
    )


@kernel
def _band_hashes(signatures: npt.NDArray[np.uint32], num_bands: int, rows: int) -> Hashes:
    documents = len(signatures)
    hashes = np.empty((documents, num_bands), np.uint64)
    for d in range(documents):
        for band in range(num_bands):
            value = np.uint64(band + 1) * GOLDEN
            for p in range(band * rows, (band + 1) * rows):
                value = (value ^ np.uint64(signatures[d, p])) * DEGSKI
                value ^= value >> np.uint64(29)
            hashes[d, band] = murmur_finalizer(value)
    return hashes


def band_hashes(signatures: npt.NDArray[np.uint32], num_bands: int, rows: int) -> Hashes:
    """Return the bucket of every document in every band, uint64[num_docs, num_bands].

    The number of the band is part of the hash, so buckets of different bands can lie in one table.
    """
    assert num_bands * rows <= signatures.shape[1], f"{num_bands} x {rows} rows of {signatures.shape[1]} values"
    return _band_hashes(signatures, num_bands, rows)
