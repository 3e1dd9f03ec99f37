"""What goes with a citation, in the words of the oracle: its brackets, lead-in and pages (docs/decisions.md).

Running text comes in with a CITED for each citation by number; it goes out without the brackets, or the parts of
brackets between commas and semicolons, that hold such citations and else nothing but words that point to them: "(see
e.g. [5], p. 12)", "[reviewed in 5]", "(Table 2; cf. [5])", "(see [5] for a list of examples)". Outside brackets go
"e.g." and "cf." in front of a citation with which a clause ends; all other words stay, whatever they say. An abstract
goes out without the notice of copyright and the article's own citation that end it.
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
as by according cited described reported demonstrated elsewhere extensively recent similarly
"""
_POINTING = frozenset(_POINTS.split())
_PAGES = re.compile(r"\b(?:pp?|pages?|ch|chapters?|vol|no)\.?\s*\d+(?:\s*[–-]\s*\d+)?", re.IGNORECASE)
_FOR_SEE = re.compile(rf"\W*for\b[^;]{{1,70}}\bsee(?:\W|\d)*{CITED}[\W\d]*")
_SEE_FOR = re.compile(rf"\W*(?:although |but )?see\s(?:[\W\d]|and\b)*{CITED}(?:[\W\d]|and\b)*for\b[^;,]{{1,70}}")
# A number that was not made a link, among others: "(16, 17, 28, 29)".
_UNLINKED = re.compile(rf"[\s,{CITED}]*{CITED}\s*,\s*\d{{1,3}}\s*,\s*{CITED}[\s,{CITED}]*")
_ENDS_CLAUSE = re.compile(rf"[\s,;]+(?:see )?(?:e\.g|cf)\b[.,]*(?:\s*[,\[(]*\s*{CITED}[\])]*)+(?=\s*(?:[.,;:)\]]|$))")
_NOTICE = re.compile(r"(?<=[.!?])\s+(?:Copyright\s*)?©\s*(?:19|20)\d\d\b.{0,250}\Z", re.DOTALL)


def without_own_citation(abstract: str, *, volume: str, page: str) -> str:
    """Return an abstract's text without the notice of copyright and the own citation, by volume and first page."""
    abstract = _NOTICE.sub("", abstract.rstrip())
    if not volume or not page:
        return abstract
    numbers = rf"\b{re.escape(volume)}\s*(?:\(\d+\))?\s*:\s*{re.escape(page)}\b[^.]{{0,30}}\.?\Z"
    return re.sub(rf"(?<=[.!?])\s+[A-Z][^!?;:]{{2,80}}(?:;\s*)?{numbers}", "", abstract)


def without_lead_ins(text: str) -> str:
    """Return a text without the brackets and parts of brackets that only point to a citation."""
    before = ""
    while before != text:  # from the inside out: "[see Ref. (5)]"
        before, text = text, _PAIR.sub(_of_pair, text)
    return _ENDS_CLAUSE.sub(f" {CITED} ", text)


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
    patterns = (_FOR_SEE, _SEE_FOR, _UNLINKED)
    return all(word.lower() in _POINTING for word in words) or any(one.fullmatch(content) for one in patterns)
