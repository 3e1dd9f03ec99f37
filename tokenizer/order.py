"""Shuffled order of training rows: a keyed permutation, (seed, epoch, position) → row, without state or index file.

Every epoch is another permutation of all rows. It is a keyed bijection: a balanced Feistel network over the
smallest domain of 4^h ≥ num_rows values, walked along its cycle until the value is a row (Black and Rogaway,
"Ciphers with arbitrary finite domains", 2002). The rows of a batch follow from its place alone, so a run
resumes from one integer, at any number of ranks. Changing anything here changes every order ever used:
tests pin values.
"""

import numpy as np
import numpy.typing as npt

from corpus.arrays.hashing import GOLDEN, UInt64s, splitmix64
from corpus.errors import UsageError
from tokenizer.arrays import RowIndices

ROUNDS = 8  # 4 give a pseudorandom permutation; the small domains of small corpora want more

_MASK = (1 << 64) - 1


def rows_at(positions: npt.NDArray[np.int64], *, seed: int, num_rows: int) -> RowIndices:
    """Return the rows at positions of the endless stream of epochs, int64 of the same shape.

    Raises UsageError when there is no row.
    """
    if num_rows < 1:
        raise UsageError("the training split has no full row; give more text, or pack with a smaller --seq-length")
    assert positions.size == 0 or int(positions.min()) >= 0, "positions count from 0"
    epochs, offsets = np.divmod(positions, num_rows)
    keys = splitmix64(epochs.astype(np.uint64) * GOLDEN + splitmix64(np.array([seed & _MASK], np.uint64)))
    half_bits = max(1, ((num_rows - 1).bit_length() + 1) // 2)
    rows = _permute(offsets.astype(np.uint64), keys, half_bits)
    while (outside := rows >= num_rows).any():
        rows[outside] = _permute(rows[outside], keys[outside], half_bits)
    return rows.astype(np.int64)


def _permute(values: UInt64s, keys: UInt64s, half_bits: int) -> UInt64s:
    """Apply a Feistel network over 2·half_bits bits; a bijection for every key."""
    bits = np.uint64(half_bits)
    left, right = values >> bits, values & np.uint64((1 << half_bits) - 1)
    for number in range(1, ROUNDS + 1):
        round_keys = keys + np.uint64(number * int(GOLDEN) & _MASK)
        left, right = right, left ^ (splitmix64(splitmix64(round_keys) ^ right) >> np.uint64(64 - half_bits))
    return left << bits | right
