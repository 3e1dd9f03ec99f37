"""Float reader: figures, tables and supplements, which stand beside the text, to `Float`s.

One float element comes in with the article's reader, which knows the rules of inline text; one or more
`Float`s go out (a group gives one for itself, if it has a caption, and one for each member). Rows are kept as
written, cell by cell with their spans: nothing is filled in, so no number appears where none was.
Captions of several paragraphs have one line each.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise, repeat

from corpus.ncbi.jats.accounts import UNREAD
from corpus.ncbi.jats.body import BodyReader
from corpus.ncbi.jats.table_cells import find_cells
from corpus.ncbi.markup.attributes import parse_attributes
from corpus.ncbi.markup.document import Markup
from corpus.records import Cell, Float

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
_HOLDING = ("fig", "fig-group", "table-wrap-group")
_READ = frozenset(
    ["label", "caption", "p", "statement", "attrib", "table", "alternatives", "array", "table-wrap-foot", "media"]
)
_LEFT_OUT = {
    "alt-text": "alt_text",
    "long-desc": "alt_text",
    "graphic": "alt_text",
    "object-id": "index_terms",
    "permissions": "permissions",
    **dict.fromkeys(("thead", "tbody", "tfoot", "tr", "tgroup"), "floats"),  # of a bare table
}
_MAX_SPAN = 1000  # HTML's own limit for columns; larger numbers are typing errors


def read_float(reader: BodyReader, element: int) -> list[Float]:
    """Return the floats of an element: itself, unless it says nothing, and its members."""
    position, first = reader.position(), len(reader.floats)
    children = reader.doc.children(element)
    is_table = _KINDS.get(reader.doc.tag_names[element]) == "table"
    own = (_table if is_table else _captioned)(reader, element, children, position)
    nested = reader.floats[first:]  # found inside a caption or a cell
    del reader.floats[first:]
    found = [own] if own.label or own.caption or own.rows or own.footnotes else []
    members = _members(reader, element, children)
    for member in members:
        found += read_float(reader, member)
    _account(reader, element, children, members)
    return found + nested


def _account(reader: BodyReader, element: int, children: list[int], members: list[int]) -> None:
    """Account for what stands in a float and is not read."""
    doc, others = reader.doc, reader.doc.solid(element)
    for child in children:
        others -= doc.solid(child)
        name = doc.tag_names[child]
        if name not in _READ and child not in members:
            reader.assign(child, _LEFT_OUT.get(name, UNREAD))
    if doc.tag_names[element] not in ("table", "media"):
        reader.accounts.move(UNREAD, others)


def read_outside(reader: BodyReader, group: int) -> None:
    """Read the floats that stand together outside the body; text among them becomes boxes."""
    names = reader.doc.tag_names
    for child in reader.doc.children(group):
        if names[child] in _KINDS and names[child] != "boxed-text":
            reader.floats += read_float(reader, child)
        elif lines := reader.lines(child):
            reader.floats.append(Float(kind="box", caption="\n".join(lines)))


def _members(reader: BodyReader, element: int, children: list[int]) -> list[int]:
    """Return the floats directly inside a float that are floats of their own."""
    doc = reader.doc
    name, names = doc.tag_names[element], doc.tag_names
    if name == "supplementary-material":
        first = doc.find(element, "media")  # its caption is the supplement's
        return [child for child in children if names[child] in _KINDS and child != first]
    return [child for child in children if names[child] in _KINDS] if name in _HOLDING else []


def read_rows(reader: BodyReader, table: int) -> tuple[tuple[Cell, ...], ...]:
    """Return the rows of a table (XHTML or CALS) in reading order."""
    doc = reader.doc
    places, heads, bounds, solid = find_cells(doc, table)
    starts, ends, elements, marked, spanning = places.tolist()
    text = doc.text
    texts = [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    if any(marked):
        outer, reader.in_cell = reader.in_cell, True
        for index, special in enumerate(marked):
            if special:
                texts[index] = reader.line(elements[index])
        reader.in_cell = outer
    rowspans: Iterable[int] = repeat(1)
    colspans: Iterable[int] = repeat(1)
    if any(spanning):
        columns = tuple(str(doc.attributes(spec).get("colname")) for spec in doc.descendants(table, "colspec"))
        spans = [
            _spans(doc.start_tag(element), columns) if special else (1, 1)
            for element, special in zip(elements, spanning, strict=True)
        ]
        rowspans, colspans = zip(*spans, strict=True)
    cells = list(map(Cell, texts, rowspans, colspans, heads.tolist()))
    if unread := doc.solid(table) - solid:
        reader.accounts.move(UNREAD, unread)
    return tuple(tuple(cells[start:end]) for start, end in pairwise(bounds.tolist()))


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


def _table(reader: BodyReader, wrap: int, children: list[int], position: int) -> Float:
    doc, names = reader.doc, reader.doc.tag_names
    tables = [wrap] if names[wrap] == "table" else _find_tables(doc, wrap)
    rows = tuple([row for table in tables for row in read_rows(reader, table)])
    for forms in [child for child in children if names[child] == "alternatives"]:
        tables_in = sum(doc.solid(table) for table in doc.find_all(forms, "table"))
        reader.accounts.move("duplicate_forms", doc.solid(forms) - tables_in)
    notes = [note for child in children if names[child] == "table-wrap-foot" for note in _notes(doc, child)]
    return Float(
        kind="table",
        label=_label(reader, wrap),
        caption=_caption(reader, children),
        rows=rows,
        footnotes=tuple(filter(None, map(reader.line, notes))),
        position=position,
    )


def _find_tables(doc: Markup, wrap: int) -> list[int]:
    found = doc.find_all(wrap, "table")
    for forms in doc.find_all(wrap, "alternatives"):
        found += doc.find_all(forms, "table")
    return found or doc.find_all(wrap, "array")


def _notes(doc: Markup, element: int) -> list[int]:
    """Return the notes in a table's foot, those of groups one by one."""
    return [
        note
        for child in doc.children(element)
        for note in (_notes(doc, child) if doc.tag_names[child] == "fn-group" else [child])
    ]


def _captioned(reader: BodyReader, element: int, children: list[int], position: int) -> Float:
    """Read a figure, supplement or group: label, caption, and attribution as a footnote."""
    doc = reader.doc
    name = doc.tag_names[element]
    media = doc.find(element, "media") if name == "supplementary-material" else -1
    label, caption = _label(reader, element), _caption(reader, children)
    if media >= 0:
        inner = _caption(reader, doc.children(media))
        label, caption = label or _label(reader, media), "\n".join(filter(None, [caption, inner]))
    sources = tuple(line for child in children if doc.tag_names[child] == "attrib" for line in reader.lines(child))
    return Float(kind=_KINDS.get(name, "figure"), label=label, caption=caption, footnotes=sources, position=position)


def _label(reader: BodyReader, element: int) -> str:
    return reader.line(reader.doc.find(element, "label"))


def _caption(reader: BodyReader, children: list[int]) -> str:
    """Return title and paragraphs of a float's caption, one a line."""
    lines: list[str] = []
    for child in children:
        if reader.doc.tag_names[child] in ("caption", "p", "statement"):
            lines += reader.lines(child)
    return "\n".join(lines)
