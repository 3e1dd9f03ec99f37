"""Array types of `tokenizer` and `train`: each name says what the numbers mean, and fixes their dtype."""

import numpy as np
import numpy.typing as npt

TokenIds = npt.NDArray[np.uint16]  # token ids, of documents behind one another or of rows
TokenCounts = npt.NDArray[np.int64]  # tokens of each text or document
RowIndices = npt.NDArray[np.int64]  # rows of a split, by index
SourceCodes = npt.NDArray[np.uint8]  # source of each document, an index of `tokenizer.sources.SOURCES`
