"""64-bit hashes of numbers: SplitMix64, and the constants that all hashes are made of.

Orders, splits, buckets and joins depend on them, so none of these numbers may ever change; they are the same on every
machine. What numba compiles (strings, single numbers) is in `corpus.arrays.hashing_kernels`.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: Fibonacci hashing, SplitMix64's step
SPLITMIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
SPLITMIX_2: Final = np.uint64(0x94D049BB133111EB)
FNV_BASIS: Final = np.uint64(0xCBF29CE484222325)  # of FNV-1a
FNV_PRIME: Final = np.uint64(0x100000001B3)
MURMUR_1: Final = np.uint64(0xFF51AFD7ED558CCD)  # of MurmurHash3's finalizer
MURMUR_2: Final = np.uint64(0xC4CEB9FE1A85EC53)
MURMUR_SHIFT: Final = np.uint64(33)
DEGSKI: Final = np.uint64(0xD6E8FEB86659FD93)  # the factor of Degski's hash: odd, with well spread bits

UInt64s = npt.NDArray[np.uint64]


def splitmix64(values: UInt64s) -> UInt64s:
    """Return the hash of each value, uint64 of the same shape; one to one (Steele, Lea and Flood, OOPSLA 2014)."""
    values = (values ^ values >> np.uint64(30)) * SPLITMIX_1
    values = (values ^ values >> np.uint64(27)) * SPLITMIX_2
    return values ^ values >> np.uint64(31)
