"""Rendering profiles: from a `Record` to the text a model reads. A pure function; nothing is looked up or invented.

`clean`, the only one that is made of records (that of The Pile is made of the XML, `corpus.pile`):

    title                               as NLM writes it, brackets of translated titles included
    LABEL: abstract part                the main abstract only; other languages and types stay in the record
    ## Heading                          one # more than the number of enclosing sections
    paragraph                           so are quotes and display formulas; a blank line between all of these
    - list item                         items of one list on consecutive lines
    Table 1. caption                    captions of figures, tables and boxes where they stood
    a | b | c                           rows of a table, when asked for: an empty cell stays empty, spans are not filled

Left out: table footnotes, supplement captions, back matter, keywords, copyright lines, sections of the body about the
paper's making (`corpus.text.boilerplate`), publishers' sentences about supplementary material where they are a whole
paragraph, and headings over nothing. White space is one space within a line; letters are in Unicode
NFC, which keeps ², µ and Greek apart; invisible soft hyphens and zero-width marks are removed, for they split words
that no reader sees split.
"""

import re
import unicodedata
from collections.abc import Container, Iterator, Sequence

from corpus.errors import UsageError
from corpus.records import AbstractPart, Block, BlockKind, Float, Record
from corpus.text.boilerplate import is_stock, left_out

# The profiles made from records, and the columns that each of them reads.
RENDERED = {"clean": ("title", "vernacular_title", "abstracts", "body", "floats")}

CAPTIONED = frozenset({"figure", "table", "box"})
NO_LABEL = frozenset({"", "UNLABELLED", "UNLABELED", "UNASSIGNED", "ABSTRACT"})
INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_MAX_HEADING = 6
_DEEPEST = 1 << 30  # no section is nested as deeply


def render(record: Record, profile: str = "clean", *, floats: str = "captions") -> str:
    """Return a record as text without a trailing newline, "" for a record without any.

    `floats` says what `clean` keeps of figures and tables: "none", "captions", or "tables" for captions and rows.
    Raises UsageError for a profile that does not exist.
    """
    if profile not in RENDERED:
        raise UsageError(f"profile {profile!r}: does not exist; choose one of {', '.join(RENDERED)}")
    pieces = [_line(record.title or record.vernacular_title)]
    pieces += [_abstract_part(part) for part in record.abstracts if part.type == "main"]
    pieces += _body(record, floats)
    return "\n\n".join(piece for piece in pieces if piece)


def _abstract_part(part: AbstractPart) -> str:
    """Return one part as `LABEL: text`; NLM's stand-ins for "no label" are not printed."""
    label, text = _line(part.label).rstrip(": "), plain_lines(part.text)
    if is_stock(text):
        return ""
    if not text or label.upper() in NO_LABEL:
        return text
    return f"{label}: {text}"


def _body(record: Record, floats: str) -> Iterator[str]:
    """Yield the pieces of the body with captions where they stood; those from outside it come last."""
    captions: dict[int, list[str]] = {}
    for item in record.floats if floats != "none" else ():
        text = _float(item, rows=floats == "tables")
        if item.kind in CAPTIONED and text:
            inside = 0 <= item.position < len(record.body)
            captions.setdefault(item.position if inside else len(record.body), []).append(text)
    items: list[str] = []
    for index, text in enumerate(_texts(record.body, captions)):
        listed = record.body[index].kind is BlockKind.LIST_ITEM
        if items and (not listed or index in captions):
            yield "\n".join(items)
            items = []
        yield from captions.get(index, ())
        if not listed:
            yield text
        elif text:
            items.append(text)
    yield "\n".join(items)
    yield from captions.get(len(record.body), ())


def _texts(body: Sequence[Block], captions: Container[int]) -> list[str]:
    """Return the text of every block, "" for those of administrative sections and for headings over nothing.

    Headings are decided from the end on: by then it is known whether anything stands below them.
    """
    gone = left_out(body)
    texts = ["" if index in gone else _block(block) for index, block in enumerate(body)]
    filled = -1  # headings down to this depth have something below them
    for index in range(len(body) - 1, -1, -1):
        block = body[index]
        if block.kind is not BlockKind.HEADING:
            filled = _DEEPEST if texts[index] else filled
        elif block.depth > filled:
            texts[index] = ""
        elif texts[index]:
            filled = block.depth - 1
        if index in captions:  # they stand before the block
            filled = _DEEPEST
    return texts


def _block(block: Block) -> str:
    if block.kind is BlockKind.HEADING:
        text = _line(block.text)
        return f"{'#' * min(max(block.depth, 1) + 1, _MAX_HEADING)} {text}" if text else ""
    if block.kind is BlockKind.LIST_ITEM:
        text = _line(block.text)
        return f"- {text}" if text else ""
    text = plain_lines(block.text)
    return "" if is_stock(text) else text


def _float(item: Float, *, rows: bool) -> str:
    """Return a caption, and the rows of a table below it when they are asked for."""
    lines = [_caption(item)] if item.caption else []
    if rows:
        cells = ([_line(cell.text) for cell in row] for row in item.rows)
        lines += [" | ".join(row) for row in cells if any(row)]
        if item.rows and not item.caption and item.label:
            lines.insert(0, _line(item.label))
    return "\n".join(lines)


def _caption(item: Float) -> str:
    label, caption = _line(item.label), plain_lines(item.caption)
    if not label or not caption:
        return caption
    return f"{label} {caption}" if label[-1] in ".:" else f"{label}. {caption}"


def _line(text: str) -> str:
    """Return text as one normalised line."""
    return " ".join(_normalize(text).split())


def plain_lines(text: str) -> str:
    """Return text with every line in NFC, white space made plain and empty lines left out."""
    if "\n" not in text:
        return _line(text)
    return "\n".join(filter(None, map(_line, text.split("\n"))))


def _normalize(text: str) -> str:
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", INVISIBLE.sub("", text))
