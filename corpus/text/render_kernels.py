"""Rendering kernels: spans of bytes in, the bytes of texts out; the compiled half of `corpus.text.render_batch`."""

from typing import Final

import numpy as np
import numpy.typing as npt

from corpus.arrays.kernel import kernel, part
from corpus.arrays.types import Mask, Octets
from corpus.text.render import DEEPEST_LIST, WIDEST_MARK

Counts = npt.NDArray[np.int64]

# Kinds of pieces. A span is int64[6]: kind, depth (of a list item its level), start, end, label start, label end.
TITLE: Final = 0
PART: Final = 1
PARAGRAPH: Final = 2
HEADING: Final = 3
ITEM: Final = 4
CAPTION: Final = 5
ADMINISTRATIVE: Final = 6  # a heading, too
_SPACE: Final = np.uint8(ord(" "))
_LINE: Final = np.uint8(ord("\n"))
_COLON: Final = np.uint8(ord(":"))
_QUESTION: Final = np.uint8(ord("?"))
_SHOUT: Final = np.uint8(ord("!"))
_POINT: Final = np.uint8(ord("."))
_HASH: Final = np.uint8(ord("#"))
_HYPHEN: Final = np.uint8(ord("-"))
_AMPERSAND: Final = np.uint8(ord("&"))
_MAY_BEGIN: Final = np.array([chr(byte) in "&<" for byte in range(0x80)])  # of an entity or a tag
_NUMBER: Final = np.uint8(ord("#"))
_LESS: Final = np.uint8(ord("<"))
_GREATER: Final = np.uint8(ord(">"))
_SEMICOLON: Final = np.uint8(ord(";"))
_SLASH: Final = np.uint8(ord("/"))
_BULLET: Final = np.int64(2)  # columns of "- "
_DELETE: Final = np.uint8(0x7F)
_BEYOND: Final = np.uint8(0x80)
_ONE_LINE: Final = np.bool_(True)  # for each of Python's own booleans a function is compiled once more
_MANY_LINES: Final = np.bool_(False)


@part
def _is_markup(data: Octets, start: int, end: int) -> bool:
    """Say whether an ampersand begins an entity, or a less-than sign a tag, as far as letters can tell."""
    i = start + 1
    entity = data[start] == _AMPERSAND
    if i < end and data[i] == (_NUMBER if entity else _SLASH):
        i += 1
    first = i
    while i < end and (48 <= data[i] <= 57 or 65 <= data[i] <= 90 or 97 <= data[i] <= 122):
        i += 1
    if i == first or i == end:  # noqa: SIM109  numba compiles no tuple for it
        return False
    if entity:
        return data[i] == _SEMICOLON
    if data[i] <= _SPACE and i + 1 < end:
        i += 1
    return data[i] == _GREATER or data[i] == _SLASH


@part
def _is_plain(data: Octets, start: int, end: int, plain: Mask) -> bool:
    """Say whether a span holds only characters that stay as they are, but for runs of white space."""
    text = data[start:end]
    seen, odd = np.uint8(0), np.uint8(0)
    for k in range(len(text)):  # no branch, so that it is done for 32 bytes and more at a time
        seen |= text[k]
        odd |= np.uint8(text[k] < _SPACE) | np.uint8(text[k] == _DELETE) | np.uint8(text[k] == _AMPERSAND)
        odd |= np.uint8(text[k] == _LESS)
    if seen < _BEYOND and not odd:
        return True
    i = start
    while i < end:
        first = np.int64(data[i])
        if first < 0x80:
            if not plain[first] or (_MAY_BEGIN[first] and _is_markup(data, i, end)):
                return False
            i += 1
            continue
        if first >= 0xF0:
            return False
        width = 2 if first < 0xE0 else 3
        point = (first & (0x1F if width == 2 else 0x0F)) << 6 | np.int64(data[i + 1]) & 0x3F
        if width == 3:
            point = point << 6 | np.int64(data[i + 2]) & 0x3F
        if point >= len(plain) or not plain[point]:
            return False
        i += width
    return True


@part
def _is_tidy(text: Octets) -> bool:
    """Say whether all white space of a text is single spaces inside it."""
    if len(text) == 0 or text[0] <= _SPACE or text[-1] <= _SPACE:
        return False
    after = text[1:]
    gappy = np.uint8(0)
    for k in range(len(after)):
        gappy |= np.uint8(after[k] < _SPACE) | (np.uint8(text[k] == _SPACE) & np.uint8(after[k] == _SPACE))
    return gappy == 0


@part
def _copy(text: Octets, out: Octets) -> int:
    """Copy a text; return the number of its spaces."""
    spaces = 0
    for k in range(len(text)):
        out[k] = text[k]
        spaces += text[k] == _SPACE
    return spaces


@part
def _write(data: Octets, start: int, end: int, out: Octets, at: int, one_line: np.bool_) -> tuple[int, int]:
    """Write a span with each run of white space as one space, or one line end; return (position after it, gaps)."""
    if _is_tidy(data[start:end]):
        return at + end - start, _copy(data[start:end], out[at : at + end - start])
    begin, gaps = at, 0
    gap, line = False, False
    for i in range(start, end):
        byte = data[i]
        if byte <= _SPACE:
            gap = True
            line = line or byte == _LINE
            continue
        if gap and at > begin:
            out[at] = _LINE if line and not one_line else _SPACE
            at += 1
            gaps += 1
        gap, line = False, False
        out[at] = byte
        at += 1
    return at, gaps


@part
def _is_label(out: Octets, start: int, end: int, no_labels: Octets) -> bool:
    """Say whether what was written as a label is one, and none of NLM's stand-ins."""
    if end == start:
        return False
    for k in range(no_labels.shape[0]):
        equal = end - start <= no_labels.shape[1]
        for j in range(no_labels.shape[1] if equal else 0):
            letter = out[start + j] if start + j < end else np.uint8(0)
            if 97 <= letter <= 122:
                letter -= np.uint8(32)
            equal = equal and letter == no_labels[k, j]
        if equal:
            return False
    return True


@part
def _write_labelled(data: Octets, span: Counts, out: Octets, at: int, no_labels: Octets) -> tuple[int, int]:
    """Write `LABEL: text` of an abstract or `Label. caption`; without a text there is no label either."""
    label_end, gaps = _write(data, span[4], span[5], out, at, _ONE_LINE)
    if span[0] == PART:
        while label_end > at and (out[label_end - 1] in (_COLON, _SPACE)):
            label_end -= 1
            gaps -= out[label_end] == _SPACE
        labelled = _is_label(out, at, label_end, no_labels)
        mark = _SPACE if labelled and (out[label_end - 1] == _QUESTION or out[label_end - 1] == _SHOUT) else _COLON
    else:
        labelled = label_end > at
        mark = _SPACE if labelled and (out[label_end - 1] == _POINT or out[label_end - 1] == _COLON) else _POINT
    if not labelled:
        return _write(data, span[2], span[3], out, at, _MANY_LINES)
    first = label_end
    if mark != _SPACE:
        out[first] = mark
        first += 1
    out[first] = _SPACE
    last, more = _write(data, span[2], span[3], out, first + 1, _MANY_LINES)
    if last == first + 1:
        return at, 0
    return last, gaps + more + 1


@part
def _reset(widths: Counts, level: int) -> None:
    """Forget the marks of the lists from a level on."""
    for k in range(level, len(widths)):
        widths[k] = _BULLET


@part
def _write_item(data: Octets, span: Counts, out: Octets, at: int, widths: Counts) -> tuple[int, int]:
    """Write a list item behind its mark; widths: int64[DEEPEST_LIST + 1], columns of the marks around it."""
    level, begin = min(max(span[1], 0), DEEPEST_LIST), at
    for k in range(level):
        for _ in range(widths[k]):
            out[begin] = _SPACE
            begin += 1
    end, gaps = _write(data, span[4], span[5], out, begin, _ONE_LINE)
    marked = end > begin
    if not marked:
        out[end] = _HYPHEN
        end += 1
    out[end] = _SPACE
    last, more = _write(data, span[2], span[3], out, end + 1, _ONE_LINE)
    if last == end + 1:
        return at, 0
    gaps += more + 1
    columns = 1
    for k in range(begin, end):
        columns += out[k] & 0xC0 != 0x80
    _reset(widths, level)
    widths[level] = min(columns, WIDEST_MARK) if marked else _BULLET
    size = end - begin
    own = marked and last - end - 1 >= size and (last - end - 1 == size or out[end + 1 + size] == _SPACE)
    for k in range(size if own else 0):
        own = own and out[begin + k] == out[end + 1 + k]
    if not own:
        return last, gaps
    for k in range(end + 1, last):  # the text begins with its mark
        out[k - size - 1] = out[k]
    return last - size - 1, more


@part
def _write_piece(
    data: Octets, span: Counts, out: Octets, at: int, no_labels: Octets, widths: Counts
) -> tuple[int, int]:
    """Write one piece at a position; return the position after it (the same for no text) and its gaps."""
    kind = span[0]
    if kind in (PART, CAPTION):
        return _write_labelled(data, span, out, at, no_labels)
    if kind == ITEM:
        return _write_item(data, span, out, at, widths)
    first = at
    if kind == HEADING:
        for _ in range(min(max(span[1], 1) + 1, 6)):
            out[first] = _HASH
            first += 1
    if first > at:
        out[first] = _SPACE
        first += 1
    last, gaps = _write(data, span[2], span[3], out, first, kind != PARAGRAPH)
    return (at, 0) if last == first else (last, gaps + (first > at))


@part
def _is_beyond(data: Octets, span: Counts, plain: Mask) -> bool:
    """Say whether a piece needs more than white space made plain."""
    return not _is_plain(data, span[2], span[3], plain) or not _is_plain(data, span[4], span[5], plain)


@part
def _render(
    data: Octets, spans: Counts, out: Octets, at: int, plain: Mask, no_labels: Octets, widths: Counts, places: Counts
) -> tuple[int, int]:
    """Write the pieces of one record at a position; return (position after them, words), -1 words if handed back.

    places: int64[num_pieces, 2], filled with where each piece is written; the same twice for one without text.
    """
    begin, words, open_list = at, 0, False
    _reset(widths, 0)
    for k in range(len(spans)):
        span = spans[k]
        if _is_beyond(data, span, plain):
            return begin, -1
        first = at
        if at > begin:
            out[at] = _LINE
            first = at + 1
            if not (open_list and span[0] == ITEM):
                out[at + 1] = _LINE
                first = at + 2
        last, gaps = _write_piece(data, span, out, first, no_labels, widths)
        places[k, 0], places[k, 1] = first, last
        if last > first:
            at = last
            words += gaps + 1
        if span[0] == ITEM:
            open_list = open_list or last > first
        elif span[0] != CAPTION or last > first:
            open_list = False
    return at, words


def bytes_for(data: Octets, spans: Counts) -> int:
    """Return how many bytes the texts of all records take at most: every piece adds marks, indents, an empty line."""
    return len(data) + (12 + DEEPEST_LIST * WIDEST_MARK) * len(spans) + 16


@kernel
def render_spans(
    data: Octets,
    spans: Counts,
    starts: Counts,
    wanted: Mask,
    min_words: int,
    plain: Mask,
    no_labels: Octets,
    out: Octets,
    places: Counts,
) -> tuple[Counts, Counts, Mask]:
    """Write the texts of all records to `out`, of `bytes_for` bytes; return (offsets, words, handed back).

    What is not wanted, is handed back or has fewer words leaves no byte, so the other texts lie side by side.
    places: int64[num_pieces, 2], filled with where each piece of a text lies.
    """
    num = len(starts) - 1
    offsets, words, bad = np.zeros(num + 1, np.int64), np.zeros(num, np.int64), np.zeros(num, np.bool_)
    widths = np.zeros(DEEPEST_LIST + 1, np.int64)
    for row in range(num):
        at = offsets[row]
        if wanted[row]:
            own, of_own = spans[starts[row] : starts[row + 1]], places[starts[row] : starts[row + 1]]
            at, count = _render(data, own, out, at, plain, no_labels, widths, of_own)
            words[row], bad[row] = max(count, 0), count < 0
        offsets[row + 1] = at if words[row] >= min_words else offsets[row]
    return offsets, words, bad
