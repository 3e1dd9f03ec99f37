"""Namespaces in the scan of `corpus.ncbi.markup.scan`: which prefixes are declared, and which are so beyond doubt.

A prefix counts as declared for the rest of the document; that it is in scope, and means what libxml2 accepts without a
word, is a matter of proof (`PROVEN` in the state of the scan). `prefixes` is int32[MOST_PREFIXES, 3]: where in the
bytes a prefix stands, its size, and the depth at which it is in force (0: not any more).
"""

import numpy as np

from corpus.arrays.kernel import part
from corpus.ncbi.markup.characters import CLASS, FIRST, LETTER_M, LETTER_X, LOWERCASE, UNDERSCORE
from corpus.ncbi.markup.kernels import is_same
from corpus.ncbi.markup.scan_state import DEPTH, PREFIXES, PROVEN, SCOPED

MOST_PREFIXES = 62
# The namespaces that articles declare; whether another name is one without fault is left to libxml2.
NAMESPACES = (
    b"http://www.w3.org/1999/xlink",
    b"http://www.w3.org/1998/Math/MathML",
    b"http://www.w3.org/2001/XMLSchema-instance",
    b"http://www.w3.org/2001/XInclude",
    b"http://www.niso.org/schemas/ali/1.0/",
    b"http://www.niso.org/schemas/ali/1.0",
    b"http://www.openarchives.org/OAI/2.0/",
    b"https://jats.nlm.nih.gov/ns/archiving/1.3/",
    b"http://docs.oasis-open.org/ns/oasis-exchange/table",
    b"http://web.resource.org/cc/",
    b"http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    b"http://purl.org/dc/elements/1.1/",
    b"http://purl.org/dc/elements/1.1",
    b"http://purl.org/dc/terms/",
    b"http://purl.org/dc/terms",
)


def _table(names: tuple[bytes, ...]) -> np.ndarray:
    """Return uint8[num_names, size]: a size, then the bytes of a name."""
    table = np.zeros((len(names), max(map(len, names)) + 1), np.uint8)
    for row, name in zip(table, names, strict=True):
        row[: len(name) + 1] = [len(name), *name]
    return table


_NAMESPACES = _table(NAMESPACES)
_NAMES = (b"xmlns", b"xml", b"lang", b"space", b"preserve", b"default")
_WORDS = _table(_NAMES)
# As NumPy's integers: for each of Python's own, `_is` would be compiled once more.
_XMLNS, _XML, _LANG = (np.int64(_NAMES.index(name)) for name in (b"xmlns", b"xml", b"lang"))
_SPACE, _PRESERVE, _DEFAULT = (np.int64(_NAMES.index(name)) for name in (b"space", b"preserve", b"default"))
_SHORTEST_LANG, _LONGEST_LANG = 2, 3  # letters of a language that no parser has a word about


@part
def _is(raw, begin, end, words, word):  # type: ignore[no-untyped-def]
    """Say whether the bytes are a word of a table."""
    if end - begin != words[word, 0]:
        return False
    for j in range(end - begin):  # noqa: SIM110
        if raw[begin + j] != words[word, j + 1]:
            return False
    return True


@part
def _slot_of(raw, begin, end, prefixes, at):  # type: ignore[no-untyped-def]
    """Return the place of a prefix among those declared so far, -1 for none."""
    for slot in range(at[PREFIXES]):
        if prefixes[slot, 1] == end - begin and is_same(raw, begin, np.int64(prefixes[slot, 0]), end - begin):
            return slot
    return -1


@part
def is_declared(raw, begin, end, prefixes, at):  # type: ignore[no-untyped-def]
    """Say whether a prefix was declared anywhere before; one that is out of scope ends the proof."""
    slot = _slot_of(raw, begin, end, prefixes, at)
    if slot < 0 or prefixes[slot, 2] == 0:
        at[PROVEN] = 0
    return slot >= 0 or _is(raw, begin, end, _WORDS, _XML)


@part
def take_prefixed(raw, prefix, colon, begin, end, value, value_end, prefixes, at):  # type: ignore[no-untyped-def]
    """Take an attribute with a prefix, or one that begins with x; True when the prefix is not declared so far."""
    if colon < 0:
        if _is(raw, begin, end, _WORDS, _XMLNS) and value_end > value and not _is_namespace(raw, value, value_end):
            at[PROVEN] = 0
        return False
    if _is(raw, prefix, colon, _WORDS, _XMLNS):
        _declare(raw, colon + 1, end, prefixes, at)
        if _begins_like_xml(raw, colon + 1) or not _is_namespace(raw, value, value_end):
            at[PROVEN] = 0
        return False
    if _is(raw, prefix, colon, _WORDS, _XML):
        if not _is_harmless(raw, colon + 1, end, value, value_end):
            at[PROVEN] = 0
        return False
    slot = _slot_of(raw, prefix, colon, prefixes, at)
    if slot < 0 or prefixes[slot, 2] == 0:
        at[PROVEN] = 0
    return slot < 0


@part
def _begins_like_xml(raw, i):  # type: ignore[no-untyped-def]
    return raw[i] | LOWERCASE == LETTER_X and raw[i + 1] | LOWERCASE == LETTER_M


@part
def _is_namespace(raw, begin, end):  # type: ignore[no-untyped-def]
    for name in range(len(_NAMESPACES)):  # noqa: SIM110
        if _is(raw, begin, end, _NAMESPACES, name):
            return True
    return False


@part
def _is_harmless(raw, local, end, value, value_end):  # type: ignore[no-untyped-def]
    """Say whether `xml:lang` or `xml:space` has a value that no parser has a word about."""
    if _is(raw, local, end, _WORDS, _SPACE):
        return _is(raw, value, value_end, _WORDS, _PRESERVE) or _is(raw, value, value_end, _WORDS, _DEFAULT)
    size = value_end - value
    if not _is(raw, local, end, _WORDS, _LANG) or size < _SHORTEST_LANG or size > _LONGEST_LANG:
        return False
    for j in range(value, value_end):  # noqa: SIM110
        if not CLASS[raw[j]] & FIRST or raw[j] == UNDERSCORE:
            return False
    return True


@part
def _declare(raw, begin, end, prefixes, at):  # type: ignore[no-untyped-def]
    slot = _slot_of(raw, begin, end, prefixes, at)
    if slot < 0:
        if at[PREFIXES] == len(prefixes):
            at[PROVEN] = 0
            return
        slot = at[PREFIXES]
        at[PREFIXES] += 1
        prefixes[slot, 0], prefixes[slot, 1], prefixes[slot, 2] = begin, end - begin, 0
    if prefixes[slot, 2] == 0:
        prefixes[slot, 2] = at[DEPTH] + 1  # the element that is about to open
        at[SCOPED] = max(at[SCOPED], at[DEPTH] + 1)


@part
def leave_scopes(prefixes, at):  # type: ignore[no-untyped-def]
    """End what was declared in the elements that are closed."""
    at[SCOPED] = 0
    for slot in range(at[PREFIXES]):
        if prefixes[slot, 2] > at[DEPTH]:
            prefixes[slot, 2] = 0
        at[SCOPED] = max(at[SCOPED], prefixes[slot, 2])
