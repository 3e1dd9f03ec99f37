"""Letters folded in compiled code: the bytes of a column of texts in, the same with `letters.SHORTENED` applied out.

No fold of that table takes more bytes than what it replaces, so the output fits where the input was. What has to look
at its neighbours is left for `render`.
"""

from functools import cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.arrays.kernel import kernel, part
from corpus.arrays.types import Octets
from corpus.text.letters import SHORTENED
from corpus.text.render_kernels import Counts

_POINTS: Final = 0x10000  # code points of three bytes at most
_WIDEST: Final = 3


class LetterFolds(NamedTuple):
    """Which code points are folded (row of the other two, -1 for none), and the bytes that replace each."""

    rows: npt.NDArray[np.int16]  # [_POINTS]
    octets: Octets  # [num_folds, _WIDEST]
    widths: npt.NDArray[np.int64]  # [num_folds]


@cache
def fold_table() -> LetterFolds:
    """Return `SHORTENED` as arrays."""
    rows = np.full(_POINTS, -1, np.int16)
    octets, widths = np.zeros((len(SHORTENED), _WIDEST), np.uint8), np.zeros(len(SHORTENED), np.int64)
    for row, (letter, form) in enumerate(SHORTENED.items()):
        encoded = form.encode()
        assert len(encoded) <= len(letter.encode()), letter
        rows[ord(letter)], widths[row] = row, len(encoded)
        octets[row, : len(encoded)] = np.frombuffer(encoded, np.uint8)
    return LetterFolds(rows, octets, widths)


def folded(octets: Octets, bounds: Counts, table: LetterFolds) -> tuple[Octets, Counts]:
    """Return the bytes of texts, folded, and where each begins; `bounds` is int64[num_texts + 1], from 0 on."""
    if not len(octets) or octets.max() < 0x80:
        return octets, bounds
    out, places = np.empty_like(octets), np.empty_like(bounds)
    length = _fold(octets, bounds, table.rows, table.octets, table.widths, out, places)
    return out[:length], places


@kernel
def _fold(
    data: Octets,
    bounds: Counts,
    rows: npt.NDArray[np.int16],
    octets: Octets,
    widths: npt.NDArray[np.int64],
    out: Octets,
    places: Counts,
) -> int:
    """Write all texts to `out` and where they begin to `places`; return how many bytes they take."""
    at, copied = 0, 0
    for text in range(len(bounds) - 1):
        i, end = int(bounds[text]), int(bounds[text + 1])
        places[text] = at + i - copied
        while i < end:
            i = _behind_ascii(data, i, end)
            if i == end:
                break
            first = np.int64(data[i])
            width = 4 if first >= 0xF0 else 3 if first >= 0xE0 else 2
            point = (first & 0x1F) << 6 | np.int64(data[i + 1]) & 0x3F
            if width == 3:
                point = (point & 0x3FF) << 6 | np.int64(data[i + 2]) & 0x3F
            if width < 4 and rows[point] >= 0:
                at = _copy(data, copied, i, out, at)
                row = rows[point]
                for k in range(widths[row]):
                    out[at + k] = octets[row, k]
                at, copied = at + int(widths[row]), i + width
            i += width
    at = _copy(data, copied, int(bounds[-1]), out, at)
    places[len(bounds) - 1] = at
    return at


@part
def _behind_ascii(data: Octets, i: int, end: int) -> int:
    """Return the index of the next byte beyond ASCII, `end` where there is none."""
    while i + 8 <= end:
        seen = data[i] | data[i + 1] | data[i + 2] | data[i + 3] | data[i + 4] | data[i + 5] | data[i + 6] | data[i + 7]
        if seen >= 0x80:
            break
        i += 8
    while i < end and data[i] < 0x80:
        i += 1
    return i


@part
def _copy(data: Octets, start: int, end: int, out: Octets, at: int) -> int:
    """Copy a span of bytes; return the position behind it."""
    source, target = data[start:end], out[at : at + end - start]
    for k in range(len(source)):
        target[k] = source[k]
    return at + end - start
