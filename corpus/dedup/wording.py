"""Differences between words of nearly equal texts: spellings, plain ones, contrasts and opposites.

Two words *contrast* when swapping them makes another finding: both are index words (numbers, signs, Greek letters,
single letters, Roman numerals), both belong to one class of `contrasts.txt` and to different poles of it (rat and
mouse, increased and reduced), they differ in an opposing prefix (hypertension, hypotension), or both end like names of
one family (atenolol and propranolol, hepatitis and nephritis). They are the *same* when one is a spelling of the other
(tumour and tumor, β and beta, five and 5, rat and rats).
"""

import re
from enum import IntEnum
from functools import cache, lru_cache
from importlib import resources
from typing import Final

from corpus.text.words import is_character

_INDEX: Final = re.compile(r"[\d²³¹⁰-₟]|[<>=≠≤≥±%‰°→↑↓+\-−]|^[^\W\d_]$|[Ͱ-Ͽ]|^[ivx]+$")


@cache
def _lines() -> list[str]:
    text = resources.files("corpus.dedup").joinpath("contrasts.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line[:1] in ("[", "@")]


def _words(name: str) -> list[str]:
    """Return a list of `contrasts.txt`."""
    return next(line.split()[1:] for line in _lines() if line.startswith(f"@{name} "))


_GREEK: Final = dict(zip("αβγδεζηθικλμνξοπρστυφχψω", _words("greek"), strict=True))
_GREEK_LETTER: Final = re.compile("[α-ω]")
# Latin letters that stand for Greek ones where a typewriter or a converted font had no other.
_LATIN_LIKE: Final = frozenset(zip("αβγγδεζηθικλμννπρρστυφχχψωω", "abgydeznqikluvnpprstufxcywo", strict=True))
_THOUSANDS: Final = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+")
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)+")
_MICRO: Final = re.compile("μ(?=[a-z])")
_TYPED_MICRO: Final = frozenset({"ug", "ul", "um", "umol"})
_NUMERALS: Final = {name: str(value) for value, name in enumerate(_words("numbers"), start=1)}
# British and American spellings fold to one form, which need not be a word.
_SPELLINGS: Final = (
    ("ae", "e"), ("oe", "e"), ("our", "or"), ("ys", "yz"), ("is", "iz"), ("ph", "f"), ("ll", "l"), ("gramme", "gram"),
    ("ogue", "og"), ("tre", "ter"), ("ence", "ense"), ("ou", "o"),
)  # fmt: skip
_FILLERS: Final = frozenset(_words("fillers"))
_HEDGES: Final = frozenset(_words("hedges"))
_SYNONYMS: Final = frozenset(_words("synonyms"))
_NEGATIONS: Final = frozenset(_words("negations"))
_SHORT_WORDS: Final = frozenset(_words("short"))
_GREEK_NAMES: Final = frozenset([*_GREEK, *_GREEK.values()])
_ROMANS: Final = frozenset(_words("romans"))
_INDEX_NAMES: Final = frozenset([*_GREEK.values(), *_NUMERALS, *_words("ordinals")])
_FAMILIES: Final = tuple(_words("families"))
_LOOSE_FAMILIES: Final = tuple(_words("loose_families"))
_MAX_ABBREVIATION: Final = 3  # letters
_REMEMBERED: Final = 1 << 15  # words, or pairs of them: the frequent ones come again and again
_OPPOSED: Final = (
    ("", "non"), ("", "un"), ("", "in"), ("", "im"), ("", "ir"), ("", "a"), ("", "an"), ("", "dis"), ("", "anti"),
    ("hyper", "hypo"), ("hyper", "normo"), ("hypo", "normo"), ("pre", "post"), ("intra", "extra"), ("intra", "inter"),
    ("in", "ex"), ("in", "de"), ("over", "under"), ("macro", "micro"), ("mono", "bi"), ("mono", "di"), ("di", "tri"),
    ("mono", "poly"), ("uni", "bi"), ("endo", "exo"), ("endo", "epi"), ("up", "down"), ("homo", "hetero"),
    ("tachy", "brady"), ("supra", "infra"), ("ante", "post"), ("eu", "dys"), ("ortho", "para"), ("meta", "para"),
)  # fmt: skip
_OPPOSED_BOTH_WAYS: Final = (*_OPPOSED, *((b, a) for a, b in _OPPOSED))
_MIN_FAMILY_LETTERS: Final = 6  # of a word whose ending names its family


class DifferenceKind(IntEnum):
    """What two words in the same place say of their texts, from nothing to most."""

    SAME = 0  # spellings of one word, or words that carry nothing
    PLAIN = 1  # two words that nothing is known of
    CONTRAST = 2  # may be an edit, may be another finding
    OPPOSITE = 3  # hardly ever an edit


def is_negation(word: str) -> bool:
    """Say whether a word or sign turns a statement round by being there; `without` contrasts with `with`."""
    return word in _NEGATIONS


def is_hedge(word: str) -> bool:
    """Say whether a word only shades a statement: an adverb, or one that comes along with a negation."""
    return word in _HEDGES or word.endswith("ly")


def is_filler(word: str) -> bool:
    """Say whether a word is an article, a form of be or have, or an auxiliary."""
    return word in _FILLERS


@lru_cache(_REMEMBERED)
def is_index(word: str) -> bool:
    """Say whether a token counts like a number."""
    if len(word) == 1 and is_character(ord(word)):
        return False
    return word in _INDEX_NAMES or (word != "a" and _INDEX.search(word) is not None)


@cache
def _poles() -> dict[str, tuple[tuple[str, int], ...]]:
    """Return for each word of `contrasts.txt` its (class, pole) pairs."""
    found: dict[str, tuple[tuple[str, int], ...]] = {}
    for line in _lines():
        if line[0] == "@":
            continue
        name, _, poles = line.partition("] ")
        for number, forms in enumerate(poles.split(" | ")):
            for word in forms.split():
                found[word] = (*found.get(word, ()), (name, number))
    return found


@lru_cache(_REMEMBERED)
def folded(word: str) -> str:
    """Return the form that spellings of one word share."""
    word = _NUMERALS.get(word, word)
    if not word.isascii():
        word = _GREEK_LETTER.sub(lambda found: _GREEK[found[0]], _MICRO.sub("micro", word.replace("ς", "σ")))
        word = word.replace("·", ".")
    elif word in _TYPED_MICRO:
        word = f"micro{word[1:]}"
    elif "," in word:
        word = word.replace(",", "" if _THOUSANDS.fullmatch(word) else ".")
    for british, american in _SPELLINGS:
        word = word.replace(british, american)
    return word.removesuffix("s") if len(word) > 3 else word


@lru_cache(_REMEMBERED)
def look_alike(one: str, other: str) -> bool:
    """Say whether two words differ in nothing but Latin letters typed for Greek ones: κb and kb, α and a."""
    pairs = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
    return (
        len(one) == len(other) and bool(pairs) and all((a, b) in _LATIN_LIKE or (b, a) in _LATIN_LIKE for a, b in pairs)
    )


@lru_cache(_REMEMBERED)
def compare(one: str, other: str) -> DifferenceKind:
    """Return what it says that one text has `one` where the other has `other`."""
    if one == other or folded(one) == folded(other) or (one in _FILLERS and other in _FILLERS):
        return DifferenceKind.SAME
    if (one in _SYNONYMS and other in _SYNONYMS) or _is_one_number(one, other):
        return DifferenceKind.SAME
    if _in_opposition(one, other) or _of_one_series(one, other) or _one_family(one, other, _FAMILIES):
        return DifferenceKind.OPPOSITE
    if (is_index(one) and is_index(other)) or (len(one) == len(other) == 1 and not _are_characters(one, other)):
        return DifferenceKind.CONTRAST
    if _one_family(one, other, _LOOSE_FAMILIES) or _are_abbreviations(one, other) or _extends(one, other):
        return DifferenceKind.CONTRAST
    return DifferenceKind.PLAIN


def _in_opposition(one: str, other: str) -> bool:
    poles = _poles()
    for name, pole in poles.get(one, ()):
        if any(name == there and pole != opposite for there, opposite in poles.get(other, ())):
            return True
    for a, b in _OPPOSED_BOTH_WAYS:
        if one.startswith(a) and other.startswith(b):
            rest = one[len(a) :]
            if len(rest) >= 5 and rest == other[len(b) :]:
                return True
    return False


def _of_one_series(one: str, other: str) -> bool:
    """Say whether two words are of one series: BRCA1 and BRCA2, 125I and 131I, II and III, alpha and beta."""
    for series in (_GREEK_NAMES, _ROMANS):
        if one in series and other in series:
            return True
    letters = ["".join(character for character in word if character.isalpha()) for word in (one, other)]
    return letters[0] == letters[1] != "" and all(map(_has_digit, (one, other)))


def _is_one_number(one: str, other: str) -> bool:
    """Say whether two numbers are one with a comma and with a point: 1,234 and 1.234, whichever the comma is."""
    return all(map(_NUMBER.fullmatch, (one, other))) and one.replace(",", ".") == other.replace(",", ".")


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def _one_family(one: str, other: str, endings: tuple[str, ...]) -> bool:
    if min(len(one), len(other)) < _MIN_FAMILY_LETTERS:
        return False
    return any(one.endswith(ending) and other.endswith(ending) for ending in endings)


def _are_characters(one: str, other: str) -> bool:
    """Say whether one of two words is a character of a script without spaces."""
    return any(len(word) == 1 and is_character(ord(word)) for word in (one, other))


def _are_abbreviations(one: str, other: str) -> bool:
    if _are_characters(one, other):
        return False
    return all(len(word) <= _MAX_ABBREVIATION and word not in _SHORT_WORDS for word in (one, other))


def _extends(one: str, other: str) -> bool:
    """Say whether one word is the other with a number or a letter behind it (PTEN and PTEN2)."""
    short, long = sorted((one, other), key=len)
    return len(short) > 1 and long.startswith(short) and _has_digit(long[len(short) :])
