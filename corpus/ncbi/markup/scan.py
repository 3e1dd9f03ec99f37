"""The numba pass behind `document`: bytes of XML to text and rows of elements, with a proof if there is one.

Bytes are compared by number, for numba knows no characters: 60 is `<`, 62 `>`, 47 `/`, 38 `&`, 33 `!`, 63 `?`,
91 `[`, 58 `:`. Any bytes may come: what is not XML is either not understood or not proven.

Rows are, per element: number of its tag, start, end, next, solid start, solid end (see `Markup`), three byte offsets
(behind the name of the start tag, at its `>`, behind the content), the element around it (-1: none), and how many
control characters the scan has put inside it.

The proof says that libxml2 accepts the document, given a plain prolog. It covers what articles are made of: UTF-8,
names in ASCII, attributes that are not repeated, well-known namespaces in scope, references to characters, comments,
instructions, CDATA, sizes far from any limit. All else is left open, and libxml2 decides.
"""

import numpy as np

from corpus.ncbi.markup.kernels import inlined, kernel, part
from corpus.ncbi.markup.scan_bytes import (
    BLANK,
    CHARACTERS,
    CLASS,
    CLOSED,
    DEPTH,
    IN_DETAILED,
    IN_OPAQUE,
    MARKS,
    NAME,
    OUT,
    PARENT,
    PROVEN,
    ROOTS,
    ROWS,
    SCOPED,
    SOLID,
    SPACE,
    STATE,
    is_cdata,
    is_plain_section,
    skip_section,
)
from corpus.ncbi.markup.scan_namespaces import MOST_PREFIXES, is_declared, leave_scopes
from corpus.ncbi.markup.scan_tags import (
    APART,
    DETAILED,
    MOST_ATTRIBUTES,
    OPAQUE,
    SPACED,
    hash_bytes,
    mark_of,
    number_of,
    read_attributes,
    read_name,
)
from corpus.ncbi.markup.scan_text import copy_content, copy_section, put_mark, put_space

COLUMNS = 11  # of the rows
STACKS = 2  # more columns, for the scan's own use: row and start of the name of every open element
_ROW, _NAME = COLUMNS, COLUMNS + 1
_PIECE = OPAQUE | DETAILED  # what counts where text is copied as it stands
# libxml2 has limits of 10 MB for one text and 256 for the depth.
_MOST_BYTES, _MOST_DEPTH = 8_000_000, 200


@part
def _open(raw, start, begin, end, number, flag, rows, text, at):  # type: ignore[no-untyped-def]
    """Take a start tag: it begins at `start`, its name ends at `begin`, its `>` is at `end`."""
    row, mark = -1, -1
    if flag > DETAILED and at[IN_DETAILED] == 0:
        if (flag & SPACED or (flag & APART and at[CLOSED] == start)) and at[BLANK] == 0:
            put_space(text, at)
        mark = 0 if flag & SPACED else mark_of(raw, begin, end, flag)
        if mark > 0:
            row = -1 - mark
            put_mark(mark, text, at)
    if mark < 0 and at[IN_OPAQUE] == 0 and (number > 0 or at[IN_DETAILED] > 0 or at[ROWS] == 0):
        row = at[ROWS]
        at[ROWS] += 1
        rows[0, row], rows[1, row], rows[4, row] = number, at[CHARACTERS], at[SOLID]
        rows[6, row], rows[7, row], rows[9, row] = begin, end, at[PARENT]
        rows[10, row] = at[MARKS]
    depth = at[DEPTH]
    if depth == 0:
        at[ROOTS] += 1
    elif depth > _MOST_DEPTH:
        at[PROVEN] = 0
    rows[_ROW, depth], rows[_NAME, depth] = row, start + 1
    at[DEPTH] = depth + 1
    if row >= 0:
        at[PARENT], at[BLANK] = row, 0  # what is white space inside an element parts nothing outside
        if at[IN_DETAILED] == 0 and flag & OPAQUE:
            at[IN_OPAQUE] = depth + 1
        elif at[IN_DETAILED] == 0 and flag & DETAILED:
            at[IN_DETAILED] = depth + 1


@part
def _close(begin, rows, text, at, prefixes):  # type: ignore[no-untyped-def]
    """Close the innermost element, whose end tag is at `begin`."""
    depth = at[DEPTH] - 1
    at[DEPTH] = depth
    row = rows[_ROW, depth]
    if row >= 0:
        rows[2, row], rows[3, row], rows[5, row], rows[8, row] = at[CHARACTERS], at[ROWS], at[SOLID], begin
        rows[10, row] = at[MARKS] - rows[10, row]
        at[PARENT], at[BLANK] = rows[9, row], 0
        if depth < at[IN_OPAQUE]:
            at[IN_OPAQUE] = 0
        if depth < at[IN_DETAILED]:
            at[IN_DETAILED] = 0
    elif row < -1:
        put_mark(-row, text, at)  # -1 - mark went in, and mark + 1 closes
    if depth < at[SCOPED]:
        leave_scopes(prefixes, at)


@inlined
def _start_tag(raw, start, names, kept, rows, text, at, prefixes, attributes, verbatim):  # type: ignore[no-untyped-def]
    """Take the start tag at `start`; return the index behind it, -1 when it is not understood."""
    hashes, numbers, flags = names
    begin = start + 1
    end, prefix, colon = read_name(raw, begin, at)
    if end < 0:
        return -1
    stop = end
    if raw[end] != 62:
        stop = read_attributes(raw, end, prefixes, attributes, at, verbatim)
        if stop < 0:
            return -1
    if colon >= 0:
        if not (is_declared(raw, prefix, colon, prefixes, at) or verbatim):
            return -1
        begin = colon + 1
    number, flag = 0, 0
    if at[IN_OPAQUE] == 0:
        number = number_of(hash_bytes(raw, begin, end), hashes, numbers)
        flag = flags[number] & kept
    _open(raw, start, end, stop, number, flag, rows, text, at)
    if raw[stop - 1] == 47:  # />
        _close(stop + 1, rows, text, at, prefixes)
        at[CLOSED] = stop + 1
    return stop + 1


@inlined
def _end_tag(raw, start, rows, text, at, prefixes):  # type: ignore[no-untyped-def]
    """Take the end tag at `start`; return the index behind it, -1 when it does not close the innermost element."""
    if at[DEPTH] == 0:
        return -1
    i, j = start + 2, rows[_NAME, at[DEPTH] - 1]
    while raw[i] == raw[j] and CLASS[raw[i]] & NAME:
        i, j = i + 1, j + 1
    while raw[i] == raw[j] and (raw[i] >= 128 or raw[i] == 58 or CLASS[raw[i]] & NAME):
        i, j = i + 1, j + 1
    if raw[j] != 62 and raw[j] != 47 and not CLASS[raw[j]] & SPACE:
        return -1
    while CLASS[raw[i]] & SPACE:
        i += 1
    if raw[i] != 62:
        return -1
    _close(start, rows, text, at, prefixes)
    at[CLOSED] = i + 1
    return i + 1


@part
def _section(raw, start, n, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Take a comment, instruction, CDATA section or DOCTYPE; return the index behind it, -1 for anything else."""
    end = skip_section(raw, start, n)
    if end < 0:
        return -1
    if is_cdata(raw, start):
        if copy_section(raw, start + 9, end - 2, text, at, verbatim) < 0:
            return -1
    elif at[ROOTS] > 0 and not is_plain_section(raw, start, end):
        at[PROVEN] = 0
    return end + 1


@kernel
def fill(raw, n, names, rows, text, verbatim):  # type: ignore[no-untyped-def]
    """Fill rows and text from the first `n` bytes, which PADDING follows; `names` are a vocabulary's tables.

    Returns the numbers of elements and of text bytes, (-1, 0) for what is not understood, and whether the document is
    proven to be well-formed, its prolog apart.
    """
    i = 3 if n >= 3 and raw[0] == 0xEF and raw[1] == 0xBB and raw[2] == 0xBF else 0
    prefixes, attributes = np.empty((MOST_PREFIXES, 3), np.int32), np.empty((MOST_ATTRIBUTES, 3), np.int32)
    at = np.zeros(STATE, np.int64)
    at[PARENT], at[PROVEN], kept = -1, n < _MOST_BYTES, _PIECE if verbatim else 255
    while i >= 0 and i < n:
        if raw[i] != 60:
            i = copy_content(raw, i, n, text, at, verbatim)
        elif raw[i + 1] == 47:
            i = _end_tag(raw, i, rows, text, at, prefixes)
        elif raw[i + 1] == 33 or raw[i + 1] == 63:  # <! <?
            i = _section(raw, i, n, text, at, verbatim)
        else:
            i = _start_tag(raw, i, names, kept, rows, text, at, prefixes, attributes, verbatim)
    if i < 0 or at[DEPTH] != 0:
        return -1, 0, False
    return at[ROWS], at[OUT], at[PROVEN] == 1 and at[ROOTS] == 1
