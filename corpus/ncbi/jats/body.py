"""Body reader: the mixed content of JATS to a flat list of blocks, floats and notes, in reading order.

`BodyReader` walks an element once, in document order. Text and inline markup gather in a buffer; an element that is
a block of its own (paragraph, list item, display formula, quote, …) first closes the block before it, so a paragraph
around a list becomes three kinds of blocks in their order, nothing twice and nothing glued. Figures, tables and
supplements leave the text without splitting it and remember where they stood (`corpus.ncbi.jats.rules`).
"""

import re
from typing import Any

from corpus.ncbi.jats.accounts import UNREAD, Accounts, solid
from corpus.ncbi.jats.citations import GONE
from corpus.ncbi.jats.inline import InlineReader, Rules
from corpus.ncbi.jats.lines import decide, finish
from corpus.ncbi.jats.lists import ListNumbers, bullets, is_bullet
from corpus.ncbi.markup.document import Markup
from corpus.records import BackPart, Block, BlockKind, Float

# Titles below these are headings; a title of a list or statement is a paragraph.
_SECTIONS = frozenset(
    ["sec", "app", "ack", "boxed-text", "caption", "notes", "glossary", "abstract", "trans-abstract", "bio", "body"]
)
# White space of layout: behind a bracket that opens and before one that closes, if there is something in it, and before
# a comma or the full stop of a sentence.
_LAYOUT = re.compile(
    r"(?<=[(\[]) (?![)\]\s])|(?<=[^\s(\[,;]) (?=[)\]](?:[\s.,;:)\]]|$))|(?<=[\w)\]]) (?=,\s|\.(?:\s[A-Z]|$))"
)
# The signs beside such a space, each looked for alone: one letter is found faster than any class of letters.
_COMMA, _STOP = (re.compile(rf"\{sign}(?<= .)").search for sign in ",.")
_ROUND, _SQUARE = (re.compile(rf"\{sign}(?<= .)").search for sign in ")]")
_ROUND_OPEN, _SQUARE_OPEN = (re.compile(rf"\{sign}(?= )").search for sign in "([")
_TYPED_BULLETS = frozenset("•▪●■◦‣⁃")


def _may_hold_layout(text: str) -> bool:
    """Say whether a text holds a space that may be layout: behind a bracket that opens, before other punctuation."""
    if ("," in text and _COMMA(text)) or ("." in text and _STOP(text)):
        return True
    if (")" in text and _ROUND(text)) or ("(" in text and _ROUND_OPEN(text)):
        return True
    return bool(("]" in text and _SQUARE(text)) or ("[" in text and _SQUARE_OPEN(text)))


class BodyReader(InlineReader):
    """The walk over one article without its floats; `blocks`, `floats` and `notes` are its results.

    `floats` come with their elements; `paragraphs` are those of the body, `num_blocks` says how many blocks stand
    before each.
    """

    def __init__(self, doc: Markup, accounts: Accounts) -> None:
        super().__init__(doc, accounts)
        self.blocks: list[Block] = []
        self.floats: list[tuple[int, Float]] = []
        self.notes: list[BackPart] = []
        self.keywords: list[str] = []  # that stand in the text
        self.unknown: set[str] = set()  # names of elements of the text that JATS does not have
        self.paragraphs: list[int] = []  # two lists of numbers: a list of pairs wakes the garbage collector
        self.num_blocks: list[int] = []
        self.inside_float: Any = None  # the reader of the float around what is being read
        self.ocr = False
        self.in_body = False
        self._depth = 0
        self._kind = BlockKind.PARAGRAPH
        self._label, self._mark, self._is_mark = "", "", False  # what labels the next block, and whether as an item's
        self._level, self._numbers = -1, ListNumbers("")
        self._last_numbers: dict[str, int] = {}  # of the lists that have an id

    def read(self, element: int, rules: Rules | None = None) -> None:
        """Read the content of a container and close its last block; `rules` hold for its children, if given."""
        self._content(element, rules)
        if self._buffer:
            self._close()
        if self._label:
            self._close_label()

    def capture(self, element: int, rules: Rules | None = None) -> list[Block]:
        """Return the blocks of an element's content, apart from the running text."""
        blocks, buffer, depth = self.blocks, self._buffer, self._depth
        kind, label, in_body = self._kind, self._label, self.in_body
        mark, is_mark, level = self._mark, self._is_mark, self._level
        self.blocks, self._buffer, self._depth = [], [], 0
        self._kind, self._label, self.in_body = BlockKind.PARAGRAPH, "", False
        self._mark, self._is_mark, self._level = "", False, -1
        try:
            self.read(element, rules)
            return self.blocks
        finally:
            self.blocks, self._buffer, self._depth = blocks, buffer, depth
            self._kind, self._label, self.in_body = kind, label, in_body
            self._mark, self._is_mark, self._level = mark, is_mark, level

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
        """Add a text as a block, without layout at its punctuation; a paragraph with a bullet typed in is an item."""
        if _may_hold_layout(text):
            text = _LAYOUT.sub("", text)
        kind, own = kind or self._kind, kind
        if kind is not BlockKind.LIST_ITEM and not self._label and text[0] not in _TYPED_BULLETS:  # as nearly all
            self.blocks.append(Block(kind=kind, depth=self._depth, text=text))
        else:
            typed = text[0] in _TYPED_BULLETS and text[1:2] == " " and not own and not self.in_cell
            self._add(text, BlockKind.LIST_ITEM if typed else kind)
        if self._kind is BlockKind.LIST_ITEM:
            self._kind = BlockKind.PARAGRAPH  # what follows within the item

    def _add(self, text: str, kind: BlockKind) -> None:
        label, self._label = self._label, ""
        if label:
            text = f"{label} {text}"
        if kind is not BlockKind.LIST_ITEM:
            self.blocks.append(Block(kind=kind, depth=self._depth, text=text))
            return
        mark = label if self._is_mark else self._mark
        if not mark and text[1:2] == " " and is_bullet(text[0]):  # typed into the text
            text = text[2:].lstrip()
            self.accounts.move("drawn_marks", 1)
        if mark and text.startswith((f"({mark[:-1]}) ", f"{mark[:-1]}) ")):  # the number is typed, as "(1)" or "1)"
            mark = text.partition(" ")[0]
        self.blocks.append(Block(kind=kind, depth=self._depth, text=text, mark=mark, level=max(self._level, 0)))
        self._mark, self._is_mark = "", False

    def _close_label(self) -> None:
        """Keep a label that no text came after."""
        label, self._label = self._label, ""
        self._mark, self._is_mark = label if self._is_mark else self._mark, False
        self._add(label, self._kind)

    # Blocks

    def _paragraph(self, element: int, kind: BlockKind | None = None) -> None:
        if self._buffer:
            self._close()
        if self.in_body:
            self.paragraphs.append(element)
            self.num_blocks.append(len(self.blocks))
        doc = self.doc
        if doc.nexts[element] > element + 1:
            self._content(element)
            if self._buffer:
                self._close(kind)
            return
        text = doc.text[doc.starts[element] : doc.ends[element]]
        if text := decide(text, self.accounts, in_cell=self.in_cell) if doc.marks[element] else text.strip():
            self._put(text, kind)

    def _title(self, element: int) -> None:
        parent = self.doc.parents[element]
        self._paragraph(element, BlockKind.HEADING if parent >= 0 and self.doc.tag_names[parent] in _SECTIONS else None)

    def _container(self, element: int) -> None:
        self._close()
        self.read(element)

    def _of_kind(self, element: int, kind: BlockKind) -> None:
        self._close()
        outer, self._kind = self._kind, kind
        self.read(element)
        self._kind = BlockKind.PARAGRAPH if outer is BlockKind.LIST_ITEM else outer

    def _list(self, element: int) -> None:
        """Read a list whose items are numbered as its type says, unless they have labels."""
        self._close()
        attributes, outer = self.doc.attributes(element), self._numbers
        start = self._last_numbers.get(attributes.get("continued-from", ""), 0)
        kind, prefix = attributes.get("list-type", ""), attributes.get("prefix-word", "")
        self._numbers = numbers = ListNumbers(kind, prefix=prefix, start=start)
        labels = [self.doc.find(item, "label") for item in self.doc.children(element)]
        texts = [text for label in labels if label >= 0 and (text := self.doc.own_text(label).strip())]
        numbers.bullets, numbers.labelled = bullets(texts), bool(texts)
        self._level += 1
        self.read(element)
        self._level -= 1
        self._numbers = outer
        if name := attributes.get("id"):
            self._last_numbers[name] = numbers.last

    def _list_item(self, element: int) -> None:
        self._close()
        self._mark, self._is_mark = self._numbers.take(), False
        self._of_kind(element, BlockKind.LIST_ITEM)
        self._mark, self._is_mark = "", False

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
        if not any(piece.strip() for piece in self._buffer):
            self._buffer.append(self._mark_of_picture(element))
        if self._label and any(piece.strip() for piece in self._buffer):
            self._buffer.append(f" {self._label}")
        elif self._label:  # of a picture
            self.accounts.move("drawn_marks", solid(self._label))
        self._label = outer
        self._close(BlockKind.FORMULA)

    # What labels the next block

    def _read_label(self, element: int) -> None:
        parent = self.doc.parents[element]
        in_item = self._level >= 0 and parent >= 0 and self.doc.tag_names[parent] == "list-item"
        if in_item and self.doc.own_text(element).strip() in self._numbers.bullets:
            self.assign(element, "drawn_marks")
            return
        self._label = " ".join(filter(None, [self._label, self.line(element)]))
        self._is_mark = self._is_mark or (in_item and bool(self._label))

    def _term(self, element: int) -> None:
        text = self.line(element)
        if text:
            before = solid(self._label) + solid(text)
            self._label = ", ".join(filter(None, [self._label.rstrip(":"), text])).rstrip(":") + ":"
            self.accounts.write(solid(self._label) - before)

    # Floats and notes

    def _footnote(self, element: int) -> None:
        self._note(element, "")

    def _note(self, element: int, title: str) -> bool:
        """Take a note, if it says anything, and say whether it does."""
        outer = self.enter(element, "back")
        text = "\n".join(self.lines(element))
        if text:
            self.notes.append(BackPart(kind="footnote", title=title, text=text))
            self.accounts.write(solid(title))
        self.accounts.leave(outer)
        return bool(text)

    def footnotes(self, element: int) -> None:
        """Take the notes of a group, each under the group's title; what stands beside them is a note too."""
        self._notes_of(element, "")

    def _notes_of(self, group: int, outer_title: str) -> int:
        """Take the notes of a group, which may stand in another, and return how many they are."""
        doc, outer, count = self.doc, self.enter(group, "back"), 0
        heading, children = doc.find(group, "title"), doc.children(group)
        own = self.line(heading)
        for child in children:
            if doc.tag_names[child] == "fn-group":
                count += self._notes_of(child, own or outer_title)
            elif child != heading:
                count += self._note(child, own or outer_title)
        if count and own:
            self.accounts.write(-solid(own))  # it was written once for each
        elif own:
            self.notes.append(BackPart(kind="footnote", title=own))
        self.accounts.move(UNREAD, doc.solid(group) - sum(map(doc.solid, children)))
        self.accounts.leave(outer)
        return count
