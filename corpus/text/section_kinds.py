"""Kinds of sections by their headings: introduction, methods, results, discussion, …, and where each lies in a text.

A heading is of a kind when it has a word of that kind and no word that does not go with it: "2.1 Materials & methods",
"STAR Methods", "Patients and study design"; not "Methods for estimating prevalence". "Results and discussion" is a kind
of its own; a heading of two other kinds is of none.
"""

import re
from functools import lru_cache
from typing import Final, Literal, get_args

from msgspec import Struct

from corpus.text.headings import plain_heading

SectionKind = Literal[
    "introduction", "methods", "results", "results and discussion", "discussion", "conclusions", "case"
]


ALL_KINDS: Final[tuple[str, ...]] = get_args(SectionKind)
ABSTRACT: Final = "abstract"
CAPTIONS: Final = "captions"
UNCAPPED: Final = 1 << 40  # characters: a section that is not asked for goes, however long it is


class Section(Struct, frozen=True, kw_only=True, gc=False):
    """A stretch of a text: the abstract, or what stands under one heading of the highest level."""

    kind: str  # abstract, introduction, methods, results, …; captions: those behind the body; "" for another
    title: str  # its heading as printed; "" when it has none
    start: int  # of its heading, else of its text [characters]
    end: int  # behind its last character [characters]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Of each kind: words of which one must be there, and words that may stand beside it.
_KINDS: Final[dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    "introduction": (
        _words("introduction background backgrounds introductory rationale"),
        _words("aim aims objective objectives purpose literature review theory theoretical motivation scope"),
    ),
    "methods": (
        _words("methods method methodology methodologies materials procedures experimental methodological"),
        _words(
            "material patients patient subjects participants animals design designs analysis analyses statistical "
            "setting settings population populations procedure section details online star protocol protocols data "
            "sources sample samples sampling collection model models selection measures outcomes search strategy "
            "setup techniques cohort cell culture cultures reagents clinical trial technical resources "
            "research"
        ),
    ),
    "results": (_words("results result findings"), _words("experimental observations main outcome outcomes analysis")),
    "discussion": (
        _words("discussion discussions"),
        _words("comment comments implications limitations perspectives future directions clinical strengths outlook"),
    ),
    "conclusions": (
        _words("conclusion conclusions concluding"),
        _words(
            "summary remark remarks recommendations recommendation perspectives perspective outlook future directions "
            "implications limitations work prospects final clinical practice policy research significance"
        ),
    ),
    "case": (
        _words("case cases"),
        _words("presentation presentations report reports description descriptions history series summary clinical"),
    ),
}
_PHRASES: Final = {
    "statistical analysis": "methods",
    "statistical analyses": "methods",
    "study design": "methods",
    "data analysis": "methods",
    "patients": "methods",
    "experimental": "methods",
    "summary": "conclusions",
    "comment": "discussion",
    "objectives": "introduction",
    "objective": "introduction",
    "aims": "introduction",
    "aims and objectives": "introduction",
    "trial objective": "introduction",
    "trial objectives": "introduction",
    "clinical presentation": "case",
}
_GLUE: Final = _words("and of the a an in for to our general main overall brief study studies this section")
_SPLIT: Final = re.compile(r"[\s,;:()\[\]•*.★]+")
_TOGETHER: Final = {
    frozenset({"results", "discussion"}): "results and discussion",
    frozenset({"discussion", "conclusions"}): "discussion",
    frozenset({"results", "discussion", "conclusions"}): "results and discussion",
    frozenset({"introduction", "case"}): "",
}


@lru_cache(maxsize=1 << 14)
def section_kind(heading: str) -> str:
    """Return the kind of section that a heading announces, whatever its number and case; "" for another."""
    plain = plain_heading(heading)
    first, colon, rest = plain.partition(": ")
    if colon and rest:  # "Methods: setting and population"
        return section_kind(first)
    if plain in _PHRASES:
        return _PHRASES[plain]
    words = frozenset(word for word in _SPLIT.split(plain) if word.strip("-0123456789")) - _GLUE
    met = frozenset(kind for kind, (own, _) in _KINDS.items() if words & own)
    beside = frozenset().union(*(own | more for kind, (own, more) in _KINDS.items() if kind in met))
    if not met or len(heading) > 120 or words - beside:
        return ""
    if (
        met == {"methods", "results"}
        and "experimental" in words
        and not words & (_KINDS["methods"][0] - {"experimental"})
    ):
        return "results"
    return next(iter(met)) if len(met) == 1 else _TOGETHER.get(met, "")
