"""Layout around raised and lowered text in the scan of `corpus.ncbi.markup.scan`.

Serializers put a line break between two tags, PMC's of 2026 before and behind every script: `<italic>k</italic>`, a
line break, `<sub>cat</sub>`. That is no space of the text; one before the number of an isotope (`<sup>13</sup>C`) is.
"""

from corpus.arrays.kernel import part
from corpus.ncbi.markup import characters as xml
from corpus.ncbi.markup.scan_state import BLANK, CHARACTERS, OUT

_STOPS = tuple(b".,;:!?")
_CLOSINGS = tuple(b",;:)]_")
_LONGEST_NUMBER, _LONGEST_TAG = 8, 24  # bytes of an isotope's number, and of an end tag


@part
def take_back_space(text, at):  # type: ignore[no-untyped-def]
    """Take back the space that was put last, if there is one."""
    if at[BLANK] and at[OUT] > 0 and text[at[OUT] - 1] == xml.BLANK_SPACE:
        at[OUT] -= 1
        at[CHARACTERS] -= 1
    at[BLANK] = 0


@part
def is_before_stop(raw, i):  # type: ignore[no-untyped-def]
    """Say whether the next letter from `i` on, at most a tag away, never has a space before it; a decimal point may."""
    while xml.CLASS[raw[i]] & xml.SPACE:
        i += 1
    if raw[i] == xml.LT:
        for j in range(i, min(i + _LONGEST_TAG, len(raw) - 2)):
            if raw[j] == xml.GT:
                i = j + 1
                break
        while xml.CLASS[raw[i]] & xml.SPACE:
            i += 1
    if raw[i] == xml.DOT:
        return raw[i + 1] < xml.DIGIT_0 or raw[i + 1] > xml.DIGIT_9
    for mark in _CLOSINGS:  # noqa: SIM110  numba compiles a loop faster
        if raw[i] == mark:
            return True
    return False


@part
def has_newline(raw, i):  # type: ignore[no-untyped-def]
    """Say whether the white space from `i` on holds a line break."""
    while xml.CLASS[raw[i]] & xml.SPACE:
        if raw[i] == xml.NEWLINE:
            return True
        i += 1
    return False


@part
def _has_newline_before(raw, i):  # type: ignore[no-untyped-def]
    """Say whether the white space before `i` holds a line break."""
    while i > 0 and xml.CLASS[raw[i - 1]] & xml.SPACE:
        if raw[i - 1] == xml.NEWLINE:
            return True
        i -= 1
    return False


@part
def is_layout_before(raw, start, end, raised, text, at):  # type: ignore[no-untyped-def]
    """Say whether the space put last, before a script whose start tag lies from `start` to `end`, is layout.

    Behind `<break/>` and what ends a sentence or its part it is a space of the text.
    """
    if at[OUT] < 2 or not _has_newline_before(raw, start) or (raised and _leads_word(raw, end + 1)):
        return False
    i = start - 1
    while xml.CLASS[raw[i]] & xml.SPACE:
        i -= 1
    if raw[i] == xml.GT and (raw[i - 1] == xml.SLASH or _is_behind_space(raw, i)):
        return False
    before = text[at[OUT] - 2]
    for mark in _STOPS:  # noqa: SIM110  numba compiles a loop faster
        if before == mark:
            return False
    return True


@part
def _is_behind_space(raw, i):  # type: ignore[no-untyped-def]
    """Say whether white space stands before the tag that ends at `i`: then the space is that of the text."""
    for j in range(i, max(i - _LONGEST_TAG, 0), -1):
        if raw[j] == xml.LT:
            return xml.CLASS[raw[j - 1]] & xml.SPACE != 0
    return False


@part
def _leads_word(raw, begin):  # type: ignore[no-untyped-def]
    """Say whether raised text begins with a digit and a capital touches its end tag: the number of an isotope."""
    while xml.CLASS[raw[begin]] & xml.SPACE:
        begin += 1
    if raw[begin] < xml.DIGIT_0 or raw[begin] > xml.DIGIT_9:
        return False
    for i in range(begin, min(begin + _LONGEST_NUMBER, len(raw) - 8)):
        if raw[i] == xml.LT:  # </sup> in most
            for j in range(i + 1, min(i + _LONGEST_TAG, len(raw) - 1)):
                if raw[j] == xml.GT:
                    return raw[i + 1] == xml.SLASH and raw[j + 1] >= xml.CAPITAL_A and raw[j + 1] <= xml.CAPITAL_Z
            return False
    return False
