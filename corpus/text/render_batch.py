"""Rendered texts of a whole batch in profile `clean`: `corpus.text.render.render` in compiled code.

A record becomes a row of pieces (title, parts of the abstract, headings, paragraphs, list items, captions), each a span
of bytes; one pass writes them with white space made plain. What the pass does not do itself it hands back: text with
characters that Unicode's NFC, white space or invisible marks could touch. For those records `render` is asked; for all
others the two agree byte for byte, which a test shows. A paragraph that begins like a publisher's stock sentence, as
13 % of articles have one, is looked at alone.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.records import BlockKind
from corpus.text.boilerplate import is_administrative, is_stock
from corpus.text.boilerplate_kernels import leave_out, stock_suspects
from corpus.text.render import CAPTIONED, INVISIBLE, NO_LABEL, plain_lines
from corpus.text.render_kernels import (
    ADMINISTRATIVE,
    CAPTION,
    HEADING,
    ITEM,
    PARAGRAPH,
    PART,
    TITLE,
    Counts,
    Octets,
    render_spans,
)

_BLOCKS: Final = {BlockKind.HEADING: HEADING, BlockKind.LIST_ITEM: ITEM}
_PLAIN_POINTS: Final = 0x3000  # beyond it, and for marks that combine, `render` is asked


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedTexts:
    """The texts of a batch; a record that is handed back or not wanted has an empty one here."""

    texts: pa.StringArray  # [num_records]
    num_words: Counts  # [num_records], runs without white space
    handed_back: npt.NDArray[np.bool_]  # [num_records]


def render_batch(
    batch: pa.RecordBatch, *, floats: str, wanted: npt.NDArray[np.bool_] | None = None, min_words: int = 0
) -> RenderedTexts:
    """Return the `clean` text of every record of a batch; floats: "captions" or "none".

    Records that are not wanted (bool[num_records]) are not read, and texts of fewer words are counted and left empty.
    """
    wanted = np.ones(batch.num_rows, np.bool_) if wanted is None else wanted
    pieces = _pieces(batch, captions=floats == "captions")
    plain, no_labels = _plain_points(), _no_labels()
    leave_out(pieces.data, pieces.spans, pieces.starts, _stock(pieces))
    data, offsets, words, bad = render_spans(
        pieces.data, pieces.spans, pieces.starts, wanted, min_words, plain, no_labels
    )
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data[: offsets[-1]])]
    return RenderedTexts(
        texts=pa.StringArray.from_buffers(batch.num_rows, buffers[1], buffers[2]), num_words=words, handed_back=bad
    )


def _stock(pieces: "_Pieces") -> Counts:
    """Return the pieces that are a publisher's stock sentence and nothing else, in ascending order."""
    suspects = stock_suspects(pieces.data, pieces.spans)
    texts = (pieces.data[start:end].tobytes().decode() for start, end in pieces.spans[suspects, 2:4].tolist())
    return suspects[np.array([is_stock(plain_lines(text)) for text in texts], np.bool_)]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pieces:
    data: Octets
    spans: Counts  # [num_pieces, 6]: kind, depth, start, end, label start, label end; positions in data
    starts: Counts  # [num_records + 1]


class _Spans:
    """Collects the bytes of several Arrow columns as one array, and the spans of their strings in it."""

    def __init__(self) -> None:
        self._buffers: list[Octets] = []
        self._length = 0

    def add(self, column: pa.Array) -> tuple[Counts, Counts]:
        """Return (starts, ends) of the strings of a column; null counts as empty."""
        if column.null_count:
            column = pc.fill_null(column, "")
        _, offsets, data = column.buffers()
        if not len(column) or data is None:
            return np.zeros(len(column), np.int64), np.zeros(len(column), np.int64)
        bounds = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1].astype(np.int64)
        self._buffers.append(np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]])
        bounds += self._length - bounds[0]
        self._length += len(self._buffers[-1])
        return bounds[:-1], bounds[1:]

    def data(self) -> Octets:
        return np.concatenate([np.zeros(0, np.uint8), *self._buffers])


def _pieces(batch: pa.RecordBatch, *, captions: bool) -> _Pieces:
    """Return the pieces of all records, in the order in which their text holds them."""
    spans = _Spans()
    title = batch.column("title")
    starts, ends = spans.add(title)
    other_starts, other_ends = spans.add(batch.column("vernacular_title"))
    own = ends > starts
    rows = np.arange(batch.num_rows)
    tables = [_table(rows, 0, TITLE, np.where(own, starts, other_starts), np.where(own, ends, other_ends))]
    tables.append(_abstract_pieces(batch.column("abstracts"), spans))
    body, lengths = _body_pieces(batch.column("body"), spans)
    tables.append(body)
    if captions:
        tables.append(_caption_pieces(batch.column("floats"), lengths, spans))
    table = np.concatenate(tables)
    # A caption stands before the block of its position: it sorts there by an odd and the block by an even number.
    table = table[np.lexsort((np.arange(len(table)), table[:, 1], table[:, 0]))]
    bounds = np.searchsorted(table[:, 0], np.arange(batch.num_rows + 1))
    return _Pieces(data=spans.data(), spans=np.ascontiguousarray(table[:, 2:]), starts=bounds)


def _table(rows: Any, place: Any, kind: Any, starts: Counts, ends: Counts, **more: Any) -> Counts:
    """Return int64[num_pieces, 8]: record, place in it, and the six columns of a span."""
    table = np.zeros((len(starts), 8), np.int64)
    table[:, 0], table[:, 1], table[:, 2], table[:, 3] = rows, place, kind, more.get("depth", 0)
    table[:, 4], table[:, 5], table[:, 6], table[:, 7] = starts, ends, more.get("label", 0), more.get("label_end", 0)
    return table


def _children(lists: pa.ListArray) -> tuple[Counts, dict[str, pa.Array], Counts]:
    """Return (record, fields, number in its list) of each element of a column of lists of structs."""
    offsets = np.asarray(lists.offsets).astype(np.int64)
    values = lists.values.slice(offsets[0], offsets[-1] - offsets[0])
    counts = np.diff(offsets)
    rows = np.repeat(np.arange(len(lists)), counts)
    names = [field.name for field in lists.type.value_type]
    fields = dict(zip(names, values.flatten(), strict=True))
    return rows, fields, np.arange(len(rows)) - np.repeat(offsets[:-1] - offsets[0], counts)


def _abstract_pieces(column: pa.ListArray, spans: _Spans) -> Counts:
    rows, fields, _ = _children(column)
    starts, ends = spans.add(fields["text"])
    labels, label_ends = spans.add(fields["label"])
    main = np.asarray(pc.equal(fields["type"], "main").to_numpy(zero_copy_only=False), bool)
    return _table(rows, 0, PART, starts, ends, label=labels, label_end=label_ends)[main]


def _body_pieces(column: pa.ListArray, spans: _Spans) -> tuple[Counts, Counts]:
    """Return the pieces of the bodies, and the number of blocks of each."""
    rows, fields, number = _children(column)
    starts, ends = spans.add(fields["text"])
    kinds = np.full(len(rows), PARAGRAPH)
    for name, kind in _BLOCKS.items():
        kinds[np.asarray(pc.equal(fields["kind"], str(name)).to_numpy(zero_copy_only=False), bool)] = kind
    headings = np.flatnonzero(kinds == HEADING)
    kinds[headings[_administrative(fields["text"].take(pa.array(headings)))]] = ADMINISTRATIVE
    table = _table(rows, 2 * number + 2, kinds, starts, ends, depth=fields["depth"].to_numpy())
    return table, np.bincount(rows, minlength=len(column))


def _administrative(headings: pa.Array) -> npt.NDArray[np.bool_]:
    """Say of each heading whether it is administrative; each distinct one is looked at once."""
    coded = headings.dictionary_encode()
    distinct = np.array([is_administrative(text or "") for text in coded.dictionary.to_pylist()], np.bool_)
    return distinct[coded.indices.fill_null(0).to_numpy()] if len(distinct) else np.zeros(len(headings), np.bool_)


def _caption_pieces(column: pa.ListArray, lengths: Counts, spans: _Spans) -> Counts:
    rows, fields, _ = _children(column)
    starts, ends = spans.add(fields["caption"])
    labels, label_ends = spans.add(fields["label"])
    position = fields["position"].to_numpy()
    inside = (position >= 0) & (position < lengths[rows])
    place = 2 * np.where(inside, position, lengths[rows]) + 1
    captioned = pc.is_in(fields["kind"], pa.array(sorted(CAPTIONED))).to_numpy(zero_copy_only=False)
    return _table(rows, place, CAPTION, starts, ends, label=labels, label_end=label_ends)[np.asarray(captioned, bool)]


@cache
def _plain_points() -> npt.NDArray[np.bool_]:
    """Return for each code point below `_PLAIN_POINTS` whether a line may hold it as it is.

    A text of nothing but characters that are in NFC alone and never combine is in NFC.
    """
    plain = np.zeros(_PLAIN_POINTS, np.bool_)
    for point in range(_PLAIN_POINTS):
        letter = chr(point)
        alone = unicodedata.category(letter)[0] not in "MC" and unicodedata.is_normalized("NFC", letter)
        plain[point] = alone and not letter.isspace() and not INVISIBLE.match(letter) and not 0x1100 <= point < 0x1200
    plain[[0x131, 0x17F]] = False  # capital letters of these are ASCII, where labels are compared
    plain[:128] = [letter in " \t\n\r" or letter.isprintable() for letter in map(chr, range(128))]
    return plain


@cache
def _no_labels() -> Octets:
    """Return NLM's stand-ins for "no label", uint8[num_words, width], padded with zeros."""
    words = sorted(word for word in NO_LABEL if word)
    width = max(map(len, words))
    return np.frombuffer(b"".join(word.encode().ljust(width, b"\0") for word in words), np.uint8).reshape(-1, width)
