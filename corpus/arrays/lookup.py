"""Look keys up in a sorted array, bring groups together, hash strings: without a Python object a row."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

_BASIS: Final = np.uint64(0xCBF29CE484222325)  # FNV-1a's
_PRIME: Final = np.uint64(0x100000001B3)
_MIX: Final = np.uint64(0xFF51AFD7ED558CCD)  # MurmurHash3's finalizer
_SHIFT: Final = np.uint64(33)


def places_in(keys: npt.NDArray[np.uint64], ordered: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the place of each key in an ascending array, int64[num_keys], and -1 where it is not there.

    What `np.isin` does by sorting both sides again at every call.
    """
    if not len(ordered):
        return np.full(len(keys), -1)
    at = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return np.where(ordered[at] == keys, at, -1)


def grouped(groups: npt.NDArray[np.integer[Any]], num_groups: int) -> npt.NDArray[np.int64]:
    """Return the order that brings rows of the same group together, int64[num_rows], and else keeps the rows' order.

    numpy sorts numbers of 16 bits by radix, at a fifth of the time.
    """
    return np.argsort(groups.astype(np.uint16) if num_groups <= 1 << 16 else groups, kind="stable")


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
