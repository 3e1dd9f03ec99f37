"""Twins: nearly equal texts that report different findings, told from copies by the pattern of their differences.

A copy differs from its original at random: words replaced, left out or added here and there, an end cut off. A twin
is the same text about another thing, and its differences say so. Two texts are aligned word by word, spellings of
one word are passed over, and the pair is kept apart when any of these holds (`corpus.dedup.wording` says what a
contrast is):

1. *Opposites*: somewhere two words of one class or series face each other (rat and mouse, BRCA1 and BRCA2), or in the
   titles two numbers, letters or names (1998 and 1999, Uppsala and Lund), whatever else differs.
2. *Consistency*: a word stands twice or more in one text and never in the other, and every time the same other
   word is in its place. Random edits do not do that; a series of reports on genes, drugs or species does.
3. *Numbers*: at least three index words face other ones and these are at least half of all differences.
4. *Titles*: fewer than half of the words of the titles are common, as over a standard paragraph.
5. *Nothing but contrasts*: all differences are contrasts, names for names, negations put in or left out, or words that
   the titles exchange and the rest of the texts does not hold.

Not covered, as they look like edits: one ordinary word of no known class, once, in the body; and one number or name
in the body where other words differ too.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from corpus.dedup.worded_text import Wording
from corpus.dedup.wording import (
    DifferenceKind,
    compare,
    folded,
    is_filler,
    is_hedge,
    is_index,
    is_negation,
    look_alike,
)

WINDOW: Final = 120  # words in which an alignment may find its way back after a difference
STRIDE: Final = 64  # words that are compared at once where two texts go on alike
ANCHOR: Final = 2  # equal words in a row that end a difference
MAX_DIFFERENCES: Final = 400  # differences after which two texts are no twins, whatever they say
MIN_NUMBERS: Final = 3
MIN_NAME: Final = 4  # letters of a word that a title may be about
PHRASE: Final = 3  # words of a difference that may be read as one name for another
TITLE_WORDS: Final = range(3, 60)  # of a first line that is a title and says something
STEM: Final = 5  # letters by which two forms of one word are known as such

Pair = tuple[str, str]


class Difference(NamedTuple):
    """One difference: the words of the first text, those in the same place of the second, and whether in a title."""

    one: Sequence[str]
    other: Sequence[str]
    in_title: bool


def are_twins(one: Wording, other: Wording) -> bool:
    """Say whether two nearly equal texts are twins by the rules above; never true of equal ones."""
    found = [
        difference
        for difference in differences(one, other)
        if not _is_spelling(difference) and not _is_look_alike(difference, one, other)
    ]
    if not found or len(found) > MAX_DIFFERENCES:
        return False
    pairs = [pair for difference in found for pair in _facing(difference)]
    kinds = [compare(*pair) for pair in pairs]
    if DifferenceKind.OPPOSITE in kinds or _is_consistent(pairs, one, other) or _have_other_titles(one, other):
        return True
    numbers = sum(is_index(a) and is_index(b) for a, b in pairs)
    if numbers >= MIN_NUMBERS and 2 * numbers >= len(found):
        return True
    in_title = [pair for difference in found if difference.in_title for pair in _facing(difference)]
    if any(_is_other_subject(pair, one, other) for pair in in_title):
        return True
    exchanged = {pair for pair in in_title if _is_exchanged(pair, one, other)}
    return all(
        _is_contrast(difference, lambda pair: pair in exchanged or _are_names(pair, one, other)) for difference in found
    )


def differences(one: Wording, other: Wording) -> list[Difference]:
    """Return where two texts differ, in order; a greedy alignment that looks `WINDOW` words ahead.

    rapidfuzz's opcodes align otherwise, and take 20 ms over texts of 5,000 words.
    """
    a, b = one.words, other.words
    found: list[Difference] = []
    i = j = 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            while a[i : i + STRIDE] == b[j : j + STRIDE] and max(i - len(a), j - len(b)) + STRIDE <= 0:
                i, j = i + STRIDE, j + STRIDE
            while i < len(a) and j < len(b) and a[i] == b[j]:
                i, j = i + 1, j + 1
            continue
        skip_a, skip_b = _way_back(a, b, i, j)
        found.append(Difference(a[i : i + skip_a], b[j : j + skip_b], i < one.title and j < other.title))
        i, j = i + skip_a, j + skip_b
    if i < len(a) or j < len(b):
        found.append(Difference(a[i:], b[j:], False))
    return found


def _way_back(a: list[str], b: list[str], i: int, j: int) -> tuple[int, int]:
    """Return how many words to pass over in each text until both go on alike; all the rest if they never do."""
    for total in range(1, WINDOW):
        for shift in range(total + 1):
            # From the diagonal outwards, so that a word for a word is found before any other way.
            skip_a = (total - shift if (total - shift) % 2 == 0 else total + shift + 1) // 2
            skip_b = total - skip_a
            k, m = i + skip_a, j + skip_b
            if k < len(a) and m < len(b) and a[k] == b[m] and a[k : k + ANCHOR] == b[m : m + ANCHOR]:
                return skip_a, skip_b
    return len(a) - i, len(b) - j


def _is_spelling(difference: Difference) -> bool:
    """Say whether the two sides are one wording: other spellings, word breaks, articles."""
    here, there = (_joined(side) for side in (difference.one, difference.other))
    if here != there:
        return False
    return here != "" or len(difference.one) != len(difference.other) or not _facing(difference)


def _joined(words: Sequence[str]) -> str:
    """Return words as one; but 10 and 3 are not 103, as 10 and 300 (with a thin space) may be 10300."""
    joined = ""
    for word in words:
        if not is_filler(word):
            apart = joined[-1:].isdigit() and word[:1].isdigit() and not (len(word) == 3 and word.isdigit())
            joined += f"|{folded(word)}" if apart else folded(word)
    return joined


def _is_look_alike(difference: Difference, one: Wording, other: Wording) -> bool:
    """Say whether the two sides differ in Latin letters typed for Greek ones.

    A single letter that never stands small is none (a B cell is no β cell), nor is one with a number (A1, α1).
    """
    if len(difference.one) != len(difference.other):
        return False
    for a, b in zip(difference.one, difference.other, strict=True):
        if compare(a, b) is DifferenceKind.SAME:
            continue
        latin, side = (a, one) if a.isascii() else (b, other)
        if not look_alike(a, b) or (not latin[1:].isalpha() and side.is_name(latin)):
            return False
    return True


def _facing(difference: Difference) -> list[Pair]:
    """Return what stands for what: word for word, or phrase for phrase where the sides differ in length."""
    if len(difference.one) == len(difference.other):
        return [pair for pair in zip(difference.one, difference.other, strict=True) if compare(*pair)]
    if not difference.one or not difference.other or max(len(difference.one), len(difference.other)) > PHRASE:
        return []
    opposites = [(a, b) for a in difference.one for b in difference.other if compare(a, b) is DifferenceKind.OPPOSITE]
    return [*opposites, (" ".join(difference.one), " ".join(difference.other))]


def _is_consistent(pairs: list[Pair], one: Wording, other: Wording) -> bool:
    repeated = [pair for pair, count in Counter(pairs).items() if count > 1 and not any(map(is_filler, pair))]
    if not repeated:
        return False
    here, there = (f" {'  '.join(side.words)} " for side in (one, other))
    for pair in repeated:
        a, b = (f" {phrase.replace(' ', '  ')} " for phrase in pair)
        if here.count(a) == there.count(b) == pairs.count(pair) and b not in here and a not in there:
            return True
    return False


def _have_other_titles(one: Wording, other: Wording) -> bool:
    words = [{folded(word) for word in side.words[: side.title] if not is_filler(word)} for side in (one, other)]
    if any(len(side) not in TITLE_WORDS for side in words):
        return False
    return 2 * len(words[0] & words[1]) < min(len(words[0]), len(words[1]))


def _is_other_subject(pair: Pair, one: Wording, other: Wording) -> bool:
    """Say whether two words of the titles are numbers of one size, letters, members of a family, or names."""
    a, b = pair
    if compare(a, b) is DifferenceKind.CONTRAST:
        return abs(len(a) - len(b)) <= 1 or not is_index(a)
    return _are_names(pair, one, other)


def _are_names(pair: Pair, one: Wording, other: Wording) -> bool:
    return one.is_name(pair[0]) and other.is_name(pair[1])


def _is_exchanged(pair: Pair, one: Wording, other: Wording) -> bool:
    """Say whether one text has a content word in its title alone where the other has another one."""
    a, b = pair
    if min(len(a), len(b)) < MIN_NAME:
        return False
    return one.words.count(a) == other.words.count(b) == 1 and a not in other.words and b not in one.words


def _is_contrast(difference: Difference, is_named: Callable[[Pair], bool]) -> bool:
    """Say whether a difference by itself says that the finding is another."""
    rest = [[word for word in side if not is_filler(word)] for side in (difference.one, difference.other)]
    negations = [sum(map(is_negation, side)) for side in rest]
    if negations[0] != negations[1]:
        rest = [[word for word in side if not is_negation(word) and not is_hedge(word)] for side in rest]
        return [folded(word)[:STEM] for word in rest[0]] == [folded(word)[:STEM] for word in rest[1]]
    pairs = _facing(difference)
    return bool(pairs) and all(compare(*pair) is not DifferenceKind.PLAIN or is_named(pair) for pair in pairs)
