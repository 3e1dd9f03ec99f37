"""What stands between `<` and `>`, for the scan of `corpus.ncbi.markup_scan`: names, attributes, references.

Bytes and an index come in, an index goes out: where the thing read ends, -1 when it is not for a scan to understand.
Bytes are compared by number, for numba knows no characters: 34 `"`, 38 `&`, 39 `'`, 47 `/`, 58 `:`, 61 `=`, 62 `>`.
"""

import numpy as np
from numba import njit

SLOTS = 2048  # of the hash table of names: a power of two, several times the number of names
# What an element of a vocabulary is.
OPAQUE, DETAILED, SPACED, RAISED, LOWERED, LINK, APART, NO_ROW = 1, 2, 4, 8, 16, 32, 64, 128
FNV, PRIME = np.uint64(14695981039346656037), np.uint64(1099511628211)  # FNV-1a, 64 bits

_COUNT, _NEED, _FIRST = 0, 1, 2  # places in the list of declared prefixes


def hash_name(name: bytes) -> int:
    """Return the hash of a name as the scan computes it."""
    code = int(FNV)
    for byte in name:
        code = (code ^ byte) * int(PRIME) & (1 << 64) - 1
    return code


_XMLNS, _XML, _REF_TYPE = (np.uint64(hash_name(name)) for name in (b"xmlns", b"xml", b"ref-type"))
_BIBR, _REF = np.uint64(hash_name(b"bibr")), np.uint64(hash_name(b"ref"))
_FN, _AUTHOR_NOTES, _CORRESP = (np.uint64(hash_name(name)) for name in (b"fn", b"author-notes", b"corresp"))
_AFF, _TABLE_FN = np.uint64(hash_name(b"aff")), np.uint64(hash_name(b"table-fn"))


@njit(cache=True, nogil=True)
def _find(raw, i, first, second, third):  # type: ignore[no-untyped-def]
    """Return the index of the last of three bytes in a row, -1 when they do not follow."""
    for j in range(i, len(raw) - 2):
        if raw[j + 2] == third and raw[j + 1] == second and raw[j] == first:
            return j + 2
    return -1


@njit(cache=True, nogil=True)
def skip_section(raw, i):  # type: ignore[no-untyped-def]
    """Return the index of the `>` that ends a comment, instruction, CDATA section or simple DOCTYPE; else -1."""
    kind = raw[i + 2] if i + 2 < len(raw) else 0
    if raw[i + 1] == 63:
        for j in range(i + 2, len(raw) - 1):
            if raw[j] == 63 and raw[j + 1] == 62:
                return j + 1
        return -1
    if kind == 45:  # <!--
        return _find(raw, i + 4, 45, 45, 62)
    if kind == 91:  # <![CDATA[
        return _find(raw, i + 9, 93, 93, 62)
    quote = 0
    for j in range(i, len(raw)):
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


@njit(cache=True, nogil=True)
def read_name(raw, i, prefixes):  # type: ignore[no-untyped-def]
    """Return the index behind a start tag's name and the hash of its local name; -1 for an unknown prefix."""
    code = FNV
    while True:
        byte = raw[i]
        if byte == 58:  # what stood before was a prefix
            if not _is_known(prefixes, code):
                prefixes[_NEED] = code  # it may be declared in this very tag
            code = FNV
        elif byte <= 32 or byte == 47 or byte == 62:
            return i, code
        else:
            code = (code ^ np.uint64(byte)) * PRIME
        i += 1


@njit(cache=True, nogil=True)
def _is_known(prefixes, code):  # type: ignore[no-untyped-def]
    for j in range(_FIRST, _FIRST + prefixes[_COUNT]):  # noqa: SIM110  numba compiles a loop faster
        if prefixes[j] == code:
            return True
    return False


@njit(cache=True, nogil=True)
def read_attributes(raw, i, prefixes, verbatim):  # type: ignore[no-untyped-def]
    """Return the index of a start tag's `>`, -1 when it uses a prefix or entity that nothing before declares.

    Prefixes are declared for the rest of the document: libxml2 decides in the rare case where that matters.
    """
    name, colon, needs = i, -1, np.uint64(0)
    while raw[i] != 62:
        byte = raw[i]
        i += 1
        if byte <= 32:
            name, colon = i, -1
        elif byte == 58:
            colon = i - 1
        elif byte == 61 and colon >= 0:
            needs = _take_prefix(raw, name, colon, i - 1, prefixes, needs)
        elif byte == 34 or byte == 39:
            while raw[i] != byte:
                if raw[i] == 38 and reference(raw, i)[0] < 0:
                    return -1
                i += 1
            i += 1
            name, colon = i, -1
    if verbatim:  # a piece of a document: its prefixes are declared elsewhere
        return i
    if needs != 0 and not _is_known(prefixes, needs):
        return -1
    if prefixes[_NEED] != 0:
        if not _is_known(prefixes, prefixes[_NEED]):
            return -1
        prefixes[_NEED] = 0
    return i


@njit(cache=True, nogil=True)
def _take_prefix(raw, name, colon, end, prefixes, needs):  # type: ignore[no-untyped-def]
    """Declare the prefix of `xmlns:prefix`; return the hash of another one that is not known yet, else `needs`."""
    while end > colon and raw[end - 1] <= 32:
        end -= 1
    prefix = _hash_bytes(raw, name, colon)
    if prefix == _XMLNS:
        declared = _hash_bytes(raw, colon + 1, end)
        if prefixes[_COUNT] < len(prefixes) - _FIRST and not _is_known(prefixes, declared):
            prefixes[_FIRST + prefixes[_COUNT]] = declared
            prefixes[_COUNT] += np.uint64(1)
    elif prefix != _XML and not _is_known(prefixes, prefix):
        return prefix
    return needs


@njit(cache=True, nogil=True)
def _hash_bytes(raw, i, end):  # type: ignore[no-untyped-def]
    code = FNV
    for j in range(i, end):
        code = (code ^ np.uint64(raw[j])) * PRIME
    return code


@njit(cache=True, nogil=True)
def number_of(code, hashes, numbers):  # type: ignore[no-untyped-def]
    """Return the number of a name in the vocabulary, 0 for one that is not."""
    slot = np.int64(code & np.uint64(SLOTS - 1))
    while numbers[slot] != 0 and hashes[slot] != code:
        slot = (slot + 1) & (SLOTS - 1)
    return numbers[slot]


@njit(cache=True, nogil=True)
def reference(raw, i):  # type: ignore[no-untyped-def]
    """Return the code point of the reference at `i` and the index behind it; -1 for an entity XML does not define."""
    end = i + 1
    while end < len(raw) and raw[end] != 59 and end < i + 12:
        end += 1
    first, length = raw[i + 1], end - i - 1
    code = -1
    if end >= len(raw) or raw[end] != 59:
        return -1, i
    if first == 35:
        code, base, j = 0, 10, i + 2
        if raw[j] == 120:
            base, j = 16, j + 1
        while j < end:
            byte = raw[j] | 32
            code = code * base + (byte - 87 if byte >= 97 else byte - 48)
            j += 1
    elif length == 2 and raw[i + 2] == 116:  # lt gt
        code = 60 if first == 108 else 62 if first == 103 else -1
    elif length == 3 and first == 97 and raw[i + 2] == 109 and raw[i + 3] == 112:
        code = 38
    elif length == 4 and raw[i + 3] == 111:  # quot
        code = 34 if first == 113 and raw[i + 2] == 117 and raw[i + 4] == 116 else -1
        if first == 97 and raw[i + 2] == 112 and raw[i + 4] == 115:  # apos
            code = 39
    return code, end + 1


@njit(cache=True, nogil=True)
def mark_of(raw, begin, end, flag):  # type: ignore[no-untyped-def]
    """Return the character that opens an element without a row, 0 for none, -1 when it is to have a row.

    The next character closes it. A link has a row if it does not say what it links to.
    """
    if flag & (RAISED | LOWERED):
        return 4 if flag & RAISED else 6
    if not flag & LINK:
        return 0 if flag & NO_ROW else -1
    for i in range(begin, end - 8):
        if raw[i] == 114 and _hash_bytes(raw, i, i + 8) == _REF_TYPE:
            i += 8
            while i < end and (raw[i] <= 32 or raw[i] == 61):
                i += 1
            stop = i + 1
            while stop < end and raw[stop] != raw[i]:
                stop += 1
            kind = _hash_bytes(raw, i + 1, stop)
            if kind == _BIBR or kind == _REF:  # noqa: SIM109  numba compiles no `in` here
                return 1
            if kind == _FN or kind == _AUTHOR_NOTES or kind == _CORRESP or kind == _AFF or kind == _TABLE_FN:  # noqa: SIM109
                return 14
            return 0 if stop > i + 1 else -1
    return -1
