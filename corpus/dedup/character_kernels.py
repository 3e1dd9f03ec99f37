"""What each character does to the hash of the segment it stands in: the lowest of the shingle kernels.

`corpus.dedup.shingle_kernels` says the rule. A character is a unit (its code point, after folding) and a factor, which
says whether it makes words, parts them, or is one of the cases below. Its neighbours are the units before and after it,
so a folded character and its ASCII form do the same.
"""

import string
from typing import Final, NamedTuple

import numpy as np

from corpus.arrays.hashing import GOLDEN
from corpus.arrays.kernel import part
from corpus.arrays.types import Hashes, Octets
from corpus.dedup.fold_table import ALONE, FOLDED, JOINED, LOWER, MICRO, NAMED, PARTING, RAISE, SHARP, SILENT, FoldTable

# What a character does to the hash of the segment it stands in: multiplies it, by nothing if it parts words. Small
# numbers say what is no factor.
NOTHING: Final = np.uint64(0)
SEPARATOR: Final = NOTHING
SPECIAL: Final = np.uint64(1)  # depends on its neighbours or is not ASCII
DELIMITER: Final = np.uint64(2)  # ends a segment inside a word
IGNORED: Final = np.uint64(3)
SPELLED: Final = np.uint64(4)  # stands for several units; the unit is the entry of the table
CHARACTER: Final = np.uint64(5)  # is a word
MARK: Final = np.uint64(6)  # belongs to such a character
OPERATOR: Final = np.uint64(7)  # is a word, with or without spaces around it
WORD: Final = GOLDEN  # makes words; odd, and with well spread bits

BEYOND: Final = np.uint64(0x80)  # the first byte of a character of several
SPACE: Final = np.uint64(0x20)
ALONE_UNIT: Final = np.uint64(1)  # stands for any character that is a word: neither letter nor digit
_FROM_SCRIPT: Final = np.uint64(1 << 40)  # on the last unit of a raised or lowered run, for the next goes on with it
_HYPHEN: Final = np.uint64(0x2D)
_SLASH: Final = np.uint64(0x2F)
POINT: Final = np.uint64(0x2E)
COMMA: Final = np.uint64(0x2C)
_GREATER: Final = np.uint64(0x3E)
_X: Final = np.uint64(0x78)
_PLUS: Final = np.uint64(0x2B)
_CARET: Final = np.uint64(0x5E)
_UNDERLINE: Final = np.uint64(0x5F)
_MIDDLE_DOT: Final = np.uint64(0xB7)
_MU: Final = np.uint64(0x3BC)
_MAX_GROUPS: Final = 4  # of three digits behind the first: what a number has, and a list of them may not
_NO_VOWEL: Final = np.uint64(0xDF)  # a letter: what ß sees before it where the name of a Greek letter ends


OPERATORS: Final = "+<>=~%/*#&$"


def _factors() -> Hashes:
    factors = np.full(256, SPECIAL, np.uint64)
    factors[:128] = SEPARATOR
    for characters, factor in (
        (string.ascii_letters + string.digits + "@", WORD),
        (OPERATORS + "x.,-^_", SPECIAL),
    ):
        for character in characters:
            factors[ord(character)] = factor
    return factors


FACTORS: Final = _factors()
_IS_OPERATOR: Final = np.array([chr(point) in OPERATORS for point in range(128)])
_IS_VOWEL: Final = np.array([chr(point) in "aeiouy" for point in range(128)])


@part
def _is_letter(unit: np.uint64) -> bool:
    """Whether a unit is an ASCII letter or a character beyond ASCII that does not stand alone."""
    return bool(np.uint64(128) <= unit < _FROM_SCRIPT or np.uint64(97) <= (unit | np.uint64(32)) <= np.uint64(122))


@part
def _code_point(data: Octets, i: np.int64, end: int) -> tuple[np.int64, np.int64]:
    """Return (code point, width) of the character of several bytes at `i`."""
    first = data[i]
    width = np.int64(2 if first < 0xE0 else 3 if first < 0xF0 else 4)
    point = np.int64(first) & np.int64(0x7F >> width)
    for k in range(1, min(width, end - i)):
        point = point << np.int64(6) | np.int64(data[i + k]) & np.int64(0x3F)
    return point, width


@part
def _entry(point: np.int64, table: FoldTable) -> np.int64:
    """Return what the table says of a code point beyond ASCII, 0 for nothing."""
    page = np.int64(point) >> 8
    if page < len(table.pages) and table.pages[page]:
        return np.int64(table.entries[table.pages[page], point & 0xFF])
    return np.int64(ALONE << 4 if 0x3400 <= point < 0xA000 or 0x20000 <= point < 0x32400 else 0)  # ideographs


@part
def _point_factor(point: np.int64) -> np.uint64:
    """Return the factor of a code point beyond ASCII that no fold and no neighbour changes."""
    if point in (0xB0, 0xF7, 0x2030) or 0x2190 <= point < 0x2300:  # °, ÷, ‰; arrows and mathematical operators
        return OPERATOR
    if point < 0xC0:
        return WORD if point == 0xAE else SEPARATOR
    if point == 0x1680 or 0x2000 <= point < 0x2070 or 0x3000 <= point <= 0x3003 or 0x3008 <= point <= 0x3011:
        return SEPARATOR
    return WORD


@part
def unit_after(data: Octets, i: np.int64, end: int, table: FoldTable) -> np.uint64:
    """Return the first unit of the character at `i`, or of the next one that is to be seen; a space at the end."""
    while i < end:
        if data[i] < 128:
            return np.uint64(data[i])
        point, width = _code_point(data, i, end)
        entry = _entry(point, table)
        kind = entry >> 4 & 15
        if kind == ALONE:
            return ALONE_UNIT
        if entry & 15:
            return np.uint64(table.units[entry >> 8])
        if kind in (0, JOINED):
            return SPACE if _point_factor(point) == SEPARATOR else np.uint64(point)
        if kind == PARTING:
            return SPACE
        i += width
    return SPACE


@part
def is_digit(unit: np.uint64) -> bool:
    """Say whether a unit is a digit, of a raised or lowered run too."""
    return bool(np.uint64(48) <= unit & ~_FROM_SCRIPT <= np.uint64(57))


@part
def ascii_factor(unit: np.uint64, last: np.uint64, after: np.uint64) -> np.uint64:
    """Return the factor of an ASCII character, or of ·, between two units."""
    between = is_digit(last) and is_digit(after)
    if unit == _HYPHEN:
        if _is_letter(last) and _is_letter(after):
            return DELIMITER
        if last == _SLASH or after == _GREATER:  # +/-, ->
            return OPERATOR
        return SEPARATOR if between or (last <= SPACE and after <= SPACE) else WORD  # 5-10; a dash
    if unit in (_CARET, _UNDERLINE):
        return IGNORED if _is_letter(last) or _is_letter(after) or after in (_PLUS, _HYPHEN) else WORD
    if unit in (POINT, COMMA, _MIDDLE_DOT):
        return WORD if between or (unit == POINT and is_digit(after) and not _is_letter(last)) else SEPARATOR
    if unit == _X:
        return OPERATOR if between else WORD
    if unit >= BEYOND:
        return _point_factor(np.int64(unit))
    return OPERATOR if _IS_OPERATOR[unit] else FACTORS[unit]


@part
def _ascii_digits(data: Octets, i: np.int64, step: int, start: int, end: int) -> int:
    """Return how many ASCII digits follow one another from `i` on, forwards or backwards, and 4 for more."""
    count = 0
    while count < 4 and start <= i < end and np.uint8(48) <= data[i] <= np.uint8(57):
        count, i = count + 1, i + step
    return count


@part
def groups_digits(data: Octets, i: np.int64, start: int, end: int) -> bool:
    """Say whether the comma at `i` parts thousands: 1,200 or 12,345,678, and not 0,125 or 1,52."""
    if _ascii_digits(data, i + 1, 1, start, end) != 3:
        return False
    for _ in range(_MAX_GROUPS):
        count = _ascii_digits(data, i - 1, -1, start, end)
        before = i - 1 - count
        sign = data[before] if before >= start else np.uint8(SPACE)
        if sign != np.uint8(COMMA):
            return 0 < count < 4 and data[before + 1] != np.uint8(48) and sign != np.uint8(POINT)
        if count != 3:
            return False
        i = before
    return False


@part
def spelled(
    value: np.uint64,
    inside: np.uint64,
    count: np.uint64,
    entry: np.int64,
    last: np.uint64,
    after: np.uint64,
    segments: Hashes,
    table: FoldTable,
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Put the replacement of a character behind a segment; return (its hash, whether there is one, count, last unit).

    Operators in the replacement are words: ½ is 1, / and 2.
    """
    kind, start, length = entry >> 4 & 15, entry >> 8, entry & 15
    if kind == SHARP:  # beta, ss
        vowel = last < np.uint64(128) and _IS_VOWEL[last]
        start, length = (start + 4, np.int64(2)) if vowel else (start, np.int64(4))
    elif kind == MICRO:  # micro, mu
        unit = np.uint64(97) <= after <= np.uint64(122)
        start, length = (start, np.int64(5)) if unit else (start + 5, np.int64(2))
    elif kind in (RAISE, LOWER) and is_digit(last) and last < _FROM_SCRIPT:
        value = (value ^ (_CARET if kind == RAISE else _UNDERLINE)) * WORD
    for k in range(start, start + length):
        last = np.uint64(table.units[k])
        if last == _HYPHEN or ascii_factor(last, SPACE, SPACE) == OPERATOR:
            segments[count] = value
            count += inside
            segments[count] = last * WORD
            value, inside, count = NOTHING, NOTHING, count + np.uint64(1)
        else:
            value, inside = (value ^ last) * WORD, np.uint64(1)
    if kind in (SHARP, MICRO, NAMED):
        return value, inside, count, _NO_VOWEL
    return value, inside, count, last | _FROM_SCRIPT if kind in (RAISE, LOWER) and is_digit(last) else last


class Seen(NamedTuple):
    """One character beyond ASCII, as the scan must know it."""

    factor: np.uint64
    unit: np.uint64  # for `SPELLED` the entry of the table
    width: np.int64  # bytes
    folded: np.uint64  # the code point, if texts with and without the fold are not quite equal, else 0


@part
def special(data: Octets, i: np.int64, end: int, last: np.uint64, table: FoldTable) -> Seen:
    """Return what the character beyond ASCII at `i` does, `last` being the unit before it."""
    point, width = _code_point(data, i, end)
    entry = _entry(point, table)
    kind, length = entry >> 4 & 15, entry & 15
    if kind == 0:
        if point == _MIDDLE_DOT:
            after = unit_after(data, i + width, end, table)
            return Seen(ascii_factor(_MIDDLE_DOT, last, after), POINT, width, NOTHING)
        factor = _point_factor(point)
        return Seen(factor, SPACE if factor == SEPARATOR else np.uint64(point), width, NOTHING)
    if kind >= ALONE:
        factor = CHARACTER if kind == ALONE else MARK if kind == JOINED else SEPARATOR
        return Seen(factor, SPACE if kind == PARTING else np.uint64(point), width, NOTHING)
    if length == 0:
        return Seen(IGNORED, NOTHING, width, NOTHING)
    if length == 1 and kind <= SILENT:
        unit = np.uint64(table.units[entry >> 8])
        factor = ascii_factor(unit, last, unit_after(data, i + width, end, table))
        unit = POINT if unit == _MIDDLE_DOT or (unit == COMMA and factor == WORD) else unit
        return Seen(factor, unit, width, np.uint64(point) if kind == FOLDED else NOTHING)
    return Seen(SPELLED, np.uint64(entry), width, _MU if kind == MICRO else np.uint64(point))
