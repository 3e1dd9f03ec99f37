"""The folds of typography and the characters of scripts without spaces, as arrays that a kernel looks up.

A code point leads to a page, its page to an entry of 32 bits: what is to be done with the character, and where in
`units` its replacement begins and how long that is. Texts are in small letters when they are looked up.
"""

import unicodedata
from functools import cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.text.typography import GREEK, LOWERED, MU, RAISED, SHARP_S, SIGNS, fold, folds
from corpus.text.words import UNSPACED, is_character

# What an entry says of a character, from its bit 4 on; 0 is nothing.
FOLDED: Final = 1  # it stands for its replacement
SILENT: Final = 2  # so does it, and texts that differ in it alone are equal
RAISE: Final = 3  # and is set off from a digit before it by ^
LOWER: Final = 4  # or by _
SHARP: Final = 5  # beta, or ss behind a vowel
MICRO: Final = 6  # micro before a letter, else mu
NAMED: Final = 7  # the name of a Greek letter
ALONE: Final = 8  # a character of a script without spaces: a word
JOINED: Final = 9  # a mark at one
PARTING: Final = 10  # punctuation among them
_PAGES: Final = 0x1D8  # of 256 points: up to the letters of formulas
_LARGE: Final = 0x1000  # blocks of ideographs are larger, and not listed: `character_kernels` knows them
_SILENT: Final = frozenset({"", " ", "-", "/", "·"})
_LOWERED: Final = frozenset(
    map(chr, (*map(ord, LOWERED), 0xBC, 0xBD, 0xBE, *range(0x2150, 0x2160), 0x2189, *range(0x2460, 0x2474)))
)  # digits at the foot, fractions, digits in circles


class FoldTable(NamedTuple):
    """What a kernel must know of characters beyond ASCII."""

    pages: npt.NDArray[np.uint16]  # [_PAGES]: where the page of a point's upper bits stands in `entries`, 0 for none
    entries: npt.NDArray[np.uint32]  # [num_pages, 256]: start << 8 | what << 4 | length
    units: npt.NDArray[np.uint16]  # replacements, one after the other


@cache
def fold_table() -> FoldTable:
    """Return the table; made once a process, in some 20 ms."""
    found: dict[int, tuple[int, str]] = {}
    for character, form in {**folds(), **SIGNS, **GREEK}.items():
        found[ord(character)] = _kind(character, form), fold(form).lower()
    found[ord(SHARP_S)] = SHARP, "betass"
    for character in (MU, "\xb5", *(one for one, form in folds().items() if form == MU)):
        found[ord(character)] = MICRO, "micromu"
    for first, last in UNSPACED:
        for point in range(first, last if last - first <= _LARGE else first):
            found[point] = _kind_of_unspaced(point), ""
    return _arrays(found)


def _kind(character: str, form: str) -> int:
    if character in RAISED:
        return RAISE
    if character in _LOWERED:
        return LOWER
    if character in GREEK or form[-1:] in GREEK:
        return NAMED
    return SILENT if form in _SILENT else FOLDED


def _kind_of_unspaced(point: int) -> int:
    if is_character(point):
        return ALONE
    return JOINED if unicodedata.category(chr(point))[0] == "M" else PARTING


def _arrays(found: dict[int, tuple[int, str]]) -> FoldTable:
    pages = np.zeros(_PAGES, np.uint16)
    used = sorted({point >> 8 for point in found})
    pages[used] = np.arange(1, len(used) + 1)
    entries = np.zeros((len(used) + 1, 256), np.uint32)
    units: list[int] = []
    for point, (kind, form) in found.items():
        entries[pages[point >> 8], point & 0xFF] = len(units) << 8 | kind << 4 | len(form)
        units.extend(map(ord, form))
    return FoldTable(pages, entries, np.array(units, np.uint16))
