"""Words that tell one report of a series from the next without being digits: data of the template rule.

An index word counts like a number (`interferon alpha` and `interferon beta`, `two patients` and `three patients`).
A negation may stand in one report and be absent from its twin (`was associated`, `was not associated`), and `with` and
`without` differ as much. Single letters, Greek letters, Roman numerals and all that holds a digit need no list.
See `corpus.dedup.words`.
"""

from typing import Final

_GREEK = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu
nu xi omicron pi rho sigma tau upsilon phi chi psi omega
"""
_NUMBERS = """
one two three four five six seven eight nine ten eleven twelve
first second third fourth fifth sixth seventh eighth ninth tenth
"""
_NEGATIONS = "no not non nor never neither none cannot with without"

INDEX_WORDS: Final = (*_GREEK.split(), *_NUMBERS.split())
NEGATIONS: Final = tuple(_NEGATIONS.split())
