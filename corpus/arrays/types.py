"""Array types that several rooms speak of: each name says what the numbers mean, and fixes their dtype."""

import numpy as np
import numpy.typing as npt

Octets = npt.NDArray[np.uint8]  # bytes, of UTF-8 texts behind one another or of one
Mask = npt.NDArray[np.bool_]  # of each row whether it is meant
Rows = npt.NDArray[np.int64]  # rows of a batch, by index
Numbers = npt.NDArray[np.int64]  # how many, or which one in a list
Hashes = npt.NDArray[np.uint64]  # of words, shingles, n-grams, texts and buckets
Keys = npt.NDArray[np.uint64]  # of documents: `corpus.records.doc_key` of their ids
EdgeKeys = npt.NDArray[np.uint64]  # [num_edges, 2], pairs of documents
