"""Shingle sets of texts: Arrow strings in, sorted arrays of 64-bit hashes out.

A shingle is five words in a row; what a word is, is said in `corpus.dedup.shingle_kernels`. A document of one to four
words has one shingle, of all its words; a document without words has none. The bytes are read in place from the Arrow
buffers in one pass of compiled code, because Python strings would take over 90 % of the time of a MinHash pass.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.columns import string_spans
from corpus.arrays.types import Hashes, Numbers
from corpus.dedup.fold_table import fold_table
from corpus.dedup.lowercase_kernels import lower_one_by_one, lower_plain, small_letters
from corpus.dedup.shingle_kernels import grams, shingle_documents


@dataclass(frozen=True, kw_only=True, slots=True)
class Shingles:
    """The shingle sets of `num_docs` documents, one after the other, with a hash of each whole document."""

    hashes: Hashes  # [num_shingles], ascending and distinct within a document
    offsets: Numbers  # [num_docs + 1]: document d holds hashes[offsets[d]:offsets[d + 1]]
    texts: Hashes  # [num_docs], of all words in order: equal for exact duplicates

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def counts(self) -> Numbers:
        """The number of distinct shingles of each document, [num_docs]."""
        return np.diff(self.offsets)


def normalize(texts: pa.Array | pa.ChunkedArray) -> pa.LargeStringArray:
    """Return the texts in lower case and Unicode's canonical composition (NFC); null becomes the empty text."""
    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    if not pa.types.is_large_string(array.type):
        array = array.cast(pa.large_string())
    if array.null_count:
        array = pc.fill_null(array, "")
    data, offsets = octets(array)
    lowered, beyond = lower_plain(data, offsets, small_letters())
    made = pa.LargeStringArray.from_buffers(len(array), pa.py_buffer(offsets - offsets[0]), pa.py_buffer(lowered))
    rest = np.flatnonzero(beyond)
    if not len(rest):
        return made
    places = np.arange(len(array))
    places[rest] = len(array) + np.arange(len(rest))
    return pa.concat_arrays([made, lower_one_by_one(array.take(pa.array(rest)))]).take(pa.array(places))


def shingle(texts: pa.LargeStringArray) -> Shingles:
    """Return the shingle sets of normalised texts (`normalize`); slices are read in place, without a copy."""
    hashes, starts, whole = shingle_documents(*octets(texts), fold_table())
    return Shingles(hashes=hashes, offsets=starts, texts=whole)


def word_grams(texts: pa.LargeStringArray, size: int) -> tuple[Hashes, Numbers]:
    """Return (hashes, offsets) of the runs of `size` words of normalised texts, in order and with repeats.

    hashes: uint64[num_runs]; offsets: int64[num_texts + 1], text d holds hashes[offsets[d]:offsets[d + 1]].
    """
    return grams(*octets(texts), size, fold_table())


def octets(texts: pa.LargeStringArray) -> tuple[npt.NDArray[np.uint8], Numbers]:
    """Return the bytes of texts and where each begins and ends, in place."""
    assert pa.types.is_large_string(texts.type), f"texts are large_string here, not {texts.type}"
    assert not texts.null_count, "texts have no nulls here"
    return string_spans(texts)
