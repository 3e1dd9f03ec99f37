"""Named NumPy arrays in one file that appears whole, in numpy's own format.

An archive of numpy's (.npz) adds a checksum, which costs more than the writing; receipts hold a better one.
"""

import numpy as np

from corpus.storage.files import open_read, write_atomic


def save_arrays(path: str, **arrays: np.ndarray) -> None:
    """Write arrays as one file: their names and then each of them."""
    with write_atomic(path) as sink:
        for array in (np.array(list(arrays)), *arrays.values()):
            np.save(sink, array, allow_pickle=False)


def load_arrays(path: str) -> dict[str, np.ndarray]:
    """Read the arrays of a file written by `save_arrays`."""
    with open_read(path) as source:
        names = np.load(source, allow_pickle=False)
        return {str(name): np.load(source, allow_pickle=False) for name in names}
