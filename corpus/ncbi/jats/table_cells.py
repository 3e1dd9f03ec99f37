"""Table cells: where they stand, found in one numba pass over the rows of a scan.

A table may have tens of thousands of cells, nearly all of them a number without markup or spans; what is special about
the others is found here, so that Python looks at those alone.
"""

from typing import NamedTuple

import numpy as np

from corpus.arrays.kernel import kernel, part
from corpus.ncbi.jats.vocabulary import JATS
from corpus.ncbi.markup.document import Markup

# What an element is within a table.
_CONTAINER = 1
_HEAD = 2
_FOOT = 3
_GROUP = 4
_ROW = 5
_CELL = 6
_HEAD_CELL = 7


class Cells(NamedTuple):
    """The cells of a table in reading order.

    `places` is int32[5, num_cells]: where the text starts and ends in `doc.text`, the element, whether it holds
    elements or control characters, whether its start tag may state a span. Rows without cells are left out.
    """

    places: np.ndarray
    heads: np.ndarray  # bool[num_cells]
    bounds: np.ndarray  # int32[num_rows + 1]: at which cell each row starts
    groups: np.ndarray  # int32[num_rows]: grows from one CALS group to the next, odd for rows of its foot
    solid: int  # number of solid characters in all of them


def _roles() -> np.ndarray:
    """Return uint8[num_names]: what an element of the vocabulary is within a table."""
    roles = np.zeros(len(JATS.names), np.uint8)
    groups = (
        ("tbody", _CONTAINER),
        ("tgroup", _GROUP),
        ("tfoot", _FOOT),
        ("thead", _HEAD),
        ("tr row", _ROW),
        ("td entry", _CELL),
        ("th", _HEAD_CELL),
    )
    for names, role in groups:
        roles[[JATS[name] for name in names.split()]] = role
    return roles


_ROLES = _roles()


def find_cells(doc: Markup, table: int) -> Cells:
    """Return the cells of a table, XHTML or CALS."""
    most = doc.nexts[table] - table
    # Made here and not in the pass: numba takes longer to hand over an array than numpy to make one.
    numbers, heads = np.empty((7, most + 1), np.int32), np.empty(most, np.bool_)
    places, bounds, groups = numbers[:5], numbers[5], numbers[6]
    count, num_rows, solid = _cells(
        np.frombuffer(doc.raw, np.uint8), doc.rows, _ROLES, table, places, heads, bounds, groups
    )
    return Cells(places[:, :count], heads[:count], bounds[: num_rows + 1], groups[:num_rows], solid)


@kernel
def _cells(raw, rows, roles, table, cells, heads, bounds, groups):  # type: ignore[no-untyped-def]
    """Fill the columns of `Cells`; return the numbers of cells, of rows and of solid characters."""
    element, stop = table + 1, rows[3, table]
    head_stop, foot_stop, group = 0, 0, 0
    bounds[0] = 0
    count, num_rows, solid = 0, 0, 0
    while element < stop:
        role = roles[rows[0, element]]
        if 0 < role < _ROW:
            if role == _HEAD:
                head_stop = max(head_stop, rows[3, element])
            elif role == _FOOT:
                foot_stop = rows[3, element]
            elif role == _GROUP:
                group += 2
            element += 1
            continue
        cell, row_stop = element + 1, rows[3, element] if role == _ROW else 0
        while cell < row_stop:
            after, role = rows[3, cell], roles[rows[0, cell]]
            if role >= _CELL:
                cells[0, count], cells[1, count], cells[2, count] = rows[1, cell], rows[2, cell], cell
                cells[3, count] = after > cell + 1 or rows[10, cell] > 0
                cells[4, count] = _may_span(raw, rows[6, cell], rows[7, cell])
                heads[count] = role == _HEAD_CELL or element < head_stop
                solid += rows[5, cell] - rows[4, cell]
                count += 1
            cell = after
        if count > bounds[num_rows]:
            groups[num_rows] = group + (element < foot_stop)
            num_rows += 1
            bounds[num_rows] = count
        element = rows[3, element]
    return count, num_rows, solid


@part
def _may_span(raw, i, end):  # type: ignore[no-untyped-def]
    """Say whether a start tag holds `span` other than `span="1"`, or the start of CALS' `namest` or `morerows`."""
    while i < end - 4:
        first, second, third = raw[i], raw[i + 1], raw[i + 2]
        if first == 115 and second == 112 and third == 97:  # spa
            if not (i + 7 < end and raw[i + 4] == 61 and raw[i + 5] == 34 and raw[i + 6] == 49 and raw[i + 7] == 34):
                return True
            i += 7
        elif (first == 110 and second == 97 and third == 109) or (first == 109 and second == 111 and third == 114):
            return True  # nam, mor
        i += 1
    return False
