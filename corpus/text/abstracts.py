"""The abstract that a record's text has: the main one, else an English one that a citation has beside it.

NLM's OtherAbstract is the abstract of another agency (PIP, KIE, NASA, …) or in another language; 39 of the 30,000
citations of a baseline file have an English one and no other. Articles name their main one when they are read.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from corpus.arrays.columns import equals, filled, list_fields, list_rows
from corpus.arrays.types import Mask
from corpus.records import MAIN, AbstractPart

_ENGLISH: Final = "eng"  # as PubMed writes it


def printed_parts(parts: Sequence[AbstractPart]) -> list[AbstractPart]:
    """Return the parts of the abstract that stands in the text, those of one type."""
    main = [part for part in parts if part.type == MAIN]
    if any(part.text for part in main):
        return main
    english = [part for part in parts if part.type != MAIN and part.language == _ENGLISH and part.text]
    return [part for part in english if part.type == english[0].type] or main


def are_printed(column: pa.ListArray) -> Mask:
    """Return bool[num_parts]: which parts of a column of abstracts `printed_parts` returns."""
    fields, rows = list_fields(column), list_rows(column)
    main, written = equals(fields["type"], MAIN), filled(fields["text"])
    has_main = np.zeros(len(column), np.bool_)
    has_main[rows[main & written]] = True
    others = np.flatnonzero(~main & written & equals(fields["language"], _ENGLISH) & ~has_main[rows])
    if not len(others):  # as nearly always
        return main
    kinds = list(zip(rows[others].tolist(), fields["type"].take(pa.array(others)).to_pylist(), strict=True))
    first = dict(reversed(kinds))  # by record: the type of its first one
    printed: Mask = main & ~np.isin(rows, list(first))
    printed[others[[first[row] == kind for row, kind in kinds]]] = True
    return printed
