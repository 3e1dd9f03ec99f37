"""Rows of a question file to questions: what every reader gives, and how it says that a row is none."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from corpus.errors import UsageError
from corpus.qa.question import Question
from corpus.qa.sources import DroppedRow, QuestionDrop, QuestionFile

LETTERS: Final = "ABCDEFGHIJ"
_SPLIT_WORDS: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "valid", "validation", "val", "development"), "dev"),
    **dict.fromkeys(("test", "testing", "golden", "eval"), "test"),
}


class RowError(Exception):
    """A row that gives no question: the reason, and what was found."""

    def __init__(self, reason: QuestionDrop, what: str) -> None:
        super().__init__(what)
        self.reason, self.what = reason, what[:200]


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitIds:
    """PubMedQA's published split by ids; folds () where only the test half is named."""

    test: tuple[str, ...]
    folds: tuple[tuple[str, ...], ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # of the test half, by id


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionReading:
    """What one file gave: rows read = questions + dropped."""

    shape: str  # the published form that was recognised
    questions: tuple[Question, ...] = ()
    dropped: tuple[DroppedRow, ...] = ()
    split: SplitIds | None = None  # of a file that names ids alone


Convert = Callable[[int, int, Any], Question]  # number of the row from 0, line from 1, value


def read_rows(source: QuestionFile, shape: str, convert: Convert, rows: Sequence[Any] | None = None) -> QuestionReading:
    """Return the questions of a file's rows; a row for which `convert` raises RowError is dropped with its reason."""
    questions, dropped = [], list(source.bad)
    for number, (line, value) in enumerate(source.rows if rows is None else rows):
        try:
            question = convert(number, line, value)
            if not question.text.strip():
                raise RowError(QuestionDrop.NO_QUESTION, "the question is empty")
            questions.append(question)
        except RowError as error:
            dropped.append(DroppedRow(file=source.path, line=line, reason=error.reason, what=error.what))
    dropped.sort(key=lambda row: row.line)
    return QuestionReading(shape=shape, questions=tuple(questions), dropped=tuple(dropped))


def split_of(path: str, *, default: str = "") -> str:
    """Return the split that a file's name says, else that of its folder; raises UsageError when neither says one."""
    for name in reversed(path.rstrip("/").split("/")[-2:]):
        found = [_SPLIT_WORDS[word] for word in re.findall(r"[a-z]+", name.lower()) if word in _SPLIT_WORDS]
        if found:
            return found[-1]
    if default:
        return default
    raise UsageError(f"{path}: which split is this? Give the file a name with train, dev or test in it, as published")


def object_of(value: Any) -> Mapping[str, Any]:
    """Return a value that must be an object."""
    if not isinstance(value, Mapping):
        raise RowError(QuestionDrop.BAD_FIELD, f"{str(value)[:100]!r} is no object")
    return value


def list_of(value: Mapping[str, Any], key: str) -> list[Any]:
    """Return a field that must be a list; an empty one where it is missing or null."""
    found = value.get(key)
    if found is not None and not isinstance(found, list):
        raise RowError(QuestionDrop.BAD_FIELD, f"{key!r} is {str(found)[:100]!r}, not a list")
    return found or []


def text_of(value: Mapping[str, Any], key: str) -> str:
    """Return a field that must be a text."""
    if not isinstance(value.get(key), str):
        raise RowError(QuestionDrop.BAD_FIELD, f"{key!r} is {value.get(key)!r}, not a text")
    return str(value[key])


def int_of(value: Mapping[str, Any], key: str) -> int:
    """Return a field that must be a whole number, or a text of one."""
    found = value.get(key)
    if isinstance(found, float) and found.is_integer():
        found = int(found)  # Parquet's, where some rows have none
    if isinstance(found, bool) or not re.fullmatch(r"-?\d{1,18}", str(found)):
        raise RowError(QuestionDrop.BAD_FIELD, f"{key!r} is {found!r}, not a whole number")
    return int(str(found))


def checked_options(options: Any) -> tuple[str, ...]:
    """Return the texts of a choice, which must be a list of two at least and none empty."""
    if not isinstance(options, (list, tuple)):
        raise RowError(QuestionDrop.NO_OPTIONS, f"options {str(options)[:100]!r}")
    if len(options) < 2 or not all(isinstance(one, str) and one.strip() for one in options):
        raise RowError(QuestionDrop.NO_OPTIONS, f"options {list(options)!r}")
    return tuple(options)


def checked_label(index: int, options: Sequence[str]) -> int | None:
    """Return the index of the right option; None for -1, by which a set hides it."""
    if index == -1:
        return None
    if not 0 <= index < len(options):
        raise RowError(QuestionDrop.ANSWER_IN_NO_OPTION, f"answer {index} of {len(options)} options")
    return index


def letter_index(letter: Any, options: Sequence[str]) -> int:
    """Return the index that a letter names."""
    if not isinstance(letter, str) or len(letter) != 1 or letter not in LETTERS[: len(options)]:
        raise RowError(QuestionDrop.ANSWER_IN_NO_OPTION, f"answer {letter!r} of {len(options)} options")
    return LETTERS.index(letter)
