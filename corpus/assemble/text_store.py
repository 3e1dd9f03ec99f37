"""Text files of documents parts: UTF-8 end to end, written once and read in pieces.

Text is nine tenths of a document and three quarters of what writing, shuffling and reading documents again would cost.
So it goes to disk as it is and stays there until a shard or a verification asks for it by place. The texts stand in the
order of the shards (`corpus.assemble.splits.order_of`): a shard, a range of that order, is one piece of each file.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus import storage
from corpus.arrays.columns import string_spans
from corpus.arrays.kernel import kernel
from corpus.arrays.lookup import stable_group_order
from corpus.arrays.types import Octets
from corpus.errors import CorruptError

GAP_BYTES = 1 << 16  # texts that lie closer together are read at once, with what is between them
PIECE_BYTES = 16 << 20
WRITE_BYTES = 1 << 20  # of texts that are put in order before they are written: they stay near the processor
CHUNK_BYTES = 1 << 30  # an Arrow string array ends at 2 GiB

Offsets = npt.NDArray[np.int64]


def write_texts(path: str, texts: pa.ChunkedArray, order: npt.NDArray[np.uint64]) -> Offsets:
    """Write the texts of a part in ascending order; return where each begins in the file, int64[num_docs]."""
    data, starts, lengths = _spans(texts)
    by_order = np.argsort(order)
    ends = np.cumsum(lengths[by_order])
    places = np.empty_like(starts)
    places[by_order] = ends - lengths[by_order]
    room = np.empty(0, np.uint8)
    first = 0
    with storage.write_atomic(path) as sink:
        while first < len(ends):
            begin = int(ends[first] - lengths[by_order[first]])
            last = first + max(1, int(np.searchsorted(ends[first:], begin + WRITE_BYTES, side="right")))
            own, size = by_order[first:last], int(ends[last - 1]) - begin
            room = room if len(room) >= size else np.empty(size, np.uint8)
            _scatter(data, starts[own], lengths[own], room, places[own] - begin)
            sink.write(room[:size].data)
            first = last
    return places


def _spans(texts: pa.ChunkedArray) -> tuple[Octets, Offsets, Offsets]:
    """Return (bytes, where each text starts in them, its length)."""
    data, starts, lengths = [np.zeros(0, np.uint8)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    at = 0
    for chunk in texts.chunks:
        if not len(chunk):
            continue
        octets, bounds = string_spans(chunk)
        bounds = bounds.astype(np.int64)
        data.append(octets[bounds[0] : bounds[-1]])
        starts.append(bounds[:-1] - bounds[0] + at)
        lengths.append(np.diff(bounds))
        at += int(bounds[-1] - bounds[0])
    octets = np.concatenate(data)
    octets.flags.writeable = False  # as the bytes of a file are: `_scatter` is compiled once
    return octets, np.concatenate(starts), np.concatenate(lengths)


def read_texts(path: str, starts: Offsets, lengths: Offsets) -> pa.ChunkedArray:
    """Return the texts that begin at `starts` and are so many bytes long, in that order. Raises CorruptError."""
    return gather_texts([path], np.zeros(len(starts), np.int64), starts, lengths)


def gather_texts(paths: list[str], part: Offsets, starts: Offsets, lengths: Offsets) -> pa.ChunkedArray:
    """Return texts of several files in the order asked for; part: the place in `paths` of the file of each.

    part, starts and lengths are int64[num_docs]. Raises CorruptError for a file that ends before a text.
    """
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    data = np.empty(bounds[-1], np.uint8)
    by_part = stable_group_order(part, len(paths))
    firsts = np.searchsorted(part[by_part], np.arange(len(paths) + 1))
    for number in np.flatnonzero(np.diff(firsts)).tolist():
        own = by_part[firsts[number] : firsts[number + 1]]
        if (np.diff(starts[own]) <= 0).any():  # never so for a shard, whose order is that of the files
            own = own[np.lexsort((lengths[own], starts[own]))]  # an empty text before the one that begins where it does
        _copy(paths[number], starts[own], lengths[own], data, bounds[own])
    return _strings(data, bounds)


def _copy(path: str, starts: Offsets, lengths: Offsets, out: Octets, places: Offsets) -> None:
    """Copy texts of one file, in ascending order of starts, to their places."""
    with storage.open_read(path) as source:
        for first, last in _pieces(starts, starts + lengths):
            begin = int(starts[first])
            size = int(starts[last - 1] + lengths[last - 1]) - begin
            source.seek(begin)
            piece = source.read(size)
            if len(piece) != size:
                raise CorruptError(
                    f"{path}: ends at {begin + len(piece)}, before its texts; run the same command again"
                )
            own = slice(first, last)
            _scatter(np.frombuffer(piece, np.uint8), starts[own] - begin, lengths[own], out, places[own])


def _pieces(starts: Offsets, ends: Offsets) -> Iterator[tuple[int, int]]:
    """Yield (first, end) of the texts that are read at once."""
    apart = np.flatnonzero(starts[1:] - ends[:-1] > GAP_BYTES) + 1
    for first, last in zip([0, *apart.tolist()], [*apart.tolist(), len(starts)], strict=True):
        while first < last:
            end = first + max(1, int(np.searchsorted(ends[first:last], starts[first] + PIECE_BYTES, side="right")))
            yield first, end
            first = end


@kernel
def _scatter(piece: Octets, starts: Offsets, lengths: Offsets, out: Octets, places: Offsets) -> None:
    for k in range(len(starts)):
        text, place = piece[starts[k] : starts[k] + lengths[k]], out[places[k] : places[k] + lengths[k]]
        for i in range(len(text)):
            place[i] = text[i]


def _strings(data: Octets, bounds: Offsets) -> pa.ChunkedArray:
    """Return the strings that lie between bounds, int64[num_strings + 1]."""
    cuts = [0, *(np.flatnonzero(np.diff(bounds[1:] // CHUNK_BYTES)) + 1).tolist(), len(bounds) - 1]
    chunks = []
    for first, last in pairwise(cuts):
        offsets = (bounds[first : last + 1] - bounds[first]).astype(np.int32)
        own = pa.py_buffer(data[bounds[first] : bounds[last]])
        chunks.append(pa.StringArray.from_buffers(last - first, pa.py_buffer(offsets), own))
    return pa.chunked_array(chunks, pa.string())
