"""Shingle kernels: from normalised UTF-8 bytes to hashes of words and shingles, without a Python string.

The rule. White space, controls and plain punctuation (``. , ; : ! ? ( ) [ ] { } " ' ` \\ |``, typographic quotes,
bullets, the em dash) part words. All other characters make words, so digits, letters of any script and
``+ - / % < > = ± ° µ * # & @ ^ _ ~`` count, at the edges too: BRCA1, Ca2+, IL-6, p<0.05, -5, 20%. ``.`` counts before
a digit unless a letter stands before it (1.5, .05); ``,`` ``:`` and ``·`` count between digits (1,200; 1:100; 0·05 is
0.05). Hyphens and the minus are one sign, µ is μ; soft hyphens, zero-width and direction marks are as if absent.

A ``-`` or ``/`` between two letters parts a word into segments and counts as part of it.

All of it is unsigned 64-bit arithmetic, the same on every machine.
"""

import string
from pathlib import Path
from typing import Final

import numpy as np
from numba import njit

from corpus.arrays.hashing import DEGSKI, FNV_BASIS, GOLDEN
from corpus.arrays.hashing_kernels import murmur_finalizer
from corpus.arrays.numba_cache import forget_outdated
from corpus.arrays.types import Hashes, Numbers, Octets

forget_outdated(Path(__file__).parent)


SHINGLE_WORDS: Final = 5

# What a character does to the hash of the segment it stands in: multiplies it, by nothing if it parts words. Small
# numbers say what is no factor.
_NOTHING: Final = np.uint64(0)
_ONE: Final = np.uint64(1)
_SEPARATOR: Final = _NOTHING
_SPECIAL: Final = np.uint64(1)  # depends on its neighbours or is not ASCII
_DELIMITER: Final = np.uint64(2)  # ends a segment inside a word
_IGNORED: Final = np.uint64(3)

_HYPHEN: Final = 0x2D
_SLASH: Final = 0x2F
_POINT: Final = 0x2E
_MU: Final = 0x3BC

# Factors are odd and have well spread bits.
_WORD: Final = GOLDEN  # of a character that makes words
_SEGMENT: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_POSITION: Final = DEGSKI
_LEAVING: Final = np.uint64(pow(int(DEGSKI), SHINGLE_WORDS, 1 << 64))


def _factors() -> Hashes:
    factors = np.full(256, _SPECIAL, np.uint64)
    factors[:128] = _SEPARATOR
    for characters, factor in (
        (string.ascii_letters + string.digits + "*#&@_$+<>=%^~", _WORD),
        (".,:-/", _SPECIAL),
    ):
        for character in characters:
            factors[ord(character)] = factor
    return factors


_FACTORS: Final = _factors()


@njit(cache=True, nogil=True)
def _is_digit(byte: np.uint8) -> bool:
    return bool(np.uint8(48) <= byte <= np.uint8(57))


@njit(cache=True, nogil=True)
def _is_letter(byte: np.uint8) -> bool:
    """Whether a byte is an ASCII letter or part of a character beyond ASCII."""
    return bool(byte >= np.uint8(128) or np.uint8(97) <= (byte | np.uint8(32)) <= np.uint8(122))


@njit(cache=True, nogil=True)
def _code_point(data: Octets, i: np.int64, end: int) -> tuple[np.int64, int]:
    """Return (code point, width) of the character of several bytes at `i`."""
    first = data[i]
    width = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    point = np.int64(first) & np.int64(0x7F >> width)
    for k in range(1, min(width, int(end - i))):
        point = point << np.int64(6) | np.int64(data[i + k]) & np.int64(0x3F)
    return point, width


@njit(cache=True, nogil=True)
def _point_factor(point: np.int64) -> np.uint64:
    """Return the factor of a code point beyond ASCII that needs no neighbours."""
    if point in (0xAD, 0xFEFF) or 0x200B <= point < 0x2010 or 0x202A <= point < 0x202F or 0x2060 <= point < 0x2065:
        return _IGNORED
    if point < 0xC0:
        letters = point in (0xAA, 0xAE, 0xB5, 0xBA, 0xBC, 0xBD, 0xBE)
        return _WORD if letters or point in (0xB0, 0xB1, 0xB2, 0xB3, 0xB9) else _SEPARATOR
    if point == 0x2030:
        return _WORD
    if point == 0x1680 or 0x2000 <= point < 0x2070 or 0x3000 <= point <= 0x3003 or 0x3008 <= point <= 0x3011:
        return _SEPARATOR
    return _WORD


@njit(cache=True, nogil=True)
def _special(data: Octets, i: np.int64, start: int, end: int) -> tuple[np.uint64, np.uint64, int]:
    """Return (factor, unit, width) of a character that needs its neighbours or code point."""
    point, width = np.int64(data[i]), 1
    if point >= 128:
        point, width = _code_point(data, i, end)
    before = data[i - 1] if i > start else np.uint8(32)
    after = data[i + width] if i + width < end else np.uint8(32)
    if 0x2010 <= point <= 0x2013 or point == 0x2212:
        point = np.int64(_HYPHEN)
    elif point == 0x2044:
        point = np.int64(_SLASH)
    if point in (_HYPHEN, _SLASH):
        return _DELIMITER if _is_letter(before) and _is_letter(after) else _WORD, np.uint64(point), width
    if point < 128 or point == 0xB7:
        inside = _is_digit(after) and (_is_digit(before) or (point == _POINT and not _is_letter(before)))
        return _WORD if inside else _SEPARATOR, np.uint64(_POINT if point == 0xB7 else point), width
    return _point_factor(point), np.uint64(_MU if point == 0xB5 else point), width


@njit(cache=True, nogil=True)
def _scan(data: Octets, start: int, end: int, segments: Hashes, delimiters: Hashes) -> int:
    """Fill `segments` with the unmixed hashes of a document's segments; return how many.

    `delimiters` is of zeros, and gets the sign after each segment that one follows. On the common path no branch
    depends on the text, as its words would make the processor guess wrong once a word: every character writes the
    segment so far, only the end of a segment moves on to the next place, and what parts words multiplies by nothing.
    One exclusive or and one product are all that a character waits for.
    """
    value, inside, count = _NOTHING, _NOTHING, np.uint64(0)
    i, stop = np.uint64(start), np.uint64(end)  # unsigned: no test for indices below zero
    while i < stop:
        unit, factor = np.uint64(data[i]), _FACTORS[data[i]]
        if factor == _SPECIAL:
            factor, unit, width = _special(data, np.int64(i), start, end)
            i += np.uint64(width)
            if factor == _IGNORED:
                continue
            if factor == _DELIMITER:
                segments[count], delimiters[count] = value, unit
                value, inside, count = _NOTHING, _ONE, count + _ONE  # what follows counts even when it is empty
                continue
        else:
            i += _ONE
        segments[count] = value
        is_word = np.uint64(factor != _SEPARATOR)
        count += inside & (is_word ^ _ONE)
        value = (value ^ unit) * factor
        inside = is_word
    segments[count] = value
    return int(count + inside)


@njit(cache=True, nogil=True)
def _combine(segments: Hashes, delimiters: Hashes, count: int, shingles: Hashes) -> tuple[int, np.uint64]:
    """Fill `shingles` with the unsorted shingle hashes of a document; return (count, text hash).

    `delimiters` is of zeros again when this returns.
    """
    words = 0
    rolling, text, word = _NOTHING, _NOTHING, _NOTHING
    for k in range(count):
        delimiter, delimiters[k] = delimiters[k], _NOTHING
        word = word * _SEGMENT + murmur_finalizer(segments[k] ^ FNV_BASIS) + delimiter
        if delimiter == _NOTHING:
            rolling = rolling * _POSITION + word
            if words >= SHINGLE_WORDS:
                rolling -= segments[words - SHINGLE_WORDS] * _LEAVING
            shingles[max(words - SHINGLE_WORDS + 1, 0)] = murmur_finalizer(rolling)
            text = text * _POSITION + word
            segments[words] = word  # in the place of a segment already read
            word = _NOTHING
            words += 1
    return max(words - SHINGLE_WORDS + 1, min(words, 1)), murmur_finalizer(text)


@njit(cache=True, nogil=True)
def unsorted_shingles(
    data: Octets, start: int, end: int, segments: Hashes, delimiters: Hashes, shingles: Hashes
) -> tuple[int, np.uint64]:
    """Fill `shingles` with those of a document, in its order and with repeats; return (count, text hash).

    The three arrays are room to work in, `room_for` places each; `delimiters` is of zeros, before and after.
    """
    return _combine(segments, delimiters, _scan(data, start, end, segments, delimiters), shingles)


@njit(cache=True, nogil=True)
def room_for(offsets: Numbers) -> int:
    """Return the most segments of any document: one and what parts it from the next take two bytes."""
    longest = 0
    for d in range(len(offsets) - 1):
        longest = max(longest, offsets[d + 1] - offsets[d])
    return longest // 2 + 2


@njit(cache=True, nogil=True)
def _sort_distinct(values: Hashes, count: int, out: Hashes, position: int, ends: Numbers) -> int:
    """Write `values[:count]`, ascending and distinct, to `out` from `position`; return how many.

    The hashes are uniform, so their leading bits spread them over about as many buckets as there are values and
    the insertion sort that finishes has next to nothing to move: linear, and faster than a comparison sort.
    """
    bits = 1
    while bits < 16 and 1 << bits < count:
        bits += 1
    shift = np.uint64(64 - bits)
    ends[: 1 << bits] = 0
    for k in range(count):
        ends[values[k] >> shift] += 1
    total = np.int64(position)
    for bucket in range(1 << bits):
        total, ends[bucket] = total + ends[bucket], total
    for k in range(count):
        top = values[k] >> shift
        out[ends[top]] = values[k]
        ends[top] += 1
    distinct = position
    for k in range(position, position + count):
        value, slot = out[k], distinct
        while slot > position and out[slot - 1] > value:
            slot -= 1
        if slot > position and out[slot - 1] == value:
            continue
        for moved in range(distinct, slot, -1):
            out[moved] = out[moved - 1]
        out[slot] = value
        distinct += 1
    return distinct - position


@njit(cache=True, nogil=True)
def shingle_documents(data: Octets, offsets: Numbers) -> tuple[Hashes, Numbers, Hashes]:
    """Return (hashes, offsets, text hashes) of the documents `data[offsets[d]:offsets[d + 1]]`."""
    documents, room = len(offsets) - 1, room_for(offsets)
    segments, delimiters, shingles = np.empty(room, np.uint64), np.zeros(room, np.uint64), np.empty(room, np.uint64)
    ends = np.empty(1 << 16, np.int64)
    # An upper bound; the pages behind the result are never touched, so they never become memory.
    hashes = np.empty((offsets[documents] - offsets[0]) // 2 + 2 * documents, np.uint64)
    starts = np.zeros(documents + 1, np.int64)
    texts = np.empty(documents, np.uint64)
    for d in range(documents):
        count, texts[d] = unsorted_shingles(data, offsets[d], offsets[d + 1], segments, delimiters, shingles)
        starts[d + 1] = starts[d] + _sort_distinct(shingles, count, hashes, starts[d], ends)
    return hashes[: starts[documents]], starts, texts


@njit(cache=True, nogil=True)
def grams(data: Octets, offsets: Numbers, size: int) -> tuple[Hashes, Numbers]:
    """Return (hashes, offsets) of all runs of `size` words of each document, in order and with repeats.

    A document of fewer words has none. The hash of a run is that of a shingle when `size` is `SHINGLE_WORDS`.
    """
    documents, room = len(offsets) - 1, room_for(offsets)
    segments, delimiters = np.empty(room, np.uint64), np.zeros(room, np.uint64)
    hashes = np.empty((offsets[documents] - offsets[0]) // 2 + 2 * documents, np.uint64)
    starts = np.zeros(documents + 1, np.int64)
    leaving = _ONE
    for _ in range(size):
        leaving *= _POSITION
    for d in range(documents):
        rolling, word = _NOTHING, _NOTHING
        words, filled = 0, starts[d]
        for k in range(_scan(data, offsets[d], offsets[d + 1], segments, delimiters)):
            delimiter, delimiters[k] = delimiters[k], _NOTHING
            word = word * _SEGMENT + murmur_finalizer(segments[k] ^ FNV_BASIS) + delimiter
            if delimiter == _NOTHING:
                rolling = rolling * _POSITION + word
                if words >= size:
                    rolling -= segments[words - size] * leaving
                segments[words], word = word, _NOTHING  # in the place of a segment already read
                words += 1
                if words >= size:
                    hashes[filled] = murmur_finalizer(rolling)
                    filled += 1
        starts[d + 1] = filled
    return hashes[: starts[documents]], starts
