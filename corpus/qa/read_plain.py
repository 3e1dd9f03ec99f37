"""Questions of one's own: JSON lines (or Parquet) with the fields of `Question`, of which task, split and text must be.

`id` is the number of the row where it is left out; `label` may be the text of an option.
"""

from typing import Any, Final

import msgspec

from corpus.errors import UsageError, did_you_mean
from corpus.qa.question import Question
from corpus.qa.reading import QuestionReading, RowError, checked_label, checked_options, read_rows
from corpus.qa.sources import QuestionDrop, QuestionFile

FIELDS: Final = frozenset(Question.__struct_fields__)
_SPLITS: Final = ("train", "dev", "val", "test")


def read_plain(source: QuestionFile) -> QuestionReading:
    """Read the rows; raises UsageError for a field that no question has."""
    for line, value in source.rows:
        if unknown := sorted(set(value) - FIELDS):
            near = did_you_mean(unknown[0], FIELDS)
            raise UsageError(f"{source.path}:{line}: no question has a field {unknown[0]!r}{near}")

    def convert(number: int, line: int, value: dict[str, Any]) -> Question:
        options = checked_options(value["options"]) if value.get("options") else ()
        label = value.get("label")
        if isinstance(label, str):
            if label not in options:
                raise RowError(QuestionDrop.ANSWER_IN_NO_OPTION, f"{label!r} is none of {options!r}")
            label = options.index(label)
        fields = {name: field for name, field in value.items() if field is not None}
        whole = {"id": f"{value.get('split')}-{number:05d}", **fields, "options": options, "label": label}
        return _built({**whole, "file": source.path, "line": line})

    return read_rows(source, "plain", convert)


def _built(fields: dict[str, Any]) -> Question:
    try:
        question = msgspec.convert(fields, Question)
    except msgspec.ValidationError as error:
        raise RowError(QuestionDrop.BAD_FIELD, str(error)) from error
    if question.split not in _SPLITS:
        raise RowError(QuestionDrop.BAD_FIELD, f"'split' is {question.split!r}, none of {', '.join(_SPLITS)}")
    if question.label is not None:
        checked_label(question.label, question.options)
    return question
