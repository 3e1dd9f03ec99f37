"""Look keys up in a sorted array: what `np.isin` does by sorting both sides again at every call."""

import numpy as np
import numpy.typing as npt


def places_in(keys: npt.NDArray[np.uint64], ordered: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the place of each key in an ascending array, int64[num_keys], and -1 where it is not there."""
    if not len(ordered):
        return np.full(len(keys), -1)
    at = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return np.where(ordered[at] == keys, at, -1)
