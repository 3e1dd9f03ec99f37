"""Words counted as a reader counts them, in scripts with and without spaces.

A word is a run without white space. Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan put no spaces between
words: there each character is one, with the marks and the punctuation that stand at it (Korean has spaces). The script
of each character decides, not the language of the text, so "IL-6水平" is three words. A text without such characters
has the words of `str.split`.
"""

import re
import unicodedata
from functools import cache
from itertools import islice
from typing import Final

# Blocks of scripts without spaces: Thai, Lao and Tibetan; Burmese; Khmer; radicals; iteration marks and zero; kana; the
# ideographs and their compatibility forms; half-width kana; the supplementary planes of ideographs.
UNSPACED: Final = (
    (0x0E00, 0x1000),
    (0x1000, 0x10A0),
    (0x1780, 0x1800),
    (0x2E80, 0x2FE0),
    (0x3005, 0x3008),
    (0x3040, 0x3100),
    (0x31F0, 0x3200),
    (0x3400, 0xA000),
    (0xF900, 0xFB00),
    (0xFF66, 0xFFA0),
    (0x20000, 0x32400),
)
_SMALL_BLOCKS: Final = 0x3400  # below it some points are marks and punctuation, above it all are characters


def is_character(point: int) -> bool:
    """Say whether a code point is a character of a script without spaces: a word of its own."""
    if not any(first <= point < last for first, last in UNSPACED):
        return False
    return point >= _SMALL_BLOCKS or unicodedata.category(chr(point))[0] in "LN"


def _characters() -> str:
    small = [chr(point) for first, last in UNSPACED for point in range(first, min(last, _SMALL_BLOCKS))]
    listed = "".join(letter for letter in small if is_character(ord(letter)))
    ranges = "".join(f"{chr(first)}-{chr(last - 1)}" for first, last in UNSPACED if first >= _SMALL_BLOCKS)
    return f"[{listed}{ranges}]"


CHARACTER: Final = _characters()  # a pattern for one, to be part of others


@cache
def _word() -> re.Pattern[str]:
    return re.compile(rf"[^\w\s]*{CHARACTER}[^\w\s]*|(?:(?!{CHARACTER})\S)+")


def count_words(text: str) -> int:
    """Return the number of words of a text."""
    return len(text.split()) if text.isascii() else sum(1 for _ in _word().finditer(text))


def has_words(text: str, count: int) -> bool:
    """Say whether a text has at least `count` words, without reading a long one to its end."""
    if len(text.split(maxsplit=count)) >= count:
        return True
    return not text.isascii() and sum(1 for _ in islice(_word().finditer(text), count)) >= count
