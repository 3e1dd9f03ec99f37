"""Cutting of a line of text into sentences, by rule.

A sentence ends at `.`, `!`, `?` or `…`, with the quotes and brackets that close behind it, where white space and then
a capital or a digit follows, with the quotes and brackets that open before it; and behind `。`, `！` and `？`. The full
stop of an abbreviation (`et al.`, `Fig.`, `e.g.`), of a single capital letter (`J. Smith`) and of a number with which a
line or a sentence begins (`2.1. Methods`) ends none. Nothing is lost but the spaces between sentences.
"""

import re
from typing import Final

# What stands before a full stop that ends no sentence.
ABBREVIATIONS: Final = (
    *("al", "approx", "ca", "cf", "Co", "Dr", "e.g", "eq", "Eq", "Eqs", "etc", "fig", "Fig", "figs", "Figs", "i.e"),
    *(
        "Inc",
        "Ltd",
        "Mr",
        "Mrs",
        "Ms",
        "no",
        "No",
        "nos",
        "Nos",
        "p",
        "pp",
        "Prof",
        "ref",
        "Ref",
        "refs",
        "Refs",
        "resp",
    ),
    *("sp", "spp", "St", "subsp", "Suppl", "Tab", "var", "viz", "vol", "Vol", "vs"),
)
CAPITALS: Final = "A-Z0-9À-ÖØ-ÞΑ-ΩА-Я"
_END: Final = re.compile(rf"[.!?…][\"”’')\]]* (?=[\"“‘'(\[]*[{CAPITALS}])|[。！？] ?(?=.)")
_NO_END: Final = re.compile(
    rf"(?:^|[^\w.])(?:{'|'.join(map(re.escape, ABBREVIATIONS))}|[A-Z])\.$|[^\w.](?:[A-Z]\.)+[A-Z]\.$"
    r"|^\d+(?:\.\d+)*\.$"
)
_LONGEST: Final = 16  # characters before the end of an abbreviation that are looked at


def cut_sentences(line: str) -> list[str]:
    """Return the sentences of a line whose white space is single spaces; an empty line has none."""
    found, start = [], 0
    for end in _END.finditer(line):
        mark = end.start() + 1
        if line[mark - 1] == "." and mark == end.end() - 1 and _NO_END.search(line[max(start, mark - _LONGEST) : mark]):
            continue
        found.append(line[start : end.end()].rstrip(" "))
        start = end.end()
    return [*found, line[start:]] if start < len(line) else found
