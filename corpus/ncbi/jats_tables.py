"""Figures, tables, supplements: what stands beside the text, as `Float`s.

One float element comes in with the article's `Reader`, which knows the rules of inline text; one or more
`Float`s go out (a group gives one for itself, if it has a caption, and one for each member). Rows are kept as
written, cell by cell with their spans: nothing is filled in, so no number appears where none was.
Captions of several paragraphs have one line each.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from corpus.records import Cell, Float

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

    from corpus.ncbi.jats_body import Reader

_KINDS = {
    "fig": "figure",
    "fig-group": "figure",
    "table-wrap": "table",
    "table-wrap-group": "table",
    "table": "table",
    "supplementary-material": "supplement",
    "media": "supplement",
    "boxed-text": "box",
}
_GROUPS = ("fig-group", "table-wrap-group")
_MAX_SPAN = 1000  # HTML's own limit for columns; larger numbers are typing errors


def read_float(reader: Reader, element: Element) -> list[Float]:
    """Return the floats of an element: itself, unless it says nothing, and its members."""
    position, first = reader.position(), len(reader.floats)
    own = (_table if _KINDS.get(element.tag) == "table" else _captioned)(reader, element, position)
    nested = reader.floats[first:]  # found inside a caption or a cell
    del reader.floats[first:]
    found = [own] if own.label or own.caption or own.rows or own.footnotes else []
    for member in _members(element):
        found += read_float(reader, member)
    return found + nested


def read_outside(reader: Reader, group: Element) -> None:
    """Read the floats that stand together outside the body; text among them becomes boxes."""
    for child in group:
        if child.tag in _KINDS and child.tag != "boxed-text":
            reader.floats += read_float(reader, child)
        elif lines := reader.lines(child):
            reader.floats.append(Float(kind="box", caption="\n".join(lines)))


def _members(element: Element) -> list[Element]:
    """Return the floats directly inside a float that are floats of their own."""
    children = [child for child in element if child.tag in _KINDS]
    if element.tag == "supplementary-material":
        first = element.find("media")  # its caption is the supplement's
        return [child for child in children if child is not first]
    return children if element.tag in ("fig", *_GROUPS) else []


def read_rows(reader: Reader, table: Element) -> tuple[tuple[Cell, ...], ...]:
    """Return the rows of a table (XHTML or CALS) in reading order."""
    outer, reader.in_cell = reader.in_cell, True
    columns = [str(spec.get("colname")) for spec in table.iter("colspec")]
    rows = (tuple(_cells(reader, row, heads, columns)) for row, heads in _rows(table, False))
    found = tuple(row for row in rows if row)
    reader.in_cell = outer
    return found


def _rows(element: Element, heads: bool) -> Iterator[tuple[Element, bool]]:
    for child in element:
        if child.tag in ("tr", "row"):
            yield child, heads
        elif child.tag in ("thead", "tbody", "tfoot", "tgroup"):
            yield from _rows(child, heads or child.tag == "thead")


def _cells(reader: Reader, row: Element, heads: bool, columns: list[str]) -> Iterator[Cell]:
    for cell in row:
        tag = cell.tag
        if tag in ("td", "th"):
            rowspan, colspan = _span(cell.get("rowspan")), _span(cell.get("colspan"))
        elif tag == "entry":
            first, last = cell.get("namest"), cell.get("nameend")
            rowspan = _span(cell.get("morerows"), least=0) + 1 if cell.get("morerows") else 1
            colspan = columns.index(last) - columns.index(first) + 1 if first in columns and last in columns else 1
        else:
            continue
        # Most cells are a number: no need to open a new buffer for one.
        text = reader.line(cell) if len(cell) else " ".join((cell.text or "").split())
        yield _cell(text, rowspan, max(1, colspan), heads or tag == "th")


@lru_cache(maxsize=1 << 14)
def _cell(text: str, rowspan: int, colspan: int, header: bool) -> Cell:
    """Return a cell; tables repeat few values, and looking one up costs a third of making it."""
    return Cell(text=text, rowspan=rowspan, colspan=colspan, header=header)


def _span(text: str | None, *, least: int = 1) -> int:
    """Return a span as written, 1 for one that says nothing usable."""
    if text is None or text == "1":
        return 1
    text = text.strip()
    number = int(text[:9]) if text.isascii() and text.isdecimal() else least
    return min(max(number, least), _MAX_SPAN)


def _table(reader: Reader, wrap: Element, position: int) -> Float:
    tables = [wrap] if wrap.tag == "table" else [*wrap.iterfind("table"), *wrap.iterfind("alternatives/table")]
    rows = tuple(row for table in tables or wrap.iterfind("array") for row in read_rows(reader, table))
    notes = [note for foot in wrap.iterfind("table-wrap-foot") for child in foot for note in _notes(child)]
    return Float(
        kind="table",
        label=_label(reader, wrap),
        caption=_caption(reader, wrap),
        rows=rows,
        footnotes=tuple(filter(None, map(reader.line, notes))),
        position=position,
    )


def _notes(element: Element) -> list[Element]:
    return [note for child in element for note in _notes(child)] if element.tag == "fn-group" else [element]


def _captioned(reader: Reader, element: Element, position: int) -> Float:
    """Read a figure, supplement or group: label, caption, and attribution as a footnote."""
    media = element.find("media") if element.tag == "supplementary-material" else None
    label, caption = _label(reader, element), _caption(reader, element)
    if media is not None:
        label, caption = label or _label(reader, media), "\n".join(filter(None, [caption, _caption(reader, media)]))
    sources = tuple(line for child in element.iterfind("attrib") for line in reader.lines(child))
    return Float(
        kind=_KINDS.get(element.tag, "figure"), label=label, caption=caption, footnotes=sources, position=position
    )


def _label(reader: Reader, element: Element) -> str:
    return reader.line(element.find("label"))


def _caption(reader: Reader, element: Element) -> str:
    """Return title and paragraphs of a caption, one a line."""
    lines: list[str] = []
    for child in element:
        if child.tag in ("caption", "p", "statement"):
            lines += reader.lines(child)
    return "\n".join(lines)
