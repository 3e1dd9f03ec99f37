"""How the scan of `corpus.ncbi.markup.scan` reads what stands between tags, and writes text.

Character data and references, comments, instructions, CDATA sections; code points and control characters.
"""

import numpy as np

from corpus.ncbi.markup.characters import (
    AMPERSAND,
    APOSTROPHE,
    BANG,
    BLANK_SPACE,
    CLASS,
    CLOSE_BRACKET,
    CODES_OF_3,
    CODES_OF_4,
    CONTINUATION,
    DASH,
    FIRST,
    GT,
    LEAD_OF_2,
    LEAD_OF_3,
    LEAD_OF_4,
    LETTER_X,
    LOWERCASE,
    LT,
    NAME,
    NEWLINE,
    NOT_ASCII,
    NOT_PLAIN,
    ONES,
    OPEN_BRACKET,
    PAYLOAD,
    PLAIN,
    QUESTION,
    QUOTE,
    RETURN,
    SPACE,
    SPACE_BIT,
    behind_spaces,
    character_at,
    is_space,
    plain_word,
    reference,
    word,
)
from corpus.ncbi.markup.kernels import WORD, inlined, part, put_word, word_at
from corpus.ncbi.markup.scan_state import BLANK, CHARACTERS, DEPTH, MARKS, OUT, PROVEN, ROOTS, SOLID

_COPIED = PLAIN | SPACE
_BYTE = np.uint64(8)
_FIRST_BYTE = np.uint64(0x80)
_CDATA_BYTES = 9  # of <![CDATA[
_CDATA = word(b"<![CDATA")  # as far as a word goes


@inlined
def copy(raw, i, stop, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Copy text up to the next markup or to `stop`; return where that is, -1 for what is no text.

    Any run of white space becomes one space, unless `verbatim`.
    """
    out, characters = at[OUT], at[CHARACTERS]
    solid, blank = at[SOLID], at[BLANK]
    if CLASS[raw[i]] & SPACE and not verbatim:  # a line break and its indent, as it parts most tags
        text[out] = BLANK_SPACE
        out, characters, blank = out + 1 - blank, characters + 1 - blank, 1
        i = behind_spaces(raw, i + 1)
    while i < stop:
        while not verbatim and i + WORD <= stop:
            octets = word_at(raw, i)
            spaces = plain_word(octets)
            if spaces == NOT_PLAIN or (spaces & (spaces << _BYTE | _FIRST_BYTE * np.uint64(blank))):
                break
            put_word(text, out, octets)
            i, out, characters = i + WORD, out + WORD, characters + WORD
            solid += WORD - np.int64((spaces >> np.uint64(7)) * ONES >> np.uint64(56))
            blank = np.int64(spaces >> np.uint64(63))
        byte = raw[i]
        kind = CLASS[byte] if not verbatim else 0
        # Words end too often and too irregularly for a branch on white space.
        while kind & _COPIED and i < stop:
            space = (kind & SPACE) >> SPACE_BIT
            text[out] = BLANK_SPACE if space else byte
            step = 1 - (space & blank)
            out, characters, solid = out + step, characters + step, solid + 1 - space
            blank, i = space, i + 1
            byte = raw[i]
            kind = CLASS[byte]
        if i >= stop or byte == LT or byte == AMPERSAND:  # noqa: SIM109  numba compiles no `in` here
            break
        code, width = character_at(raw, i) if byte >= NOT_ASCII else (np.int64(byte), 1)
        if width == 0 or (byte < BLANK_SPACE and not CLASS[byte] & SPACE):
            return -1
        space = is_space(code) or byte == RETURN
        if space and not verbatim:
            text[out] = BLANK_SPACE
            out, characters, blank = out + 1 - blank, characters + 1 - blank, 1
        else:
            if byte == GT and i > 1 and raw[i - 1] == CLOSE_BRACKET and raw[i - 2] == CLOSE_BRACKET:
                at[PROVEN] = 0
            text[out] = NEWLINE if byte == RETURN else byte  # XML reads CR LF and CR as LF
            i += byte == RETURN and i + 1 < stop and raw[i + 1] == NEWLINE
            for j in range(1, width):
                text[out + j] = raw[i + j]
            out, characters, blank = out + width, characters + 1, 0
            solid += space == 0
        i += width
    at[OUT], at[CHARACTERS] = out, characters
    at[SOLID], at[BLANK] = solid, blank
    return i


@part
def put_code(code, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Append one code point as UTF-8, by the rule of `copy`; `<`, `&` and CR come from references and are text."""
    space = is_space(code)
    if space and not verbatim:
        if at[BLANK] == 0:
            put_space(text, at)
        return
    out = at[OUT]
    last = CONTINUATION | code & PAYLOAD
    if code < NOT_ASCII:
        text[out] = code
        size = 1
    elif code < CODES_OF_3:
        text[out] = LEAD_OF_2 | code >> 6
        text[out + 1] = last
        size = 2
    elif code < CODES_OF_4:
        text[out] = LEAD_OF_3 | code >> 12
        text[out + 1] = CONTINUATION | code >> 6 & PAYLOAD
        text[out + 2] = last
        size = 3
    else:
        text[out] = LEAD_OF_4 | code >> 18
        text[out + 1] = CONTINUATION | code >> 12 & PAYLOAD
        text[out + 2] = CONTINUATION | code >> 6 & PAYLOAD
        text[out + 3] = last
        size = 4
    at[OUT] = out + size
    at[CHARACTERS] += 1
    at[SOLID] += not (space or code == RETURN)
    at[BLANK] = 0


@part
def put_space(text, at):  # type: ignore[no-untyped-def]
    """Append a space."""
    text[at[OUT]] = BLANK_SPACE
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
    while i >= 0 and i < n and raw[i] != LT:
        if raw[i] == AMPERSAND:
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
def take_section(raw, start, n, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Take a comment, instruction, CDATA section or DOCTYPE; return the index behind it, -1 for anything else."""
    end = _end_of_section(raw, start, n)
    if end < 0:
        return -1
    if _is_cdata(raw, start):
        if _copy_section(raw, start + _CDATA_BYTES, end - 2, text, at, verbatim) < 0:
            return -1
    elif at[ROOTS] > 0 and not _is_plain_section(raw, start, end):
        at[PROVEN] = 0
    return end + 1


@part
def _copy_section(raw, i, stop, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Copy a CDATA section, where `<` and `&` are text; return -1 for what is no text."""
    if at[DEPTH] == 0:
        at[PROVEN] = 0
    while i >= 0 and i < stop:
        i = copy(raw, i, stop, text, at, verbatim)
        if i >= 0 and i < stop:
            put_code(np.int64(raw[i]), text, at, verbatim)
            i += 1
    return i


@part
def _find(raw, i, n, first, second, third):  # type: ignore[no-untyped-def]
    """Return the index of the last of three bytes in a row, -1 when they do not follow."""
    for j in range(i, n - 2):
        if raw[j + 2] == third and raw[j + 1] == second and raw[j] == first:
            return j + 2
    return -1


@part
def _end_of_section(raw, i, n):  # type: ignore[no-untyped-def]
    """Return the index of the `>` that ends a comment, instruction, CDATA section or simple DOCTYPE; else -1."""
    kind = raw[i + 2]
    if raw[i + 1] == QUESTION:
        for j in range(i + 2, n - 1):
            if raw[j] == QUESTION and raw[j + 1] == GT:
                return j + 1
        return -1
    if kind == DASH:  # <!--
        return _find(raw, i + 4, n, DASH, DASH, GT)
    if kind == OPEN_BRACKET:
        return _find(raw, i + _CDATA_BYTES, n, CLOSE_BRACKET, CLOSE_BRACKET, GT) if _is_cdata(raw, i) else -1
    quote = 0
    for j in range(i, n):
        byte = raw[j]
        if quote:
            if byte == quote:
                quote = 0
        elif byte == QUOTE or byte == APOSTROPHE:  # noqa: SIM109  numba compiles no `in` here
            quote = byte
        elif byte == OPEN_BRACKET:  # declarations of its own
            return -1
        elif byte == GT:
            return j
    return -1


@part
def _is_cdata(raw, i):  # type: ignore[no-untyped-def]
    """Say whether `<![CDATA[` stands at `i`."""
    return word_at(raw, i) == _CDATA and raw[i + _CDATA_BYTES - 1] == OPEN_BRACKET


@part
def _is_plain_section(raw, i, end):  # type: ignore[no-untyped-def]
    """Say whether a comment or instruction inside or behind a root, from `i` to its `>`, is beyond doubt one."""
    comment = raw[i + 1] == BANG
    if not comment:
        if not CLASS[raw[i + 2]] & FIRST or raw[i + 2] | LOWERCASE == LETTER_X:  # a target like xml is reserved
            return False
        i += 2
        while CLASS[raw[i]] & NAME:
            i += 1
        if raw[i] != QUESTION and not CLASS[raw[i]] & SPACE:
            return False
    elif raw[i + 2] == DASH and raw[i + 3] == DASH:
        i += 4
    else:
        return False
    while i < end:
        byte = raw[i]
        if byte >= NOT_ASCII:
            _, width = character_at(raw, i)
            if width == 0:
                return False
            i += width
            continue
        if byte < BLANK_SPACE and not CLASS[byte] & SPACE:
            return False
        if byte == DASH and raw[i + 1] == DASH and comment:
            return i == end - 2
        i += 1
    return not comment
