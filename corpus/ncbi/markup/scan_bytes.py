"""Bytes of XML one by one, for the scan of `corpus.ncbi.markup.scan`: classes, characters, references, sections.

Bytes are compared by number, for numba knows no characters: 35 `#`, 38 `&`, 39 `'`, 45 `-`, 59 `;`, 60 `<`, 62 `>`,
63 `?`, 91 `[`. A document is followed by PADDING zeros, which stand in no document, so that a loop over one class of
bytes ends without asking where it is.
"""

import numpy as np

from corpus.ncbi.markup.kernels import part

PADDING = bytes(16)
# What a byte may be: in a text as it stands; white space; in a name; at its start; in a value in quotes.
PLAIN, SPACE, NAME, FIRST, VALUE = 1, 2, 4, 8, 16

# Places in the state of a scan: bytes, characters and solid characters of text so far, whether the last was a space,
# rows so far, row and depth of the innermost open element, depth of the opaque or detailed one around it (0: none),
# index behind the last end tag, control characters so far, elements at the top so far, the largest depth at which a
# prefix was declared that is in force, prefixes so far, and whether all so far is proven to be well-formed.
OUT, CHARACTERS, SOLID, BLANK, ROWS, PARENT, DEPTH, IN_OPAQUE, IN_DETAILED, CLOSED, MARKS, ROOTS = range(12)
SCOPED, PREFIXES, PROVEN, STATE = range(12, 16)


def _classes() -> np.ndarray:
    """Return uint8[256]: what a byte may be without a closer look."""
    table = np.zeros(256, np.uint8)
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for byte in range(33, 128):
        table[byte] |= PLAIN if byte not in b"&<>" else 0
        table[byte] |= VALUE if byte not in b"&<\"'" else 0
    for byte in b"\t\n\r ":
        table[byte] |= SPACE | VALUE
    for byte in letters + b"0123456789._-":
        table[byte] |= NAME
    for byte in letters + b"_":
        table[byte] |= FIRST
    return table


CLASS = _classes()
_CDATA = np.frombuffer(b"<![CDATA[", np.uint8)


@part
def width_of_space(raw, i):  # type: ignore[no-untyped-def]
    """Return the bytes of the Unicode space at `i` (no-break, thin, ideographic, …), 0 when there is none."""
    byte, second, third = raw[i], raw[i + 1], raw[i + 2]
    if byte == 0xC2:
        return 2 if second == 0xA0 or second == 0x85 else 0
    if byte == 0xE2 and second == 0x80:
        return 3 if third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF else 0
    rare = (byte == 0xE2 and second == 0x81 and third == 0x9F) or (byte == 0xE1 and second == 0x9A and third == 0x80)
    return 3 if rare or (byte == 0xE3 and second == 0x80 and third == 0x80) else 0


@part
def width_of_character(raw, i):  # type: ignore[no-untyped-def]
    """Return the bytes of the UTF-8 character beyond ASCII at `i`, 0 for what is none or not allowed in XML."""
    byte, second = raw[i], raw[i + 1]
    if byte < 0xC2 or byte > 0xF4 or second & 0xC0 != 0x80:
        return 0
    if byte < 0xE0:
        return 2
    third = raw[i + 2]
    if third & 0xC0 != 0x80:
        return 0
    if byte < 0xF0:
        wrong = (byte == 0xE0 and second < 0xA0) or (byte == 0xED and second >= 0xA0)
        return 0 if wrong or (byte == 0xEF and second == 0xBF and third >= 0xBE) else 3
    wrong = (byte == 0xF0 and second < 0x90) or (byte == 0xF4 and second >= 0x90)
    return 0 if wrong or raw[i + 3] & 0xC0 != 0x80 else 4


@part
def reference(raw, i):  # type: ignore[no-untyped-def]
    """Return the code point of the reference at `i` and the index behind it; -1 for what XML does not define."""
    end = i + 1
    while raw[end] != 59 and end < i + 12:
        end += 1
    first, length = raw[i + 1], end - i - 1
    code = -1
    if raw[end] != 59:
        return -1, i
    if first == 35:
        code = _code_of(raw, i + 2, end)
    elif length == 2 and raw[i + 2] == 116:  # lt gt
        code = 60 if first == 108 else 62 if first == 103 else -1
    elif length == 3 and first == 97 and raw[i + 2] == 109 and raw[i + 3] == 112:
        code = 38
    elif length == 4 and raw[i + 3] == 111:  # quot
        code = 34 if first == 113 and raw[i + 2] == 117 and raw[i + 4] == 116 else -1
        if first == 97 and raw[i + 2] == 112 and raw[i + 4] == 115:  # apos
            code = 39
    return code, end + 1


@part
def _code_of(raw, i, end):  # type: ignore[no-untyped-def]
    """Return the code point of the digits (behind an x: hexadecimal ones) up to `end`, -1 for none that XML allows."""
    code, base = np.int64(0), 10
    if raw[i] == 120:
        base, i = 16, i + 1
    if i == end:
        return -1
    while i < end:
        byte = np.int64(raw[i])
        letter = byte | 32
        if byte >= 48 and byte <= 57:
            code = code * base + (byte - 48)
        elif base == 16 and letter >= 97 and letter <= 102:
            code = code * base + (letter - 87)
        else:
            return -1
        i += 1
    if code < 32:
        return code if code == 9 or code == 10 or code == 13 else -1
    allowed = code < 0xD800 or (code >= 0xE000 and code <= 0xFFFD) or (code >= 0x10000 and code <= 0x10FFFF)
    return code if allowed else -1


@part
def _find(raw, i, n, first, second, third):  # type: ignore[no-untyped-def]
    """Return the index of the last of three bytes in a row, -1 when they do not follow."""
    for j in range(i, n - 2):
        if raw[j + 2] == third and raw[j + 1] == second and raw[j] == first:
            return j + 2
    return -1


@part
def skip_section(raw, i, n):  # type: ignore[no-untyped-def]
    """Return the index of the `>` that ends a comment, instruction, CDATA section or simple DOCTYPE; else -1."""
    kind = raw[i + 2]
    if raw[i + 1] == 63:
        for j in range(i + 2, n - 1):
            if raw[j] == 63 and raw[j + 1] == 62:
                return j + 1
        return -1
    if kind == 45:  # <!--
        return _find(raw, i + 4, n, 45, 45, 62)
    if kind == 91:
        return _find(raw, i + 9, n, 93, 93, 62) if is_cdata(raw, i) else -1
    quote = 0
    for j in range(i, n):
        byte = raw[j]
        if quote:
            if byte == quote:
                quote = 0
        elif byte == 34 or byte == 39:
            quote = byte
        elif byte == 91:  # declarations of its own
            return -1
        elif byte == 62:
            return j
    return -1


@part
def is_cdata(raw, i):  # type: ignore[no-untyped-def]
    """Say whether `<![CDATA[` stands at `i`."""
    for j in range(len(_CDATA)):  # noqa: SIM110  numba compiles a loop faster
        if raw[i + j] != _CDATA[j]:
            return False
    return True


@part
def is_plain_section(raw, i, end):  # type: ignore[no-untyped-def]
    """Say whether a comment or instruction inside or behind a root, from `i` to its `>`, is beyond doubt one."""
    begin = i
    if raw[i + 1] == 63:
        if not CLASS[raw[i + 2]] & FIRST or raw[i + 2] | 32 == 120:  # a target like xml is reserved
            return False
        i += 2
        while CLASS[raw[i]] & NAME:
            i += 1
        if raw[i] != 63 and not CLASS[raw[i]] & SPACE:
            return False
    elif raw[i + 2] == 45 and raw[i + 3] == 45:
        i += 4
    else:
        return False
    while i < end:
        byte = raw[i]
        if byte >= 128:
            width = width_of_character(raw, i)
            if width == 0:
                return False
            i += width
            continue
        if byte < 32 and not CLASS[byte] & SPACE:
            return False
        if byte == 45 and raw[i + 1] == 45 and raw[begin + 1] == 33:
            return i == end - 2
        i += 1
    return raw[begin + 1] == 63
