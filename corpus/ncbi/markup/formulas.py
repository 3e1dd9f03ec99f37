"""Formulas as one line of readable text: MathML elements or TeX source come in, plain Unicode goes out.

Both are read into one tree (`math_tree`, `tex`) and written by one hand (`math_line`), so that a formula reads the same
whatever its publisher wrote it in.
"""

import re
import unicodedata
from typing import Final

from corpus.ncbi.markup.document import Markup
from corpus.ncbi.markup.math_line import write
from corpus.ncbi.markup.math_tree import DECISIONS, read_mathml
from corpus.ncbi.markup.tex import body_of, read_tex

# What a vocabulary must name, besides `math` as a detailed element, for `linear_math` to know the constructs.
MATHML: Final = tuple(name for name in DECISIONS if name != "math")
# In place of a formula that is nothing but a picture; PubMed's own words for it.
PICTURE: Final = "[Formula: see text]"


def linear_math(doc: Markup, element: int) -> str:
    """Return a MathML element as one line of text; `element` and all below it must have rows (`MATHML`)."""
    return write(read_mathml(doc, element))


def stated_math(doc: Markup, element: int) -> str:
    """Return what a MathML element without presentation says of itself as one line: an annotation, its `alttext`.

    "" where it says nothing, or only that it is a formula. Annotations in TeX come first; those in XML are not read.
    """
    annotations = [row for row in range(element + 1, doc.nexts[element]) if doc.tag_names[row] == "annotation"]
    stated = [(doc.attributes(row).get("encoding", ""), doc.own_text(row)) for row in annotations]
    stated = [(encoding, text) for encoding, text in stated if _READABLE.search(encoding)]
    stated.sort(key=lambda one: not _TEX.search(one[0]))
    stated.append(("", doc.attributes(element).get("alttext", "")))
    lines = (_stated(encoding, text) for encoding, text in stated)
    return next((line for line in lines if line and not _NOTHING.fullmatch(line)), "")


_TEX: Final = re.compile(r"tex(?!t)", re.IGNORECASE)
_READABLE: Final = re.compile(r"tex|^$", re.IGNORECASE)  # "text/plain", too
# What tools write where they have no words for a formula.
_NOTHING: Final = re.compile(
    r"\W*(?:(?:inline|display|math(?:ematical)?|embedded|graphic|image|picture|of|an?|the|for|in|line|alt|text|no|"
    r"equation|formula|expression|mathml|eqn?|fx|unnumbered|figure|file|object|content|see)\W*)*\d*\W*",
    re.IGNORECASE,
)


def _stated(encoding: str, text: str) -> str:
    plain = " ".join(text.split())
    return linear_tex(plain) if "\\" in plain or _TEX.search(encoding) else plain


def linear_tex(source: str) -> str:
    r"""Return TeX as one line of text, "" when it holds nothing but a preamble or definitions."""
    return write(read_tex(source))


_WORD_BEFORE: Final = re.compile(r"(?:^|[\s(\[,;:])(?:[a-z]{2,}|[A-Z][a-z]+)$")
_ARTICLE_BEFORE: Final = re.compile(r"(?:^|\s)[aA]$")
_LONG_BEFORE: Final = re.compile(r"(?:^|\s)[A-Za-z]?[a-z]{2,}$")
_WORD_BEHIND: Final = re.compile(r"(?!(?:th|st|nd|rd|ths)\b)[a-z]{2}")
_FRACTION: Final = re.compile(r"\d+/\d")


def set_apart(text: str, before: str, behind: str) -> str:
    """Return a formula with a space where it would run into a word that touches it: "Q_idenotes", "whereσ".

    Parts of one name stay together (V̇O₂, NF-κB, ΔS, the ith), prefixes of units too (μmol).
    """
    core = text.strip()
    if not core:
        return text
    first, last = core[0], core[-1]
    if before[-1:].isalnum() and _runs_on(before, first, core):
        text = " " + text
    if behind[:1].isalpha() and _WORD_BEHIND.match(behind) and core not in ("μ", "µ"):
        closes = last.isalnum() or last in ")]}|′⁺⁻" or unicodedata.category(last) == "Mn"
        text += " " if closes else ""
    return text


def _runs_on(before: str, first: str, formula: str) -> bool:
    """Say whether a formula, which begins with the character `first`, would read as a part of the word before it."""
    if first.isalpha():
        return bool(_WORD_BEFORE.search(before) or (first.isupper() and formula[1:] and _ARTICLE_BEFORE.search(before)))
    if not (first.isascii() and first.isdigit()):
        return False
    return bool(_LONG_BEFORE.search(before) or (before[-1].isdigit() and _FRACTION.match(formula)))


def tex_source(source: str) -> str:
    r"""Return the part of TeX that is the formula: without preamble, `\begin{document}` and dollar signs."""
    body = " ".join(body_of(source).split())
    return body.strip("$ ") if body[:1] == body[-1:] == "$" and body.count("$") in (2, 4) else body
