"""Rules of JATS: which group of `elements.yaml` is read by which function; `Reader` is the walk that follows them.

An element without a rule is inline markup: its text stays where it is.
"""

from collections.abc import Mapping
from typing import Final

from corpus.ncbi.jats import floats, tables
from corpus.ncbi.jats.accounts import solid
from corpus.ncbi.jats.citations import GONE
from corpus.ncbi.jats.context import ContextReader
from corpus.ncbi.jats.inline import INLINE_RULES, NAMES, InlineRule
from corpus.ncbi.jats.vocabulary import DECISIONS
from corpus.records import BlockKind


class Reader(ContextReader):
    """The walk over one article, its figures and tables included."""

    def _array(self, element: int) -> None:
        """Read rows without a table's frame, such as a list of abbreviations, as list items."""
        self._close()
        for row in tables.read_rows(self, element):
            texts = [cell.text for cell in row if cell.text]
            if texts:
                text = (": " if len(texts) == 2 else "; ").join(texts)
                self.accounts.write(solid(text) - sum(map(solid, texts)))
                self._add(text, BlockKind.LIST_ITEM)

    def _float(self, element: int) -> None:
        self._buffer.append(GONE)
        outer = self.enter(element, "floats")
        self.floats += floats.read_float(self, element)
        self.accounts.leave(outer)


_RULES: Final[Mapping[str, InlineRule]] = {
    "paragraph": Reader._paragraph,
    "address": Reader._address,
    "section": Reader._section,
    "container": Reader._container,
    "list": Reader._list,
    "list_item": Reader._list_item,
    "quote": Reader._quote,
    "preformat": Reader._preformat,
    "formula": Reader._formula,
    "array": Reader._array,
    "title": Reader._title,
    "label": Reader._read_label,
    "term": Reader._term,
    "term_head": Reader._term_head,
    "footnote": Reader._footnote,
    "footnotes": Reader.footnotes,
    "floating": Reader._float,
    "code": Reader._code,
    "by_place": Reader._by_place,
    "definition": Reader._definition,
    "keywords": Reader._keywords,
}
_NAMES: Final = {**DECISIONS["blocks"], **DECISIONS["by_place"], **NAMES}
Reader.RULES = {
    **INLINE_RULES,
    **{name: rule for part, rule in _RULES.items() for name in _NAMES[part]},
    "": Reader._unknown,
}
