"""Pieces of a record's text, each with the rule of the profile `clean` that takes it: evidence for these rules.

Where `render` writes what stays, this says of everything that a record holds in words whether it stays, and why not: of
titles, abstracts, body, captions, table footnotes, back matter, and notices that were cut from abstracts. Cells of
tables are none. A piece is the text alone, without labels, marks and signs of headings.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from corpus.records import Block, BlockKind, Record
from corpus.text.abstracts import printed_parts
from corpus.text.boilerplate import DEFAULT_KEPT, is_stock, left_out, part_cap
from corpus.text.headings import kind_of
from corpus.text.letters import tidy_letters
from corpus.text.render import CAPTIONED, block_texts, captions_by_block, plain_lines

STOCK: Final = "stock sentence"
EMPTY_HEADING: Final = "heading over nothing"
OTHER_ABSTRACT: Final = "other abstract"
VERNACULAR: Final = "vernacular title"
NOTICE: Final = "notice of an abstract"
FOOTNOTE: Final = "float: footnote"
_ONE_LINE: Final = frozenset([BlockKind.HEADING, BlockKind.LIST_ITEM])


class RuledPiece(NamedTuple):
    """A text that a record holds, and the rule of `clean` that takes it, "" when it stays."""

    text: str  # plain: letters folded, white space single, lines parted by "\n" as `render` writes them
    rule: str
    heading: bool = False  # of a section of the body or the back matter


def pieces_of(record: Record, *, floats: str = "figures") -> Iterator[RuledPiece]:
    """Yield the pieces of a record that hold text; floats: as of `render`, whose other settings are the default ones.

    What `render` writes of the record is in the pieces without a rule, and nothing else is in them.
    """
    for piece in (*_title(record), *_abstracts(record), *_body(record, floats), *_floats(record, floats)):
        if piece.text:
            yield piece
    for part in record.back:
        for text, heading in ((plain_lines(part.title), True), (plain_lines(part.text), False)):
            if text:
                yield RuledPiece(text, f"back matter: {part.kind}", heading)
    if notice := plain_lines(record.copyright):
        yield RuledPiece(notice, NOTICE)


def _title(record: Record) -> Iterator[RuledPiece]:
    has_title = bool(tidy_letters(record.title))
    yield RuledPiece(_line(record.title), "")
    yield RuledPiece(_line(record.vernacular_title), VERNACULAR if has_title else "")


def _abstracts(record: Record) -> Iterator[RuledPiece]:
    printed = {id(part) for part in printed_parts(record.abstracts)}
    for part in record.abstracts:
        text = plain_lines(part.text)
        if id(part) not in printed:
            yield RuledPiece(text, OTHER_ABSTRACT)
        elif (cap := part_cap(part.label, DEFAULT_KEPT)) > 0 and len(part.text) <= cap:
            yield RuledPiece(text, f"part: {kind_of(part.label)}")
        else:
            yield RuledPiece(text, STOCK if is_stock(text) else "")


def _body(record: Record, floats: str) -> Iterator[RuledPiece]:
    gone = left_out(record.body)
    written = block_texts(record.body, captions_by_block(record, floats), DEFAULT_KEPT, ())
    for index, block in enumerate(record.body):
        if index in gone:
            rule = f"section: {gone[index]}"
        elif written[index]:
            rule = ""
        else:
            rule = EMPTY_HEADING if block.kind is BlockKind.HEADING else STOCK
        yield RuledPiece(_plain(block), rule, block.kind is BlockKind.HEADING)


def _plain(block: Block) -> str:
    if block.kind in _ONE_LINE:
        return _line(block.text)
    return plain_lines(block.text, markup=block.kind is not BlockKind.PREFORMAT)


def _floats(record: Record, floats: str) -> Iterator[RuledPiece]:
    for item in record.floats:
        yield RuledPiece(plain_lines(item.caption), "" if item.kind in CAPTIONED[floats] else f"float: {item.kind}")
        for note in item.footnotes:
            yield RuledPiece(plain_lines(note), FOOTNOTE)


def _line(text: str) -> str:
    return " ".join(plain_lines(text).split())
