"""Rendered texts of a whole batch in profile `clean`: `corpus.text.render.render` in compiled code.

A record becomes a row of pieces (title, parts of the abstract, headings, paragraphs, list items, captions), each a span
of bytes; one pass writes them with white space made plain. What the pass does not do itself it hands back: text with
characters that Unicode's NFC, white space or invisible marks could touch. For those records `render` is asked; for all
others the two agree byte for byte, which a test shows. A paragraph that begins like a publisher's stock sentence, as
13 % of articles have one, is looked at alone.
"""

import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.columns import among, equals, list_fields, list_places, list_rows, numbers, string_spans
from corpus.arrays.types import Mask, Octets
from corpus.records import BlockKind
from corpus.text.abstracts import are_printed
from corpus.text.boilerplate import DEFAULT_KEPT, body_cap, cap_of, is_stock, part_cap
from corpus.text.boilerplate_kernels import leave_out, stock_suspects
from corpus.text.fold_kernels import fold_table, folded
from corpus.text.letters import FOLDS
from corpus.text.render import CAPTIONED, NO_LABEL, plain_lines
from corpus.text.render_kernels import (
    ADMINISTRATIVE,
    CAPTION,
    HEADING,
    ITEM,
    PARAGRAPH,
    PART,
    TITLE,
    Counts,
    bytes_for,
    render_spans,
)
from corpus.text.section_kinds import section_kind
from corpus.text.sections import sections_of
from corpus.text.title_notes import without_notes

_BLOCKS: Final = {BlockKind.HEADING: HEADING, BlockKind.LIST_ITEM: ITEM}
# A piece of a record's text. By place it stands in the record; the other fields are a span of `render_kernels`.
_PIECE: Final = np.dtype(
    [(name, "<i8") for name in ("record", "place", "kind", "depth", "start", "end", "label", "label_end")]
)
_PLAIN_POINTS: Final = 0x3000  # beyond it, and for marks that combine, `render` is asked


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedTexts:
    """The texts of a batch; a record that is handed back or not wanted has an empty one here."""

    texts: pa.StringArray  # [num_records]
    num_words: Counts  # [num_records], runs without white space
    handed_back: Mask  # [num_records]
    sections: pa.ListArray  # [num_records] of `Section`


def render_batch(
    batch: pa.RecordBatch,
    *,
    floats: str,
    kept: Collection[str] = DEFAULT_KEPT,
    without: Collection[str] = (),
    wanted: Mask | None = None,
    min_words: int = 0,
) -> RenderedTexts:
    """Return the `clean` text of every record of a batch; floats, kept, without: as of `render`, but not "tables".

    Records that are not wanted (bool[num_records]) are not read, and texts of fewer words are counted and left empty.
    """
    wanted = np.ones(batch.num_rows, np.bool_) if wanted is None else wanted
    pieces = _pieces(batch, kinds=CAPTIONED[floats], kept=frozenset(kept), without=frozenset(without))
    plain, no_labels = _plain_points(), _no_labels()
    leave_out(pieces.data, pieces.spans, pieces.starts, _stock(pieces))
    texts = np.empty(bytes_for(pieces.data, pieces.spans), np.uint8)
    written = np.zeros((len(pieces.spans), 2), np.int64)
    offsets, words, bad = render_spans(
        pieces.data, pieces.spans, pieces.starts, wanted, min_words, plain, no_labels, texts, written
    )
    values = pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(texts[: offsets[-1]])
    return RenderedTexts(
        texts=pa.StringArray.from_buffers(batch.num_rows, *values),
        num_words=words,
        handed_back=bad,
        sections=sections_of(
            texts,
            offsets,
            written,
            spans=pieces.spans,
            places=pieces.places,
            starts=pieces.starts,
            lengths=pieces.lengths,
        ),
    )


def _stock(pieces: "_PieceTable") -> Counts:
    """Return the pieces that are a publisher's stock sentence and nothing else, in ascending order."""
    suspects = stock_suspects(pieces.data, pieces.spans)
    texts = (pieces.data[start:end].tobytes().decode() for start, end in pieces.spans[suspects, 2:4].tolist())
    return suspects[np.array([is_stock(plain_lines(text)) for text in texts], np.bool_)]


@dataclass(frozen=True, kw_only=True, slots=True)
class _PieceTable:
    data: Octets
    spans: Counts  # [num_pieces, 6]: kind, depth, start, end, label start, label end; positions in data
    starts: Counts  # [num_records + 1]
    places: Counts  # [num_pieces] in the record: 0 of title and abstract, even numbers of blocks, odd ones of captions
    lengths: Counts  # [num_records] of the bodies [blocks]


class _Spans:
    """Collects the bytes of several Arrow columns as one array, and the spans of their strings in it."""

    def __init__(self) -> None:
        self._buffers: list[Octets] = []
        self._length = 0

    def add(self, column: pa.Array) -> tuple[Counts, Counts]:
        """Return (starts, ends) of the strings of a column; null counts as empty."""
        if column.null_count:
            column = pc.fill_null(column, "")
        octets, bounds = string_spans(column)
        octets, bounds = folded(octets[bounds[0] : bounds[-1]], bounds.astype(np.int64) - int(bounds[0]), fold_table())
        self._buffers.append(octets)
        bounds = bounds + self._length
        self._length += len(self._buffers[-1])
        return bounds[:-1], bounds[1:]

    def data(self) -> Octets:
        return np.concatenate([np.zeros(0, np.uint8), *self._buffers])


def _pieces(
    batch: pa.RecordBatch, *, kinds: frozenset[str], kept: frozenset[str], without: frozenset[str]
) -> _PieceTable:
    """Return the pieces of all records, in the order in which their text holds them; kinds: of floats."""
    spans = _Spans()
    title = without_notes(batch.column("title"))
    starts, ends = spans.add(title)
    other_starts, other_ends = spans.add(batch.column("vernacular_title"))
    own = ends > starts
    starts, ends = np.where(own, starts, other_starts), np.where(own, ends, other_ends)
    tables = [_table(starts, ends, record=np.arange(batch.num_rows), place=0, kind=TITLE)]
    tables.append(_abstract_pieces(batch.column("abstracts"), spans, kept))
    body, lengths = _body_pieces(batch.column("body"), spans, kept, without)
    tables.append(body)
    if kinds:
        tables.append(_caption_pieces(batch.column("floats"), lengths, spans, kinds))
    table = np.concatenate(tables)
    # A caption stands before the block of its position: it sorts there by an odd and the block by an even number.
    table = table[np.lexsort((np.arange(len(table)), table["place"], table["record"]))]
    bounds = np.searchsorted(table["record"], np.arange(batch.num_rows + 1))
    columns = table.view(np.int64).reshape(len(table), _PIECE.itemsize // 8)
    return _PieceTable(
        data=spans.data(),
        spans=np.ascontiguousarray(columns[:, 2:]),
        starts=bounds,
        places=table["place"],
        lengths=lengths,
    )


def _table(
    starts: Counts,
    ends: Counts,
    *,
    record: Counts,
    place: Counts | int,
    kind: Counts | int,
    depth: Counts | int = 0,
    label: Counts | int = 0,
    label_end: Counts | int = 0,
) -> np.ndarray:
    """Return _PIECE[num_pieces]: record, place in it, and the six columns of a span."""
    table = np.zeros(len(starts), _PIECE)
    table["record"] = record
    table["place"] = place
    table["kind"] = kind
    table["depth"] = depth
    table["start"] = starts
    table["end"] = ends
    table["label"] = label
    table["label_end"] = label_end
    return table


def _abstract_pieces(column: pa.ListArray, spans: _Spans, kept: frozenset[str]) -> np.ndarray:
    fields = list_fields(column)
    starts, ends = spans.add(fields["text"])
    label, label_end = spans.add(fields["label"])
    table = _table(starts, ends, record=list_rows(column), place=0, kind=PART, label=label, label_end=label_end)
    stays = are_printed(column)
    capped = np.flatnonzero(caps := _caps(fields["label"], part_cap, kept))
    if len(capped):
        lengths = numbers(pc.utf8_length(fields["text"].take(pa.array(capped))))
        stays[capped[lengths <= caps[capped]]] = False
    return table[stays]


def _body_pieces(
    column: pa.ListArray, spans: _Spans, kept: frozenset[str], without: frozenset[str]
) -> tuple[np.ndarray, Counts]:
    """Return the pieces of the bodies, and the number of blocks of each."""
    fields, rows = list_fields(column), list_rows(column)
    starts, ends = spans.add(fields["text"])
    kinds = np.full(len(rows), PARAGRAPH)
    for name, kind in _BLOCKS.items():
        kinds[equals(fields["kind"], name)] = kind
    headings = np.flatnonzero(kinds == HEADING)
    caps = np.zeros(len(rows), np.int64)
    caps[headings] = _caps(fields["text"].take(pa.array(headings)), cap_of, kept)
    if without:
        high = headings[fields["depth"].to_numpy()[headings] <= 1]
        unwanted = _caps(fields["text"].take(pa.array(high)), _unwanted, without)
        caps[high] = np.maximum(caps[high], unwanted)
    kinds[caps > 0] = ADMINISTRATIVE
    place = 2 * list_places(column) + 2
    label, label_end = spans.add(fields["mark"])
    depth = np.where(kinds == ITEM, fields["level"].to_numpy(), fields["depth"].to_numpy())
    label = np.where(kinds == ADMINISTRATIVE, caps, label)
    table = _table(starts, ends, record=rows, place=place, kind=kinds, depth=depth, label=label, label_end=label_end)
    return table, np.bincount(rows, minlength=len(column))


def _unwanted(heading: str, without: Collection[str]) -> int:
    return body_cap(heading, 0, (), without) if section_kind(heading) in without else 0


def _caps(headings: pa.Array, cap: Callable[[str, Collection[str]], int], kept: frozenset[str]) -> Counts:
    """Return `cap_of` or `part_cap` of each heading or label; each distinct one is looked at once."""
    coded = headings.dictionary_encode()
    distinct = np.array([cap(text or "", kept) for text in coded.dictionary.to_pylist()], np.int64)
    return distinct[coded.indices.fill_null(0).to_numpy()] if len(distinct) else np.zeros(len(headings), np.int64)


def _caption_pieces(column: pa.ListArray, lengths: Counts, spans: _Spans, kinds: frozenset[str]) -> np.ndarray:
    fields, rows = list_fields(column), list_rows(column)
    starts, ends = spans.add(fields["caption"])
    label, label_end = spans.add(fields["label"])
    cited = fields["cited"].to_numpy()
    position = np.where(cited >= 0, cited, fields["position"].to_numpy())
    inside = (position >= 0) & (position < lengths[rows])
    place = 2 * np.where(inside, position, lengths[rows]) + 1
    table = _table(starts, ends, record=rows, place=place, kind=CAPTION, label=label, label_end=label_end)
    return table[among(fields["kind"], sorted(kinds))]


@cache
def _plain_points() -> Mask:
    """Return for each code point below `_PLAIN_POINTS` whether a line may hold it as it is.

    A text of nothing but characters that are in NFC alone and never combine is in NFC.
    """
    plain = np.zeros(_PLAIN_POINTS, np.bool_)
    for point in range(_PLAIN_POINTS):
        letter = chr(point)
        alone = unicodedata.category(letter)[0] not in "MC" and unicodedata.is_normalized("NFC", letter)
        plain[point] = alone and not letter.isspace() and letter not in FOLDS and not 0x1100 <= point < 0x1200
    plain[[0x131, 0x17F]] = False  # capital letters of these are ASCII, where labels are compared
    plain[:128] = [letter in " \t\n\r" or letter.isprintable() for letter in map(chr, range(128))]
    return plain


@cache
def _no_labels() -> Octets:
    """Return NLM's stand-ins for "no label", uint8[num_words, width], padded with zeros."""
    words = sorted(word for word in NO_LABEL if word)
    width = max(map(len, words))
    return np.frombuffer(b"".join(word.encode().ljust(width, b"\0") for word in words), np.uint8).reshape(-1, width)
