"""MedMCQA: the original JSON lines (`cop` 1 to 4, their loader subtracts 1) and Hugging Face's files (`cop` 0 to 3).

Nothing in a row says which base it has, so the whole file decides: a 4 is of base one, a 0 of base zero; a file with
both or neither is refused, for a guess would shift every answer of a quarter of the questions at best. -1 is hidden.
"""

import re
from typing import Any

from corpus.errors import UsageError
from corpus.qa.question import Question
from corpus.qa.reading import (
    QuestionReading,
    RowError,
    checked_label,
    checked_options,
    int_of,
    list_of,
    read_rows,
    split_of,
    text_of,
)
from corpus.qa.sources import QuestionFile

_OPTIONS = ("opa", "opb", "opc", "opd")
_HIDDEN = (None, -1, "")


def read_medmcqa(source: QuestionFile) -> QuestionReading:
    """Read `id, question, opa … opd, cop, subject_name`; raises UsageError when the base of `cop` cannot be told."""
    split, base = split_of(source.path), cop_base(source)

    def convert(number: int, line: int, value: dict[str, Any]) -> Question:
        options = checked_options([value.get(name) for name in _OPTIONS])
        cop = -1 if value.get("cop") in _HIDDEN else int_of(value, "cop") - base
        # A 0 of base one is no hidden answer.
        label = None if value.get("cop") in _HIDDEN else checked_label(cop if cop >= 0 else len(options), options)
        return _question(source, split, (number, line), value, options=options, label=label)

    return read_rows(source, "medmcqa", convert)


def cop_base(source: QuestionFile) -> int:
    """Return what is to be subtracted from `cop`: 0 or 1."""
    found: set[int] = set()
    for _, value in source.rows:
        try:
            found |= {int_of(value, "cop")} if value.get("cop") not in _HIDDEN else set()
        except RowError:  # counted when the row is read
            continue
    if not found:
        return 0
    if (4 in found) == (0 in found):
        both = "0 and 4 both occur" if 0 in found else "neither 0 nor 4 occurs"
        raise UsageError(
            f"{source.path}: cannot tell whether `cop` counts from 0 or from 1: {both} in {len(source.rows):,} rows; "
            "give the whole published file, not a part of it"
        )
    return int(4 in found)


def read_lettered_choices(source: QuestionFile) -> QuestionReading:
    """Read `question, choices ["A. …", …], answer`, the index from 0, -1 where it is hidden."""
    split = split_of(source.path)

    def convert(number: int, line: int, value: dict[str, Any]) -> Question:
        options = checked_options([re.sub(r"^[A-E]\. ", "", str(one)) for one in list_of(value, "choices")])
        label = checked_label(int_of(value, "answer"), options)
        return _question(source, split, (number, line), value, options=options, label=label)

    return read_rows(source, "medmcqa-choices", convert)


def _question(
    source: QuestionFile,
    split: str,
    place: tuple[int, int],
    value: dict[str, Any],
    *,
    options: tuple[str, ...],
    label: int | None,
) -> Question:
    """Return the question of a row of either form; its place is its number from 0 and its line from 1."""
    number, line = place
    return Question(
        id=str(value.get("id") or f"{split}-{number:05d}"),
        task="medmcqa",
        split=split,
        text=text_of(value, "question"),
        options=options,
        label=label,
        subject=str(value.get("subject_name") or ""),
        file=source.path,
        line=line,
    )
