"""MMLU: a CSV a subject and split as published, with or without a header, and Hugging Face's rows with `choices`.

Its splits are dev (five examples for prompts), val and test. An item has no id: subject, split and row name it.
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
    letter_index,
    read_rows,
    split_of,
    text_of,
)
from corpus.qa.sources import QuestionDrop, QuestionFile

_NAME = re.compile(r"(?P<subject>.+)_(?:dev|val|validation|test)\.csv(?:\.gz|\.xz)?")


def mmlu_id(subject: str, split: str, number: int) -> str:
    """Return the id of an item; number: of its row, from 0."""
    return f"{subject}-{split}-{number:03d}"


def read_csv(source: QuestionFile) -> QuestionReading:
    """Read rows of question, four options, letter; raises UsageError when the name does not say the subject."""
    found = _NAME.fullmatch(source.path.rstrip("/").split("/")[-1])
    if found is None:
        raise UsageError(f"{source.path}: which subject is this? Expected <subject>_{{dev,val,test}}.csv, as published")
    subject, split = found["subject"], mmlu_split(source.path)
    rows = source.rows[1:] if source.rows and _is_header(source.rows[0][1]) else source.rows

    def convert(number: int, line: int, cells: list[str]) -> Question:
        if len(cells) != 6:
            raise RowError(QuestionDrop.WRONG_COLUMNS, f"{len(cells)} columns, expected question, four options, letter")
        options = checked_options(cells[1:5])
        return Question(
            id=mmlu_id(subject, split, number),
            task="mmlu",
            split=split,
            text=cells[0],
            options=options,
            label=letter_index(cells[5].strip(), options),
            subject=subject,
            file=source.path,
            line=line,
        )

    return read_rows(source, "mmlu-csv", convert, rows)


def mmlu_split(path: str) -> str:
    """Return dev, val, test or train of a file's name."""
    split = split_of(path)
    is_val = re.search(r"val(?:id|idation)?(?![a-z])", path.rsplit("/", 1)[-1].lower()) is not None
    return "val" if split == "dev" and is_val else split


def _is_header(cells: list[str]) -> bool:
    names = [cell.strip().lower() for cell in cells]
    return len(names) == 6 and names[0] in ("question", "input", "prompt", "") and names[5] in ("answer", "target")


def read_choices(source: QuestionFile) -> QuestionReading:
    """Read `question, subject, choices, answer`, the index from 0; rows are numbered within their subject."""
    split, numbers = mmlu_split(source.path), dict[str, int]()

    def convert(number: int, line: int, value: dict[str, Any]) -> Question:
        subject = text_of(value, "subject") or "auxiliary"
        place = numbers.get(subject, 0)
        numbers[subject] = place + 1
        choices = value.get("choices")
        options = checked_options(choices if isinstance(choices, list) else ())
        return Question(
            id=mmlu_id(subject, split, place),
            task="mmlu",
            split=split,
            text=text_of(value, "question"),
            options=options,
            label=checked_label(int_of(value, "answer"), options),
            subject=subject,
            file=source.path,
            line=line,
        )

    return read_rows(source, "mmlu-choices", convert)
