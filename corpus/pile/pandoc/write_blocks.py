"""Block writer: blocks to pandoc's markdown, as version 2.9 writes it with `--wrap=none` and without `-s`."""

from collections.abc import Callable

from corpus.pile.pandoc.document import LINE_BREAK, SPACE, Inline, Inlines, PandocBlock, PandocBlocks, plain_text
from corpus.pile.pandoc.layout import Layout, width_of
from corpus.pile.pandoc.write_inlines import InlineWriter, attributes_text
from corpus.pile.pandoc.write_tables import write_table

_TAB = 4
_LISTS = frozenset({"BulletList", "OrderedList", "DefinitionList"})
_BETWEEN_LISTS = "```{=html}\n<!-- -->\n```"
_UNDERLINES = {1: "=", 2: "-"}


class BlockWriter:
    """Writes one document."""

    def __init__(self) -> None:
        self._page = Layout()
        self.inlines = InlineWriter()
        self._in_list = False
        self._idents: set[str] = set()  # that headings have taken

    def document(self, blocks: PandocBlocks, front_notes: list[PandocBlocks]) -> str:
        """Return a document with its footnotes, those of the front matter first; lines end with a line end."""
        self.inlines.notes += front_notes
        self.blocks(blocks)
        notes = list(self.inlines.notes)  # a footnote inside a footnote is numbered, and lost
        for number, note in enumerate(notes, start=1):
            marker = f"[^{number}]:"
            self._page.blank_line()
            self._hang(marker + " " * max(_TAB - len(marker), 1), note, in_list=False)
        lines = self._page.lines()
        while lines and not lines[-1]:
            lines.pop()
        return "\n".join(lines) + "\n"

    def cell(self, blocks: PandocBlocks) -> list[str]:
        """Return the blocks of a table cell as lines of their own."""
        outside, self._page = self._page, Layout()
        self.blocks(blocks)
        lines = self._page.lines()
        self._page = outside
        return lines

    def blocks(self, blocks: PandocBlocks) -> None:
        """Write blocks one after the other."""
        before = ""
        for block in blocks:
            kind = block[0]
            if (kind == before and kind in _LISTS) or (
                kind == "CodeBlock" and before in _LISTS and not attributes_text(block[1])
            ):
                self._page.text(_BETWEEN_LISTS)
                self._page.end_line()
            before = kind
            if kind == "Plain" and not self._in_list:
                kind = "Para"
            _WRITERS[kind](self, block)

    def _plain(self, block: PandocBlock) -> None:
        text = self.inlines.paragraph(block[1])
        if text:
            self._page.text(text)
        self._page.end_line()

    def _paragraph(self, block: PandocBlock) -> None:
        self._plain(block)
        self._page.blank_line()

    def _header(self, block: PandocBlock) -> None:
        level, attributes, inlines = block[1:]
        text = self.inlines.write(_without_breaks(inlines))
        ident = self._ident(plain_text(inlines))
        mark = "" if attributes[0] in ("", ident) else " " + attributes_text(attributes)
        if level in _UNDERLINES:
            if text or mark:
                self._page.text(text.rstrip(" ") + mark if mark == "" else text + mark)
            self._page.end_line()
            if text:
                self._page.text(_UNDERLINES[level] * max([width_of(line) for line in text.split("\n")]))
        else:
            self._page.text("#" * level + " " + text + mark)
        self._page.blank_line()

    def _ident(self, text: str) -> str:
        """Return the id that pandoc would give a heading, and take it."""
        base = heading_ident(text) or "section"
        ident, number = base, 0
        while ident in self._idents:
            number += 1
            ident = f"{base}-{number}"
        self._idents.add(ident)
        return ident

    def _div(self, block: PandocBlock) -> None:
        mark = attributes_text(block[1])
        if mark:
            self._page.text(f"::: {mark}")
            self._page.end_line()
        self.blocks(block[2])
        if mark:
            self._page.chomp()
            self._page.text(":::")
        self._page.blank_line()

    def _hang(self, start: str, blocks: PandocBlocks, *, in_list: bool = True) -> None:
        """Write blocks behind a mark, and the lines after the first indented."""
        self._page.text(start)
        outside, self._in_list = self._in_list, in_list
        with self._page.prefixed(" " * _TAB):
            self.blocks(blocks)
        self._in_list = outside

    def _bullets(self, block: PandocBlock) -> None:
        self._items(["- "] * len(block[1]), block[1])

    def _numbered(self, block: PandocBlock) -> None:
        self._items(markers(block[1][0], block[1][1], len(block[2])), block[2])

    def _items(self, marks: list[str], items: list[PandocBlocks]) -> None:
        tight = _is_tight(items)
        for mark, item in zip(marks, items, strict=True):
            self._hang(mark.ljust(_TAB) if len(mark) < _TAB else mark + " ", item)
            if tight or _ends_with_tight_list(item):
                self._page.chomp()
            if not tight:
                self._page.blank_line()
        self._page.blank_line()

    def _definitions(self, block: PandocBlock) -> None:
        outside, self._in_list = self._in_list, True
        for term, definitions in block[1]:
            tight = bool(definitions and definitions[0] and definitions[0][0][0] == "Plain")
            self._page.blank_line()
            if text := self.inlines.paragraph(term):
                self._page.text(text)
            self._page.end_line()
            for definition in definitions:
                if not tight:
                    self._page.blank_line()
                self._hang(":   ", definition)
                if tight:
                    self._page.chomp()
            self._page.blank_line()
        self._in_list = outside
        self._page.blank_line()

    def _quote(self, block: PandocBlock) -> None:
        with self._page.prefixed("> "):
            self.blocks(block[1])
        self._page.blank_line()

    def _code(self, block: PandocBlock) -> None:
        _, attributes, text = block
        mark = attributes_text(attributes)
        if mark:
            self._page.text(f"``` {mark}\n{text}\n```")
        else:
            with self._page.prefixed(" " * _TAB):
                self._page.text(text)
        self._page.blank_line()

    def _table(self, block: PandocBlock) -> None:
        lines, indent = write_table(block, self.cell)
        caption = self.inlines.write(block[1])
        with self._page.prefixed(" " * indent):
            for line in lines:
                self._page.text(line)
                self._page.end_line()
            if block[1]:
                self._page.blank_line()
                self._page.text(": " + caption)
        self._page.blank_line()


_WRITERS: dict[str, Callable[[BlockWriter, PandocBlock], None]] = {
    "Plain": BlockWriter._plain,
    "Para": BlockWriter._paragraph,
    "Header": BlockWriter._header,
    "Div": BlockWriter._div,
    "BulletList": BlockWriter._bullets,
    "OrderedList": BlockWriter._numbered,
    "DefinitionList": BlockWriter._definitions,
    "BlockQuote": BlockWriter._quote,
    "CodeBlock": BlockWriter._code,
    "Table": BlockWriter._table,
}


def heading_ident(text: str) -> str:
    """Return the identifier that pandoc makes of a heading's words."""
    kept = "".join([letter for letter in text.lower() if letter.isalnum() or letter.isspace() or letter in "_-."])
    ident = "-".join(kept.split())
    start = next((at for at, letter in enumerate(ident) if letter.isalpha()), len(ident))
    return ident[start:]


def _without_breaks(inlines: Inlines) -> Inlines:
    return [_spaced(inline) for inline in inlines]


def _spaced(inline: Inline) -> Inline:
    if inline == LINE_BREAK:
        return SPACE
    return tuple(_without_breaks(part) if isinstance(part, list) else part for part in inline)


def _is_tight(items: list[PandocBlocks]) -> bool:
    return all(item and item[0][0] == "Plain" for item in items)


def _ends_with_tight_list(item: PandocBlocks) -> bool:
    if len(item) != 2 or item[0][0] != "Plain" or item[1][0] not in ("BulletList", "OrderedList"):
        return False
    return _is_tight(item[1][-1])


_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


def markers(start: int, style: str, count: int) -> list[str]:
    """Return `count` markers from a number on, at least three characters wide each."""
    return [f"{_numeral(start + index, style)}.".ljust(3) for index in range(count)]


def _numeral(number: int, style: str) -> str:
    if style in ("LowerAlpha", "UpperAlpha"):
        letter = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letter if style == "LowerAlpha" else letter.upper()
    if style in ("LowerRoman", "UpperRoman"):
        text = ""
        for value, letters in _ROMAN:
            while number >= value:
                text, number = text + letters, number - value
        return text if style == "LowerRoman" else text.upper()
    return str(number)
