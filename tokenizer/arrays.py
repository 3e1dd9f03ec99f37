"""Array types of `tokenizer` and `train`: each name says what the numbers mean, and fixes their dtype."""

from typing import Any

import numpy as np
import numpy.typing as npt

MOST_SHORT = 1 << 16  # entries of a vocabulary whose ids fit two bytes

TokenIds = npt.NDArray[np.uint16 | np.uint32]  # token ids, of documents behind one another or of rows
TokenCounts = npt.NDArray[np.int64]  # tokens of each text or document
RowIndices = npt.NDArray[np.int64]  # rows of a split, by index
SourceCodes = npt.NDArray[np.uint8]  # source of each document, an index of `tokenizer.sources.SOURCES`


def id_type(vocab_size: int) -> np.dtype[Any]:
    """Return the type of the ids of a vocabulary, in memory and on disk: two bytes where they suffice, else four."""
    return np.dtype("<u2" if vocab_size <= MOST_SHORT else "<u4")
