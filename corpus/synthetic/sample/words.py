"""Word lists and sentence patterns that the generated sample is made of.

Two text files beside this module hold lists of entries; `<name>` in an entry stands for an entry of
another list. Words stand most frequent first and are drawn with Zipf weights, so that the text has the
word-frequency curve of real text, with a long tail of coined gene and drug names; sentences are drawn
evenly. All lists were written for this sample: no text of PubMed or PMC is in them.
"""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

SLOT = re.compile(r"<([a-z_0-9]+)>")

# Zipf's exponent is near 1 for English; the offset flattens the first ranks as in Mandelbrot's form.
_ZIPF_EXPONENT, _ZIPF_OFFSET = 0.9, 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class WordList:
    """Entries of one list, each split into text and slot names in turn (slots at odd places)."""

    entries: tuple[tuple[str, ...], ...]
    weights: tuple[int, ...]  # cumulative, for random.choices; whole numbers, alike on every machine


@cache
def grammar() -> Mapping[str, WordList]:
    """Return all lists by name."""
    words = {name: _word_list(lines, zipf=True) for name, lines in _read("lexicon.txt").items()}
    sentences = {name: _word_list(lines, zipf=False) for name, lines in _read("sentences.txt").items()}
    assert not words.keys() & sentences.keys()
    return {**words, **sentences}


def _read(name: str) -> dict[str, list[str]]:
    """Read a file of [list] heads with entries below them, one a line or between bars."""
    lists: dict[str, list[str]] = {}
    current: list[str] = []
    for line in resources.files("corpus.synthetic.sample").joinpath(name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            current = lists.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            current += [entry.strip() for entry in line.split(" | ")]
    return lists


def _word_list(entries: list[str], *, zipf: bool) -> WordList:
    weights = [round(1e6 * (rank + _ZIPF_OFFSET) ** -_ZIPF_EXPONENT) if zipf else 1 for rank in range(len(entries))]
    return WordList(
        entries=tuple(tuple(SLOT.split(entry)) for entry in entries),
        weights=tuple(itertools.accumulate(weights)),
    )
