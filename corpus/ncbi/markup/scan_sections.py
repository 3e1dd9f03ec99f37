"""Comments, instructions, CDATA sections and the DOCTYPE in the scan of `corpus.ncbi.markup.scan`."""

import numpy as np

from corpus.arrays.kernel import part
from corpus.ncbi.markup import characters as xml
from corpus.ncbi.markup.characters import character_at, word
from corpus.ncbi.markup.kernels import word_at
from corpus.ncbi.markup.scan_state import DEPTH, PROVEN, ROOTS
from corpus.ncbi.markup.scan_text import copy, put_code

_CDATA_BYTES = 9  # of <![CDATA[
_CDATA = word(b"<![CDATA")  # as far as a word goes


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
    if raw[i + 1] == xml.QUESTION:
        for j in range(i + 2, n - 1):
            if raw[j] == xml.QUESTION and raw[j + 1] == xml.GT:
                return j + 1
        return -1
    if kind == xml.DASH:  # <!--
        return _find(raw, i + 4, n, xml.DASH, xml.DASH, xml.GT)
    if kind == xml.OPEN_BRACKET:
        if not _is_cdata(raw, i):
            return -1
        return _find(raw, i + _CDATA_BYTES, n, xml.CLOSE_BRACKET, xml.CLOSE_BRACKET, xml.GT)
    quote = 0
    for j in range(i, n):
        byte = raw[j]
        if quote:
            if byte == quote:
                quote = 0
        elif byte == xml.QUOTE or byte == xml.APOSTROPHE:
            quote = byte
        elif byte == xml.OPEN_BRACKET:  # declarations of its own
            return -1
        elif byte == xml.GT:
            return j
    return -1


@part
def _is_cdata(raw, i):  # type: ignore[no-untyped-def]
    """Say whether `<![CDATA[` stands at `i`."""
    return word_at(raw, i) == _CDATA and raw[i + _CDATA_BYTES - 1] == xml.OPEN_BRACKET


@part
def _is_plain_section(raw, i, end):  # type: ignore[no-untyped-def]
    """Say whether a comment or instruction inside or behind a root, from `i` to its `>`, is beyond doubt one."""
    comment = raw[i + 1] == xml.BANG
    if not comment:
        # A target like xml is reserved.
        if not xml.CLASS[raw[i + 2]] & xml.FIRST or raw[i + 2] | xml.LOWERCASE == xml.LETTER_X:
            return False
        i += 2
        while xml.CLASS[raw[i]] & xml.NAME:
            i += 1
        if raw[i] != xml.QUESTION and not xml.CLASS[raw[i]] & xml.SPACE:
            return False
    elif raw[i + 2] == xml.DASH and raw[i + 3] == xml.DASH:
        i += 4
    else:
        return False
    while i < end:
        byte = raw[i]
        if byte >= xml.NOT_ASCII:
            _, width = character_at(raw, i)
            if width == 0:
                return False
            i += width
            continue
        if byte < xml.BLANK_SPACE and not xml.CLASS[byte] & xml.SPACE:
            return False
        if byte == xml.DASH and raw[i + 1] == xml.DASH and comment:
            return i == end - 2
        i += 1
    return not comment
