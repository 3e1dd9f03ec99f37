"""Rules of JATS: which element is read by which function; `Reader` is the walk that follows them.

An element without a rule is inline markup: its text stays where it is.
"""

from corpus.ncbi.jats import tables
from corpus.ncbi.jats.body import BodyReader
from corpus.ncbi.jats.citations import GONE
from corpus.ncbi.jats.inline import INLINE_RULES, rules, skip
from corpus.records import BlockKind


class Reader(BodyReader):
    """The walk over one article, its figures and tables included."""

    def _array(self, element: int) -> None:
        """Read rows without a table's frame, such as a list of abbreviations, as list items."""
        self._close()
        for row in tables.read_rows(self, element):
            texts = [cell.text for cell in row if cell.text]
            if texts:
                self._add((": " if len(texts) == 2 else "; ").join(texts), BlockKind.LIST_ITEM)

    def _float(self, element: int) -> None:
        self._buffer.append(GONE)
        outer = self.enter(element, "floats")
        self.floats += tables.read_float(self, element)
        self.accounts.leave(outer)


Reader.RULES = {
    **INLINE_RULES,
    **rules(Reader._paragraph, "p attrib"),
    **rules(Reader._section, "sec boxed-text app"),
    **rules(
        Reader._container,
        "list def-list caption statement speech disp-formula-group verse-group notes app-group",
    ),
    **rules(Reader._preformat, "preformat code"),
    **rules(Reader._formula, "disp-formula chem-struct chem-struct-wrap"),
    **rules(Reader._term, "term speaker"),
    **rules(Reader._float, "fig fig-group table-wrap table-wrap-group table supplementary-material media"),
    "ref-list": skip("references"),
    "permissions": skip("permissions"),
    "sec-meta": skip("article_metadata"),
    **rules(skip("sub_articles"), "sub-article response"),
    "title": Reader._title,
    **rules(Reader._list_item, "list-item def-item"),
    "disp-quote": Reader._quote,
    "array": Reader._array,
    "label": Reader._read_label,
    "fn": Reader._footnote,
    "fn-group": Reader.footnotes,
}
