"""Table reader: a JATS table to a table block; spans are not known to pandoc 2.9, so that cells move to the left."""

from collections.abc import Callable

from corpus.pile.pandoc.document import Inlines, PandocBlock, PandocBlocks
from corpus.pile.pandoc.tree import Node

_ALIGNMENTS = {"left": "AlignLeft", "right": "AlignRight", "center": "AlignCenter"}
_DEFAULT = "AlignDefault"


def read_table(node: Node, *, cell: Callable[[Node], PandocBlocks], inlines: Callable[[Node], Inlines]) -> PandocBlock:
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
