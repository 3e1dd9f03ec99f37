"""BioASQ's yes/no questions: BLURB's tables (id, question, snippets, answer) and the official JSON of any year.

The context is the snippets joined by one space, white space inside made single, so that both forms give one text.
BLURB's split (670, 75 and 140 of year 7) is in its tables alone: the official JSON knows training and golden files.
"""

import re
from typing import Any, Final

from corpus.qa.question import Question
from corpus.qa.reading import QuestionReading, RowError, list_of, object_of, read_rows, split_of, text_of
from corpus.qa.sources import QuestionDrop, QuestionFile

LABELS: Final = ("no", "yes")
_PMID = re.compile(r"pubmed[^\s]*?/(\d+)/?$")


def read_blurb(source: QuestionFile) -> QuestionReading:
    """Read rows of four columns without a header."""
    split = split_of(source.path)

    def convert(number: int, line: int, cells: list[str]) -> Question:
        if len(cells) != 4:
            raise RowError(QuestionDrop.WRONG_COLUMNS, f"{len(cells)} columns, expected id, question, snippets, answer")
        return _question(source.path, line, split, cells[0], cells[1], cells[2], cells[3])

    return read_rows(source, "bioasq-blurb", convert)


def read_official(source: QuestionFile) -> QuestionReading:
    """Read `questions[]`: id, type, body, snippets[].text, documents[], exact_answer."""
    split = split_of(source.path)

    def convert(number: int, line: int, value: dict[str, Any]) -> Question:
        if value.get("type") != "yesno":
            raise RowError(QuestionDrop.NOT_YES_NO, f"type {value.get('type')!r}")
        snippets = " ".join(text_of(object_of(one), "text") for one in list_of(value, "snippets"))
        found = [_PMID.search(str(one)) for one in list_of(value, "documents")]
        pmids = tuple(dict.fromkeys(match[1] for match in found if match))
        answer = value.get("exact_answer")
        return _question(
            source.path, line, split, text_of(value, "id"), text_of(value, "body"), snippets, answer, pmids=pmids
        )

    return read_rows(source, "bioasq-official", convert, list(enumerate(source.document["questions"], start=1)))


def _question(
    path: str, line: int, split: str, own: str, text: str, snippets: str, answer: Any, pmids: tuple[str, ...] = ()
) -> Question:
    return Question(
        id=own.strip(),
        task="bioasq",
        split=split,
        text=_single_spaced(text),
        context=_single_spaced(snippets),
        options=LABELS,
        label=None if answer is None else yes_no(answer),
        pmids=pmids,
        file=path,
        line=line,
    )


def yes_no(answer: Any) -> int:
    """Return the index of `yes`, `Yes` or `["yes"]`, and of no, among the sorted labels."""
    one = answer[0] if isinstance(answer, list) and len(answer) == 1 else answer
    word = one.strip().strip(".").lower() if isinstance(one, str) else ""
    if word not in LABELS:
        raise RowError(QuestionDrop.UNKNOWN_LABEL, f"{answer!r} is neither yes nor no")
    return LABELS.index(word)


def _single_spaced(text: str) -> str:
    return " ".join(text.split())
