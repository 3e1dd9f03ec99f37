"""How the scans of this room are compiled.

A function that takes arrays counts references to them, by an atomic addition each time, unless it is told to have no
part in that (`_nrt=False`, and then it may make no array): for scans that call a function for every tag, the counts
were three quarters of the time. Parts are compiled into the function that calls them and have no entry from Python.
numba's cache knows the file of a kernel and not those of its parts; `corpus.arrays.numba_cache` does.
"""

from pathlib import Path
from typing import Any

from numba import njit

from corpus.arrays.numba_cache import forget_outdated

forget_outdated(Path(__file__).parent)

_PART: Any = {"nogil": True, "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

kernel = njit(cache=True, nogil=True)  # what Python calls; may make arrays
part = njit(**_PART)
inlined = njit(**_PART, forceinline=True)  # for what is called for every tag: a third faster, and longer to compile


@part
def is_same(raw, i, begin, size):  # type: ignore[no-untyped-def]
    """Say whether as many bytes are the same at two places."""
    for j in range(size):  # noqa: SIM110  numba compiles a loop faster
        if raw[i + j] != raw[begin + j]:
            return False
    return True
