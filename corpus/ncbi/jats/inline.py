"""Inline reader: running text of JATS with its scripts, links, formulas and citations.

`InlineReader` gathers the text of mixed content in a buffer, one rule a tag; `corpus.ncbi.jats.rules` adds the rules of
blocks. Elements without a rule are inline markup: their text stays, and they never add or remove a space; those outside
the vocabulary are not even visited, for their text is part of the slice around them. Scripts, citations and marks of
notes travel as control characters and are decided in `corpus.ncbi.jats.lines`, when a line is whole.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

from corpus.ncbi.jats.accounts import Accounts, solid
from corpus.ncbi.jats.citations import CLOSE, OPEN
from corpus.ncbi.markup.document import Markup
from corpus.ncbi.markup.formulas import linear_math, tex_source

InlineRule = Callable[[Any, int], None]


def rules(rule: InlineRule, names: str) -> dict[Any, InlineRule]:
    """Return one rule for several tags."""
    return dict.fromkeys(names.split(), rule)


class InlineReader:
    """Gathers the text of mixed content; `in_cell` says that a table cell is being read."""

    RULES: ClassVar[Mapping[Any, InlineRule]] = {}

    def __init__(self, doc: Markup, accounts: Accounts) -> None:
        self.doc, self.accounts = doc, accounts
        self.trace: list[tuple[int, str]] = []  # which element went to which account, the last word counts
        self.in_cell = False
        self._buffer: list[str] = []

    @cached_property
    def _references(self) -> frozenset[str]:
        """The ids of the reference list, for links that do not say what they link to."""
        lists = [row for row, name in enumerate(self.doc.tag_names) if name == "ref-list"]
        return frozenset(found for row in lists for found in self.doc.ids_inside(row, b"ref"))

    def _content(self, element: int) -> None:
        """Add the content of an element to the buffer, without its own tail."""
        doc, append, find_rule = self.doc, self._buffer.append, self.RULES.get
        text, names = doc.text, doc.tag_names
        starts, ends, nexts = doc.starts, doc.ends, doc.nexts
        pos, child, stop = starts[element], element + 1, nexts[element]
        while child < stop:
            if pos < (start := starts[child]):
                append(text[pos:start])
            if (rule := find_rule(names[child])) is not None:
                rule(self, child)
            elif nexts[child] > child + 1:
                self._content(child)
            else:
                append(text[starts[child] : ends[child]])
            pos, child = ends[child], nexts[child]
        if pos < (end := ends[element]):
            append(text[pos:end])

    def _spaced(self, element: int) -> None:
        self._buffer.append(" ")
        self._content(element)
        self._buffer.append(" ")

    def assign(self, element: int, account: str) -> None:
        """Count an element's text for an account of its own."""
        self.trace.append((element, account))
        if characters := self.doc.solid(element):
            self.accounts.move(account, characters)

    def enter(self, element: int, account: str) -> str:
        """Count an element's text for an account, and make that the current one; return the one to leave to."""
        self.trace.append((element, account))
        return self.accounts.enter(account, self.doc.solid(element))

    def _run(self, element: int) -> str:
        """Return the raw text of an inline element."""
        if self.doc.nexts[element] == element + 1:
            return self.doc.own_text(element)
        start = len(self._buffer)
        self._content(element)
        run = "".join(self._buffer[start:])
        del self._buffer[start:]
        return run

    def _xref(self, element: int) -> None:
        """Read a link that does not say what it links to; typed ones are marked by the scan."""
        cites = not self._references.isdisjoint((self.doc.attributes(element).get("rid") or "").split())
        self._buffer.append(OPEN if cites else "")
        self._content(element)
        self._buffer.append(CLOSE if cites else "")

    def _math(self, element: int) -> None:
        self._buffer.append(linear_math(self.doc, element))
        names = self.doc.tag_names
        for inner in range(element + 1, self.doc.nexts[element]):
            if names[inner] in ("annotation", "annotation-xml"):
                self.assign(inner, "duplicate_forms")

    def _tex(self, element: int) -> None:
        source = self.doc.own_text(element)
        kept = tex_source(source)
        self.accounts.move("tex_preamble", solid(source) - solid(kept))
        self._buffer.append(kept)

    def _alternatives(self, element: int) -> None:
        """Read one of several forms of the same: MathML, else TeX, else a table, else the first with text."""
        doc = self.doc
        children = {doc.tag_names[child]: child for child in reversed(doc.children(element))}
        known = next((children[name] for name in ("math", "tex-math", "table") if name in children), None)
        others = (child for name, child in reversed(children.items()) if name not in SKIPS)
        chosen = next((child for child in others if doc.own_text(child).strip()), None) if known is None else known
        if chosen is None:
            self.assign(element, "duplicate_forms")
            return
        self.trace += [(element, "duplicate_forms"), (chosen, self.accounts.current)]
        self.accounts.move("duplicate_forms", doc.solid(element) - doc.solid(chosen))
        if known is not None:
            self.RULES[doc.tag_names[chosen]](self, chosen)
        else:
            self._buffer.append(self._run(chosen))

    def _reference(self, element: int) -> None:
        """Read a reference inside a paragraph; its parts may stand without anything between them."""
        doc, inside = self.doc, range(element + 1, self.doc.nexts[element])
        bounds = {doc.starts[element], doc.ends[element]}
        bounds.update(doc.starts[row] for row in inside)
        bounds.update(doc.ends[row] for row in inside)
        places = sorted(bounds)
        self._buffer.append(" ".join(doc.text[a:b] for a, b in pairwise(places)))


def skip(reason: str) -> InlineRule:
    """Return the rule of an element that is left out for a reason."""
    return lambda reader, element: reader.assign(element, reason)


SKIPS: dict[Any, InlineRule] = {
    **rules(skip("alt_text"), "alt-text long-desc graphic inline-graphic inline-media"),
    **rules(skip("index_terms"), "object-id index-term"),
}
INLINE_RULES: dict[Any, InlineRule] = {
    **SKIPS,
    **rules(InlineReader._spaced, "def verse-line tr td th"),
    **rules(InlineReader._reference, "element-citation citation nlm-citation citation-alternatives"),
    "xref": InlineReader._xref,
    "math": InlineReader._math,
    "tex-math": InlineReader._tex,
    "alternatives": InlineReader._alternatives,
}
