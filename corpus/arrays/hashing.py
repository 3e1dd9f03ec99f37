"""64-bit hashes of numbers and strings, the same on every machine: orders, splits and joins depend on them.

SplitMix64 for numbers (one to one), FNV-1a with MurmurHash3's finalizer for strings. They must never change.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)

Words = npt.NDArray[np.uint64]


def mix(values: Words) -> Words:
    """Mix 64 bits as splitmix64 does (Steele, Lea and Flood, OOPSLA 2014): a bijection."""
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return values ^ values >> np.uint64(31)


_BASIS: Final = np.uint64(0xCBF29CE484222325)  # FNV-1a's


_PRIME: Final = np.uint64(0x100000001B3)


_MIX: Final = np.uint64(0xFF51AFD7ED558CCD)  # MurmurHash3's finalizer


_SHIFT: Final = np.uint64(33)


def string_hashes(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """Return a hash of each string, uint64[num_strings], the same on every machine; null counts as empty."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    hashes = [np.zeros(0, np.uint64)]
    for chunk in chunks:
        if not len(chunk):
            continue
        array = chunk.cast(pa.string()).fill_null("")
        _, offsets, data = array.buffers()
        octets = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
        hashes.append(_hashes(octets, np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]))
    return np.concatenate(hashes)


@njit(cache=True, nogil=True)
def _hashes(octets: npt.NDArray[np.uint8], bounds: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
    hashes = np.empty(len(bounds) - 1, np.uint64)
    for k in range(len(hashes)):
        value = _BASIS
        for i in range(bounds[k], bounds[k + 1]):
            value = (value ^ np.uint64(octets[i])) * _PRIME
        hashes[k] = (value ^ (value >> _SHIFT)) * _MIX
    return hashes
