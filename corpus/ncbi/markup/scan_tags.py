"""What stands between `<` and `>`, for the scan of `corpus.ncbi.markup.scan`: names, attributes, marks.

Bytes and an index come in, an index goes out: where the thing read ends, -1 when it is not for a scan to understand.
Bytes are compared by number, for numba knows no characters: 34 `"`, 38 `&`, 39 `'`, 47 `/`, 58 `:`, 61 `=`, 62 `>`.
"""

import numpy as np

from corpus.ncbi.markup.kernels import inlined, is_same, part
from corpus.ncbi.markup.scan_bytes import CLASS, FIRST, NAME, PROVEN, SPACE, VALUE, reference, width_of_character
from corpus.ncbi.markup.scan_namespaces import is_declared, take_prefixed

SLOTS = 2048  # of the hash table of names: a power of two, several times the number of names
# What an element of a vocabulary is.
OPAQUE, DETAILED, SPACED, RAISED, LOWERED, LINK, APART, NO_ROW = 1, 2, 4, 8, 16, 32, 64, 128
FNV, PRIME = np.uint64(14695981039346656037), np.uint64(1099511628211)  # FNV-1a, 64 bits
MOST_ATTRIBUTES = 24  # of one element; one with more is left to libxml2
_MAX_NAME = 200


def hash_name(name: bytes) -> int:
    """Return the hash of a name as the scan computes it."""
    code = int(FNV)
    for byte in name:
        code = (code ^ byte) * int(PRIME) & (1 << 64) - 1
    return code


_REF_TYPE = np.uint64(hash_name(b"ref-type"))
_BIBR, _REF = np.uint64(hash_name(b"bibr")), np.uint64(hash_name(b"ref"))
_FN, _AUTHOR_NOTES, _CORRESP = (np.uint64(hash_name(name)) for name in (b"fn", b"author-notes", b"corresp"))
_AFF, _TABLE_FN = np.uint64(hash_name(b"aff")), np.uint64(hash_name(b"table-fn"))


@inlined
def read_name(raw, begin, at):  # type: ignore[no-untyped-def]
    """Return the index behind a name, -1 for none; where its last prefix begins and ends, both -1 without one."""
    i, prefix, colon = begin, -1, -1
    while CLASS[raw[i]] & NAME:
        i += 1
    if raw[i] == 58 or raw[i] >= 128:
        while CLASS[raw[i]] & NAME or raw[i] == 58 or raw[i] >= 128:
            if raw[i] == 58:
                if colon >= 0:
                    at[PROVEN] = 0
                prefix, colon = colon + 1 if colon >= 0 else begin, i
            elif raw[i] >= 128:
                at[PROVEN] = 0
            i += 1
        if colon == i - 1 or (colon >= 0 and not CLASS[raw[colon + 1]] & FIRST):
            at[PROVEN] = 0
    if not CLASS[raw[begin]] & FIRST:
        if raw[begin] < 128 and raw[begin] != 58:
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
    count, needs, needs_end = 0, -1, -1
    while True:
        begin = i
        while CLASS[raw[i]] & SPACE:
            i += 1
        if raw[i] == 62 or (raw[i] == 47 and raw[i + 1] == 62):
            i += raw[i] == 47
            break
        if i == begin:
            return -1
        begin = i
        end, prefix, colon = read_name(raw, begin, at)
        value, i = _read_value(raw, end) if end > 0 else (-1, -1)
        if i < 0 or not _is_new(raw, begin, colon, end, attributes, count, at):
            return -1
        count += count < MOST_ATTRIBUTES
        if colon >= 0 or raw[begin] == 120:
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
        other, other_local, other_end = attributes[j, 0], attributes[j, 1], attributes[j, 2]
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
    while CLASS[raw[i]] & SPACE:
        i += 1
    if raw[i] != 61:
        return -1, -1
    i += 1
    while CLASS[raw[i]] & SPACE:
        i += 1
    quote = raw[i]
    if quote != 34 and quote != 39:
        return -1, -1
    i += 1
    begin = i
    while True:
        byte = raw[i]
        if CLASS[byte] & VALUE:
            i += 1
        elif byte == quote:
            return begin, i + 1
        elif byte == 34 or byte == 39:
            i += 1
        elif byte == 38:
            code, i = reference(raw, i)
            if code < 0:
                return -1, -1
        else:
            width = width_of_character(raw, i) if byte >= 128 else 0
            if width == 0:
                return -1, -1
            i += width


@part
def hash_bytes(raw, i, end):  # type: ignore[no-untyped-def]
    """Return the hash of a name as `hash_name` does."""
    code = FNV
    for j in range(i, end):
        code = (code ^ np.uint64(raw[j])) * PRIME
    return code


@part
def number_of(code, hashes, numbers):  # type: ignore[no-untyped-def]
    """Return the number of a name in the vocabulary, 0 for one that is not."""
    slot = np.int64(code & np.uint64(SLOTS - 1))
    while numbers[slot] != 0 and hashes[slot] != code:
        slot = (slot + 1) & (SLOTS - 1)
    return numbers[slot]


@part
def mark_of(raw, begin, end, flag):  # type: ignore[no-untyped-def]
    """Return the character that opens an element without a row, 0 for none, -1 when it is to have a row.

    The next character closes it. A link has a row if it does not say what it links to.
    """
    if flag & (RAISED | LOWERED):
        return 4 if flag & RAISED else 6
    if not flag & LINK:
        return 0 if flag & NO_ROW else -1
    for i in range(begin, end - 8):
        if raw[i] == 114 and hash_bytes(raw, i, i + 8) == _REF_TYPE:
            i += 8
            while i < end and (raw[i] <= 32 or raw[i] == 61):
                i += 1
            stop = i + 1
            while stop < end and raw[stop] != raw[i]:
                stop += 1
            kind = hash_bytes(raw, i + 1, stop)
            if kind == _BIBR or kind == _REF:  # noqa: SIM109  numba compiles no `in` here
                return 1
            if kind == _FN or kind == _AUTHOR_NOTES or kind == _CORRESP or kind == _AFF or kind == _TABLE_FN:  # noqa: SIM109
                return 14
            return 0 if stop > i + 1 else -1
    return -1
