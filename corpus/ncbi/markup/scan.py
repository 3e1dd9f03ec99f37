"""The numba pass behind `document`: bytes of XML to text and rows of elements, with a proof if there is one.

Any bytes may come: what is not XML is either not understood or not proven.

Rows are, per element: number of its tag, start, end, next, solid start, solid end (see `Markup`), three byte offsets
(behind the name of the start tag, at its `>`, behind the content), the element around it (-1: none), and how many
control characters the scan has put inside it.

The proof says that libxml2 accepts the document, given a plain prolog. It covers what articles are made of: UTF-8,
names in ASCII, attributes that are not repeated, well-known namespaces in scope, references to characters, comments,
instructions, CDATA, sizes far from any limit. All else is left open, and libxml2 decides.

Of a set, the records side by side are taken one by one, each proven on its own bytes: the pass ends before the first
one that is not proven or not whole, and leaves no trace of it. Here a record holds no section and no element whose name
begins with its own name, and no `>` stands in a value of its start tag: whoever splits a set on tags would cut there.
"""

import numpy as np

from corpus.arrays.kernel import kernel, part
from corpus.ncbi.markup import scan_tags as traits
from corpus.ncbi.markup.characters import BANG, CLASS, GT, LT, QUESTION, SLASH, SPACE
from corpus.ncbi.markup.kernels import inlined, is_same
from corpus.ncbi.markup.scan_layout import has_newline, is_before_stop, is_layout_before, take_back_space
from corpus.ncbi.markup.scan_namespaces import MOST_PREFIXES, is_declared, leave_scopes
from corpus.ncbi.markup.scan_sections import take_section
from corpus.ncbi.markup.scan_state import (
    BLANK,
    CHARACTERS,
    CLOSED,
    DEPTH,
    IN_DETAILED,
    IN_OPAQUE,
    LINKS,
    MARKS,
    OUT,
    PARENT,
    PROVEN,
    RID,
    RID_END,
    ROOTS,
    ROWS,
    SCOPED,
    SOLID,
    STATE,
    TOP,
    TOP_SIZE,
)
from corpus.ncbi.markup.scan_tags import MOST_ATTRIBUTES, hash_bytes, mark_of, number_of, read_attributes, read_name
from corpus.ncbi.markup.scan_text import copy_content, put_mark, put_space

COLUMNS = 11  # of the rows
# More columns, for the scan's own use: of every open element its row, and place and size of its name; then links.
STACKS = 6
LINK_COLUMNS = slice(COLUMNS + 3, COLUMNS + STACKS)
_ROW = COLUMNS
_NAME = COLUMNS + 1
_SIZE = COLUMNS + 2
_LINK = COLUMNS + 3
_IN_PIECE = traits.OPAQUE | traits.DETAILED  # what counts where text is copied as it stands
MOST_BYTES = 8_000_000  # of what is proven; libxml2 has a limit of 10 MB for one text
MOST_DEPTH = 200  # of what is proven; libxml2 has a limit of 256


@part
def _open(raw, start, begin, end, number, flag, rows, text, at):  # type: ignore[no-untyped-def]
    """Take a start tag: it begins at `start`, its name ends at `begin`, its `>` is at `end`."""
    row, mark = -1, -1
    if flag & traits.IN_TEXT and at[IN_DETAILED] == 0:
        if (flag & traits.SPACED or (flag & traits.APART and at[CLOSED] == start)) and at[BLANK] == 0:
            put_space(text, at)
        mark = 0 if flag & traits.SPACED else mark_of(raw, begin, end, flag)
        if mark > 0:
            row = -1 - mark
            scripted = flag & (traits.RAISED | traits.LOWERED)
            if scripted and at[BLANK] and is_layout_before(raw, start, end, flag & traits.RAISED, text, at):
                take_back_space(text, at)
            put_mark(mark, text, at)
            if scripted and has_newline(raw, end + 1):
                at[BLANK] = 1  # the layout behind the start tag is no space either
    named = number > 0 or flag & traits.UNKNOWN or at[IN_DETAILED] > 0 or at[ROWS] == 0
    if mark < 0 and at[IN_OPAQUE] == 0 and named:
        row = at[ROWS]
        at[ROWS] += 1
        rows[0, row], rows[1, row], rows[4, row] = number, at[CHARACTERS], at[SOLID]
        rows[6, row], rows[7, row], rows[9, row] = begin, end, at[PARENT]
        rows[10, row] = at[MARKS]
    depth = at[DEPTH]
    if depth == 0:
        at[ROOTS] += 1
    elif depth > MOST_DEPTH:
        at[PROVEN] = 0
    rows[_ROW, depth], rows[_NAME, depth], rows[_SIZE, depth] = row, start + 1, begin - start - 1
    at[DEPTH] = depth + 1
    if row >= 0:
        at[PARENT], at[BLANK] = row, 0  # what is white space inside an element parts nothing outside
        if at[IN_DETAILED] == 0 and flag & traits.OPAQUE:
            at[IN_OPAQUE] = depth + 1
        elif at[IN_DETAILED] == 0 and flag & traits.DETAILED:
            at[IN_DETAILED] = depth + 1


@part
def _close(begin, rows, text, at, prefixes):  # type: ignore[no-untyped-def]
    """Close the innermost element, whose end tag is at `begin`."""
    depth = at[DEPTH] - 1
    at[DEPTH] = depth
    row = rows[_ROW, depth]
    if row >= 0:
        rows[2, row], rows[3, row] = at[CHARACTERS], at[ROWS]
        rows[5, row], rows[8, row] = at[SOLID], begin
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
def _start_tag(raw, start, names, kept, rows, text, at, prefixes, attributes, verbatim, in_set):  # type: ignore[no-untyped-def]
    """Take the start tag at `start`; return the index behind it, -1 when it is not understood."""
    hashes, numbers, flags = names
    begin = start + 1
    end, prefix, colon = read_name(raw, begin, at)
    if end < 0:
        return -1
    stop = end
    if raw[end] != GT:
        at[RID] = 0
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
    if in_set and not _keeps_apart(raw, start + 1, end, stop, flag, colon, at):
        return -1
    _open(raw, start, end, stop, number, flag, rows, text, at)
    if stop > end and at[RID] > 0:
        _take_link(rows, at)
    if raw[stop - 1] == SLASH:
        _close(stop + 1, rows, text, at, prefixes)
        at[CLOSED] = stop + 1
    return stop + 1


@part
def _take_link(rows, at):  # type: ignore[no-untyped-def]
    """Keep the `rid` of the start tag just read: where it begins and ends, and the innermost row around it."""
    link = at[LINKS]
    rows[_LINK, link], rows[_LINK + 1, link], rows[_LINK + 2, link] = at[RID], at[RID_END], at[PARENT]
    at[LINKS], at[RID] = link + 1, 0


@part
def _keeps_apart(raw, begin, end, stop, flag, colon, at):  # type: ignore[no-untyped-def]
    """Say whether a start tag is a record's and ends at its first `>`, or is inside a record and looks like none."""
    if at[DEPTH] > 0:
        return end - begin < at[TOP_SIZE] or not is_same(raw, begin, at[TOP], at[TOP_SIZE])
    if not flag & traits.RECORD or colon >= 0:
        return False
    at[TOP], at[TOP_SIZE] = begin, end - begin
    for j in range(end, stop):  # noqa: SIM110  numba compiles a loop faster
        if raw[j] == GT:
            return False
    return True


@inlined
def _end_tag(raw, start, rows, text, at, prefixes):  # type: ignore[no-untyped-def]
    """Take the end tag at `start`; return the index behind it, -1 when it does not close the innermost element."""
    if at[DEPTH] == 0:
        return -1
    begin, size = np.int64(rows[_NAME, at[DEPTH] - 1]), np.int64(rows[_SIZE, at[DEPTH] - 1])
    if not is_same(raw, start + 2, begin, size):
        return -1
    i = start + 2 + size
    while CLASS[raw[i]] & SPACE:
        i += 1
    if raw[i] != GT:
        return -1
    row = rows[_ROW, at[DEPTH] - 1]
    stops = row < -1 - traits.CITED and row > -1 - traits.NOTED and is_before_stop(raw, i + 1)
    if stops:
        take_back_space(text, at)
    _close(start, rows, text, at, prefixes)
    if stops:
        at[BLANK] = 1  # the layout behind a script and before a stop is no space
    at[CLOSED] = i + 1
    return i + 1


@kernel
def fill(raw, start, n, names, rows, text, verbatim, bounds, cap):  # type: ignore[no-untyped-def]
    """Fill rows and text from the bytes from `start` to `n`, which `characters` says how to follow.

    `names` are a vocabulary's tables. Returns 1 for a document that is proven to be well-formed, its prolog apart, 0
    for one that is not, -1 for what is not understood; and the numbers of elements, of bytes of text and of links.

    `bounds` is int32[most, 3], `most` is 0 for a document. Of a set it takes begin, end and row of the records that are
    proven and have at most `cap` bytes; their number is returned, and the elements and text of them.
    """
    prefixes, attributes = np.empty((MOST_PREFIXES, 3), np.int32), np.empty((MOST_ATTRIBUTES, 3), np.int32)
    at = np.zeros(STATE, np.int64)
    at[PARENT], at[PROVEN], kept = -1, 1, _IN_PIECE if verbatim else -1
    in_set, begin, row = len(bounds) > 0, start, 0
    count, elements, out = 0, 0, 0
    i = start
    while i >= 0 and i < n:
        if raw[i] != LT:
            i = copy_content(raw, i, n, text, at, verbatim)
        elif raw[i + 1] == SLASH:
            i = _end_tag(raw, i, rows, text, at, prefixes)
        elif raw[i + 1] == BANG or raw[i + 1] == QUESTION:
            i = -1 if in_set else take_section(raw, i, n, text, at, verbatim)
        else:
            if at[DEPTH] == 0:
                begin, row = i, at[ROWS]
            i = _start_tag(raw, i, names, kept, rows, text, at, prefixes, attributes, verbatim, in_set)
        if in_set and at[DEPTH] == 0 and at[ROOTS] > count:  # a record has ended
            if at[PROVEN] == 0 or i - begin > cap:
                break
            bounds[count, 0], bounds[count, 1], bounds[count, 2] = begin, i, row
            count, elements, out = count + 1, at[ROWS], at[OUT]
            if count == len(bounds):
                break
    if in_set:
        return count, elements, out, at[LINKS]
    if i < 0 or at[DEPTH] != 0:
        return -1, 0, 0, 0
    return at[PROVEN] * (at[ROOTS] == 1), at[ROWS], at[OUT], at[LINKS]
