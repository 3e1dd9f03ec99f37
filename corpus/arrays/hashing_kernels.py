"""64-bit hashes that numba compiles: of the strings of a column, and of single numbers inside other kernels."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pyarrow as pa

from corpus.arrays.columns import string_spans
from corpus.arrays.hashing import (
    FNV_BASIS,
    FNV_PRIME,
    MURMUR_1,
    MURMUR_2,
    MURMUR_SHIFT,
    UInt64s,
    splitmix64,
)
from corpus.arrays.kernel import kernel, part

splitmix64_of_one: Callable[[np.uint64], np.uint64] = part(cast(Any, splitmix64))


@part
def murmur_finalizer(value: np.uint64) -> np.uint64:
    """Return the hash of one value: the finalizer of MurmurHash3, one to one."""
    value = (value ^ (value >> MURMUR_SHIFT)) * MURMUR_1
    value = (value ^ (value >> MURMUR_SHIFT)) * MURMUR_2
    return value ^ (value >> MURMUR_SHIFT)


def string_hashes(column: pa.Array | pa.ChunkedArray) -> UInt64s:
    """Return a hash of each string, uint64[num_strings], the same on every machine; null counts as empty."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    hashes = [np.zeros(0, np.uint64)]
    hashes += [_fnv1a(*string_spans(chunk.cast(pa.string()).fill_null(""))) for chunk in chunks if len(chunk)]
    return np.concatenate(hashes)


@kernel
def _fnv1a(octets: np.ndarray, bounds: np.ndarray) -> UInt64s:
    """Return FNV-1a of each string, and half of MurmurHash3's finalizer after it."""
    hashes = np.empty(len(bounds) - 1, np.uint64)
    for k in range(len(hashes)):
        value = FNV_BASIS
        for i in range(bounds[k], bounds[k + 1]):
            value = (value ^ np.uint64(octets[i])) * FNV_PRIME
        hashes[k] = (value ^ (value >> MURMUR_SHIFT)) * MURMUR_1
    return hashes
