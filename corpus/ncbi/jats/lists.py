"""Marks of list items: the number or letter that stands before an item, and which labels are only bullets.

JATS says how a list is numbered (`list-type`), seldom what the numbers are; where the items have labels, those count.
"""

import unicodedata
from collections.abc import Sequence

# The ways to number, by what `list-type` says in articles (JATS, NLM, and the words of HTML and word processors).
_STYLES = {
    **dict.fromkeys(("order", "ordered", "number", "numbered", "arabic", "decimal", "1"), "number"),
    **dict.fromkeys(("alpha-lower", "lower-alpha", "alphalower", "loweralpha", "alpha", "alphabetic", "a"), "letter"),
    **dict.fromkeys(("alpha-upper", "upper-alpha", "alphaupper", "upperalpha", "A"), "LETTER"),
    **dict.fromkeys(("roman-lower", "lower-roman", "romanlower", "lowerroman", "roman", "i"), "roman"),
    **dict.fromkeys(("roman-upper", "upper-roman", "romanupper", "upperroman", "I"), "ROMAN"),
}
_ROMAN = {1000: "M", 900: "CM", 500: "D", 400: "CD", 100: "C", 90: "XC", 50: "L", 40: "XL", 10: "X", 9: "IX"}
_ROMAN |= {5: "V", 4: "IV", 1: "I"}
# What is drawn as a bullet wherever it stands alone; other marks only where every item of a list has the same.
_BULLETS = frozenset("•·∙●○◦▪▫■□◆◇▶►▸‣⁃–—−‐‑-*¤➢➤❖⚫⬤⮚◾◽☐❑❒⇒→")
_SAME_ON_ALL = frozenset("oOvVØøÞ§¨")  # Wingdings and Symbol, read as letters


class ListNumbers:
    """Counts the items of one list: its way to number, none for a bulleted one, and the number it is at."""

    def __init__(self, kind: str, *, prefix: str = "", start: int = 0) -> None:
        kind = kind.strip()
        self._style = _STYLES.get(kind) or _STYLES.get(kind.lower(), "")
        self._prefix = f"{prefix} " if prefix else ""
        self.last = start
        self.bullets: frozenset[str] = frozenset()  # those of the items' labels that are no marks of their own
        self.labelled = False  # whether items have labels: then the type gives none

    def take(self) -> str:
        """Return the mark of the next item: "2.", "b.", "iv.", "" for a bullet."""
        self.last += 1
        if self.labelled or not self._style:
            return ""
        return f"{self._prefix}{_written(self.last, self._style)}."


def _written(number: int, style: str) -> str:
    if style == "number":
        return str(number)
    text = letters(number) if style in ("letter", "LETTER") else roman(number)
    return text if style.isupper() else text.lower()


def letters(number: int) -> str:
    """Return A for 1, Z for 26, AA for 27."""
    text = ""
    while number:
        number, place = divmod(number - 1, 26)
        text = chr(ord("A") + place) + text
    return text


def roman(number: int) -> str:
    """Return the Roman numeral of a number from 1; there are no others above 3,999 than M repeated."""
    text = ""
    for value, sign in _ROMAN.items():
        count, number = divmod(number, value)
        text += sign * count
    return text


def bullets(labels: Sequence[str]) -> frozenset[str]:
    """Return which labels of a list's items are signs drawn before each, no numbers, letters or words."""
    found = frozenset(label for label in labels if len(label) == 1 and is_bullet(label))
    alike = len(labels) > 1 and len(set(labels)) == 1
    if alike and (labels[0] in _SAME_ON_ALL or not any(map(str.isalnum, labels[0]))):
        return frozenset(labels)
    return found


def is_bullet(letter: str) -> bool:
    """Say whether a sign is drawn as a bullet wherever it stands alone."""
    return letter in _BULLETS or unicodedata.category(letter) == "Co"  # private use: a symbol font's
