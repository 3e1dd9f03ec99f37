"""Citations as most articles have them, taken out of a whole line at once: "as others found [5,6]. Next, …".

A raw line comes in, what `corpus.ncbi.jats.citations.tidy` makes of it goes out, or None where a citation of it is not
usual; `tidy` then decides. Usual is a number, or several, in brackets behind a word that can do without them, and
before a comma, a full stop or another word. One pattern says all of that, so that no citation is looked at in Python.
"""

import re
from collections.abc import Iterable

from corpus.ncbi.jats import citation_words as words
from corpus.ncbi.jats.citation_words import CLOSE, GONE, OPEN
from corpus.ncbi.jats.citations import stands_inside

# No letter or digit at whose right a citation just goes: punctuation joins with what follows, the rest is no word.
_NO_WORD = r"\s.,;:!?(\[{&/–\x00-\x1f-"
_NUMBER = rf"{OPEN}\d{{1,3}}(?:[a-z]|[–-]\d{{1,3}})?{CLOSE}"
_GROUP = rf"{_NUMBER[1:]}(?:[,–-] ?{_NUMBER})*+[\])]"
# Two citations that are joined are one group, whose second half does not go alone.
_NOT_JOINED = rf"(?!{words.JOINT}[\[(]? ?{OPEN})"
_BEFORE_WORD = r" [^\s.,;:!?)\]}\x00-\x1f]"


def _either_case(word: str) -> str:
    """Return a pattern for a word in any case, faster than a flag."""
    return "".join(f"[{one.lower()}{one.upper()}]" if one.isalpha() else re.escape(one) for one in word)


def _not_behind(told: Iterable[str], opening: str) -> str:
    """Return a pattern that fails behind words and a bracket; a pattern looks back over one width at a time."""
    by_length: dict[int, list[str]] = {}
    for word in sorted(told):
        by_length.setdefault(len(word), []).append(_either_case(word))
    starts = [rf"(?<![\s(\[](?:{'|'.join(alike)}){opening})" for _, alike in sorted(by_length.items())]
    return "".join([*starts, rf"(?<!e\.g{opening})(?<!cf{opening})"])


def _usual() -> re.Pattern[str]:
    told = {word.lower() for word in (*words.TELLING, *words.CLAUSE_WORDS)}
    behind_word = "|".join(
        rf"(?<=[^{_NO_WORD}]{opening}){_not_behind(told, opening)}{_GROUP}(?=[.,;:]|{_BEFORE_WORD}|\Z)"
        for opening in (rf" [\[(]{OPEN}", rf"[\[(]{OPEN}")
    )
    behind_authors = rf"(?<=\bal\. [\[(]{OPEN}){_GROUP}(?=[,;:]|{_BEFORE_WORD})"
    return re.compile(rf"{OPEN}(?:{behind_word}|{behind_authors}){_NOT_JOINED}")


_USUAL = _usual()
# A citation that may be by number: it holds neither two letters side by side nor a year.
_BY_NUMBER = re.compile(rf"{OPEN}(?![^{OPEN}{CLOSE}]*(?:[A-Za-z]{{2}}|(?:[2-9]\d|1[5-9])\d\d))")
_MOST_TOLD = max(map(len, (*words.TELLING, *words.CLAUSE_WORDS))) + len("([1")


def names_authors(line: str) -> bool:
    """Say whether all that a line links to references are words or years, which are no citations by number."""
    return _BY_NUMBER.search(line) is None


def tidy_usual(line: str) -> tuple[str, int] | None:
    """Return a raw line without its citations, and how many solid characters went; None if one is not usual.

    The line has no control characters but OPEN and CLOSE, and its white space is collapsed.
    """
    left = _USUAL.sub(GONE, line)
    if OPEN in left:
        return None
    pieces = left.split(GONE)
    last = len(pieces) - 1
    if len(pieces[0]) < _MOST_TOLD:
        return None
    for index in range(last):
        piece = pieces[index]
        pieces[index] = piece[:-2] if piece[-2] == " " else piece[:-1]  # without the bracket that opens
    if stands_inside(pieces):
        return None
    text = "".join(pieces)
    # Of what went, the spaces are those before brackets and before all numbers but the first ones.
    num_spaces = len(left) - len(text) - 2 * last + line.count(" " + OPEN)
    return text.strip(), len(line) - len(text) - 2 * line.count(OPEN) - num_spaces
