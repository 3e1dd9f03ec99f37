"""Body reader: the mixed content of JATS to a flat list of blocks, floats and notes, in reading order.

`BodyReader` walks an element once, in document order. Text and inline markup gather in a buffer; an element that is
a block of its own (paragraph, list item, display formula, quote, …) first closes the block before it, so a paragraph
around a list becomes three kinds of blocks in their order, nothing twice and nothing glued. Figures, tables and
supplements leave the text without splitting it and remember where they stood (`corpus.ncbi.jats.rules`).
"""

from corpus.ncbi.jats.accounts import Accounts
from corpus.ncbi.jats.citations import GONE
from corpus.ncbi.jats.inline import InlineReader
from corpus.ncbi.jats.lines import decide, finish
from corpus.ncbi.markup.document import Markup
from corpus.records import BackPart, Block, BlockKind, Float

# Titles below these are headings; a title of a list or statement is a paragraph.
_SECTIONS = frozenset(
    ["sec", "app", "ack", "boxed-text", "caption", "notes", "glossary", "abstract", "trans-abstract", "bio", "body"]
)


class BodyReader(InlineReader):
    """The walk over one article without its floats; `blocks`, `floats` and `notes` are its results."""

    def __init__(self, doc: Markup, accounts: Accounts) -> None:
        super().__init__(doc, accounts)
        self.blocks: list[Block] = []
        self.floats: list[Float] = []
        self.notes: list[BackPart] = []
        self.ocr = False
        self.in_body = False
        self._depth = 0
        self._kind = BlockKind.PARAGRAPH
        self._label = ""

    def read(self, element: int) -> None:
        """Read the content of a container and close its last block."""
        self._content(element)
        if self._buffer:
            self._close()
        if self._label:
            self._close_label()

    def capture(self, element: int) -> list[Block]:
        """Return the blocks of an element's content, apart from the running text."""
        saved = (self.blocks, self._buffer, self._depth, self._kind, self._label, self.in_body)
        self.blocks, self._buffer, self._depth, self._kind, self._label = [], [], 0, BlockKind.PARAGRAPH, ""
        self.in_body = False
        try:
            self.read(element)
            return self.blocks
        finally:
            self.blocks, self._buffer, self._depth, self._kind, self._label, self.in_body = saved

    def lines(self, element: int) -> list[str]:
        """Return the texts of an element's blocks."""
        if self.doc.nexts[element] == element + 1:
            text = self._leaf(element)
            return [text] if text else []
        return [block.text for block in self.capture(element)]

    def line(self, element: int) -> str:
        """Return an element's text as one line, "" for -1, the element that is not there."""
        if element >= 0 and self.doc.nexts[element] == element + 1:
            return self._leaf(element)
        return " ".join(self.lines(element)) if element >= 0 else ""

    def _leaf(self, element: int) -> str:
        """Return the text of an element that holds no elements with a row."""
        doc = self.doc
        text = doc.text[doc.starts[element] : doc.ends[element]]
        if not doc.marks[element]:
            return text.strip()
        return decide(text, self.accounts, in_cell=self.in_cell)

    def position(self) -> int:
        """Return the index of the body block that comes next, -1 outside the body."""
        if not self.in_body:
            return -1
        return len(self.blocks) + any(piece.strip().strip(GONE) for piece in self._buffer)

    def _close(self, kind: BlockKind | None = None) -> None:
        """Make a block of what is in the buffer."""
        pieces = self._buffer
        if not pieces:
            return
        one = len(pieces) == 1
        text = finish(pieces[0] if one else "".join(pieces), self.accounts, in_cell=self.in_cell, collapsed=one)
        pieces.clear()
        if text:
            self._put(text, kind)

    def _put(self, text: str, kind: BlockKind | None) -> None:
        self._add(text, kind or self._kind)
        if self._kind is BlockKind.LIST_ITEM:
            self._kind = BlockKind.PARAGRAPH  # what follows within the item

    def _add(self, text: str, kind: BlockKind) -> None:
        if self._label:
            text, self._label = f"{self._label} {text}", ""
        self.blocks.append(Block(kind=kind, depth=self._depth, text=text))

    def _close_label(self) -> None:
        """Keep a label that no text came after."""
        label, self._label = self._label, ""
        self._add(label, self._kind)

    # Blocks

    def _paragraph(self, element: int, kind: BlockKind | None = None) -> None:
        if self._buffer:
            self._close()
        if self.doc.nexts[element] > element + 1:
            self._content(element)
            if self._buffer:
                self._close(kind)
        elif text := self._leaf(element):
            self._put(text, kind)

    def _title(self, element: int) -> None:
        parent = self.doc.parents[element]
        self._paragraph(element, BlockKind.HEADING if parent >= 0 and self.doc.tag_names[parent] in _SECTIONS else None)

    def _section(self, element: int) -> None:
        if self._buffer:
            self._close()
        if self._label:
            self._close_label()
        self._depth += 1
        self.read(element)
        self._depth -= 1

    def _container(self, element: int) -> None:
        self._close()
        self.read(element)

    def _of_kind(self, element: int, kind: BlockKind) -> None:
        self._close()
        outer, self._kind = self._kind, kind
        self.read(element)
        self._kind = BlockKind.PARAGRAPH if outer is BlockKind.LIST_ITEM else outer

    def _list_item(self, element: int) -> None:
        self._of_kind(element, BlockKind.LIST_ITEM)

    def _quote(self, element: int) -> None:
        self._of_kind(element, BlockKind.QUOTE)

    def _preformat(self, element: int) -> None:
        self._close()
        text = self.doc.verbatim(element).strip("\n").rstrip()
        if text.strip():
            self._add(text, BlockKind.PREFORMAT)
        self.ocr = self.ocr or self.doc.attributes(element).get("preformat-type") == "pmc-ocr-text"

    def _formula(self, element: int) -> None:
        """Read a display formula; its number stands behind it."""
        self._close()
        outer, self._label = self._label, ""
        self._content(element)
        if any(piece.strip() for piece in self._buffer) and self._label:
            self._buffer.append(f" {self._label}")
        self._label = outer
        self._close(BlockKind.FORMULA)

    # What labels the next block

    def _read_label(self, element: int) -> None:
        self._label = " ".join(filter(None, [self._label, self.line(element)]))

    def _term(self, element: int) -> None:
        text = self.line(element)
        if text:
            self._label = ", ".join(filter(None, [self._label.rstrip(":"), text])).rstrip(":") + ":"

    # Floats and notes

    def _footnote(self, element: int) -> None:
        self._note(element, "")

    def _note(self, element: int, title: str) -> None:
        outer = self.enter(element, "back")
        text = "\n".join(self.lines(element))
        if text:
            self.notes.append(BackPart(kind="footnote", title=title, text=text))
        self.accounts.leave(outer)

    def footnotes(self, element: int) -> None:
        """Take the notes of a group, each under the group's title."""
        title = self.line(self.doc.find(element, "title"))
        for note in self.doc.descendants(element, "fn"):
            self._note(note, title)
