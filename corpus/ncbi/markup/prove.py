"""Which bytes are plain XML beyond doubt: elements side by side, proven well-formed in one cheap pass.

Bytes come in, the places of the elements that stand at the top go out. "Plain" is a part of what XML allows: UTF-8,
ASCII names, quoted attributes, references to characters and to the five entities of XML, and of all namespaces the
one of MathML under the prefix `mml`. Whatever else stands there (a comment, CDATA, an unknown entity, damage,
sizes near a limit of libxml2) ends the pass before the element that holds it, and libxml2 decides on that one.
So a `yes` must be right and a `no` costs time only; the tests hold every `yes` against libxml2.

An element is judged on its own bytes: nothing before or behind it can make it right.
"""

import numpy as np

from corpus.ncbi.markup.kernels import inlined, is_same, kernel
from corpus.ncbi.markup.prove_tokens import CLASS, TEXT, end_tag, simple_tag, skip_space, start_tag, text

MAX_BYTES = 8_000_000  # looked at in one pass; libxml2's own limit on one text is 10 MB
_MAX_DEPTH, _MAX_ATTRIBUTES = 200, 24


def plain_elements(raw: bytes, start: int, most: int) -> list[tuple[int, int]]:
    """Return where the first plain elements of `raw[start:]` begin and end, at most `most` of them.

    White space may stand between them. The list ends before the first element that is not plain or not whole.
    An element that holds another whose name begins with its own name is not plain: a splitter on tags would cut there.
    """
    bounds = np.empty((most, 2), np.int32)
    stop = min(len(raw), start + MAX_BYTES)
    count = _elements(np.frombuffer(raw, np.uint8, stop - start, start), bounds)
    found = [(start + begin, start + end) for begin, end in bounds[:count].tolist()]
    try:
        raw[start : found[-1][1] if found else start].decode()
    except UnicodeDecodeError as error:
        found = [bound for bound in found if bound[1] <= start + error.start]
    return found


@kernel
def _elements(raw, bounds):  # type: ignore[no-untyped-def]
    """Fill in begin and end of the plain elements; return their number."""
    names, attributes = np.empty(_MAX_DEPTH, np.int64), np.empty((_MAX_ATTRIBUTES, 2), np.int32)
    count, i = 0, 0
    while count < len(bounds):
        i = skip_space(raw, i)
        if i >= len(raw) or raw[i] != 60:
            break
        end = _element(raw, i, names, attributes)
        if end < 0:
            break
        bounds[count, 0], bounds[count, 1] = i, end
        count += 1
        i = end
    return count


@inlined
def _element(raw, i, names, attributes):  # type: ignore[no-untyped-def]
    """Return the index behind the element that begins at `i`, -1 when it is not plain."""
    n, depth, math = len(raw), 0, 0  # math: the depth of the element that declares the prefix, 0 outside
    top, top_size = i + 1, 0
    while i + 1 < n:  # raw[i] is <
        begin = i + 1
        if raw[begin] == 47:
            depth -= 1
            i = end_tag(raw, begin + 1, names[depth]) if depth >= 0 else -1
            math = 0 if math > depth else math
        else:
            i, size = simple_tag(raw, begin)
            empty = False
            if i < 0:
                i, size, declares = start_tag(raw, begin, attributes, depth == 0, math > 0)
                empty = i > 0 and raw[i - 1] == 47
                math = depth + 1 if declares and math == 0 and not empty else math
            if depth == 0:
                top_size = size
            elif depth == len(names) or (size >= top_size and is_same(raw, begin, top, top_size)):
                return -1
            if not empty:
                names[depth] = begin
                depth += 1
        if i < 0 or depth == 0:
            return i + 1 if i > 0 else -1
        i += 1
        while i < n and CLASS[raw[i]] & TEXT:
            i += 1
        if i < n and raw[i] != 60:
            i = text(raw, i)
            if i < 0:
                return -1
    return -1
