"""Inline content of JATS: running text with its scripts, links, formulas and citations.

`InlineReader` gathers the text of mixed content in a buffer, one rule a tag; `corpus.ncbi.jats_body` adds the rules of
blocks. Unknown elements are inline markup: their text stays, and they never add or remove a space. Citations are
written as `corpus.ncbi.jats_citations` says, scripts and formulas as `corpus.ncbi.formulas` says. Tags come without
namespaces (`jats.py` strips them).
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar

from lxml import etree

from corpus.ncbi.formulas import linear_math, script, tex_source
from corpus.ncbi.jats_citations import GONE, OPEN, mark, without_numbers

Element = etree._Element
_CITATIONS = frozenset(["bibr", "ref"])
_NOTES = frozenset(["fn", "author-notes", "corresp", "aff"])
_MARK_LENGTH = 3  # "12", "†", "***"
Rule = Callable[[Any, Element], None]


def rules(rule: Rule, names: str) -> dict[Any, Rule]:
    """Return one rule for several tags."""
    return dict.fromkeys(names.split(), rule)


class InlineReader:
    """Gathers the text of mixed content; `in_cell` says that a table cell is being read."""

    RULES: ClassVar[Mapping[Any, Rule]] = {}

    def __init__(self, article: Element) -> None:
        self.in_cell = False
        self._article = article
        self._raised = False
        self._buffer: list[str] = []

    @cached_property
    def _references(self) -> frozenset[str]:
        """The ids of the reference list, for links that do not say what they link to."""
        return frozenset(str(ref.get("id")) for ref in self._article.iter("ref"))

    def _content(self, element: Element) -> None:
        """Add the content of an element to the buffer, without its own tail."""
        append, find_rule = self._buffer.append, self.RULES.get
        if text := element.text:
            append(text)
        for child in element:
            if (rule := find_rule(child.tag)) is not None:
                rule(self, child)
            elif len(child):
                self._content(child)
            elif text := child.text:
                append(text)
            if text := child.tail:
                append(text)

    def _spaced(self, element: Element) -> None:
        self._buffer.append(" ")
        self._content(element)
        self._buffer.append(" ")

    def _skip(self, element: Element) -> None:
        pass

    def _run(self, element: Element) -> str:
        """Return the raw text of an inline element."""
        if not len(element):
            return element.text or ""
        start = len(self._buffer)
        self._content(element)
        run = "".join(self._buffer[start:])
        del self._buffer[start:]
        return run

    def _script(self, element: Element) -> None:
        outer, self._raised = self._raised, element.tag == "sup"
        run = self._run(element)
        raised, self._raised = self._raised, outer
        before = self._buffer[-1] if self._buffer else ""
        # "<sup>1</sup><sup>,</sup><sup>2</sup>" is one group, with or without layout between.
        cited = next((piece for piece in reversed(self._buffer[-3:]) if piece.strip()), "").endswith(GONE)
        if raised and (OPEN in run or GONE in run or (cited and any(letter.isdigit() for letter in run))):
            run = without_numbers(run)
            if not run:
                self._buffer.append(GONE)
                return
        elif raised and cited and not any(letter.isalnum() for letter in run):
            self._buffer.append(run)
            return
        self._buffer.append(script(run, raised=raised, before=before, after=self._touching(element)))

    def _touching(self, element: Element) -> str:
        """Return the text that touches the end of an inline element, beyond the markup it closes."""
        while not element.tail:
            following, parent = element.getnext(), element.getparent()
            if following is not None:
                return following.text or ""
            if parent is None or parent.tag in self.RULES:
                return ""
            element = parent
        return element.tail

    def _xref(self, element: Element) -> None:
        kind = element.get("ref-type")
        cites = kind in _CITATIONS if kind else self._points_to_reference(element)
        if not cites and kind not in _NOTES:
            self._content(element)
            return
        text = "".join(element.itertext()) if len(element) else element.text or ""  # type: ignore[arg-type]
        core = text.strip()
        if not cites:  # a note's mark belongs to the note; in a table the notes stand below
            if self.in_cell or len(core) > _MARK_LENGTH:
                self._content(element)
            else:
                self._buffer.append(GONE)
            return
        marked = mark(core)
        raised = self._raised or (len(element) > 0 and element[0].tag == "sup" and not (element.text or "").strip())
        if marked and (raised or not self.in_cell):
            self._buffer.append(text.replace(core, GONE if raised else marked))
        elif any(letter.isalnum() for letter in core):
            self._content(element)
        else:
            self._buffer.append(GONE)  # an arrow or nothing: a link's picture

    def _points_to_reference(self, element: Element) -> bool:
        return not self._references.isdisjoint((element.get("rid") or "").split())

    def _math(self, element: Element) -> None:
        self._buffer.append(linear_math(element))

    def _tex(self, element: Element) -> None:
        self._buffer.append(tex_source("".join(str(piece) for piece in element.itertext())))

    def _alternatives(self, element: Element) -> None:
        """Read one of several forms of the same: MathML, else TeX, else the first with text."""
        for tag in ("math", "tex-math", "table"):
            chosen = element.find(tag)
            if chosen is not None:
                self.RULES[tag](self, chosen)
                return
        for child in element:
            run = self._run(child)
            if run.strip():
                self._buffer.append(run)
                return

    def _reference(self, element: Element) -> None:
        """Read a reference inside a paragraph; its parts may stand without anything between them."""
        self._buffer.append(" ".join(str(piece) for piece in element.itertext()))


INLINE_RULES: dict[Any, Rule] = {
    **rules(InlineReader._spaced, "break hr def verse-line tr td th"),
    **rules(InlineReader._skip, "graphic inline-graphic inline-media alt-text long-desc object-id index-term"),
    **rules(InlineReader._script, "sup sub"),
    **rules(InlineReader._reference, "element-citation citation nlm-citation citation-alternatives"),
    "xref": InlineReader._xref,
    "math": InlineReader._math,
    "tex-math": InlineReader._tex,
    "alternatives": InlineReader._alternatives,
}
