"""Rendering profiles: from a `Record` to the text a model reads. A pure function; nothing is looked up or invented.

`clean`, the only one that is made of records (that of The Pile is made of the XML, `corpus.pile`):

    title                               as NLM writes it, brackets of translated titles included, its notes apart
    LABEL: abstract part                the main abstract, of a citation without one an English other one
    ## Heading                          one # more than the number of enclosing sections
    paragraph                           so are quotes and display formulas; a blank line between all of these
    - list item                         items of one list on consecutive lines
    2. list item                        its number or letter where it has one, or its list's type gives one
       a. list item                     a list inside it below the beginning of its text
    Figure 1. caption                   captions of figures, and boxes, behind the paragraph that cites them first;
                                        where they stood in the XML when none does
    Table 1. caption                    captions of tables, when asked for
    a | b | c                           rows of a table, when asked for: an empty cell stays empty, spans are not filled

Left out: captions of tables unless asked for, table footnotes, supplement captions, back matter, keywords, copyright
lines, sections of the body about the paper's making (`corpus.text.boilerplate`), publishers' sentences about
supplementary material where they are a whole paragraph, and headings over nothing. White space is one space within a
line; letters are in Unicode NFC and folded as `corpus.text.letters` says, which keeps ², ₂ and Greek apart.
"""

from collections.abc import Collection, Container, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from corpus.errors import UsageError
from corpus.records import AbstractPart, Block, BlockKind, Float, Record
from corpus.text.abstracts import printed_parts
from corpus.text.boilerplate import DEFAULT_KEPT, is_stock, left_out, part_cap
from corpus.text.letters import tidy_letters
from corpus.text.section_kinds import ABSTRACT, CAPTIONS, Section, section_kind
from corpus.text.title_notes import without_note

# The profiles made from records, and the columns that each of them reads.
RENDERED = {"clean": ("title", "vernacular_title", "abstracts", "body", "floats")}

# The kinds of floats that the text has, by the option.
CAPTIONED = {
    "none": frozenset[str](),
    "figures": frozenset({"figure", "box"}),
    "captions": frozenset({"figure", "box", "table"}),
    "tables": frozenset({"figure", "box", "table"}),
}
DEEPEST_LIST, WIDEST_MARK = 7, 8  # indentation goes no further, for one nested more deeply or with a longer mark
NO_LABEL = frozenset({"", "UNLABELLED", "UNLABELED", "UNASSIGNED", "ABSTRACT"})
_MAX_HEADING = 6
_BULLET = len("- ")
_DEEPEST = 1 << 30  # no section is nested as deeply
_BETWEEN = "\n\n"  # pieces of a text
_TITLE, _ABSTRACT, _BODY = range(3)  # numbers of sections; those of the body go on from there
_BEHIND = -1  # number of the captions behind the body


def render(
    record: Record,
    profile: str = "clean",
    *,
    floats: str = "figures",
    kept: Collection[str] = DEFAULT_KEPT,
    without: Collection[str] = (),
) -> str:
    """Return a record as text without a trailing newline, "" for a record without any.

    `floats` says what `clean` keeps of figures and tables: "none", "figures" for captions of figures, "captions" for
    those of tables too, "tables" for their rows too; `kept` which of the optional kinds of sections
    (`corpus.text.headings.OPTIONAL`) stay; `without` which kinds (`corpus.text.section_kinds`) of the body go.
    Raises UsageError for a profile that does not exist.
    """
    return render_sections(record, profile, floats=floats, kept=kept, without=without)[0]


def render_sections(
    record: Record,
    profile: str = "clean",
    *,
    floats: str = "figures",
    kept: Collection[str] = DEFAULT_KEPT,
    without: Collection[str] = (),
) -> tuple[str, tuple[Section, ...]]:
    """Return what `render` returns, and the sections of a text that has a body, in their order."""
    if profile not in RENDERED:
        raise UsageError(f"profile {profile!r}: does not exist; choose one of {', '.join(RENDERED)}")
    title = _line(without_note(record.title) if tidy_letters(record.title) else record.vernacular_title)
    pieces = [_TextPiece(title, _TITLE)]
    pieces += [_TextPiece(_abstract_part(part, kept), _ABSTRACT) for part in printed_parts(record.abstracts)]
    pieces += _body(record, floats, kept, without)
    pieces = [piece for piece in pieces if piece.text]
    text = _BETWEEN.join(piece.text for piece in pieces)
    return text, tuple(_sections(pieces)) if record.body else ()


class _TextPiece(NamedTuple):
    """A piece of a text, the number of the section that it is in, and whether it is that section's heading."""

    text: str
    section: int
    heads: bool = False


def _sections(pieces: Sequence[_TextPiece]) -> Iterator[Section]:
    """Yield the sections of a text of pieces, but for its title."""
    start = 0
    for number, members in groupby(pieces, key=lambda piece: piece.section):
        own = list(members)
        end = start + sum(len(piece.text) for piece in own) + len(_BETWEEN) * (len(own) - 1)
        title = own[0].text.partition(" ")[2] if own[0].heads else ""
        kind = {_ABSTRACT: ABSTRACT, _BEHIND: CAPTIONS}.get(number) or (section_kind(title) if title else "")
        if number != _TITLE:
            yield Section(kind=kind, title=title, start=start, end=end)
        start = end + len(_BETWEEN)


def _abstract_part(part: AbstractPart, kept: Collection[str]) -> str:
    """Return one part as `LABEL: text`; NLM's stand-ins for "no label" are not printed."""
    if (cap := part_cap(part.label, kept)) > 0 and len(part.text) <= cap:
        return ""
    label, text = _line(part.label).rstrip(": "), plain_lines(part.text)
    if is_stock(text):
        return ""
    if not text or label.upper() in NO_LABEL:
        return text
    return f"{label} {text}" if label[-1] in "?!" else f"{label}: {text}"


def _body(record: Record, floats: str, kept: Collection[str], without: Collection[str]) -> Iterator[_TextPiece]:
    """Yield the pieces of the body with captions among them; those from outside it that it does not cite come last."""
    captions = captions_by_block(record, floats)
    items: list[str] = []
    section = _BODY
    for index, text in enumerate(block_texts(record.body, captions, kept, without)):
        block = record.body[index]
        listed = block.kind is BlockKind.LIST_ITEM
        if items and (not listed or index in captions):
            yield _TextPiece("\n".join(items), section)
            items = []
        yield from (_TextPiece(caption, section) for caption in captions.get(index, ()))
        heads = block.kind is BlockKind.HEADING and block.depth <= 1
        section += heads
        if not listed:
            yield _TextPiece(text, section, heads)
        elif text:
            items.append(text)
    yield _TextPiece("\n".join(items), section)
    yield from (_TextPiece(caption, _BEHIND) for caption in captions.get(len(record.body), ()))


def captions_by_block(record: Record, floats: str) -> dict[int, list[str]]:
    """Return the captions that the text has: index of the block before which they stand, that behind the last too."""
    captions: dict[int, list[str]] = {}
    for item in record.floats:
        text = _float(item, rows=floats == "tables") if item.kind in CAPTIONED[floats] else ""
        if text:
            place = item.cited if item.cited >= 0 else item.position
            captions.setdefault(place if 0 <= place < len(record.body) else len(record.body), []).append(text)
    return captions


def block_texts(
    body: Sequence[Block], captions: Container[int], kept: Collection[str], without: Collection[str]
) -> list[str]:
    """Return the text of every block, "" for those of administrative sections and for headings over nothing.

    Headings are decided from the end on: by then it is known whether anything stands below them.
    """
    gone, indents = left_out(body, kept, without), _Indents()
    texts = ["" if index in gone else _block(block, indents) for index, block in enumerate(body)]
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


class _Indents:
    """How far the texts of the list items stand in that a nested list is in: by level, the last one's mark."""

    def __init__(self) -> None:
        self._widths: list[int] = []

    def take(self, level: int, mark: str) -> str:
        """Return the white space before an item with a mark, and remember the mark for the lists inside it."""
        level = min(max(level, 0), DEEPEST_LIST)
        self._widths = [*self._widths, *[_BULLET] * level][:level]
        indent = " " * sum(self._widths)
        self._widths.append(min(len(mark) + 1, WIDEST_MARK) if mark else _BULLET)
        return indent


def _block(block: Block, indents: _Indents) -> str:
    if block.kind is BlockKind.HEADING:
        text = _line(block.text)
        return f"{'#' * min(max(block.depth, 1) + 1, _MAX_HEADING)} {text}" if text else ""
    if block.kind is BlockKind.LIST_ITEM:
        return _item(block, indents)
    text = plain_lines(block.text, markup=block.kind is not BlockKind.PREFORMAT)
    return "" if is_stock(text) else text


def _item(block: Block, indents: _Indents) -> str:
    text, mark = _line(block.text), _line(block.mark)
    if not text:
        return ""
    own = f"{text} ".startswith(f"{mark} ")  # a label, or a number that somebody has written out
    return indents.take(block.level, mark) + (text if mark and own else f"{mark or '-'} {text}")


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
    return " ".join(tidy_letters(text).split())


def plain_lines(text: str, *, markup: bool = True) -> str:
    """Return text with tidy letters, white space made plain and empty lines left out."""
    text = tidy_letters(text, markup=markup)
    if "\n" not in text:
        return " ".join(text.split())
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))
