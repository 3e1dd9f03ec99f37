"""Reading order: the mixed content of JATS becomes a flat list of blocks, floats and notes.

`Reader` walks an element once, in document order. Text and inline markup gather in a buffer; an element that is
a block of its own (paragraph, list item, display formula, quote, …) first closes the block before it, so a paragraph
around a list becomes three kinds of blocks in their order, nothing twice and nothing glued. Figures, tables and
supplements leave the text without splitting it and remember where they stood.
"""

from lxml import etree

from corpus.ncbi import jats_tables
from corpus.ncbi.jats_citations import GONE, tidy
from corpus.ncbi.jats_inline import INLINE_RULES, InlineReader, rules
from corpus.records import BackPart, Block, BlockKind, Float

Element = etree._Element

# Titles below these are headings; a title of a list or statement is a paragraph.
_SECTIONS = frozenset(
    ["sec", "app", "ack", "boxed-text", "caption", "notes", "glossary", "abstract", "trans-abstract", "bio", "body"]
)


class Reader(InlineReader):
    """The walk over one article; `blocks`, `floats` and `notes` are its results."""

    def __init__(self, article: Element) -> None:
        super().__init__(article)
        self.blocks: list[Block] = []
        self.floats: list[Float] = []
        self.notes: list[BackPart] = []
        self.ocr = False
        self.in_body = False
        self._depth = 0
        self._kind = BlockKind.PARAGRAPH
        self._label = ""

    def read(self, element: Element) -> None:
        """Read the content of a container and close its last block."""
        self._content(element)
        self._close()
        self._close_label()

    def capture(self, element: Element) -> list[Block]:
        """Return the blocks of an element's content, apart from the running text."""
        saved = (self.blocks, self._buffer, self._depth, self._kind, self._label, self.in_body)
        self.blocks, self._buffer, self._depth, self._kind, self._label = [], [], 0, BlockKind.PARAGRAPH, ""
        self.in_body = False
        try:
            self.read(element)
            return self.blocks
        finally:
            self.blocks, self._buffer, self._depth, self._kind, self._label, self.in_body = saved

    def lines(self, element: Element) -> list[str]:
        """Return the texts of an element's blocks."""
        if not len(element):
            text = tidy(element.text or "")
            return [text] if text else []
        return [block.text for block in self.capture(element)]

    def line(self, element: Element | None) -> str:
        """Return an element's text as one line, "" for None."""
        return " ".join(self.lines(element)) if element is not None else ""

    def position(self) -> int:
        """Return the index of the body block that comes next, -1 outside the body."""
        if not self.in_body:
            return -1
        return len(self.blocks) + any(piece.strip().strip(GONE) for piece in self._buffer)

    def _close(self, kind: BlockKind | None = None) -> None:
        """Make a block of what is in the buffer."""
        if not self._buffer:
            return
        text = tidy("".join(self._buffer))
        self._buffer.clear()
        if text:
            self._add(text, kind or self._kind)
            if self._kind is BlockKind.LIST_ITEM:
                self._kind = BlockKind.PARAGRAPH  # what follows within the item

    def _add(self, text: str, kind: BlockKind) -> None:
        if self._label:
            text, self._label = f"{self._label} {text}", ""
        self.blocks.append(Block(kind=kind, depth=self._depth, text=text))

    def _close_label(self) -> None:
        """Keep a label that no text came after."""
        if self._label:
            label, self._label = self._label, ""
            self._add(label, self._kind)

    # Blocks

    def _paragraph(self, element: Element) -> None:
        self._close()
        self._content(element)
        self._close()

    def _title(self, element: Element) -> None:
        parent = element.getparent()
        self._close()
        self._content(element)
        self._close(BlockKind.HEADING if parent is not None and parent.tag in _SECTIONS else None)

    def _section(self, element: Element) -> None:
        self._close()
        self._close_label()
        self._depth += 1
        self.read(element)
        self._depth -= 1

    def _container(self, element: Element) -> None:
        self._close()
        self.read(element)

    def _of_kind(self, element: Element, kind: BlockKind) -> None:
        self._close()
        outer, self._kind = self._kind, kind
        self.read(element)
        self._kind = BlockKind.PARAGRAPH if outer is BlockKind.LIST_ITEM else outer

    def _list_item(self, element: Element) -> None:
        self._of_kind(element, BlockKind.LIST_ITEM)

    def _quote(self, element: Element) -> None:
        self._of_kind(element, BlockKind.QUOTE)

    def _preformat(self, element: Element) -> None:
        self._close()
        text = "".join(str(piece) for piece in element.itertext()).strip("\n").rstrip()
        if text.strip():
            self._add(text, BlockKind.PREFORMAT)
        self.ocr = self.ocr or element.get("preformat-type") == "pmc-ocr-text"

    def _formula(self, element: Element) -> None:
        """Read a display formula; its number stands behind it."""
        self._close()
        outer, self._label = self._label, ""
        self._content(element)
        if any(piece.strip() for piece in self._buffer) and self._label:
            self._buffer.append(f" {self._label}")
        self._label = outer
        self._close(BlockKind.FORMULA)

    def _array(self, element: Element) -> None:
        """Read rows without a table's frame, such as a list of abbreviations, as list items."""
        self._close()
        for row in jats_tables.read_rows(self, element):
            texts = [cell.text for cell in row if cell.text]
            if texts:
                self._add((": " if len(texts) == 2 else "; ").join(texts), BlockKind.LIST_ITEM)

    # What labels the next block

    def _read_label(self, element: Element) -> None:
        self._label = " ".join(filter(None, [self._label, self.line(element)]))

    def _term(self, element: Element) -> None:
        text = self.line(element)
        if text:
            self._label = ", ".join(filter(None, [self._label.rstrip(":"), text])).rstrip(":") + ":"

    # Floats and notes

    def _float(self, element: Element) -> None:
        self._buffer.append(GONE)
        self.floats += jats_tables.read_float(self, element)

    def _footnote(self, element: Element) -> None:
        text = "\n".join(self.lines(element))
        if text:
            self.notes.append(BackPart(kind="footnote", text=text))

    def footnotes(self, element: Element) -> None:
        """Take the notes of a group, each under the group's title."""
        title = self.line(element.find("title"))
        for note in element.iter("fn"):
            text = "\n".join(self.lines(note))
            if text:
                self.notes.append(BackPart(kind="footnote", title=title, text=text))


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
    **rules(Reader._skip, "ref-list sec-meta permissions sub-article response"),
    "title": Reader._title,
    **rules(Reader._list_item, "list-item def-item"),
    "disp-quote": Reader._quote,
    "array": Reader._array,
    "label": Reader._read_label,
    "fn": Reader._footnote,
    "fn-group": Reader.footnotes,
}
