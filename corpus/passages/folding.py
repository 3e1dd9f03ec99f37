"""Folding of passages: what two texts may differ in and still are one passage, and the hash by which it is found.

Small letters in Unicode's canonical composition, as `corpus.dedup` compares texts, without white space, quotes,
brackets, bullets and marks of sentences at the edges. Nothing inside is folded: another number, name or year is another
passage.
"""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.hashing import GOLDEN, splitmix64
from corpus.arrays.hashing_kernels import string_hashes
from corpus.arrays.types import Hashes, Mask
from corpus.dedup.shingles import normalize

EDGES: Final = " \t.,:;!?…。！？\"'“”‘’()[]{}*•-–—#|"


def fold(texts: list[str]) -> pa.LargeStringArray:
    """Return texts folded, [num_texts]."""
    return pc.utf8_trim(normalize(pa.array(texts, pa.large_string())), EDGES)


def passage_hashes(folded: pa.LargeStringArray, paragraphs: Mask) -> Hashes:
    """Return a hash of each passage, uint64[num_passages]: of its text, and of whether it is a paragraph."""
    hashes = splitmix64(string_hashes(folded))
    return np.where(paragraphs, splitmix64(hashes ^ GOLDEN), hashes)
