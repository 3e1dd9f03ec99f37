"""Keys of the documents of anyone's corpus: the number of the file, in the order of names, and the line or row."""

from typing import Final

import numpy as np

from corpus.arrays.types import Keys, Numbers

_PLACE_BITS: Final = 36


def foreign_keys(file: int, places: Numbers) -> Keys:
    """Return the keys, uint64[n], of documents of a file; smaller than those of `corpus.records.other_keys`."""
    return np.uint64(file << _PLACE_BITS) | places.astype(np.uint64)


def foreign_places(keys: Keys) -> tuple[Numbers, Numbers]:
    """Return (file numbers, lines or rows), int64[n] each; the inverse of `foreign_keys`."""
    bits = np.uint64(_PLACE_BITS)
    return (keys >> bits).astype(np.int64), (keys & np.uint64((1 << _PLACE_BITS) - 1)).astype(np.int64)
