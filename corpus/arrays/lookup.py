"""Look-ups in sorted arrays and grouping of rows, without a Python object a row."""

from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.arrays.types import Keys, Numbers


def index_in_sorted(keys: Keys, ordered: Keys) -> Numbers:
    """Return the index of each key in an ascending array, int64[num_keys], and -1 where it is not there.

    What `np.isin` does by sorting both sides again at every call.
    """
    if not len(ordered):
        return np.full(len(keys), -1)
    at = np.minimum(np.searchsorted(ordered, keys), len(ordered) - 1)
    return np.where(ordered[at] == keys, at, -1)


def stable_group_order(groups: npt.NDArray[np.integer[Any]], num_groups: int) -> Numbers:
    """Return the order that brings rows of the same group together, int64[num_rows], and else keeps the rows' order.

    numpy sorts numbers of 16 bits by radix, at a fifth of the time.
    """
    return np.argsort(groups.astype(np.uint16) if num_groups <= 1 << 16 else groups, kind="stable")
