"""Citation marks: reference numbers in running text, removed without debris; author and year, kept.

While an article is read, each citation by number stands between two control characters that XML forbids; `tidy`
turns such a raw line into a clean one. The rule:

- author-year citations ("Smith et al., 2018", "(2018)") are words of the sentence and stay;
- numbers go with their brackets, lead-in and pages: "as shown [1,2–4].", "(see refs. 5 and 6)", "[5(p12)]", and so does
  the part of a bracket that says no more: "(Figure 1; see [5])";
- raised numbers go, with the commas between them, and never glue: "therapy<sup>12</sup>the" gets a space;
- bare numbers go, too: "Smith et al. 5 found"; letters in their place ("A") only in brackets or raised;
- all stay where the sentence needs them, behind a preposition, "ref." or "and", or as its subject: "as described in [5]
  and [6]", "see ref. 5", "Later, [7] showed". Raised ones then stand in brackets.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from corpus.ncbi.jats import citation_words as words
from corpus.ncbi.jats.citation_needs import is_needed, may_be_needed
from corpus.ncbi.jats.citation_words import CLOSE, GONE, OPEN, SEPARATORS

__all__ = ["CLOSE", "GONE", "OPEN", "lower_needed", "mark", "num_marks", "tidy", "without_numbers"]

_OPENED = tuple(bracket + space + GONE for space in ("", " ") for bracket in "[(")
_BRACKETS = str.maketrans("", "", "[]()")
_RAISING = str.maketrans("", "", "\x04\x05")
_MARKS = str.maketrans("", "", OPEN + CLOSE)
_ITEM = re.compile(words.ITEM)
_LEFT_WORDS = (*words.LEFT_OVER, "e.g", "cf")
_COMMAS, _STOPS = (",", ";"), (",", ";", ".", ")", "]")
_AFTER_WORD = frozenset([*_STOPS, ":", "!", "?", "}"])
# A pair of brackets, with whole pairs inside it; then one without; then numbers without brackets.
_TEXT = r"[^()\[\]]*"
_INNER = rf"\({_TEXT}\)|\[{_TEXT}\]"
_OUTER = rf"\({_TEXT}(?:(?:{_INNER}){_TEXT})*\)|\[{_TEXT}(?:(?:{_INNER}){_TEXT})*\]"
_MARKED = rf"{OPEN}[^{CLOSE}]*{CLOSE}"
_RUN = rf"{_MARKED}(?:\s?[,;{words.DASHES}]?\s?{_MARKED})*(?:[{words.DASHES}]\d{{1,3}}\b)?"
_PASSES = tuple(re.compile(f"{pair}{_RUN}|{GONE}") for pair in (f"{_OUTER}|", f"{_INNER}|", ""))
# Patterns begin with the control character, for that is found fastest; the bracket before it is looked at afterwards.
_ALONE = re.compile(
    rf"{OPEN}(?:(?<=[\[(]{OPEN})|(?<=[\[(] {OPEN}))[^{CLOSE}]*{CLOSE}(?:[{SEPARATORS[:-4]}]*{_MARKED})*\s?[\])]"
)
_MOST_SEE = 8
_INSIDE = re.compile(rf"[\[(][^\[\]()]*{GONE}[^\[\]()]*[\])]")
_CHAIN = re.compile(rf"{GONE}(?:{words.JOINT}(?:{words.ITEM}))+")


@lru_cache(maxsize=1 << 14)
def mark(text: str) -> str | None:
    """Return a citation by number ("5", "[5]", "3–7,9", "S5") as it travels to `tidy`, None for words or a year.

    Brackets of its own stand outside the marks.
    """
    if text[:1] in ("r", "R") and (found := words.NAMED_NUMBER.fullmatch(text)):
        return f"{found[1]}{mark(found[2])}"
    if not words.NUMBERS.fullmatch(text):
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
    return "" if words.RAISED_FILLER.fullmatch(rest) else rest.strip(" ,;–-")


def lower_needed(line: str) -> tuple[str, int]:
    """Return a raw line with raised citations that its sentence needs set on the line, and how many brackets came in.

    They get brackets, "in<sup>5</sup>" is "in [5]", but not behind "ref."; a full stop between moves behind them.
    """
    if OPEN + "\x04" in line:
        line = words.RAISED_INSIDE.sub("\x04\x01\\1\x02\x05", line)
    pieces: list[str] = []
    pos = brackets = 0
    for found in words.RAISED_NEEDED.finditer(line):
        numbers = found[0].translate(_RAISING).strip()
        if OPEN not in numbers:
            continue
        before = line[pos : found.start()].rstrip()
        stop = "." if before.lower().endswith("by.") else ""
        pieces.append(before.removesuffix(stop) if stop else before)
        if before.rstrip(".").lower().endswith(("ref", "refs", "reference", "references")) or numbers[0] in "[(":
            pieces.append(f" {numbers}{stop}")
        else:
            pieces.append(f" [{numbers}]{stop}")
            brackets += 2
        pos = found.end()
        if line[pos : pos + 1].isalnum():
            pieces.append(" ")
    return ("".join([*pieces, line[pos:]]), brackets) if pos else (line, 0)


def tidy(line: str) -> tuple[str, int]:
    """Return a raw line, white space collapsed, with its citations decided, and how many solid characters went."""
    return tidy_alone(line) or tidy_in_passes(line)


def tidy_alone(line: str) -> tuple[str, int] | None:
    """Return what `tidy` does of a line whose citations stand alone in their brackets, as most do; None for others."""
    pieces, lost = _pieces_alone(line) if OPEN in line else (line.split(GONE), 0)
    if not pieces or stands_inside(pieces):
        return None
    if len(pieces) > 2:
        lost += _drop_joints(pieces)
    text, more = _close_gaps(pieces)
    return text.strip(), lost + more


def tidy_in_passes(line: str) -> tuple[str, int]:
    """Return what `tidy` does of any line: it is read from the start, outer brackets first."""
    text = line
    for pattern in _PASSES:
        text = _CHAIN.sub(GONE, pattern.sub(_LineDecisions().decide, text))
        if OPEN not in text and not any(opening in text for opening in _OPENED):
            break
    text = _close_gaps(_CHAIN.sub(GONE, text).split(GONE))[0].strip()
    return text, len(line) - line.count(" ") - num_marks(line) - len(text) + text.count(" ")


def _pieces_alone(line: str) -> tuple[list[str], int]:
    """Return what stands around the citations that go, and how many solid characters these have.

    There are no pieces if one of them stays, or is not alone in its brackets.
    """
    pieces: list[str] = []
    pos = lost = 0
    for found in _ALONE.finditer(line):
        start, end = found.span()
        opening = start - 1 if line[start - 1] != " " else start - 2
        before = line[pos:opening]
        if may_be_needed(before) and is_needed(line, opening, end):
            return [], 0
        pieces.append(before)
        cited, pos = line[opening:end], end
        lost += len(cited) - cited.count(" ") - num_marks(cited)
    pieces.append(line[pos:])
    if OPEN in "".join(pieces):
        return [], 0
    return GONE.join(pieces).split(GONE) if GONE in line else pieces, lost


def stands_inside(pieces: Sequence[str]) -> bool:
    """Say of what is left around citations that went whether one stood in a wider pair: "(see others [5], too)"."""
    return any(map(_may_close, pieces[1:])) and _INSIDE.search(GONE.join(pieces)) is not None


def _drop_joints(pieces: list[str]) -> int:
    """Leave out the pieces that join two citations to one, and return how many solid characters they have."""
    joints = [piece for piece in pieces[1:-1] if words.JOINED.fullmatch(piece)]
    if joints:
        pieces[1:-1] = [piece for piece in pieces[1:-1] if not words.JOINED.fullmatch(piece)]
    return sum(len(piece) - piece.count(" ") for piece in joints)


def _may_close(piece: str) -> bool:
    """Say whether the first bracket in a text closes."""
    for bracket in ")]":
        place = piece.find(bracket)
        if place >= 0 and piece.find("(", 0, place) < 0 and piece.find("[", 0, place) < 0:
            return True
    return False


class _LineDecisions:
    """The decisions of one line from left to right: citations that are joined by "and" share theirs."""

    def __init__(self) -> None:
        self._end, self._kept = -1, False

    def decide(self, match: re.Match[str]) -> str:
        """Return GONE for a citation that goes; brackets that hold more without the parts that are citations."""
        piece = match[0]
        if OPEN not in piece and GONE not in piece:
            return piece
        if _is_value(piece):
            return piece.translate(_MARKS)
        bare = piece[0] == OPEN
        if not bare and piece != GONE and not _is_filler(piece):
            return _without_parts(piece)
        if self._end >= 0 and words.JOINED.fullmatch(match.string, self._end, match.start()):
            kept = self._kept
        else:
            kept = GONE not in piece and is_needed(match.string, match.start(), match.end(), bare=bare)
        kept = kept or (bare and (match.start() == 0 or not piece[1].isdigit()))
        self._end, self._kept = match.end(), kept
        return piece.translate(_MARKS) if kept and GONE not in piece else GONE


def _is_filler(piece: str) -> bool:
    """Say whether a text without its citations says nothing: "[,]", "(see refs. and p. 5)"."""
    rest = _ITEM.sub(" ", piece)
    if words.PLAIN_FILLER.fullmatch(rest) is not None:
        return True
    if words.NAME_FIRST.match(piece) or _holds_value(piece):
        return False
    if words.DECIMAL.search(words.PLACE.sub(" ", rest)):
        return False
    # Each "for … see" doubles the ways to read a text.
    return rest.lower().count("see") <= _MOST_SEE and any(
        pattern.fullmatch(rest) is not None for pattern in (words.FILLER, words.LEADING)
    )


def _holds_value(piece: str) -> bool:
    """Say whether a number stands outside the brackets that the citations in it have: "(6, [5])"."""
    if piece[:1] != "(" or "[" not in piece:
        return False
    others, count = words.OWN_BRACKETS.subn(" ", piece)
    return count > 0 and OPEN not in others and words.BARE_NUMBER.search(words.PLACE.sub(" ", others)) is not None


def _is_value(piece: str) -> bool:
    """Say whether a pair of brackets holds a range of thousands that falls, as no range of references does."""
    found = words.THOUSANDS.fullmatch(piece)
    return found is not None and int(found[1]) > int(found[2])


def _without_parts(pair: str) -> str:
    """Return a pair of brackets without those of its parts, between commas, that are nothing but a citation."""
    parts = words.PART_ENDS.split(pair[1:-1])
    kept: list[str] = []
    cut = False  # the part before
    for index in range(0, len(parts), 2):
        part = parts[index]
        # "that of [5] or [6]" is decided as one, later.
        joined = index and kept and parts[index - 1].strip(" ,;") and kept[-1].rstrip().endswith(words.ENDS_CITED)
        cut = (not joined and _is_citation(part)) or (cut and words.PLACE.fullmatch(part) is not None)
        if not cut:
            kept += [parts[index - 1] if index and kept else "", part]
    if len(kept) == len(parts) + 1 or not kept:
        return pair
    return f"{pair[0]}{''.join(kept).strip()}{pair[-1]}"


def _is_citation(part: str) -> bool:
    """Say whether a part of a bracket holds a number that goes and nothing that says more: "see also ref. 5, p. 12"."""
    cited = GONE in part or (OPEN in part and any(letter.isdigit() for letter in part))
    return cited and _is_filler(part) and words.VALUE.search(words.PLACE.sub(" ", _ITEM.sub(" ", part))) is None


def _close_gaps(pieces: Sequence[str]) -> tuple[str, int]:
    """Return a line with what stood between its pieces closed up, and how many solid characters went.

    A space stays between words, nothing before punctuation.
    """
    line, lost = pieces[0], 0
    for piece in pieces[1:]:
        left, right = line.rstrip(), piece.lstrip()
        before, after = left[-1:], right[:1]  # slices may be empty
        if after in _AFTER_WORD and before.isalnum() and not left.endswith(_LEFT_WORDS):  # as nearly all
            line = left + right
            continue
        left, right = _without_remains(left, right)
        before, after = left[-1:], right[:1]
        cut = line[len(left) :] + piece[: len(piece) - len(right)]
        lost += len(cut) - cut.count(" ")
        if not before or not after or before in "([{" or after in ".,;:!?)]}":
            line = left + right
        elif cut or (after.isalnum() and before not in "-–/"):
            line = f"{left} {right}"
        else:
            line = left + right
    return line, lost


def _without_remains(left: str, right: str) -> tuple[str, str]:
    """Return the texts before and behind a removed citation without the punctuation and words that went with it."""
    if left.endswith(words.LEAD_INS) and (not right or right[0] in _STOPS):
        left = words.LEAD_IN.sub("", left)
    if left[-1:] == ":" and right[:1] in _STOPS:  # "(in men: [5]; in women: [6])"
        left = left.rstrip(": ")
    if left[-1:] in _COMMAS and right[:1] in _STOPS:  # "word,[5], next"; slices may be empty
        left = left.rstrip(",;")
    if left[-1:] == right[:1] == "." and right[1:2] != ".":  # "et al.[5]."
        right = right[1:].lstrip()
    if not left:
        right = words.LEFT_FIRST.sub("", right).lstrip()
    elif left[-1] in "([":
        right = words.LEFT_OPEN.sub("", right)
    elif right[:1] in _STOPS and left.endswith(words.LEFT_OVER):
        left = left[: left.rindex(" ")].rstrip(" ,;")
    return left, right
