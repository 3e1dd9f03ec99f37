"""An oracle for JATS readers that shares no code with ours: the words and paragraphs of an article's XML.

It knows which elements end a word and which hold no running text, nothing else. `read_source` takes the XML apart,
`compare` holds any reader's text against it:

- *words* are those of abstracts, body and captions with their labels. Citations by number, the marks and texts of
  notes, formulas and the cells of tables are left out of the count, for readers may differ there by choice;
- an *invented* word is one in the output that the article has nowhere, neither as text between its block elements
  nor in a formula: "bodyThe", "105" for 10⁵, "therapy12";
- a *paragraph* is known by its first run of sixty characters without markup. It is lost when the output does not have
  it, misplaced when the output has it only before the paragraph that precedes it, repeated when the output has it more
  often than the article.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree

from tests.benchmarks.peers_text import END, SCRIPT, tokens

Element = etree._Element

_NO_TEXT = """
ref-list sub-article response table fn fn-group table-wrap-foot object-id permissions sec-meta alternatives alt-text
long-desc graphic index-term
"""
_FLOATS = "fig fig-group table-wrap table-wrap-group supplementary-material media"
_ENDS_A_WORD = (
    """
p title label sec list list-item def-item def term def-list disp-quote boxed-text caption break attrib speech
speaker statement preformat code verse-line hr td th entry array fn fn-group table tr row abstract trans-abstract body
ref-list ref element-citation mixed-citation citation nlm-citation name surname given-names
article-title source volume fpage lpage year kwd contrib aff disp-formula subtitle trans-title table-wrap-foot
sub-article response front-stub front back ack app glossary notes article-meta title-group journal-meta
"""
    + _FLOATS
)
_AWAY, _FLOAT, _APART = (frozenset(names.split()) for names in (_NO_TEXT, _FLOATS, _ENDS_A_WORD))
_FORMULA = frozenset(["inline-formula", "disp-formula", "math", "tex-math", "chem-struct"])
SYMBOL = "ꙮ"  # a letter in place of a formula: a word that touches one is not counted
_FORMULAS = [f"{{*}}{name}" for name in sorted(_FORMULA)]
_VIEWS: tuple[dict[str, Any], ...] = (
    {"citations": True, "notes": " ", "formula": "math", "scripts": (SCRIPT, END)},
    {"citations": True, "notes": "", "formula": "tex-math", "scripts": (SCRIPT, END)},
    {"citations": False, "notes": " ", "formula": "math", "scripts": (" ", " ")},
)
_TEX_WRAPPER = re.compile(r"^.*\\begin\{document\}|\\end\{document\}.*$|\$", re.DOTALL)
_LEAD_IN = re.compile(r"\s*[\[(][^\])]*$")  # "(see ", before a citation that may go with its brackets
_NOTES = ("fn", "author-notes", "corresp", "aff", "table-fn")
# A run has at least so many characters; these of them are looked for; so many must stand there again for a repetition.
_RUN, _PROBE, _LONG = 60, slice(10, 58), 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What an article's XML says, for `compare`."""

    words: Counter[str]
    allowed: frozenset[str]
    formulas: str
    runs: tuple[str, ...]  # the first long run of each paragraph, without markup
    lines: tuple[str, ...]  # all words, with and without citations by number


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """Words of one article: in the XML, kept, and invented; then its paragraphs: all, lost, misplaced, repeated."""

    words: int
    kept: int
    invented: tuple[str, ...] = ()
    paragraphs: int
    lost: tuple[str, ...] = ()
    misplaced: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()


def read_source(raw: bytes) -> Source:
    """Return what the XML (plain, not packed) of an article says."""
    root = etree.fromstring(raw, etree.XMLParser(remove_comments=True, remove_pis=True, huge_tree=True))
    article = next(element for element in root.iter() if _name(element) == "article")
    references = {str(ref.get("id")) for ref in article.iter("{*}ref")}
    words: Counter[str] = Counter()
    for place in _places(article):
        words.update(word for word in tokens("".join(_running(place, references))) if SYMBOL not in word)
    maths = ["".join(_strings(math)) for math in article.iter(*_FORMULAS)]
    # A reader may keep a note's mark or not, and may take either form of a formula.
    views = [_View(references, **view) for view in _VIEWS]
    texts = [tokens("".join(view.read(root))) for view in views]
    return Source(
        words=words,
        allowed=frozenset(word for text in [*texts, _addresses(article)] for word in text),
        formulas="".join("".join(tokens(math)) + "".join(tokens("".join(math.split()))) for math in maths),
        runs=tuple(_first_runs(article)),
        lines=(_line(texts[0]), _line(texts[-1])),
    )


def compare(source: Source, *, text: str, body: str) -> Score:
    """Compare a reader's text with the XML; `body` is the part of it that has an order, SYMBOL stands for formulas."""
    said = tokens(text)
    have = Counter(word for word in said if SYMBOL not in word)
    line, ordered, position = _line(said), _flat(body), 0
    lost, misplaced, repeated = [], [], []
    for run in source.runs:
        probe = run[_PROBE].strip()
        place = ordered.find(probe, position)
        if place >= 0:
            position = place
        else:
            (misplaced if probe in ordered else lost).append(probe)
        key = _line(tokens(run[:_LONG])[1:-1])  # the run may begin and end within a word
        if line.count(key) > max(own.count(key) for own in source.lines):
            repeated.append(probe)
    return Score(
        words=source.words.total(),
        kept=(source.words & have).total(),
        invented=tuple(word for word in have if word not in source.allowed and word not in source.formulas),
        paragraphs=len(source.runs),
        lost=tuple(lost),
        misplaced=tuple(misplaced),
        repeated=tuple(repeated),
    )


def _places(article: Element) -> Iterator[Element]:
    """Yield abstracts, body and floats that stand outside it."""
    for front in _children(article, "front"):
        for meta in _children(front, "article-meta"):
            yield from _children(meta, "abstract", "trans-abstract")
    yield from _children(article, "body", "floats-group", "floats-wrap")


def _running(element: Element, references: set[str]) -> Iterator[str]:
    """Yield the running text of an element; of a float, label and caption."""
    name = _name(element)
    if name in _FORMULA:
        yield SYMBOL
        return
    if name in _AWAY or (name == "xref" and (_cites_by_number(element, references) or _marks_a_note(element))):
        yield " " if name in _APART or name == "xref" else ""
        return
    before, after = (SCRIPT, END) if name in ("sup", "sub") else (" ", " ") if name in _APART else ("", "")
    yield before
    if name in _FLOAT:
        for child in element:
            if _name(child) in (*_FLOAT, "label", "caption"):
                yield from _running(child, references)
    else:
        yield element.text or ""
        for child in element:
            yield from _running(child, references)
            yield child.tail or ""
    yield after


class _View:
    """All text of an article in one of the forms that a reader may give it."""

    def __init__(
        self, references: set[str], *, citations: bool, notes: str, formula: str, scripts: tuple[str, str]
    ) -> None:
        self.references, self.citations, self.notes = references, citations, notes
        self.formula, self.scripts = formula, scripts

    def read(self, element: Element) -> Iterator[str]:
        """Yield the text of an element; a block, a raised run and a reference's number stand apart."""
        name = _name(element)
        before, after = self.scripts if name in ("sup", "sub") else (" ", " ") if name in _APART else ("", "")
        if name == "xref" and _cites_by_number(element, self.references):
            if not self.citations:
                yield " "
                return
            before = after = " "
        elif name == "xref" and _marks_a_note(element):
            before = after = self.notes
        yield before
        forms = _children(element, self.formula) if name == "alternatives" else []
        if forms:
            yield from self.read(forms[0])
        elif name == "tex-math":
            yield _TEX_WRAPPER.sub("", "".join(_strings(element)))
        elif name == "math":
            yield from _mathml(element)
        else:
            yield element.text or ""
            for child in element:
                yield from self.read(child)
                yield child.tail or ""
        yield after


def _mathml(element: Element) -> Iterator[str]:
    """Yield the tokens of a formula side by side, its scripts marked."""
    scripts = _name(element).startswith(("msu", "mun", "mov"))
    yield (element.text or "").strip()
    for index, child in enumerate(element):
        if _name(child) not in ("annotation", "annotation-xml"):
            yield SCRIPT if scripts and index else ""
            yield from _mathml(child)
            yield END if scripts and index else ""


def _first_runs(article: Element) -> Iterator[str]:
    """Yield the first long run of every paragraph of the body that has one, in the order of the runs."""
    seen: set[Element] = set()
    for paragraph, run in (found for body in _children(article, "body") for found in _runs(body, None)):
        run = _flat(_LEAD_IN.sub("", run))
        if paragraph is not None and paragraph not in seen and len(run) > _RUN:
            seen.add(paragraph)
            yield run


def _runs(element: Element, paragraph: Element | None) -> Iterator[tuple[Element | None, str]]:
    """Yield the texts of a body outside its floats and notes, each with the paragraph it is directly in."""
    name = _name(element)
    if name in _AWAY or name in _FLOAT or name in _FORMULA:
        return
    inner = element if name == "p" else None
    yield inner, element.text or ""
    for child in element:
        yield from _runs(child, inner)
        yield inner, child.tail or ""


def _cites_by_number(link: Element, references: set[str]) -> bool:
    kind = link.get("ref-type")
    cites = kind in ("bibr", "ref") or (not kind and link.get("rid") in references)
    return cites and not re.search(r"[^\W\d_]{3}|\b(1[89]|20)\d\d", "".join(_strings(link)))


def _marks_a_note(link: Element) -> bool:
    return link.get("ref-type") in _NOTES and len("".join(_strings(link)).strip()) <= 3


def _flat(text: str) -> str:
    return " ".join(text.split())


def _addresses(article: Element) -> list[str]:
    """Return the words of all links' addresses, which a reader may write out."""
    return tokens(" ".join(str(link) for link in article.xpath("//@*[local-name() = 'href']")))


def _line(words: list[str]) -> str:
    return f" {' '.join(words)} "


def _strings(element: Element) -> list[str]:
    return [str(piece) for piece in element.itertext()]


def _children(element: Element, *names: str) -> list[Element]:
    return [child for child in element if _name(child) in names]


def _name(element: Element) -> str:
    return etree.QName(element).localname
