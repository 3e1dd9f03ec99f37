"""Block reader: block content of JATS to blocks, by the rules of pandoc 2.9's JATS reader, faults included.

Title, authors and abstract (`article-meta`) give nothing but the footnotes in the title and in the notes on authors,
which come before all others. Every element without a rule is as if its tags were not there. Only `p` parts a
paragraph in two, so that a list inside a paragraph is glued to it. Spans of cells are not known to pandoc 2.9: cells
move to the left.
"""

import re
from collections.abc import Callable

from corpus.pile.pandoc.document import SPACE, Inlines, PandocBlock, PandocBlocks, append, from_text, join, trim
from corpus.pile.pandoc.read_inlines import PandocInlineReader, image
from corpus.pile.pandoc.tree import Node

_SILENT = frozenset({"title", "ref-list", "?xml"})
_CAPTION_LEVEL = 6
_NUMBERED = {"alpha-lower": "LowerAlpha", "alpha-upper": "UpperAlpha"} | {
    "roman-lower": "LowerRoman",
    "roman-upper": "UpperRoman",
}
_ALIGNMENTS = {"left": "AlignLeft", "right": "AlignRight", "center": "AlignCenter"}
_DEFAULT = "AlignDefault"


class BlockReader:
    """Reads one article."""

    def __init__(self) -> None:
        self.front_notes: dict[str, list[PandocBlocks]] = {}  # footnotes of the front matter, by the field they are in
        self._level = 0  # of the section around
        self._inlines = PandocInlineReader(self.content)

    def content(self, node: Node) -> PandocBlocks:
        """Return what an element holds as blocks."""
        blocks: PandocBlocks = []
        for child in node.children:
            blocks += self.block(child)
        return blocks

    def block(self, node: Node | str) -> PandocBlocks:
        """Return one node as blocks."""
        if isinstance(node, str):
            return [("Plain", trim(from_text(node)))] if node.strip() else []
        if node.name in _SILENT:
            return []
        rule = _RULES.get(node.name)
        return self.content(node) if rule is None else rule(self, node)

    def mixed(self, container: str, node: Node) -> PandocBlocks:
        """Return an element's inline content in blocks of a kind, with the blocks inside where they stand."""
        blocks: PandocBlocks = []
        run: list[Node | str] = []
        for child in [*node.children, None]:
            if child is not None and not (isinstance(child, Node) and child.name == "p"):
                run.append(child)
                continue
            inlines = trim(self._inlines.content(run))
            if inlines:
                blocks.append((container, inlines))
            run = []
            if child is not None:
                blocks += self.block(child)
        return blocks

    def inlines(self, node: Node) -> Inlines:
        """Return what an element holds as one run of inlines."""
        return self._inlines.trimmed(node)

    def _metadata(self, node: Node) -> PandocBlocks:
        title = node.find("article-title")
        if title is not None:
            self.front_notes["title"] = notes_in(self.inlines(title))
        if any(author.get("contrib-type") == "author" for author in node.find_all("contrib")):
            notes = [note for found in node.find_all("author-notes") for note in notes_in(self.inlines(found))]
            self.front_notes["author"] = notes
        return []

    def _paragraph(self, node: Node) -> PandocBlocks:
        return self.mixed("Para", node)

    def _code(self, node: Node) -> PandocBlocks:
        language = node.get("language")
        attributes = (node.get("id"), (language,) if language else (), ())
        return [("CodeBlock", attributes, node.all_text().strip("\n\r"))]

    def _quote(self, node: Node) -> PandocBlocks:
        blocks = self.content(node)
        attribution = node.element("attribution")
        if attribution is not None:
            inlines: Inlines = [("Str", "\u2014"), SPACE]
            append(inlines, self._inlines.content(attribution.children))
            blocks.append(("Para", inlines))
        return [("BlockQuote", blocks)]

    def _list(self, node: Node) -> PandocBlocks:
        items = [self.content(item) for item in node.elements("list-item")]
        kind = node.get("list-type")
        if kind == "bullet":
            return [("BulletList", items)]
        first = node.find("list-item")
        label = first.find("label") if first is not None else None
        start = _number(label.own_text()) if label is not None else None
        style = _NUMBERED.get(kind, "DefaultStyle")
        return [("OrderedList", (1 if start is None else start, style), items)]

    def _definitions(self, node: Node) -> PandocBlocks:
        entries = []
        for item in node.elements("def-item"):
            terms: Inlines = []
            for number, term in enumerate(item.elements("term")):
                append(terms, [("Str", ";"), SPACE] if number else [])
                append(terms, self.inlines(term))
            entries.append((terms, [self.content(definition) for definition in item.elements("def")]))
        return [("DefinitionList", entries)]

    def _section(self, node: Node) -> PandocBlocks:
        return self._headed(node, self._level + 1)

    def _headed(self, node: Node, level: int) -> PandocBlocks:
        title = node.element("title")
        if title is None and (info := node.element("info")) is not None:
            title = info.element("title")
        header: PandocBlock = ("Header", level, (node.get("id"), (), ()), self.inlines(title) if title else [])
        outside, self._level = self._level, level
        blocks = self.content(node)
        self._level = outside
        return [header, *blocks]

    def _graphic(self, node: Node) -> PandocBlocks:
        return [("Para", [image(node, None)])]

    def _figure(self, node: Node) -> PandocBlocks:
        graphics = node.elements("graphic")
        if len(graphics) != 1:
            return [("Div", (node.get("id"), ("fig",), ()), self.content(node))]
        caption = node.element("caption")
        parts = caption.elements() if caption else []
        lines: list[Inlines] = []
        for part in parts:
            lines += [[("LineBreak",)], self.inlines(part)] if lines else [self.inlines(part)]
        return [("Para", [image(graphics[0], (join(lines), node.get("id")))])]

    def _group(self, node: Node) -> PandocBlocks:
        return [("Div", (node.get("id"), (node.name,), ()), self.content(node))]

    def _caption(self, node: Node) -> PandocBlocks:
        return [("Div", (node.get("id"), ("caption",), ()), self._headed(node, _CAPTION_LEVEL))]

    def _table(self, node: Node) -> PandocBlocks:
        return [_read_table(node, cell=lambda cell: self.mixed("Plain", cell), inlines=self.inlines)]


def _number(text: str) -> int | None:
    """Return a label as a number as Haskell reads one: "3" and "(3)", but not "3." or "a"."""
    text = text.strip()
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None


def notes_in(inlines: Inlines) -> list[PandocBlocks]:
    """Return the footnotes in inlines, in their order."""
    notes: list[PandocBlocks] = []
    for inline in inlines:
        if inline[0] == "Note":
            notes.append(inline[1])
        else:
            notes += [note for part in inline if isinstance(part, list) for note in notes_in(part)]
    return notes


_RULES: dict[str, Callable[[BlockReader, Node], PandocBlocks]] = {
    "journal-meta": BlockReader._metadata,
    "article-meta": BlockReader._metadata,
    "custom-meta": BlockReader._metadata,
    "p": BlockReader._paragraph,
    "code": BlockReader._code,
    "preformat": BlockReader._code,
    "disp-quote": BlockReader._quote,
    "list": BlockReader._list,
    "def-list": BlockReader._definitions,
    "sec": BlockReader._section,
    "graphic": BlockReader._graphic,
    "fig": BlockReader._figure,
    "table-wrap": BlockReader._group,
    "fig-group": BlockReader._group,
    "caption": BlockReader._caption,
    "table": BlockReader._table,
}


def _read_table(node: Node, *, cell: Callable[[Node], PandocBlocks], inlines: Callable[[Node], Inlines]) -> PandocBlock:
    """Return a table: caption, alignments, relative widths, header cells, rows of cells."""
    titled = node.element("title", "caption")
    caption = inlines(titled) if titled is not None else []
    group = node.element("tgroup") or node
    columns = (group.element("colgroup") or group).elements("colspec", "col")
    head, body = group.element("thead"), group.element("tbody")
    first = head.element("row", "tr") if head is not None else None
    header = _row(first, cell) if first is not None else []
    rows = [_row(row, cell) for row in (body or group).elements("row", "tr")]
    width = max((len(row) for row in rows), default=0)
    aligns, widths = [_DEFAULT] * width, [0.0] * width
    if columns:
        aligns = [_ALIGNMENTS.get(column.get("align"), _DEFAULT) for column in columns]
        stated = [_width(column.get("colwidth")) for column in columns]
        if all(stated):
            widths = [share / sum(stated) for share in stated]
    # One width belongs to one alignment; what has no partner is lost.
    both = min(len(aligns), len(widths))
    return ("Table", caption, aligns[:both], widths[:both], *_resized([header, *rows], both))


def _resized(rows: list[list[PandocBlocks]], width: int) -> tuple[list[PandocBlocks], list[list[PandocBlocks]]]:
    """Return the header and the rows with as many cells as there are columns: cells beyond them are lost."""
    padding: list[PandocBlocks] = [[]] * width
    resized = [[*row, *padding][:width] for row in rows]
    return resized[0], resized[1:]


def _row(row: Node, cell: Callable[[Node], PandocBlocks]) -> list[PandocBlocks]:
    return [cell(entry) for entry in row.elements("entry", "td", "th")]


def _width(text: str) -> float:
    digits = "0" + "".join([letter for letter in text if letter.isdigit() or letter == "."])
    try:
        return float(digits)
    except ValueError:
        return 0.0
