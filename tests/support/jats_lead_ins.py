"""What goes with a citation by number, in the words of the oracle: its brackets, lead-in and pages (docs/decisions.md).

Running text comes in with a CITED for each citation by number; it goes out without the brackets, or the parts of
brackets between commas and semicolons, that hold such citations and else nothing but words that point to them: "(see
e.g. [5], p. 12)", "[reviewed in 5]", "(Table 2; cf. [5])". Words outside brackets stay, whatever they say.
"""

import re
from typing import Final

CITED: Final = "\x0b"  # in place of a citation by number; no word touches it

_PAIR = re.compile(r"\(([^()\[\]]*)\)|\[([^()\[\]]*)\]")
_PART_ENDS = re.compile(r"([,;])")
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_POINTS = """
e g eg i ie cf see also compare ref refs reference references citation citations review reviews reviewed in for a an
example instance details detail and or to but although therein p pp page pages ch chapter chapters vol no
adapted modified reproduced reprinted retrieved redrawn taken from with kind the permission please
"""
_POINTING = frozenset(_POINTS.split())
_PAGES = re.compile(r"\b(?:pp?|pages?|ch|chapters?|vol|no)\.?\s*\d+(?:\s*[–-]\s*\d+)?", re.IGNORECASE)
_FOR_SEE = re.compile(rf"\W*for\b[^;]{{1,70}}\bsee(?:\W|\d)*{CITED}[\W\d]*")


def without_lead_ins(text: str) -> str:
    """Return a text without the brackets and parts of brackets that only point to a citation."""
    before = ""
    while before != text:  # from the inside out: "[see Ref. (5)]"
        before, text = text, _PAIR.sub(_of_pair, text)
    return text


def _of_pair(found: re.Match[str]) -> str:
    content = found[1] if found[1] is not None else found[2]
    if CITED not in content:
        return found[0]
    if _only_points(content):
        return f" {CITED} "
    parts = _PART_ENDS.split(content)
    kept = ["" if CITED in part and _only_points(part) else part for part in parts]
    # Other brackets than these: no pair is looked at twice.
    return found[0] if kept == parts else f" {''.join(kept).replace(CITED, ' ')} "


def _only_points(content: str) -> bool:
    """Say whether a text with a citation holds nothing else but words that point to it, and pages."""
    words = _WORDS.findall(_PAGES.sub(" ", content.replace(CITED, " ")))
    return all(word.lower() in _POINTING for word in words) or _FOR_SEE.fullmatch(content) is not None
