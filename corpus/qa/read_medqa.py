"""MedQA-USMLE: the original files and GBaker's (one shape), and GBaker's -hf of four endings.

The sets of four and of five options are two tasks, `medqa` and `medqa-5`: their distractors differ. The original files
have no ids; an item is numbered by its row, as LinkBERT's preprocessing and the -hf files number it: `test-00000`.
"""

from typing import Any

from corpus.qa.question import Question
from corpus.qa.reading import (
    LETTERS,
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


def medqa_id(split: str, number: int) -> str:
    """Return the id of a row without one; number: from 0."""
    return f"{split}-{number:05d}"


def task_of(options: tuple[str, ...]) -> str:
    """Return the task by its number of options."""
    return "medqa" if len(options) == 4 else f"medqa-{len(options)}"


def read_medqa(source: QuestionFile) -> QuestionReading:
    """Read `question, answer, options {A: …}, answer_idx`."""
    split = split_of(source.path)

    def convert(number: int, line: int, value: dict[str, Any]) -> Question:
        options = lettered_options(value.get("options"))
        label = letter_index(value.get("answer_idx"), options)
        if isinstance(value.get("answer"), str) and value["answer"] != options[label]:
            raise RowError(QuestionDrop.ANSWER_DIFFERS, f"{value['answer_idx']} is not {value['answer']!r}")
        return Question(
            id=medqa_id(split, number),
            task=task_of(options),
            split=split,
            text=text_of(value, "question"),
            options=options,
            label=label,
            subject=str(value.get("meta_info") or ""),
            file=source.path,
            line=line,
        )

    return read_rows(source, "medqa", convert)


def lettered_options(options: Any) -> tuple[str, ...]:
    """Return the options of `{A: …, B: …}` in the order of their letters, which must have no hole."""
    if not isinstance(options, dict):
        raise RowError(QuestionDrop.BAD_FIELD, f"'options' is {options!r}, not an object of letters")
    held = {letter: text for letter, text in options.items() if text is not None}  # Parquet has a column a letter
    if sorted(held) != list(LETTERS[: len(held)]):
        raise RowError(QuestionDrop.NO_OPTIONS, f"options {', '.join(held)}")
    return checked_options([held[letter] for letter in sorted(held)])


def read_medqa_hf(source: QuestionFile) -> QuestionReading:
    """Read `id, sent1, sent2, ending0 …, label`."""
    split = split_of(source.path)

    def convert(number: int, line: int, value: dict[str, Any]) -> Question:
        endings = [value[name] for name in sorted(value) if name.startswith("ending")]
        options = checked_options(endings)
        own = str(value.get("id", ""))
        texts = (text_of(value, "sent1"), str(value.get("sent2") or ""))
        return Question(
            id=own if own and not own.isdecimal() else medqa_id(split, int(own or number)),
            task=task_of(options),
            split=split,
            text=" ".join(text for text in texts if text),
            options=options,
            label=checked_label(int_of(value, "label"), options),
            file=source.path,
            line=line,
        )

    return read_rows(source, "medqa-hf", convert)
