"""Text generator at the speed of memory: words of a skewed vocabulary, with a stream of its own for every text.

A text is a function of its seed, so a copy of a document anywhere is the same seed again, and a near copy is that seed
with a second one that replaces some words.
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.arrays.hashing import GOLDEN, splitmix64
from corpus.arrays.hashing_kernels import splitmix64_of_one
from corpus.arrays.kernel import kernel, part
from corpus.arrays.types import Mask, Numbers
from corpus.synthetic.rehearsal.statistics import EDITED_WORDS

Seeds = npt.NDArray[np.uint64]

_WORDS: Final = 40_000
_SLOTS: Final = 1 << 16
_LONGEST: Final = 24
_SYLLABLES: Final = (
    *("car", "dio", "my", "o", "gen", "ase", "immu", "no", "his", "to", "chem", "cyt", "thro", "mb", "pho", "syn"),
    *("the", "pro", "bio", "tic", "na", "par", "ti", "cle", "gra", "phy", "al", "in", "er", "on", "re", "ed"),
)
_COMMON: Final = (
    *(
        "the",
        "of",
        "and",
        "in",
        "to",
        "with",
        "a",
        "was",
        "were",
        "for",
        "by",
        "that",
        "is",
        "from",
        "on",
        "as",
        "patients",
    ),
    *("p<0.05", "0.05", "95%", "IL-6", "BRCA1", "12", "24", "n=30", "mg/kg", "37", "2.5", "CD4+"),
)
_BEYOND: Final = ("β", "α", "±", "µg", "TNF-α", "β-catenin", "–", "≥", "naïve", "10⁵")


def mixed(values: Seeds, salt: int) -> Seeds:
    """Return well mixed 64-bit numbers (SplitMix64) of values and a salt."""
    with np.errstate(over="ignore"):
        return splitmix64(values + np.uint64(salt + 1) * GOLDEN)


def units(values: Seeds, salt: int) -> npt.NDArray[np.float64]:
    """Return numbers in [0, 1) of values and a salt."""
    return (mixed(values, salt) >> np.uint64(11)).astype(np.float64) / 2**53


@cache
def _vocabulary() -> tuple[npt.NDArray[np.uint8], Numbers, npt.NDArray[np.int32]]:
    """Return (bytes, starts, slots): the words end to end, and a table in which a word has slots by its frequency."""
    generator = np.random.RandomState(7)  # its stream is frozen for good (NEP 19)
    words = [*_COMMON, *_BEYOND]
    while len(words) < _WORDS:
        words.append("".join(_SYLLABLES[k] for k in generator.randint(0, len(_SYLLABLES), generator.randint(1, 5))))
    starts = np.cumsum([0, *(len(word.encode()) for word in words)])
    ranks = np.arange(_WORDS) - len(_COMMON) - len(_BEYOND)
    weights = 1 / (np.where(ranks < 0, np.arange(_WORDS) + 2, ranks + 40) ** 0.95)
    weights[len(_COMMON) : len(_COMMON) + len(_BEYOND)] = 0  # put in by the text, not by chance
    slots = np.searchsorted(np.cumsum(weights) / weights.sum(), (np.arange(_SLOTS) + 0.5) / _SLOTS)
    return np.frombuffer("".join(words).encode(), np.uint8), starts, slots.astype(np.int32)


@part
def _draw(stream: np.uint64, edit: np.uint64, k: int) -> np.uint64:
    """Return the random bits of word number `k` of a text."""
    if edit:
        other = splitmix64_of_one(edit + np.uint64(k + 1) * GOLDEN)
        if other < np.uint64(EDITED_WORDS * 2.0**64):
            return splitmix64_of_one(other)
    return splitmix64_of_one(stream + np.uint64(k + 1) * GOLDEN)


@kernel
def _fill(
    seeds: Seeds,
    counts: Numbers,
    edits: Seeds,
    beyond: Mask,
    heads: Seeds,
    words: npt.NDArray[np.uint8],
    starts: Numbers,
    slots: npt.NDArray[np.int32],
    special: int,
    num_special: int,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Return (bytes, offsets) of texts of so many words; `heads` seed the first half of a text, 0 for its own seed."""
    out = np.empty(np.sum(counts) * (_LONGEST + 2) + 1, np.uint8)
    offsets, at = np.zeros(len(seeds) + 1, np.int32), 0
    for d in range(len(seeds)):
        first = True
        for k in range(counts[d]):
            draw = _draw(heads[d] if heads[d] and 2 * k < counts[d] else seeds[d], edits[d], k)
            word = np.int64(slots[draw >> np.uint64(48)])
            if beyond[d] and draw & np.uint64(31) == 0:
                word = special + np.int64(draw >> np.uint64(8) & np.uint64(0xFF)) % num_special
            if k:
                first = draw & np.uint64(0x1F00) == 0
                out[at] = 46  # and overwritten but where a sentence ends
                at += first
                out[at] = 32
                at += 1
            for i in range(starts[word], starts[word + 1]):
                byte = words[i]
                if first and 97 <= byte <= 122:
                    byte -= np.uint8(32)
                first = False
                out[at] = byte
                at += 1
        if counts[d]:
            out[at] = 46
            at += 1
        offsets[d + 1] = at
    return out[:at], offsets


def texts(seeds: Seeds, counts: Numbers, *, edits: Seeds, beyond: Mask, heads: Seeds) -> pa.StringArray:
    """Return texts of `counts` words each; all arrays are [num_texts].

    `edits` seed the changes of a near copy (0: none), `beyond` asks for letters beyond ASCII, and texts of equal
    `heads` (not 0) share their first half.
    """
    words, starts, slots = _vocabulary()
    data, offsets = _fill(seeds, counts, edits, beyond, heads, words, starts, slots, len(_COMMON), len(_BEYOND))
    return pa.StringArray.from_buffers(len(seeds), pa.py_buffer(offsets), pa.py_buffer(data))
