"""The numba pass behind `corpus.ncbi.markup`: bytes of well-formed XML to text and rows of elements.

Bytes are compared by number, for numba knows no characters: 60 is `<`, 62 `>`, 47 `/`, 38 `&`, 33 `!`, 63 `?`,
91 `[`, 58 `:`.
Rows are, per element: number of its tag, start, end, next, solid start, solid end (see `Markup`), three byte offsets
(behind the name of the start tag, at its `>`, behind the content), the element around it (-1: none), and how many
control characters the scan has put inside it.
"""

import numpy as np
from numba import njit

from corpus.ncbi.markup_tags import (
    APART,
    DETAILED,
    OPAQUE,
    SPACED,
    mark_of,
    number_of,
    read_attributes,
    read_name,
    reference,
    skip_section,
)

# Places in the state of a scan: bytes, characters and solid characters of text so far, whether the last was a space,
# rows so far, row and depth of the innermost open element, depth of the opaque or detailed one around it (0: none),
# index behind the last end tag, control characters so far.
_OUT, _CHARACTERS, _SOLID, _BLANK, _ROWS, _PARENT, _DEPTH, _OPAQUE, _DETAILED, _CLOSED, _MARKS, _STATE = range(12)
COLUMNS = 11  # of the rows

_PIECE = OPAQUE | DETAILED  # what counts where text is copied as it stands
# ASCII that is neither white space nor markup: what most of a text is.
_PLAIN = np.array([32 < byte < 128 and byte not in b"<&" for byte in range(256)])


@njit(cache=True, nogil=True)
def _width_of_space(raw, i):  # type: ignore[no-untyped-def]
    """Return the bytes of the Unicode space at `i` (no-break, thin, ideographic, …), 0 when there is none."""
    byte, left = raw[i], len(raw) - i
    if byte == 0xC2:
        return 2 if left > 1 and (raw[i + 1] == 0xA0 or raw[i + 1] == 0x85) else 0
    if left < 3:
        return 0
    second, third = raw[i + 1], raw[i + 2]
    if byte == 0xE2 and second == 0x80:
        return 3 if third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF else 0
    rare = (byte == 0xE2 and second == 0x81 and third == 0x9F) or (byte == 0xE1 and second == 0x9A and third == 0x80)
    return 3 if rare or (byte == 0xE3 and second == 0x80 and third == 0x80) else 0


@njit(cache=True, nogil=True)
def _copy(raw, i, stop, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Copy text up to the next markup or to `stop`, and return where that is.

    Any run of white space becomes one space, unless `verbatim`.
    """
    out, characters, solid, blank = at[_OUT], at[_CHARACTERS], at[_SOLID], at[_BLANK]
    while i < stop:
        begin = i
        while i < stop and _PLAIN[raw[i]]:
            text[out] = raw[i]
            out, i = out + 1, i + 1
        if i > begin:
            characters, solid, blank = characters + i - begin, solid + i - begin, 0
            if i == stop:
                break
        byte = raw[i]
        if byte == 60 or byte == 38:
            break
        width = 1 if byte <= 32 else 0
        if byte == 0xC2 or (byte >= 0xE1 and byte <= 0xE3):
            width = _width_of_space(raw, i)
        if width and not verbatim:
            i += width
            if blank == 0:
                text[out], blank = 32, 1
                out, characters = out + 1, characters + 1
            continue
        if byte == 13:  # XML reads CR LF and CR as LF
            byte = 10
            i += i + 1 < stop and raw[i + 1] == 10
        text[out], blank = byte, 0
        out, i = out + 1, i + 1
        if byte & 0xC0 != 0x80:
            characters += 1
            solid += width == 0
    at[_OUT], at[_CHARACTERS], at[_SOLID], at[_BLANK] = out, characters, solid, blank
    return i


@njit(cache=True, nogil=True)
def _put_code(code, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Append one code point as UTF-8, by the rule of `_copy`."""
    utf8 = np.empty(4, np.uint8)
    if code < 0x80:
        utf8[0], size = code, 1
    elif code < 0x800:
        utf8[0], utf8[1], size = 0xC0 | code >> 6, 0x80 | code & 63, 2
    elif code < 0x10000:
        utf8[0], utf8[1], utf8[2], size = 0xE0 | code >> 12, 0x80 | code >> 6 & 63, 0x80 | code & 63, 3
    else:
        utf8[0], utf8[1], size = 0xF0 | code >> 18, 0x80 | code >> 12 & 63, 4
        utf8[2], utf8[3] = 0x80 | code >> 6 & 63, 0x80 | code & 63
    if code == 60 or code == 38 or code == 13:  # text by now, no markup
        text[at[_OUT]] = code
        at[_OUT] += 1
        at[_CHARACTERS] += 1
        at[_SOLID] += code != 13
        at[_BLANK] = 0
    else:
        _copy(utf8[:size], 0, size, text, at, verbatim)


@njit(cache=True, nogil=True)
def _put_mark(mark, text, at):  # type: ignore[no-untyped-def]
    """Append a control character, which is no solid character and parts white space."""
    text[at[_OUT]] = mark
    at[_OUT] += 1
    at[_CHARACTERS] += 1
    at[_MARKS] += 1
    at[_BLANK] = 0


@njit(cache=True, nogil=True)
def _open(raw, start, begin, end, number, flag, rows, stack, text, at):  # type: ignore[no-untyped-def]
    """Take a start tag: it begins at `start`, its name ends at `begin`, its `>` is at `end`."""
    row, mark = -1, -1
    if at[_OPAQUE] == 0 and at[_DETAILED] == 0 and flag > DETAILED:
        if flag & SPACED or (flag & APART and at[_CLOSED] == start):
            _put_code(np.int64(32), text, at, False)
        if flag & SPACED:
            mark = 0
        else:
            mark = mark_of(raw, begin, end, flag)
        if mark > 0:
            row = -1 - mark
            _put_mark(mark, text, at)
    if mark < 0 and at[_OPAQUE] == 0 and (number > 0 or at[_DETAILED] > 0 or at[_ROWS] == 0):
        row = at[_ROWS]
        at[_ROWS] += 1
        rows[0, row], rows[1, row], rows[4, row] = number, at[_CHARACTERS], at[_SOLID]
        rows[6, row], rows[7, row], rows[9, row] = begin, end, at[_PARENT]
        rows[10, row] = at[_MARKS]
    stack[at[_DEPTH]] = row
    at[_DEPTH] += 1
    if row >= 0:
        at[_PARENT], at[_BLANK] = row, 0  # what is white space inside an element parts nothing outside
        if at[_DETAILED] == 0 and flag & OPAQUE:
            at[_OPAQUE] = at[_DEPTH]
        elif at[_DETAILED] == 0 and flag & DETAILED:
            at[_DETAILED] = at[_DEPTH]


@njit(cache=True, nogil=True)
def _close(begin, rows, stack, text, at):  # type: ignore[no-untyped-def]
    """Take an end tag at `begin`; False when nothing is open."""
    at[_DEPTH] -= 1
    if at[_DEPTH] < 0:
        return False
    row = stack[at[_DEPTH]]
    if row >= 0:
        rows[2, row], rows[3, row], rows[5, row], rows[8, row] = at[_CHARACTERS], at[_ROWS], at[_SOLID], begin
        rows[10, row] = at[_MARKS] - rows[10, row]
        at[_PARENT], at[_BLANK] = rows[9, row], 0
    elif row < -1:
        _put_mark(-row, text, at)  # -1 - mark went in, and mark + 1 closes
    if at[_DEPTH] < at[_OPAQUE]:
        at[_OPAQUE] = 0
    if at[_DEPTH] < at[_DETAILED]:
        at[_DETAILED] = 0
    return True


@njit(cache=True, nogil=True)
def fill(raw, hashes, numbers, flags, rows, text, verbatim):  # type: ignore[no-untyped-def]
    """Fill rows and text; return the numbers of elements and of text bytes, (-1, 0) for what is not understood."""
    n, i = len(raw), 3 if len(raw) >= 3 and raw[0] == 0xEF and raw[1] == 0xBB and raw[2] == 0xBF else 0
    stack, prefixes = np.empty(rows.shape[1] + 1, np.int32), np.zeros(64, np.uint64)
    at = np.zeros(_STATE, np.int64)
    at[_PARENT], kept = -1, _PIECE if verbatim else 255
    while i < n:
        if raw[i] == 38:  # &
            code, i = reference(raw, i)
            if code < 0:
                return -1, 0
            _put_code(code, text, at, verbatim)
            continue
        if raw[i] != 60:  # <
            i = _copy(raw, i, n, text, at, verbatim)
            continue
        begin, following = i, raw[min(i + 1, n - 1)]
        if following == 47:  # </
            while raw[i] != 62:
                i += 1
            if not _close(begin, rows, stack, text, at):
                return -1, 0
            at[_CLOSED] = i + 1
        elif following == 33 or following == 63:  # <! <?
            i = skip_section(raw, i)
            if i < 0:
                return -1, 0
            if raw[begin + 2] == 91:  # <![CDATA[
                _copy_section(raw, begin + 9, i - 2, text, at, verbatim)
        else:
            name_end, code = read_name(raw, i + 1, prefixes)
            i = read_attributes(raw, name_end, prefixes, verbatim)
            if i < 0:
                return -1, 0
            number = 0 if at[_OPAQUE] else number_of(code, hashes, numbers)
            _open(raw, begin, name_end, i, number, flags[number] & kept, rows, stack, text, at)
            if raw[i - 1] == 47:  # />
                _close(i + 1, rows, stack, text, at)
        i += 1
    return (at[_ROWS], at[_OUT]) if at[_DEPTH] == 0 else (-1, 0)


@njit(cache=True, nogil=True)
def _copy_section(raw, i, stop, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Copy a CDATA section, where `<` and `&` are text."""
    while i < stop:
        i = _copy(raw, i, stop, text, at, verbatim)
        if i < stop:
            _put_code(np.int64(raw[i]), text, at, verbatim)
            i += 1
