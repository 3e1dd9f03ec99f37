"""The abstract that a record's text has: the main one, else an English one that a citation has beside it.

NLM's OtherAbstract is the abstract of another agency (PIP, KIE, NASA, …) or in another language; 39 of the 30,000
citations of a baseline file have an English one and no other. Articles name their main one when they are read. Of an
abstract that says itself again in another language, a part for each, the English half is printed.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.columns import equals, filled, list_fields, list_rows
from corpus.arrays.types import Mask, Rows
from corpus.records import MAIN, AbstractPart

_ENGLISH: Final = "eng"  # as PubMed writes it
_KEPT_LANGUAGES: Final = frozenset({"", "en"})  # as they are detected
_ENGLISH_WORDS: Final = (" the ", " of ")
_LEAST: Final = 100  # characters of a part whose language says something


def printed_parts(parts: Sequence[AbstractPart]) -> list[AbstractPart]:
    """Return the parts of the abstract that stands in the text, those of one type."""
    printed = _of_one_type(parts)
    foreign = foreign_parts([part.text for part in printed]) if len(printed) > 1 else ()
    return [part for part, out in zip(printed, foreign, strict=True) if not out] if any(foreign) else printed


def _of_one_type(parts: Sequence[AbstractPart]) -> list[AbstractPart]:
    main = [part for part in parts if part.type == MAIN]
    if any(part.text for part in main):
        return main
    english = [part for part in parts if part.type != MAIN and part.language == _ENGLISH and part.text]
    return [part for part in english if part.type == english[0].type] or main


def foreign_parts(texts: Sequence[str]) -> list[bool]:
    """Return bool[num_texts]: which parts of one abstract are in another language, where others are in English.

    Only a part without "the" and "of" that has a letter beyond ASCII is asked for its language.
    """
    asked = [_may_be_foreign(text) for text in texts]
    if not any(asked) or all(asked):
        return [False] * len(texts)
    from corpus.text.detection import detect

    foreign = [may and detect(text) not in _KEPT_LANGUAGES for text, may in zip(texts, asked, strict=True)]
    has_english = any(foreign) and any(
        detect(text) == "en" for text, may in zip(texts, asked, strict=True) if not may and text
    )
    return foreign if has_english else [False] * len(texts)


def _may_be_foreign(text: str) -> bool:
    return len(text) >= _LEAST and not text.isascii() and not any(word in text for word in _ENGLISH_WORDS)


def are_printed(column: pa.ListArray) -> Mask:
    """Return bool[num_parts]: which parts of a column of abstracts `printed_parts` returns."""
    fields, rows = list_fields(column), list_rows(column)
    main, written = equals(fields["type"], MAIN), filled(fields["text"])
    has_main = np.zeros(len(column), np.bool_)
    has_main[rows[main & written]] = True
    others = np.flatnonzero(~main & written & equals(fields["language"], _ENGLISH) & ~has_main[rows])
    if not len(others):  # as nearly always
        return _without_foreign(main, fields["text"], rows)
    kinds = list(zip(rows[others].tolist(), fields["type"].take(pa.array(others)).to_pylist(), strict=True))
    first = dict(reversed(kinds))  # by record: the type of its first one
    printed: Mask = main & ~np.isin(rows, list(first))
    printed[others[[first[row] == kind for row, kind in kinds]]] = True
    return _without_foreign(printed, fields["text"], rows)


def _without_foreign(printed: Mask, texts: pa.Array, rows: Rows) -> Mask:
    """Return bool[num_parts]: parts that are printed but for those that `foreign_parts` leaves out."""
    longer = pc.greater(pc.binary_length(texts), pc.utf8_length(texts))  # beyond ASCII
    may = pc.and_(longer, pc.invert(pc.match_substring(texts, _ENGLISH_WORDS[0])))
    asked = np.flatnonzero(printed & may.to_numpy(zero_copy_only=False))
    out = printed.copy() if len(asked) else printed
    for row in np.unique(rows[asked]).tolist():
        first, last = np.searchsorted(rows, (row, row + 1))
        own = first + np.flatnonzero(printed[first:last])
        out[own[foreign_parts(texts.take(pa.array(own)).to_pylist())]] = False
    return out
