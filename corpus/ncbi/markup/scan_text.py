"""How the scan of `corpus.ncbi.markup.scan` writes text: character data, code points and control characters."""

import numpy as np

from corpus.ncbi.markup.kernels import inlined, part
from corpus.ncbi.markup.scan_bytes import (
    BLANK,
    CHARACTERS,
    CLASS,
    DEPTH,
    MARKS,
    OUT,
    PLAIN,
    PROVEN,
    SOLID,
    SPACE,
    reference,
    width_of_character,
    width_of_space,
)

_COPIED = PLAIN | SPACE


@inlined
def copy(raw, i, stop, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Copy text up to the next markup or to `stop`; return where that is, -1 for what is no text.

    Any run of white space becomes one space, unless `verbatim`.
    """
    out, characters, solid, blank = at[OUT], at[CHARACTERS], at[SOLID], at[BLANK]
    while i < stop:
        byte = raw[i]
        kind = CLASS[byte] if not verbatim else 0
        # Words end too often and too irregularly for a branch on white space.
        while kind & _COPIED and i < stop:
            space = (kind & SPACE) >> 1
            text[out] = 32 if space else byte
            step = 1 - (space & blank)
            out, characters, solid = out + step, characters + step, solid + 1 - space
            blank, i = space, i + 1
            byte = raw[i]
            kind = CLASS[byte]
        if i >= stop or byte == 60 or byte == 38:
            break
        kind = CLASS[byte]
        width = width_of_character(raw, i) if byte >= 128 else 1
        if width == 0 or (byte < 32 and not kind & SPACE):
            return -1
        space = width_of_space(raw, i) if byte >= 128 else (kind & SPACE) >> 1
        if space and not verbatim:
            text[out] = 32
            out, characters, blank = out + 1 - blank, characters + 1 - blank, 1
        else:
            if byte == 62 and i > 1 and raw[i - 1] == 93 and raw[i - 2] == 93:
                at[PROVEN] = 0
            text[out] = 10 if byte == 13 else byte  # XML reads CR LF and CR as LF
            i += byte == 13 and i + 1 < stop and raw[i + 1] == 10
            for j in range(1, width):
                text[out + j] = raw[i + j]
            out, characters, blank = out + width, characters + 1, 0
            solid += space == 0
        i += width
    at[OUT], at[CHARACTERS], at[SOLID], at[BLANK] = out, characters, solid, blank
    return i


@part
def put_code(code, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Append one code point as UTF-8, by the rule of `copy`; 60, 38 and 13 come from references and are text."""
    space = code == 32 or code == 9 or code == 10
    if code >= 0x80:
        space = code == 0x85 or code == 0xA0 or code == 0x1680 or (code >= 0x2000 and code <= 0x200A)
        space |= code == 0x2028 or code == 0x2029 or code == 0x202F or code == 0x205F or code == 0x3000
    if space and not verbatim:
        if at[BLANK] == 0:
            put_space(text, at)
        return
    out = at[OUT]
    if code < 0x80:
        text[out], size = code, 1
    elif code < 0x800:
        text[out], text[out + 1], size = 0xC0 | code >> 6, 0x80 | code & 63, 2
    elif code < 0x10000:
        text[out], text[out + 1], text[out + 2] = 0xE0 | code >> 12, 0x80 | code >> 6 & 63, 0x80 | code & 63
        size = 3
    else:
        text[out], text[out + 1], size = 0xF0 | code >> 18, 0x80 | code >> 12 & 63, 4
        text[out + 2], text[out + 3] = 0x80 | code >> 6 & 63, 0x80 | code & 63
    at[OUT] = out + size
    at[CHARACTERS] += 1
    at[SOLID] += not (space or code == 13)
    at[BLANK] = 0


@part
def put_space(text, at):  # type: ignore[no-untyped-def]
    """Append a space."""
    text[at[OUT]] = 32
    at[OUT] += 1
    at[CHARACTERS] += 1
    at[BLANK] = 1


@part
def put_mark(mark, text, at):  # type: ignore[no-untyped-def]
    """Append a control character, which is no solid character and parts white space."""
    text[at[OUT]] = mark
    at[OUT] += 1
    at[CHARACTERS] += 1
    at[MARKS] += 1
    at[BLANK] = 0


@inlined
def copy_content(raw, i, n, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Copy text and references up to the next `<` or to the end; return where that is, -1 for what is no text."""
    begin = i
    while i >= 0 and i < n and raw[i] != 60:
        if raw[i] == 38:
            code, i = reference(raw, i)
            if code < 0:
                return -1
            put_code(code, text, at, verbatim)
        else:
            i = copy(raw, i, n, text, at, verbatim)
    if at[DEPTH] == 0:
        for j in range(begin, i):
            if not CLASS[raw[j]] & SPACE:
                at[PROVEN] = 0
    return i


@part
def copy_section(raw, i, stop, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Copy a CDATA section, where `<` and `&` are text; return -1 for what is no text."""
    if at[DEPTH] == 0:
        at[PROVEN] = 0
    while i >= 0 and i < stop:
        i = copy(raw, i, stop, text, at, verbatim)
        if i >= 0 and i < stop:
            put_code(np.int64(raw[i]), text, at, verbatim)
            i += 1
    return i
