"""How the scan of `corpus.ncbi.markup.scan` writes text: character data, code points and control characters."""

import numpy as np

from corpus.arrays.kernel import part
from corpus.ncbi.markup import characters as xml
from corpus.ncbi.markup.characters import behind_spaces, character_at, is_space, plain_word, reference
from corpus.ncbi.markup.kernels import WORD, inlined, put_word, word_at
from corpus.ncbi.markup.scan_state import BLANK, CHARACTERS, DEPTH, MARKS, OUT, PROVEN, SOLID

_COPIED = xml.PLAIN | xml.SPACE
# Of the spaces of a word: a byte on, the first of them, and how far the last byte and the last bit of a byte are.
_BYTE = np.uint64(8)
_FIRST_BYTE = np.uint64(0x80)
_LAST_BYTE = np.uint64(56)
_LAST_BIT = np.uint64(7)


@inlined
def copy(raw, i, stop, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Copy text up to the next markup or to `stop`; return where that is, -1 for what is no text.

    Any run of white space becomes one space, unless `verbatim`.
    """
    while i >= 0 and i < stop and raw[i] != xml.LT and raw[i] != xml.AMPERSAND:
        if not verbatim:
            i = _copy_plain(raw, i, stop, text, at)
        if i < stop and raw[i] != xml.LT and raw[i] != xml.AMPERSAND:
            i = _copy_character(raw, i, stop, text, at, verbatim)
    return i


@inlined
def _copy_plain(raw, i, stop, text, at):  # type: ignore[no-untyped-def]
    """Copy white space and plain ASCII up to anything else or to `stop`; return where that is."""
    out, characters = at[OUT], at[CHARACTERS]
    solid, blank = at[SOLID], at[BLANK]
    if xml.CLASS[raw[i]] & xml.SPACE:  # a line break and its indent, as it parts most tags
        text[out] = xml.BLANK_SPACE
        out, characters, blank = out + 1 - blank, characters + 1 - blank, 1
        i = behind_spaces(raw, i + 1)
    while i + WORD <= stop:
        octets = word_at(raw, i)
        spaces = plain_word(octets)
        if spaces == xml.NOT_PLAIN or spaces & (spaces << _BYTE | _FIRST_BYTE * np.uint64(blank)):
            break
        put_word(text, out, octets)
        i, out, characters = i + WORD, out + WORD, characters + WORD
        solid += WORD - np.int64((spaces >> _LAST_BIT) * xml.ONES >> _LAST_BYTE)
        blank = np.int64(spaces >> _LAST_BYTE >> _LAST_BIT)
    byte = raw[i]
    # Words end too often and too irregularly for a branch on white space.
    while xml.CLASS[byte] & _COPIED and i < stop:
        space = (xml.CLASS[byte] & xml.SPACE) >> xml.SPACE_BIT
        text[out] = xml.BLANK_SPACE if space else byte
        step = 1 - (space & blank)
        out, characters, solid = out + step, characters + step, solid + 1 - space
        blank, i = space, i + 1
        byte = raw[i]
    at[OUT], at[CHARACTERS] = out, characters
    at[SOLID], at[BLANK] = solid, blank
    return i


@part
def _copy_character(raw, i, stop, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Copy any one character but `<` and `&`; return the index behind it, -1 for what is none."""
    byte = raw[i]
    code, width = character_at(raw, i) if byte >= xml.NOT_ASCII else (np.int64(byte), 1)
    if width == 0 or (byte < xml.BLANK_SPACE and not xml.CLASS[byte] & xml.SPACE):
        return -1
    space = is_space(code) or byte == xml.RETURN
    if space and not verbatim:
        if at[BLANK] == 0:
            put_space(text, at)
        return i + width
    if byte == xml.GT and i > 1 and raw[i - 1] == xml.CLOSE_BRACKET and raw[i - 2] == xml.CLOSE_BRACKET:
        at[PROVEN] = 0
    out = at[OUT]
    text[out] = xml.NEWLINE if byte == xml.RETURN else byte  # XML reads CR LF and CR as LF
    for j in range(1, width):
        text[out + j] = raw[i + j]
    at[OUT] = out + width
    at[CHARACTERS] += 1
    at[SOLID] += not space
    at[BLANK] = 0
    return i + width + (byte == xml.RETURN and i + 1 < stop and raw[i + 1] == xml.NEWLINE)


@part
def put_code(code, text, at, verbatim):  # type: ignore[no-untyped-def]
    """Append one code point as UTF-8, by the rule of `copy`; `<`, `&` and CR come from references and are text."""
    space = is_space(code)
    if space and not verbatim:
        if at[BLANK] == 0:
            put_space(text, at)
        return
    out = at[OUT]
    last = xml.CONTINUATION | code & xml.PAYLOAD
    if code < xml.NOT_ASCII:
        text[out] = code
        size = 1
    elif code < xml.CODES_OF_3:
        text[out] = xml.LEAD_OF_2 | code >> 6
        text[out + 1] = last
        size = 2
    elif code < xml.CODES_OF_4:
        text[out] = xml.LEAD_OF_3 | code >> 12
        text[out + 1] = xml.CONTINUATION | code >> 6 & xml.PAYLOAD
        text[out + 2] = last
        size = 3
    else:
        text[out] = xml.LEAD_OF_4 | code >> 18
        text[out + 1] = xml.CONTINUATION | code >> 12 & xml.PAYLOAD
        text[out + 2] = xml.CONTINUATION | code >> 6 & xml.PAYLOAD
        text[out + 3] = last
        size = 4
    at[OUT] = out + size
    at[CHARACTERS] += 1
    at[SOLID] += not (space or code == xml.RETURN)
    at[BLANK] = 0


@part
def put_space(text, at):  # type: ignore[no-untyped-def]
    """Append a space."""
    text[at[OUT]] = xml.BLANK_SPACE
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
    while i >= 0 and i < n and raw[i] != xml.LT:
        if raw[i] == xml.AMPERSAND:
            code, i = reference(raw, i)
            if code < 0:
                return -1
            put_code(code, text, at, verbatim)
        else:
            i = copy(raw, i, n, text, at, verbatim)
    if at[DEPTH] == 0:
        for j in range(begin, i):
            if not xml.CLASS[raw[j]] & xml.SPACE:
                at[PROVEN] = 0
    return i
