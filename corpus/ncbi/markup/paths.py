"""Elements by their path from the top: all paths of a table are followed at once, in one pass over the rows.

A mapping of paths ("PubmedArticle/MedlineCitation/PMID") to rules and a `Markup` come in; the rows that stand at one
of these paths go out, in document order, each with its rule. The paths make a trie, and a row's place in it follows
from the place of the row above it; an element anywhere else is at no place, whatever its name is.
"""

from collections.abc import Mapping
from typing import Generic, TypeVar

import numpy as np

from corpus.arrays.kernel import kernel
from corpus.ncbi.markup.document import Markup, Vocabulary

Rule = TypeVar("Rule")
_NOWHERE, _ABOVE = 0, 1


class Paths(Generic[Rule]):
    """A table of paths over one vocabulary, which must name every element of them."""

    def __init__(self, vocabulary: Vocabulary, rules: Mapping[str, Rule]) -> None:
        places: dict[str, int] = {}
        for path in rules:
            names = path.split("/")
            for depth in range(1, len(names) + 1):
                places.setdefault("/".join(names[:depth]), _ABOVE + 1 + len(places))
        self._table = np.zeros((_ABOVE + 1 + len(places), len(vocabulary.names)), np.int32)
        for path, place in places.items():
            above, _, name = path.rpartition("/")
            self._table[places[above] if above else _ABOVE, vocabulary[name]] = place
        self._rules = {places[path]: rule for path, rule in rules.items()}
        self._has_rule = np.zeros(len(self._table), np.bool_)
        self._has_rule[list(self._rules)] = True

    def find(self, doc: Markup) -> tuple[list[int], list[Rule]]:
        """Return the elements that have a rule, and their rules."""
        places = np.empty(doc.rows.shape[1], np.int32)
        _follow(doc.rows[0], doc.rows[9], self._table, places)
        rows = np.flatnonzero(self._has_rule[places])
        return rows.tolist(), [self._rules[place] for place in places[rows].tolist()]


@kernel
def _follow(tags, parents, table, places):  # type: ignore[no-untyped-def]
    """Fill in every row's place."""
    for row in range(len(tags)):
        above = _ABOVE if parents[row] < 0 else places[parents[row]]
        places[row] = table[above, tags[row]] if above != _NOWHERE else _NOWHERE
