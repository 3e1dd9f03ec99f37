"""Boilerplate kernels: which pieces of a record are left out of its text; `corpus.text.boilerplate`, compiled."""

from typing import Final

import numpy as np

from corpus.arrays.kernel import kernel, part
from corpus.arrays.types import Octets
from corpus.text.boilerplate import STOCK_BEGINNINGS
from corpus.text.render_kernels import ADMINISTRATIVE, CAPTION, HEADING, PARAGRAPH, PART, Counts

_DEEPEST: Final = 1 << 30  # no section is nested as deeply
_SPACE: Final = np.uint8(32)
_WIDTH: Final = max(len(text.encode()) for text in STOCK_BEGINNINGS)
# uint8[num_beginnings, width], small letters, padded with zeros.
_STOCK: Final = np.stack(
    [np.frombuffer(text.encode().ljust(_WIDTH, b"\0"), np.uint8) for text in sorted(STOCK_BEGINNINGS)]
)
_FIRST: Final = np.isin(np.arange(256), _STOCK[:, 0])


@part
def _small(byte: np.uint8) -> np.uint8:
    return byte | np.uint8(0x20) if 65 <= byte <= 90 else byte


@part
def _begins_like_stock(data: Octets, start: int, end: int) -> bool:
    """Say whether a span may be a publisher's stock sentence: it begins like one, white space made plain."""
    first = start
    while first < end and data[first] <= _SPACE:
        first += 1
    if first >= end or not _FIRST[_small(data[first])]:
        return False
    for k in range(_STOCK.shape[0]):
        i, j = first, 0
        while (
            i < end
            and j < _WIDTH
            and _STOCK[k, j] != 0
            and (_small(data[i]) if data[i] > _SPACE else _SPACE) == _STOCK[k, j]
        ):
            i, j = i + 1, j + 1
            while i < end and data[i] <= _SPACE and data[i - 1] <= _SPACE:
                i += 1
        if j == _WIDTH or _STOCK[k, j] == 0:
            return True
    return False


@kernel
def stock_suspects(data: Octets, spans: Counts) -> Counts:
    """Return the pieces that may be a publisher's stock sentence, in ascending order."""
    found, count = np.empty(len(spans), np.int64), 0
    for k in range(len(spans)):
        if spans[k, 0] in (PART, PARAGRAPH) and _begins_like_stock(data, spans[k, 2], spans[k, 3]):
            found[count] = k
            count += 1
    return found[:count]


@part
def _blank(data: Octets, span: Counts) -> bool:
    """Say whether a piece has no text."""
    i = span[2]
    while i < span[3] and data[i] <= _SPACE:
        i += 1
    return i >= span[3]


@part
def _section_end(data: Octets, spans: Counts, k: int, last: int) -> tuple[int, int]:
    """Return where the section of heading `k` ends, and the characters of its blocks."""
    end, characters = k + 1, 0
    while end < last and not (spans[end, 0] in (HEADING, ADMINISTRATIVE) and spans[end, 1] <= spans[k, 1]):
        if spans[end, 0] != CAPTION:
            for i in range(spans[end, 2], spans[end, 3]):
                characters += data[i] & 0xC0 != 0x80
        end += 1
    return end, characters


@kernel
def leave_out(data: Octets, spans: Counts, starts: Counts, stock: Counts) -> None:
    """Empty the pieces that `render` leaves out: administrative sections, headings over nothing, and `stock`.

    An administrative heading's label start is the most characters that its section may have to be left out. stock: the
    pieces that are a publisher's stock sentence; they count for the length of a section.
    """
    next_stock = 0
    for row in range(len(starts) - 1):
        k, last = starts[row], starts[row + 1]
        while k < last:
            end = k + 1
            if spans[k, 0] == ADMINISTRATIVE:
                cap = spans[k, 4]
                spans[k, 0], spans[k, 4] = HEADING, 0
                section_end, characters = _section_end(data, spans, k, last)
                if characters <= cap:
                    end = section_end
                    for j in range(k, end):
                        if spans[j, 0] != CAPTION:
                            if spans[j, 0] == ADMINISTRATIVE:
                                spans[j, 0], spans[j, 4] = HEADING, 0
                            spans[j, 3] = spans[j, 2]
            k = end
        while next_stock < len(stock) and stock[next_stock] < last:
            spans[stock[next_stock], 3] = spans[stock[next_stock], 2]
            next_stock += 1
        filled, in_body = -1, False  # headings down to this depth have something below them
        for k in range(last - 1, starts[row] - 1, -1):
            kind, depth = spans[k, 0], spans[k, 1]
            if kind == HEADING and depth > filled:
                spans[k, 3] = spans[k, 2]
            elif not _blank(data, spans[k]) and (in_body or kind != CAPTION):
                filled = depth - 1 if kind == HEADING else _DEEPEST
            in_body = in_body or kind != CAPTION
