"""What stands between `<` and `>`, for the scan of `corpus.ncbi.markup.scan`: names, attributes, marks.

Bytes and an index come in, an index goes out: where the thing read ends, -1 when it is not for a scan to understand.
"""

import numpy as np

from corpus.arrays.kernel import part
from corpus.ncbi.markup import characters as xml
from corpus.ncbi.markup.characters import character_at, reference, word
from corpus.ncbi.markup.kernels import WORD, inlined, is_same, mask_of, word_at
from corpus.ncbi.markup.scan_namespaces import is_declared, take_prefixed
from corpus.ncbi.markup.scan_state import PROVEN, RID, RID_END

# What an element of a vocabulary is.
OPAQUE = 1 << 0  # no element inside has a row
DETAILED = 1 << 1  # every element inside has a row
SPACED = 1 << 2  # leaves a space
RAISED = 1 << 3  # leaves the marks of raised text
LOWERED = 1 << 4  # leaves the marks of lowered text
LINK = 1 << 5  # leaves the marks of what it links to, or has a row
APART = 1 << 6  # leaves a space where it touches the element before it
NO_ROW = 1 << 7  # has no row, though it is named
RECORD = 1 << 8  # may stand at the top of a set of records
UNKNOWN = 1 << 9  # of names that a closed vocabulary does not hold
IN_TEXT = SPACED | RAISED | LOWERED | LINK | APART | NO_ROW  # what leaves something in the text, or has no row

# The control characters that elements without a row leave: the one that opens; the next one closes.
CITED = 0x01
RAISED_TEXT = 0x04
LOWERED_TEXT = 0x06
NOTED = 0x0E

SLOT_BITS = 11
SLOTS = 1 << SLOT_BITS  # of the hash table of names: a power of two, several times the number of names
_TO_SLOT = np.uint64(64 - SLOT_BITS)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # odd, and its bits look random
_HALF = np.uint64(32)
MOST_ATTRIBUTES = 24  # of one element; one with more is left to libxml2
_MAX_NAME = 200


def hash_name(name: bytes) -> int:
    """Return the hash of a name as the scan computes it: 64 bits, one to one for names of at most eight bytes."""
    code = 0
    for begin in range(0, len(name), WORD):
        code = (code ^ int(word(name[begin : begin + WORD]))) * int(_GOLDEN) & (1 << 64) - 1
        code ^= code >> int(_HALF)
    return code


def slot_of(code: int) -> int:
    """Return the slot at which the search for a hash begins."""
    return code >> int(_TO_SLOT)


_REF_TYPE = word(b"ref-type")
_BIBR = np.uint64(hash_name(b"bibr"))
_REF = np.uint64(hash_name(b"ref"))
_FN = np.uint64(hash_name(b"fn"))
_AUTHOR_NOTES = np.uint64(hash_name(b"author-notes"))
_CORRESP = np.uint64(hash_name(b"corresp"))
_AFF = np.uint64(hash_name(b"aff"))
_TABLE_FN = np.uint64(hash_name(b"table-fn"))
# Types that say what a link points to when that is no reference; all others are told by the list of references.
_ELSEWHERE = np.array(
    [
        hash_name(name.encode())
        for name in [
            "fig",
            "table",
            "supplementary-material",
            "media",
            "app",
            "sec",
            "disp-formula",
            "boxed-text",
            "table-wrap",
            "video",
            "contrib",
        ]
    ],
    np.uint64,
)
_RID = word(b"rid")
_THREE = np.uint64(0xFFFFFF)
_B, _C, _R = b"bcr"  # numba compiles `ord` of a text with all of Unicode
_SMALL = np.uint64(0x202020)
_REFERENCES = np.array([word(b"ref"), word(b"bib"), word(b"cit")], np.uint64)


@inlined
def read_name(raw, begin, at):  # type: ignore[no-untyped-def]
    """Return the index behind a name, -1 for none; where its last prefix begins and ends, both -1 without one."""
    i, prefix, colon = begin, -1, -1
    while xml.CLASS[raw[i]] & xml.NAME:
        i += 1
    if raw[i] == xml.COLON or raw[i] >= xml.NOT_ASCII:
        while xml.CLASS[raw[i]] & xml.NAME or raw[i] == xml.COLON or raw[i] >= xml.NOT_ASCII:
            if raw[i] == xml.COLON:
                if colon >= 0:
                    at[PROVEN] = 0
                prefix, colon = colon + 1 if colon >= 0 else begin, i
            elif raw[i] >= xml.NOT_ASCII:
                at[PROVEN] = 0
            i += 1
        if colon == i - 1 or (colon >= 0 and not xml.CLASS[raw[colon + 1]] & xml.FIRST):
            at[PROVEN] = 0
    if not xml.CLASS[raw[begin]] & xml.FIRST:
        if raw[begin] < xml.NOT_ASCII and raw[begin] != xml.COLON:
            return -1, -1, -1
        at[PROVEN] = 0
    if i - begin > _MAX_NAME:
        at[PROVEN] = 0
    return i, prefix, colon


@part
def read_attributes(raw, i, prefixes, attributes, at, verbatim):  # type: ignore[no-untyped-def]
    """Return the index of a start tag's `>`, -1 for none or one with a prefix or entity that nothing before declares.

    Prefixes are declared for the rest of the document: libxml2 decides in the rare case where that matters.
    """
    count, needs, needs_end = np.int64(0), np.int64(-1), np.int64(-1)
    while True:
        begin = i
        while xml.CLASS[raw[i]] & xml.SPACE:
            i += 1
        if raw[i] == xml.GT or (raw[i] == xml.SLASH and raw[i + 1] == xml.GT):
            i += raw[i] == xml.SLASH
            break
        if i == begin:
            return -1
        begin = i
        end, prefix, colon = read_name(raw, begin, at)
        value, i = _read_value(raw, end) if end > 0 else (-1, -1)
        if i < 0 or not _is_new(raw, begin, colon, end, attributes, count, at):
            return -1
        count += count < MOST_ATTRIBUTES
        if end - begin == 3 and word_at(raw, begin) & _THREE == _RID:
            at[RID], at[RID_END] = value, i - 1
        if colon >= 0 or raw[begin] == xml.LETTER_X:
            unknown = take_prefixed(raw, prefix, colon, begin, end, value, i - 1, prefixes, at)
            needs, needs_end = (prefix, colon) if unknown else (needs, needs_end)
    if needs >= 0 and not verbatim and not is_declared(raw, needs, needs_end, prefixes, at):
        return -1
    return i


@part
def _is_new(raw, begin, colon, end, attributes, count, at):  # type: ignore[no-untyped-def]
    """Say whether an attribute's name is none of the first `count` of its element; add it to them.

    Two names with different prefixes may mean the same: that is left to libxml2.
    """
    local = colon + 1 if colon >= 0 else begin
    for j in range(count):
        other, other_local, other_end = np.int64(attributes[j, 0]), np.int64(attributes[j, 1]), attributes[j, 2]
        if other_end - other_local == end - local and is_same(raw, local, other_local, end - local):
            if end - begin == other_end - other and is_same(raw, begin, other, end - begin):
                return False
            if local > begin and other_local > other:
                at[PROVEN] = 0
    if count == MOST_ATTRIBUTES:
        at[PROVEN] = 0
    else:
        attributes[count, 0], attributes[count, 1], attributes[count, 2] = begin, local, end
    return True


@part
def _read_value(raw, i):  # type: ignore[no-untyped-def]
    """Return where the value in quotes behind an attribute's name begins, and the index behind it; -1 for none."""
    while xml.CLASS[raw[i]] & xml.SPACE:
        i += 1
    if raw[i] != xml.EQUALS:
        return -1, -1
    i += 1
    while xml.CLASS[raw[i]] & xml.SPACE:
        i += 1
    quote = raw[i]
    if quote != xml.QUOTE and quote != xml.APOSTROPHE:
        return -1, -1
    i += 1
    begin = i
    while True:
        byte = raw[i]
        if xml.CLASS[byte] & xml.VALUE:
            i += 1
        elif byte == quote:
            return begin, i + 1
        elif byte == xml.QUOTE or byte == xml.APOSTROPHE:
            i += 1
        elif byte == xml.AMPERSAND:
            code, i = reference(raw, i)
            if code < 0:
                return -1, -1
        else:
            _, width = character_at(raw, i) if byte >= xml.NOT_ASCII else (np.int64(0), 0)
            if width == 0:
                return -1, -1
            i += width


@part
def hash_bytes(raw, i, end):  # type: ignore[no-untyped-def]
    """Return the hash of a name as `hash_name` does."""
    code = np.uint64(0)
    for j in range(i, end, WORD):
        code = (code ^ (word_at(raw, j) & mask_of(end - j))) * _GOLDEN
        code ^= code >> _HALF
    return code


@part
def number_of(code, hashes, numbers):  # type: ignore[no-untyped-def]
    """Return the number of a name in the vocabulary, 0 for one that is not."""
    slot = np.int64(code >> _TO_SLOT)
    while numbers[slot] != 0 and hashes[slot] != code:
        slot = (slot + 1) & (SLOTS - 1)
    return numbers[slot]


@part
def _names_reference(raw, begin, end):  # type: ignore[no-untyped-def]
    """Say whether the `rid` of a link looks like the id of a reference: "ref12", "B12", "CR12", "cam41-bib-0001"."""
    for i in range(begin, end - 3):
        if word_at(raw, i) & _THREE == _RID and (raw[i + 3] == xml.EQUALS or raw[i + 3] <= xml.BLANK_SPACE):
            i += 3
            while i < end and raw[i] != xml.QUOTE and raw[i] != xml.APOSTROPHE:
                i += 1
            i += 1
            j = i
            while j < i + 3 and (raw[j] | 0x20 == _B or raw[j] | 0x20 == _C or raw[j] | 0x20 == _R):
                j += 1
            if j > i and 48 <= raw[j] <= 57:
                return True
            while i < end and raw[i] != xml.QUOTE and raw[i] != xml.APOSTROPHE:
                letters = (word_at(raw, i) | _SMALL) & _THREE
                if letters == _REFERENCES[0] or letters == _REFERENCES[1] or letters == _REFERENCES[2]:
                    return True
                i += 1
            return False
    return False


@part
def mark_of(raw, begin, end, flag):  # type: ignore[no-untyped-def]
    """Return the character that opens an element without a row, 0 for none, -1 when it is to have a row.

    The next character closes it. A link has a row if it does not say what it links to, or says it wrongly, and one that
    cites if it is empty.
    """
    if flag & (RAISED | LOWERED):
        return RAISED_TEXT if flag & RAISED else LOWERED_TEXT
    if not flag & LINK:
        return 0 if flag & NO_ROW else -1
    for i in range(begin, end - WORD):
        if word_at(raw, i) == _REF_TYPE:
            i += WORD
            while i < end and (raw[i] <= xml.BLANK_SPACE or raw[i] == xml.EQUALS):
                i += 1
            stop = i + 1
            while stop < end and raw[stop] != raw[i]:
                stop += 1
            kind = hash_bytes(raw, i + 1, stop)
            if kind == _BIBR or kind == _REF:  # noqa: SIM109  numba compiles no `in` here
                return -1 if raw[end - 1] == xml.SLASH else CITED  # an empty link has its words elsewhere
            if kind == _FN or kind == _AUTHOR_NOTES or kind == _CORRESP or kind == _AFF or kind == _TABLE_FN:  # noqa: SIM109
                return NOTED
            elsewhere = False
            for k in range(_ELSEWHERE.shape[0]):
                elsewhere |= kind == _ELSEWHERE[k]
            return 0 if elsewhere and not _names_reference(raw, begin, end) else -1
    return -1
