"""Table writer: pandoc's four forms, simple, multiline, grid, and HTML where none of them can hold the cells.

A cell is a list of lines. Without wrapping a column is as wide as its widest line.
"""

from collections.abc import Callable

from corpus.pile.pandoc.document import Inlines, PandocBlock, PandocBlocks
from corpus.pile.pandoc.html import html_table
from corpus.pile.pandoc.layout import pad, width_of

_PAGE_WIDTH = 72
_SIMPLE_INDENT = 2
_CellLines = list[str]


def write_table(table: PandocBlock, cell: Callable[[PandocBlocks], _CellLines]) -> tuple[list[str], int]:
    """Return the lines of a table, without its caption, and the columns by which they are indented."""
    aligns, widths = table[2:4]
    header, rows = table[4:]
    cells = [blocks for row in [header, *rows] for blocks in row]
    headless = not any(header)
    simple = all(_is_simple(blocks) for blocks in cells)
    evenly = not any(widths)
    if not aligns and simple:
        return _ruled([], [], [], [], multiline=False, headless=True), _SIMPLE_INDENT
    if simple and evenly:
        return _ruled(aligns, widths, *_cells(header, rows, cell), multiline=False, headless=headless), _SIMPLE_INDENT
    if all(block[0] == "Plain" for blocks in cells for block in blocks):
        return _ruled(aligns, widths, *_cells(header, rows, cell), multiline=True, headless=headless), _SIMPLE_INDENT
    if 8 * len(aligns) <= _PAGE_WIDTH:
        return _grid(aligns, widths, *_cells(header, rows, cell), headless=headless), 0
    return html_table(table), 0


def _cells(
    header: list[PandocBlocks], rows: list[list[PandocBlocks]], cell: Callable[[PandocBlocks], _CellLines]
) -> tuple[list[_CellLines], list[list[_CellLines]]]:
    return [cell(blocks) for blocks in header], [[cell(blocks) for blocks in row] for row in rows]


def _is_simple(blocks: PandocBlocks) -> bool:
    if not blocks:
        return True
    return len(blocks) == 1 and blocks[0][0] in ("Plain", "Para") and not _has_break(blocks[0][1])


def _has_break(inlines: Inlines) -> bool:
    for inline in inlines:
        if inline[0] == "LineBreak" or any(isinstance(part, list) and _has_break(part) for part in inline):
            return True
    return False


def _widest(lines: _CellLines) -> int:
    return max([width_of(line) for line in lines], default=0)


def _ruled(
    aligns: list[str],
    widths: list[float],
    header: list[_CellLines],
    rows: list[list[_CellLines]],
    *,
    multiline: bool,
    headless: bool,
) -> list[str]:
    """Return a table whose columns stand under dashes."""
    columns = [max([_widest(cell) for cell in column]) + 2 for column in zip(header, *rows, strict=True)]
    if any(widths):
        columns = [max(int((_PAGE_WIDTH - 1) * share), width) for share, width in zip(widths, columns, strict=True)]
    underline = " ".join(["-" * width for width in columns])
    border = "-" * len(underline)
    lines = [] if headless else [*([border] if multiline else []), *_ruled_row(header, aligns, columns)]
    lines.append(underline)
    for number, row in enumerate(rows):
        made = _ruled_row(row, aligns, columns)  # none for the empty cell of a table of one column
        lines += ["", *made] if number and multiline and made else made
    if multiline and len(rows) < 2:
        lines.append("")
    if headless:
        lines.append(underline)
    elif multiline:
        lines.append(border)
    return lines


def _ruled_row(row: list[_CellLines], aligns: list[str], columns: list[int]) -> list[str]:
    """Return the lines of one row: every cell but the last is padded to its column."""
    height = max(1, *[len(cell) for cell in row]) if len(row) > 1 else len(row[0])
    lines = []
    for at in range(height):
        parts = [
            _aligned(cell[at] if at < len(cell) else "", align, width, at < len(cell))
            for cell, align, width in zip(row, aligns, columns, strict=True)
        ]
        padded = [pad(part, width) for part, width in zip(parts[:-1], columns[:-1], strict=True)]
        lines.append(
            " ".join([*padded, parts[-1]]) if at == 0 else "".join([part + " " for part in padded] + [parts[-1]])
        )
    return lines


def _aligned(line: str, align: str, width: int, there: bool) -> str:
    space = width - width_of(line)
    if not there or align in ("AlignLeft", "AlignDefault"):
        return line
    return " " * (space if align == "AlignRight" else space // 2) + line


def _grid(
    aligns: list[str], widths: list[float], header: list[_CellLines], rows: list[list[_CellLines]], *, headless: bool
) -> list[str]:
    """Return a table drawn with lines around its cells."""
    columns = [max([_widest(cell) for cell in column]) for column in zip(header, *rows, strict=True)]
    columns = [max(width, int(_PAGE_WIDTH * share) - 3, 1) for share, width in zip(widths, columns, strict=True)]
    rule = _rule("-", None, columns)
    lines = (
        [_rule("-", aligns, columns)] if headless else [rule, *_grid_row(header, columns), _rule("=", aligns, columns)]
    )
    for number, row in enumerate(rows):
        lines += [*([rule] if number else []), *_grid_row(row, columns)]
    return [*lines, rule]


def _rule(dash: str, aligns: list[str] | None, columns: list[int]) -> str:
    parts = []
    for at, width in enumerate(columns):
        align = aligns[at] if aligns else ""
        left = ":" if align in ("AlignLeft", "AlignCenter") else dash
        right = ":" if align in ("AlignRight", "AlignCenter") else dash
        parts.append(left + dash * width + right)
    return "+" + "+".join(parts) + "+"


def _grid_row(row: list[_CellLines], columns: list[int]) -> list[str]:
    height = max(1, *[len(cell) for cell in row]) if row else 1
    return [
        "| "
        + " | ".join([pad(cell[at] if at < len(cell) else "", width) for cell, width in zip(row, columns, strict=True)])
        + " |"
        for at in range(height)
    ]
