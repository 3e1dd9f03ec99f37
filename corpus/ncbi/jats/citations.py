"""Citation marks: reference numbers in running text, removed without debris; author and year, kept.

While an article is read, each citation by number stands between two control characters that XML forbids; `tidy`
turns such a raw line into a clean one. The rule:

- author-year citations ("Smith et al., 2018", "(2018)") are words of the sentence and stay;
- numbers in brackets go with the brackets and the lead-in: "as shown [1,2–4]." and "(see refs. 5 and 6)";
  they stay where the sentence needs them: after a preposition, "as described in [5]";
- raised numbers go, with the commas between them, and never glue: "therapy<sup>12</sup>the" gets a space;
- bare numbers go where they touch a word or the full stop before them (a raised number that lost its markup), and stay
  where they stand alone: "see ref. 5".
"""

import re
from functools import lru_cache

OPEN, CLOSE, GONE = "\x01", "\x02", "\x03"  # around a number to decide on; in place of a removed citation
_ALONE_GONE = "\x10"  # in place of a removed citation and its closing bracket
_OPENINGS = tuple(bracket + space + _ALONE_GONE for space in ("", " ") for bracket in "[(")

_NUMBER = r"\d{1,3}[a-z]?"
_SEPARATORS = r"\s,;:.–—‒‐‑−\-\[\]()"
_NUMBERS = re.compile(rf"[\[(]?\s*{_NUMBER}(?:[{_SEPARATORS}]+{_NUMBER})*[{_SEPARATORS}]*")
_BRACKETS = str.maketrans("", "", "[]()")
_ITEM = re.compile(f"{OPEN}[^{CLOSE}]*{CLOSE}|{GONE}")
_RAISED_FILLER = re.compile(rf"(?:[{_SEPARATORS}*†]|{_NUMBER})*")
_FILLER = re.compile(
    rf"(?:[{_SEPARATORS}&/*†]+|\b(?:and|to|e\.g|i\.e|see|also|cf|eg|refs?|references?|citations?|for|an?|reviews?|"
    rf"reviewed|in|examples?|therein)\b|\b(?-i:{_NUMBER})\b)*",
    re.IGNORECASE,
)
# What a sentence cannot leave without the number behind it.
_NEEDING = frozenset(
    {
        *("in", "by", "from", "of", "with", "to", "see", "on", "per", "than"),
        *("ref", "refs", "ref.", "refs.", "reference", "references"),
    }
)
_PLAIN_FILLER = re.compile(rf"[{_SEPARATORS}]*")
_COMMAS, _STOPS = (",", ";"), (",", ";", ".", ")", "]")
# A pair of brackets, with whole pairs inside it; then one without.
_TEXT = r"[^()\[\]]*"
_INNER = rf"(?:\({_TEXT}\)|\[{_TEXT}\])"
_OUTER_PAIR = re.compile(rf"\({_TEXT}(?:{_INNER}{_TEXT})*\)|\[{_TEXT}(?:{_INNER}{_TEXT})*\]")
_PAIR = re.compile(_INNER)
_RUN = re.compile(rf"(?:{OPEN}[^{CLOSE}]*{CLOSE})(?:\s?[,;–—‒‐‑−-]?\s?{OPEN}[^{CLOSE}]*{CLOSE})*")
# Patterns begin with the control character, for that is found fastest; the bracket before it is looked at afterwards.
_MARKED = rf"{OPEN}[^{CLOSE}]*{CLOSE}"
_ALONE = re.compile(
    rf"{OPEN}(?:(?<=[\[(]{OPEN})|(?<=[\[(] {OPEN}))[^{CLOSE}]*{CLOSE}(?:[{_SEPARATORS[:-4]}]*{_MARKED})*\s?[\])]"
)
_CLOSED = re.compile(rf"{GONE}[^\[\](){GONE}]*[\])]")
_INSIDE = re.compile(rf"[\[(][^\[\]()]*{GONE}[^\[\]()]*[\])]")
_CHAIN = re.compile(rf"{GONE}(?:[\s,;–—‒‐‑−-]*(?:{_ITEM.pattern}))+")


@lru_cache(maxsize=1 << 14)
def mark(text: str) -> str | None:
    """Return a citation by number ("5", "[5]", "3–7,9") as it travels to `tidy`, None for words or a year.

    Brackets of its own stand outside the marks.
    """
    if not _NUMBERS.fullmatch(text):
        return None
    bare = text.translate(_BRACKETS).strip()
    if text[0] in "[(" and text[-1] in "])":
        return f"{text[0]}{OPEN}{bare}{CLOSE}{text[-1]}"
    return f"{OPEN}{bare}{CLOSE}"


def num_marks(raw: str) -> int:
    """Return how many control characters of a raw line say where its citations are."""
    return raw.count(OPEN) + raw.count(CLOSE) + raw.count(GONE)


def without_numbers(raised: str) -> str:
    """Return what is left of a raised run when its citations go; "" when nothing but separators and numbers is."""
    rest = _ITEM.sub("", raised)
    return "" if _RAISED_FILLER.fullmatch(rest) else rest.strip(" ,;–-")


def tidy(line: str) -> str:
    """Return a raw line, white space collapsed, with its citations decided."""
    if OPEN not in line and GONE not in line:
        return line
    # Most citations stand alone in their brackets; a line with others is read from the start, outer brackets first.
    text = line
    if OPEN in line:
        text = _ALONE.sub(_decide_alone, line)
        for opening in _OPENINGS:
            if _ALONE_GONE not in text:
                break
            text = text.replace(opening, GONE)
    if OPEN in text or (_CLOSED.search(text) and _INSIDE.search(text)):
        text = _decide_nested(line)
    return _close_gaps(_CHAIN.sub(GONE, text)).strip()


def _decide_alone(match: re.Match[str]) -> str:
    """Return a mark for citations in brackets of their own, and the whole as it is where the sentence needs them."""
    opening = match.start() - 1
    if match.string[opening] == " ":
        opening -= 1
    return match[0] if _is_needed(match.string, opening) else _ALONE_GONE


def _is_needed(line: str, start: int) -> bool:
    """Say whether the words before a citation cannot do without it: "as described in [5]", "([5]"."""
    words = line[start - 16 if start > 16 else 0 : start].split()
    if not words:
        return False
    word = words[-1]
    return word[-1] in "([" or word.lstrip("([").lower() in _NEEDING


def _decide_nested(line: str) -> str:
    text = _OUTER_PAIR.sub(_decide_pair, line)
    if OPEN in text or f"({GONE}" in text:
        text = _CHAIN.sub(GONE, _PAIR.sub(_decide_pair, text))
        text = _RUN.sub(_decide_run, text)
    return text


def _decide_pair(match: re.Match[str]) -> str:
    """Return GONE for brackets around citations and nothing else, unless the sentence needs them."""
    pair = match[0]
    if OPEN not in pair and GONE not in pair:
        return pair
    rest = _ITEM.sub(" ", pair)
    if not _PLAIN_FILLER.fullmatch(rest) and not _FILLER.fullmatch(rest):
        return pair
    if GONE not in pair and _is_needed(match.string, match.start()):
        return pair.replace(OPEN, "").replace(CLOSE, "")
    return GONE


def _decide_run(match: re.Match[str]) -> str:
    before = match.string[match.start() - 1 : match.start()]
    touches = (
        match.string[match.end() : match.end() + 1].isalpha()
        or before.isalnum()
        or before in (".", ",", ";", ":", ")", "]", "”", "’", '"', "'", "%", "?", "!", GONE)
    )
    return GONE if before and touches else match[0].replace(OPEN, "").replace(CLOSE, "")


def _close_gaps(text: str) -> str:
    """Return the text with every removed citation closed up: a space between words, nothing before punctuation."""
    line, *rest = text.split(GONE)
    for piece in rest:
        left, right = line.rstrip(), piece.lstrip()
        if left[-1:] in _COMMAS and right[:1] in _STOPS:  # "word,[5], next"; slices may be empty
            left = left.rstrip(",;")
        if left[-1:] == right[:1] == "." and right[1:2] != ".":  # "et al.[5]."
            right = right[1:].lstrip()
        before, after = left[-1:], right[:1]
        spaced = len(left) < len(line) or len(right) < len(piece)
        if not before or not after or before in "([{" or after in ".,;:!?)]}":
            line = left + right
        elif spaced or (after.isalnum() and before not in "-–/"):
            line = f"{left} {right}"
        else:
            line = left + right
    return line
