"""Lower case and NFC of texts, compiled for those that need no more than a table.

That is a tenth of the price of two passes over all. A character is plain when its small letter is one character of
the same width in UTF-8, is in NFC by itself and never combines with a neighbour. A text of plain characters is lowered
character by character and then is in NFC. All others are told apart and go the long way, off which the table is read.
Arrow's own `utf8_normalize` is no part of it: asked for NFC, it gives NFD (pyarrow 25).
"""

import unicodedata
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.kernel import kernel, part
from corpus.arrays.types import Mask, Numbers, Octets

NORMAL_FORM: Final = "NFC"  # canonical only: NFKC would make 10² of 102
_POINTS: Final = 0x3000  # scripts beyond it have no capitals in common use, and Hangul composes
_JAMO: Final = range(0x1100, 0x1200)
_CAPITAL_A, _LETTERS, _SMALL = np.uint8(65), np.uint8(26), np.uint8(32)
_BEYOND: Final = np.uint8(0x80)


@part
def _lower_beyond(text: Octets, small: npt.NDArray[np.uint16]) -> bool:
    """Lower the characters beyond ASCII in place; say whether all of them are plain."""
    i = 0
    while i < len(text):
        first = np.int64(text[i])
        if first < 0x80:
            i += 1
            continue
        if first >= 0xF0:
            return False
        width = 2 if first < 0xE0 else 3
        point = (first & (0x1F if width == 2 else 0x0F)) << 6 | np.int64(text[i + 1]) & 0x3F
        if width == 3:
            point = point << 6 | np.int64(text[i + 2]) & 0x3F
        if point >= len(small) or not small[point]:
            return False
        point = np.int64(small[point])
        text[i + width - 1] = 0x80 | point & 0x3F
        if width == 3:
            text[i + 1] = 0x80 | point >> 6 & 0x3F
        text[i] = (0xC0 | point >> 6) if width == 2 else (0xE0 | point >> 12)
        i += width
    return True


@kernel
def lower_plain(data: Octets, offsets: Numbers, small: npt.NDArray[np.uint16]) -> tuple[Octets, Mask]:
    """Return (bytes of the texts in lower case, which texts are beyond the table); the latter hold anything."""
    base = offsets[0]
    out = np.empty(offsets[-1] - base, np.uint8)
    beyond = np.zeros(len(offsets) - 1, np.bool_)
    for d in range(len(offsets) - 1):
        text, lowered = data[offsets[d] : offsets[d + 1]], out[offsets[d] - base : offsets[d + 1] - base]
        seen = np.uint8(0)
        for i in range(len(text)):  # no branch, so that it is done for 32 bytes and more at a time
            byte = text[i]
            seen |= byte
            lowered[i] = byte | (_SMALL if np.uint8(byte - _CAPITAL_A) < _LETTERS else np.uint8(0))
        beyond[d] = seen >= _BEYOND and not _lower_beyond(lowered, small)
    return out, beyond


def lower_one_by_one(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return the texts in lower case and NFC. Lower case first: a few capitals compose only in small letters."""
    lowered = pc.utf8_lower(texts).to_pylist()
    return pa.array([unicodedata.normalize(NORMAL_FORM, text) for text in lowered], pa.large_string())


@cache
def small_letters() -> npt.NDArray[np.uint16]:
    """Return the small letter of each plain code point, uint16[0x3000]; 0 for points that are not plain."""
    points = [point for point in range(0x80, _POINTS) if point not in _JAMO]
    lowered = lower_one_by_one(pa.array(map(chr, points), pa.large_string())).to_pylist()
    table = np.zeros(_POINTS, np.uint16)
    for point, letter in zip(points, lowered, strict=True):
        alone = len(letter) == 1 and unicodedata.category(letter)[0] not in "MC"
        if alone and len(letter.encode()) == len(chr(point).encode()) and ord(letter) not in _JAMO:
            table[point] = ord(letter)
    return table
