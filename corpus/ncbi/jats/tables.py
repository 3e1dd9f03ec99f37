"""Table reader: the rows of one table, cell by cell as written with their spans.

Nothing is filled in, so no number appears where none was. Rows of a foot come last, wherever the XML has them.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise, repeat

import numpy as np

from corpus.ncbi.jats.accounts import UNREAD
from corpus.ncbi.jats.body import BodyReader
from corpus.ncbi.jats.table_cells import find_cells
from corpus.ncbi.markup.attributes import parse_attributes
from corpus.records import Cell

_MAX_SPAN = 1000  # HTML's own limit for columns; larger numbers are typing errors


def read_rows(reader: BodyReader, table: int, *, beside: int = 0) -> tuple[tuple[Cell, ...], ...]:
    """Return the rows of a table (XHTML or CALS) in reading order.

    beside: the solid characters of it that the caller reads, such as those of an HTML caption.
    """
    doc = reader.doc
    found = find_cells(doc, table)
    starts, ends = found.places[:2].tolist()
    text = doc.text
    texts = [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    marked, elements = _special(found.places, 3)
    if marked:
        outer, reader.in_cell = reader.in_cell, True
        for index, element in zip(marked, elements, strict=True):
            texts[index] = reader.line(element)
        reader.in_cell = outer
    rowspans: Iterable[int] = repeat(1)
    colspans: Iterable[int] = repeat(1)
    spanning, elements = _special(found.places, 4)
    if spanning:
        columns = tuple(str(doc.attributes(spec).get("colname")) for spec in doc.descendants(table, "colspec"))
        rowspans, colspans = [1] * len(texts), [1] * len(texts)
        for index, element in zip(spanning, elements, strict=True):
            rowspans[index], colspans[index] = _spans(doc.start_tag(element), columns)
    cells = list(map(Cell, texts, rowspans, colspans, found.heads.tolist()))
    if unread := doc.solid(table) - found.solid - beside:
        reader.accounts.move(UNREAD, unread)
    rows = [tuple(cells[start:end]) for start, end in pairwise(found.bounds.tolist())]
    groups = found.groups.tolist()
    return tuple(
        rows
        if groups == sorted(groups)
        else [rows[place] for place in sorted(range(len(rows)), key=groups.__getitem__)]
    )


def _special(places: np.ndarray, row: int) -> tuple[list[int], list[int]]:
    """Return which cells have something that a row of `Cells.places` tells of, by index, and their elements."""
    found = np.flatnonzero(places[row])
    return found.tolist(), places[2, found].tolist()


@lru_cache(maxsize=1 << 12)
def _spans(start_tag: bytes, columns: tuple[str, ...]) -> tuple[int, int]:
    """Return the rows and columns of a cell, XHTML (td, th) or CALS (entry)."""
    attributes = parse_attributes(start_tag)
    first, last, more = attributes.get("namest"), attributes.get("nameend"), attributes.get("morerows")
    rowspan = _span(more, least=0) + 1 if more else _span(attributes.get("rowspan"))
    if first in columns and last in columns:
        return rowspan, max(1, columns.index(last) - columns.index(first) + 1)
    return rowspan, _span(attributes.get("colspan"))


def _span(text: str | None, *, least: int = 1) -> int:
    """Return a span as written, 1 for one that says nothing usable."""
    if text is None or text == "1":
        return 1
    text = text.strip()
    number = int(text[:9]) if text.isascii() and text.isdecimal() else least
    return min(max(number, least), _MAX_SPAN)
