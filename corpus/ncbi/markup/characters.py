"""The characters of XML for the scan of `corpus.ncbi.markup.scan`: their names, classes, code points and references.

numba freezes a module's integers, so that `raw[i] == LT` costs what `raw[i] == 60` does. What is scanned is followed by
PADDING zeros, or holds a `<` at least as many bytes before its end as PADDING has: no loop over one class of bytes goes
beyond either, so none has to ask where it is, and all may look a few bytes ahead.
"""

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from corpus.arrays.kernel import part
from corpus.ncbi.markup.kernels import WORD, mask_of, word_at

LT = ord("<")
GT = ord(">")
SLASH = ord("/")
AMPERSAND = ord("&")
QUOTE = ord('"')
APOSTROPHE = ord("'")
EQUALS = ord("=")
COLON = ord(":")
SEMICOLON = ord(";")
HASH = ord("#")
BANG = ord("!")
QUESTION = ord("?")
DASH = ord("-")
DOT = ord(".")
UNDERSCORE = ord("_")
OPEN_BRACKET = ord("[")
CLOSE_BRACKET = ord("]")
BLANK_SPACE = ord(" ")
TAB = ord("\t")
NEWLINE = ord("\n")
RETURN = ord("\r")
DIGIT_0 = ord("0")
DIGIT_9 = ord("9")
CAPITAL_A = ord("A")
CAPITAL_Z = ord("Z")
LETTER_A = ord("a")
LETTER_F = ord("f")
LETTER_M = ord("m")
LETTER_X = ord("x")
LOWERCASE = 0x20  # set in a small letter, and the only bit that parts it from the large one

# UTF-8: how many bytes a character has follows from the first one.
NOT_ASCII = 0x80  # the smallest first byte, and code point, of two
LEAD_OF_2 = 0xC0
SHORTEST_LEAD_OF_2 = 0xC2  # below, one byte would do
LEAD_OF_3 = 0xE0
LEAD_OF_4 = 0xF0
LAST_LEAD = 0xF4
CONTINUATION = 0x80
CONTINUATION_BITS = 0xC0
PAYLOAD = 0x3F
CODES_OF_3 = 0x800  # the smallest code point of three bytes
CODES_OF_4 = 0x10000
LAST_CODE = 0x10FFFF
SURROGATES = 0xD800
BEHIND_SURROGATES = 0xE000
LAST_OF_3 = 0xFFFD  # U+FFFE and U+FFFF are no characters

PADDING = bytes(16)
_MOST_REFERENCE = 12  # bytes between the `&` of a reference and its `;` at most
_DECIMAL, _HEXADECIMAL = 10, 16

# What a byte may be.
PLAIN = 1 << 0  # in a text, as it stands
SPACE = 1 << 1  # white space
NAME = 1 << 2  # in a name
FIRST = 1 << 3  # at the start of a name
VALUE = 1 << 4  # in a value in quotes
SPACE_BIT = 1  # which bit SPACE is


def _classes() -> np.ndarray:
    """Return uint8[256]: what a byte may be without a closer look."""
    table = np.zeros(256, np.uint8)
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for byte in range(BLANK_SPACE + 1, NOT_ASCII):
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

_UNICODE_SPACES = "\t\n \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_IS_SPACE = np.zeros(ord(max(_UNICODE_SPACES)) + 1, np.bool_)
_IS_SPACE[[ord(character) for character in _UNICODE_SPACES]] = True


def word(letters: bytes) -> np.uint64:
    """Return at most eight bytes as `word_at` reads them."""
    return np.uint64(int.from_bytes(letters, "little"))


ONES = word(b"\x01" * WORD)
NOT_PLAIN = ONES  # what `plain_word` returns for a word that is not
_HIGH = word(b"\x80" * WORD)
_SPACES = word(b" " * WORD)
_AMPERSANDS = word(b"&" * WORD)
_GTS = word(b">" * WORD)
_LT_TO_GT = word(bytes([LT ^ GT]) * WORD)  # the one bit that makes a `>` of a `<`
_REFERENCE_LT = word(b"lt;")
_REFERENCE_GT = word(b"gt;")
_REFERENCE_AMP = word(b"amp;")
_REFERENCE_QUOT = word(b"quot;")
_REFERENCE_APOS = word(b"apos;")


@part
def behind_spaces(raw, i):  # type: ignore[no-untyped-def]
    """Return the index behind the spaces at `i`, by the word."""
    others = word_at(raw, i) ^ _SPACES
    while others == 0:
        i += WORD
        others = word_at(raw, i) ^ _SPACES
    return i + (np.int64(trailing_zeros(others)) >> 3)  # type: ignore[call-arg]  # an intrinsic


@part
def plain_word(octets):  # type: ignore[no-untyped-def]
    """Return the spaces of a word of a text, as the high bits of their bytes; NOT_PLAIN for any other byte than
    printable ASCII, and for markup.
    """
    plain = ~octets & ((octets | _HIGH) - _SPACES) & _HIGH  # from the space on, and ASCII
    plain &= ((octets ^ _AMPERSANDS) | _HIGH) - ONES
    plain &= (((octets | _LT_TO_GT) ^ _GTS) | _HIGH) - ONES
    return ~(((octets ^ _SPACES) | _HIGH) - ONES) & _HIGH if plain == _HIGH else NOT_PLAIN


@part
def is_space(code):  # type: ignore[no-untyped-def]
    """Say whether a code point is white space of Unicode; the carriage return is not: XML reads it as a line end."""
    return code < len(_IS_SPACE) and _IS_SPACE[code]


@part
def _is_character(code):  # type: ignore[no-untyped-def]
    """Say whether XML allows a code point from the space on."""
    if code < CODES_OF_4:
        return code < SURROGATES or (code >= BEHIND_SURROGATES and code <= LAST_OF_3)
    return code <= LAST_CODE


@part
def character_at(raw, i):  # type: ignore[no-untyped-def]
    """Return the code point beyond ASCII at `i` and its bytes; (0, 0) for what is none or not allowed in XML."""
    byte, second = np.int64(raw[i]), np.int64(raw[i + 1])
    if byte < SHORTEST_LEAD_OF_2 or byte > LAST_LEAD or second & CONTINUATION_BITS != CONTINUATION:
        return 0, 0
    code = second & PAYLOAD
    if byte < LEAD_OF_3:
        return (byte & ~LEAD_OF_3) << 6 | code, 2
    third = np.int64(raw[i + 2])
    if third & CONTINUATION_BITS != CONTINUATION:
        return 0, 0
    code = code << 6 | (third & PAYLOAD)
    if byte < LEAD_OF_4:
        code |= (byte & ~LEAD_OF_4) << 12
        return (code, 3) if code >= CODES_OF_3 and _is_character(code) else (0, 0)
    fourth = np.int64(raw[i + 3])
    code = (byte & ~LEAD_OF_4) << 18 | code << 6 | (fourth & PAYLOAD)
    wrong = fourth & CONTINUATION_BITS != CONTINUATION or code < CODES_OF_4 or code > LAST_CODE
    return (0, 0) if wrong else (code, 4)


@part
def reference(raw, i):  # type: ignore[no-untyped-def]
    """Return the code point of the reference at `i` and the index behind it; -1 for what XML does not define."""
    begin = i + 1
    end = begin
    while raw[end] != SEMICOLON and end < i + _MOST_REFERENCE:
        end += 1
    if raw[end] != SEMICOLON or end == begin:
        return -1, i
    if raw[begin] == HASH:
        return _code_of(raw, begin + 1, end), end + 1
    name, code = word_at(raw, begin) & mask_of(end + 1 - begin), -1
    if name == _REFERENCE_LT:
        code = LT
    elif name == _REFERENCE_GT:
        code = GT
    elif name == _REFERENCE_AMP:
        code = AMPERSAND
    elif name == _REFERENCE_QUOT:
        code = QUOTE
    elif name == _REFERENCE_APOS:
        code = APOSTROPHE
    return code, end + 1


@part
def _code_of(raw, i, end):  # type: ignore[no-untyped-def]
    """Return the code point of the digits (behind an x: hexadecimal ones) up to `end`, -1 for none that XML allows."""
    code, base = np.int64(0), _DECIMAL
    if raw[i] == LETTER_X:
        base, i = _HEXADECIMAL, i + 1
    if i == end:
        return -1
    while i < end:
        byte = np.int64(raw[i])
        letter = byte | LOWERCASE
        if byte >= DIGIT_0 and byte <= DIGIT_9:
            code = code * base + (byte - DIGIT_0)
        elif base == _HEXADECIMAL and letter >= LETTER_A and letter <= LETTER_F:
            code = code * base + (letter - LETTER_A + _DECIMAL)
        else:
            return -1
        i += 1
    if code < BLANK_SPACE:
        return code if code == TAB or code == NEWLINE or code == RETURN else -1  # noqa: SIM109  numba knows no `in` here
    return code if _is_character(code) else -1
