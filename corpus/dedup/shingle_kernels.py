"""Shingle kernels: from normalised UTF-8 bytes to hashes of words and shingles, without a Python string.

The rule. White space, controls and plain punctuation (``. , ; : ! ? ( ) [ ] { } " ' ` \\ |``, typographic quotes,
bullets, dashes between spaces or digits) part words. All other characters make words, so digits, letters of any script,
``-`` and ``@`` count, at the edges too: BRCA1, IL-6, -5, CD4-. Operators and units are words of their own, with or
without spaces around them: ``+ < > = ~ % / * # & $ °``, arrows, mathematical signs, and ``x`` between digits.

Numbers are read as numbers. ``.`` counts before a digit unless a letter stands before it, and .05 is 0.05. ``,`` and
``·`` between digits are the point (1,52 and 0·05 are 1.52 and 0.05), but a comma that parts thousands is nothing: 1,200
is 1200. ``^`` and ``_`` count unless a letter or a sign stands beside them: 10^5, but V_max is Vmax.

Typography is folded away (`corpus.text.typography`): a character stands for its ASCII form, so CO₂ has the hash of
CO2. The hash of a whole text still tells them apart: texts that differ in typography are near duplicates.

A ``-`` between two letters parts a word into segments and counts as part of it. A character of a script
without spaces is a word (`corpus.text.words`), so a shingle of such a text is five characters.

All of it is unsigned 64-bit arithmetic, the same on every machine.
"""

from typing import Final, NamedTuple

import numpy as np

from corpus.arrays.hashing import DEGSKI, FNV_BASIS
from corpus.arrays.hashing_kernels import murmur_finalizer
from corpus.arrays.kernel import kernel, part
from corpus.arrays.types import Hashes, Numbers, Octets
from corpus.dedup.character_kernels import (
    ALONE_UNIT,
    BEYOND,
    CHARACTER,
    COMMA,
    DELIMITER,
    FACTORS,
    IGNORED,
    MARK,
    NOTHING,
    OPERATOR,
    POINT,
    SEPARATOR,
    SPACE,
    SPECIAL,
    SPELLED,
    WORD,
    ascii_factor,
    groups_digits,
    is_digit,
    special,
    spelled,
    unit_after,
)
from corpus.dedup.fold_table import FoldTable

SHINGLE_WORDS: Final = 5

_ONE: Final = np.uint64(1)
_NOUGHT: Final = np.uint64(0x30)
_SEGMENT: Final = np.uint64(0xC2B2AE3D27D4EB4F)  # odd, and with well spread bits, as are all factors
_POSITION: Final = DEGSKI
_LEAVING: Final = np.uint64(pow(int(DEGSKI), SHINGLE_WORDS, 1 << 64))


class _State(NamedTuple):
    """Where a scan stands."""

    value: np.uint64  # the hash of the segment so far
    inside: np.uint64  # 1 if there is one
    ended: np.uint64  # how many came before it
    last: np.uint64  # the unit before
    folds: np.uint64  # a hash of what was folded


@part
def _beyond(
    data: Octets, i: np.int64, end: int, state: _State, segments: Hashes, table: FoldTable
) -> tuple[_State, np.uint64, np.uint64, np.int64]:
    """Return (state, factor, unit, place behind it) of a character beyond ASCII; IGNORED if the state says it all."""
    seen = special(data, i, end, state.last, table)
    factor, unit, folded = seen.factor, seen.unit, seen.folded
    i, count, folds = i + seen.width, state.ended, state.folds
    if folded:
        folds = (folds ^ state.value ^ folded ^ count << np.uint64(40)) * _POSITION
    if factor == SPELLED:
        after = unit_after(data, i, end, table)
        made = spelled(state.value, state.inside, count, np.int64(unit), state.last, after, segments, table)
        return _State(made[0], made[1], made[2], made[3], folds), IGNORED, unit, i
    if factor == CHARACTER:
        segments[count] = state.value
        count += state.inside
        segments[count] = unit * WORD
        return _State(NOTHING, NOTHING, count + _ONE, ALONE_UNIT, folds), IGNORED, unit, i
    if factor == MARK:
        if state.last == ALONE_UNIT:
            segments[count - _ONE] = (segments[count - _ONE] ^ unit) * WORD
            return state, IGNORED, unit, i
        factor = WORD
    return _State(state.value, state.inside, count, state.last, folds), factor, unit, i


@part
def _ascii(
    data: Octets, i: np.int64, start: int, end: int, last: np.uint64, table: FoldTable
) -> tuple[np.uint64, np.uint64]:
    """Return (factor, unit) of the ASCII character at `i`, one of those that depend on what is around them."""
    unit = np.uint64(data[i])
    after = np.uint64(data[i + 1]) if i + 1 < end else SPACE
    factor = ascii_factor(unit, last, after if after < BEYOND else unit_after(data, i + 1, end, table))
    if unit == COMMA and factor == WORD:
        return (IGNORED if groups_digits(data, i, start, end) else WORD), POINT
    return factor, unit


@part
def _special(
    data: Octets,
    i: np.int64,
    start: int,
    end: int,
    state: _State,
    segments: Hashes,
    delimiters: Hashes,
    table: FoldTable,
) -> tuple[_State, np.uint64, np.uint64, np.uint64]:
    """Return (state, factor, unit, place behind it) of a character that is not plain; IGNORED if the state says it."""
    if data[i] < BEYOND:
        factor, unit = _ascii(data, i, start, end, state.last, table)
        behind = np.uint64(i + 1)
    else:
        made = _beyond(data, i, end, state, segments, table)
        state, factor = made[0], made[1]
        unit, behind = made[2], np.uint64(made[3])
    if factor == IGNORED:
        return state, factor, unit, behind
    value, inside, count = state.value, state.inside, state.ended
    if factor == DELIMITER:
        segments[count], delimiters[count] = value, unit
        value, inside, count = NOTHING, _ONE, count + _ONE  # what follows counts even when it is empty
    elif factor == OPERATOR:
        segments[count] = value
        count += inside
        segments[count] = unit * WORD
        value, inside, count = NOTHING, NOTHING, count + _ONE
    elif unit == POINT and factor == WORD and not is_digit(state.last):
        value = (value ^ _NOUGHT) * WORD  # .05 is 0.05
    factor = IGNORED if factor in (DELIMITER, OPERATOR) else factor
    return _State(value, inside, count, unit, state.folds), factor, unit, behind


# On the common path no branch depends on the text, as its words would make the processor guess wrong once a word: every
# character writes the segment so far, only the end of a segment moves on to the next place, and what parts words
# multiplies by nothing. One exclusive or and one product are all that a character waits for. `delimiters` is of zeros,
# and gets the sign after each segment that one follows.
@part
def _scan(
    data: Octets, start: int, end: int, segments: Hashes, delimiters: Hashes, table: FoldTable
) -> tuple[int, np.uint64]:
    """Fill `segments` with the unmixed hashes of a document's segments; return (how many, a hash of its folds)."""
    value, inside, count = NOTHING, NOTHING, np.uint64(0)
    last, folds = SPACE, NOTHING
    i, stop = np.uint64(start), np.uint64(end)  # unsigned: no test for indices below zero
    known = i  # where the unit before is `last`; before any other place stands the unit itself
    while i < stop:
        unit, factor = np.uint64(data[i]), FACTORS[data[i]]
        if factor == SPECIAL:
            state = _State(value, inside, count, last if i == known else np.uint64(data[i - _ONE]), folds)
            made = _special(data, np.int64(i), start, end, state, segments, delimiters, table)
            value, inside, count = made[0].value, made[0].inside, made[0].ended
            last, folds = made[0].last, made[0].folds
            factor, unit, i = made[1], made[2], made[3]
            known = i
            if factor == IGNORED:
                continue
        else:
            i += _ONE
        segments[count] = value
        is_word = np.uint64(factor != SEPARATOR)
        count += inside & (is_word ^ _ONE)
        value, inside = (value ^ unit) * factor, is_word
    segments[count] = value
    return int(count + inside), folds


@part
def _combine(segments: Hashes, delimiters: Hashes, count: int, shingles: Hashes) -> tuple[int, np.uint64]:
    """Fill `shingles` with the unsorted shingle hashes of a document; return (count, text hash).

    `delimiters` is of zeros again when this returns.
    """
    words = 0
    rolling, text, word = NOTHING, NOTHING, NOTHING
    for k in range(count):
        delimiter, delimiters[k] = delimiters[k], NOTHING
        word = word * _SEGMENT + murmur_finalizer(segments[k] ^ FNV_BASIS) + delimiter
        if delimiter == NOTHING:
            rolling = rolling * _POSITION + word
            if words >= SHINGLE_WORDS:
                rolling -= segments[words - SHINGLE_WORDS] * _LEAVING
            shingles[max(words - SHINGLE_WORDS + 1, 0)] = murmur_finalizer(rolling)
            text = text * _POSITION + word
            segments[words] = word  # in the place of a segment already read
            word = NOTHING
            words += 1
    return max(words - SHINGLE_WORDS + 1, min(words, 1)), murmur_finalizer(text)


@part
def unsorted_shingles(
    data: Octets, start: int, end: int, segments: Hashes, delimiters: Hashes, shingles: Hashes, table: FoldTable
) -> tuple[int, np.uint64]:
    """Fill `shingles` with those of a document, in its order and with repeats; return (count, text hash).

    The three arrays are room to work in, `room_for` places each; `delimiters` is of zeros, before and after.
    """
    num_segments, folds = _scan(data, start, end, segments, delimiters, table)
    count, text = _combine(segments, delimiters, num_segments, shingles)
    return count, text ^ folds


@part
def _most_words(size: int) -> int:
    """Return the most words of so many bytes: ½ has two, and is 1, / and 2."""
    return size + size // 2 + 1


@part
def room_for(offsets: Numbers) -> int:
    """Return the most segments of any document, and room for one more."""
    longest = 0
    for d in range(len(offsets) - 1):
        longest = max(longest, offsets[d + 1] - offsets[d])
    return _most_words(longest) + 1


@part
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


@kernel
def shingle_documents(data: Octets, offsets: Numbers, table: FoldTable) -> tuple[Hashes, Numbers, Hashes]:
    """Return (hashes, offsets, text hashes) of the documents `data[offsets[d]:offsets[d + 1]]`."""
    documents, room = len(offsets) - 1, room_for(offsets)
    segments, delimiters, shingles = np.empty(room, np.uint64), np.zeros(room, np.uint64), np.empty(room, np.uint64)
    ends = np.empty(1 << 16, np.int64)
    # An upper bound; the pages behind the result are never touched, so they never become memory.
    hashes = np.empty(_most_words(offsets[documents] - offsets[0]) + documents, np.uint64)
    starts = np.zeros(documents + 1, np.int64)
    texts = np.empty(documents, np.uint64)
    for d in range(documents):
        count, texts[d] = unsorted_shingles(data, offsets[d], offsets[d + 1], segments, delimiters, shingles, table)
        starts[d + 1] = starts[d] + _sort_distinct(shingles, count, hashes, starts[d], ends)
    return hashes[: starts[documents]], starts, texts


@kernel
def grams(data: Octets, offsets: Numbers, size: int, table: FoldTable) -> tuple[Hashes, Numbers]:
    """Return (hashes, offsets) of all runs of `size` words of each document, in order and with repeats.

    A document of fewer words has none. The hash of a run is that of a shingle when `size` is `SHINGLE_WORDS`.
    """
    documents, room = len(offsets) - 1, room_for(offsets)
    segments, delimiters = np.empty(room, np.uint64), np.zeros(room, np.uint64)
    hashes = np.empty(_most_words(offsets[documents] - offsets[0]) + documents, np.uint64)
    starts = np.zeros(documents + 1, np.int64)
    leaving = _ONE
    for _ in range(size):
        leaving *= _POSITION
    for d in range(documents):
        rolling, word = NOTHING, NOTHING
        words, filled = 0, starts[d]
        num_segments, _ = _scan(data, offsets[d], offsets[d + 1], segments, delimiters, table)
        for k in range(num_segments):
            delimiter, delimiters[k] = delimiters[k], NOTHING
            word = word * _SEGMENT + murmur_finalizer(segments[k] ^ FNV_BASIS) + delimiter
            if delimiter == NOTHING:
                rolling = rolling * _POSITION + word
                if words >= size:
                    rolling -= segments[words - size] * leaving
                segments[words], word = word, NOTHING  # in the place of a segment already read
                words += 1
                if words >= size:
                    hashes[filled] = murmur_finalizer(rolling)
                    filled += 1
        starts[d + 1] = filled
    return hashes[: starts[documents]], starts
