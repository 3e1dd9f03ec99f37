"""What one tag, name, attribute, text or reference may look like to be plain: the parts of `corpus.ncbi.markup.prove`.

Every function takes the bytes and a place in them, and gives back the place behind (or at) what it knows, -1 for
what it does not. The numbers in the code are bytes: 34 `"`, 35 `#`, 38 `&`, 39 `'`, 47 `/`, 58 `:`, 59 `;`, 60 `<`,
61 `=`, 62 `>`, 93 `]`.
"""

import numpy as np

from corpus.ncbi.markup.kernels import is_same, part

_MAX_NAME = 200
_MML, _DECLARATION = b"mml:", b'xmlns:mml="http://www.w3.org/1998/Math/MathML"'

TEXT, NAME, _FIRST, SPACE = 1, 2, 4, 8


def _classes() -> np.ndarray:
    """Return uint8[256]: what a byte may be without a closer look."""
    table = np.zeros(256, np.uint8)
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for byte in range(256):
        special = byte < 32 or byte in b"&<>" or byte == 0xEF
        table[byte] |= 0 if special else TEXT
    for byte in b"\t\n\r ":
        table[byte] |= TEXT | SPACE
    for byte in letters + b"0123456789._-":
        table[byte] |= NAME
    for byte in letters + b"_":
        table[byte] |= _FIRST
    return table


CLASS = _classes()


@part
def skip_space(raw, i):  # type: ignore[no-untyped-def]
    """Return the index of the first byte from `i` on that is no white space."""
    while i < len(raw) and CLASS[raw[i]] & SPACE:
        i += 1
    return i


@part
def _holds(raw, i, expected):  # type: ignore[no-untyped-def]
    """Say whether the bytes at `i` are the expected ones."""
    if i + len(expected) > len(raw):
        return False
    for j in range(len(expected)):  # noqa: SIM110  numba compiles a loop faster
        if raw[i + j] != expected[j]:
            return False
    return True


@part
def _name(raw, i):  # type: ignore[no-untyped-def]
    """Return the size of the name at `i`, 0 when there is none, and whether a colon stands in it."""
    begin, colon = i, -1
    while i < len(raw):
        byte = raw[i]
        if byte == 58 and colon < 0 and i > begin:
            colon = i
        elif CLASS[byte] & NAME == 0:
            break
        i += 1
    size = i - begin
    if size == 0 or size > _MAX_NAME or CLASS[raw[begin]] & _FIRST == 0 or colon == i - 1:
        return 0, False
    return (size, colon > 0) if colon < 0 or CLASS[raw[colon + 1]] & _FIRST else (0, False)


@part
def simple_tag(raw, begin):  # type: ignore[no-untyped-def]
    """Return the index of the `>` of a tag that is only a name, -1 for another one, and the size of the name."""
    i = begin
    while i < len(raw) and CLASS[raw[i]] & NAME:
        i += 1
    size = i - begin
    plain = i < len(raw) and raw[i] == 62 and 0 < size <= _MAX_NAME and CLASS[raw[begin]] & _FIRST
    return (i if plain else -1), size


@part
def start_tag(raw, begin, attributes, top, math):  # type: ignore[no-untyped-def]
    """Return the index of the `>` of a start tag, -1 when it is not plain; the size of its name; whether it declares
    the prefix of MathML.
    """
    size, prefixed = _name(raw, begin)
    i, declares = _attributes(raw, begin + size, attributes, top)
    unknown = prefixed and not ((math or declares) and _holds(raw, begin, _MML))
    return (-1 if size == 0 or unknown else i - 1 if i > 0 else -1), size, declares


@part
def end_tag(raw, i, begin):  # type: ignore[no-untyped-def]
    """Return the index of the `>` of the end tag whose name at `i` should be the one at `begin`, -1 for another."""
    n, at, j = len(raw), i, begin
    while i < n and raw[i] == raw[j] and CLASS[raw[i]] & NAME:
        i, j = i + 1, j + 1
    if i < n and raw[i] == 62 and not CLASS[raw[j]] & NAME and raw[j] != 58:
        return i
    size, _ = _name(raw, begin)
    if at + size >= n or not is_same(raw, at, begin, size):
        return -1
    i = skip_space(raw, at + size)
    return i if i < n and raw[i] == 62 else -1


@part
def _attributes(raw, i, attributes, top):  # type: ignore[no-untyped-def]
    """Return the index behind the tag, -1 when it is not plain, and whether it declares the prefix of MathML.

    In the tag of an element at the top no value may hold a `>`, for a splitter on tags would end the tag there.
    """
    n, count, declares = len(raw), 0, False
    while i < n:
        begin = i
        while begin < n and CLASS[raw[begin]] & SPACE:
            begin += 1
        if begin + 1 < n and raw[begin] == 47:
            return (begin + 2 if raw[begin + 1] == 62 else -1), declares
        if begin < n and raw[begin] == 62:
            return begin + 1, declares
        if begin == i or begin + 1 >= n or count == len(attributes) or CLASS[raw[begin]] & _FIRST == 0:
            return -1, False
        i = begin + 1
        while i < n and CLASS[raw[i]] & NAME:
            i += 1
        size = i - begin
        for j in range(count):
            if attributes[j, 1] == size and is_same(raw, begin, attributes[j, 0], size):
                return -1, False
        attributes[count, 0], attributes[count, 1] = begin, size
        count += 1
        if raw[begin] == 120 and _holds(raw, begin, _DECLARATION):
            if declares:
                return -1, False
            declares, i = True, begin + len(_DECLARATION)
        elif size > _MAX_NAME or (raw[begin] == 120 and _holds(raw, begin, b"xmlns")):
            return -1, False
        else:
            i = _value(raw, i, top)
            if i < 0:
                return -1, False
    return -1, False


@part
def _value(raw, i, top):  # type: ignore[no-untyped-def]
    """Return the index behind the `="…"` of an attribute, -1 when it is not plain."""
    n = len(raw)
    while i < n and CLASS[raw[i]] & SPACE:
        i += 1
    if i >= n or raw[i] != 61:
        return -1
    i += 1
    while i < n and CLASS[raw[i]] & SPACE:
        i += 1
    if i >= n or (raw[i] != 34 and raw[i] != 39):
        return -1
    quote = raw[i]
    i += 1
    while i < n and raw[i] != quote:
        if CLASS[raw[i]] & TEXT or (raw[i] == 62 and not top):
            i += 1
        else:
            i = _special(raw, i)
            if i < 0:
                return -1
    return i + 1 if i < n else -1


@part
def text(raw, i):  # type: ignore[no-untyped-def]
    """Return the index of the next `<` from within a text, -1 when what is before it is not plain."""
    while i < len(raw):
        byte = raw[i]
        if CLASS[byte] & TEXT:
            i += 1
        elif byte == 60:
            return i
        elif byte == 62:
            if raw[i - 1] == 93 and raw[i - 2] == 93:
                return -1
            i += 1
        else:
            i = _special(raw, i)
            if i < 0:
                return -1
    return -1


@part
def _special(raw, i):  # type: ignore[no-untyped-def]
    """Return the index behind a reference, or behind the byte EF unless it begins U+FFFE or U+FFFF; else -1."""
    if raw[i] == 0xEF:
        return i + 1 if i + 2 < len(raw) and not (raw[i + 1] == 0xBF and raw[i + 2] >= 0xBE) else -1
    if raw[i] != 38:
        return -1
    if _holds(raw, i, b"&lt;") or _holds(raw, i, b"&gt;"):
        return i + 4
    if _holds(raw, i, b"&amp;"):
        return i + 5
    if _holds(raw, i, b"&quot;") or _holds(raw, i, b"&apos;"):
        return i + 6
    return _character(raw, i + 2) if _holds(raw, i, b"&#") else -1


@part
def _character(raw, i):  # type: ignore[no-untyped-def]
    """Return the index behind the `;` of a reference to a character that XML allows, else -1."""
    code, base = 0, 10
    if i < len(raw) and raw[i] == 120:
        base, i = 16, i + 1
    begin = i
    while i < len(raw) and i - begin < 8:
        byte, letter = raw[i], raw[i] | 32
        if 48 <= byte <= 57:
            code = code * base + (byte - 48)
        elif base == 16 and 97 <= letter <= 102:
            code = code * base + (letter - 87)
        else:
            break
        i += 1
    if i >= len(raw) or i == begin or raw[i] != 59:
        return -1
    if code < 32:
        return i + 1 if code == 9 or code == 10 or code == 13 else -1
    return i + 1 if code < 0xD800 or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF else -1
