"""PubMedQA: `ori_pqal.json` (objects by PMID), its ground truth, Hugging Face's table, ids of splits.

The context is the abstract without its conclusion, paragraphs stripped and joined by one space; the conclusion is kept
as `answer`. All items are read as test: which are train and dev is decided over all of them (`corpus.qa.splits`).
"""

from typing import Any, Final

from corpus.errors import UsageError
from corpus.qa.question import Question
from corpus.qa.reading import QuestionReading, RowError, SplitIds, read_rows, text_of
from corpus.qa.sources import QuestionDrop, QuestionFile

LABELS: Final = ("maybe", "no", "yes")


def read_ori(source: QuestionFile) -> QuestionReading:
    """Read objects by PMID: QUESTION, CONTEXTS, LONG_ANSWER, final_decision."""

    def convert(number: int, line: int, item: tuple[str, dict[str, Any]]) -> Question:
        pmid, value = item
        return _question(
            source.path, line, pmid, text_of(value, "QUESTION"), value.get("CONTEXTS"), value.get("LONG_ANSWER"),
            value.get("final_decision"),
        )  # fmt: skip

    return read_rows(source, "pubmedqa-original", convert, list(enumerate(source.document.items(), start=1)))


def read_table(source: QuestionFile) -> QuestionReading:
    """Read `pubid, question, context {contexts}, long_answer, final_decision`."""

    def convert(number: int, line: int, value: dict[str, Any]) -> Question:
        context = value.get("context")
        paragraphs = context.get("contexts") if isinstance(context, dict) else context
        if value.get("pubid") is None:
            raise RowError(QuestionDrop.BAD_FIELD, "no 'pubid', which is the paper's PMID")
        return _question(
            source.path, line, str(value["pubid"]), text_of(value, "question"), paragraphs, value.get("long_answer"),
            value.get("final_decision"),
        )  # fmt: skip

    return read_rows(source, "pubmedqa-table", convert)


def _question(path: str, line: int, pmid: str, text: str, paragraphs: Any, conclusion: Any, decision: Any) -> Question:
    if not isinstance(paragraphs, list) or not all(isinstance(one, str) for one in paragraphs):
        raise RowError(QuestionDrop.BAD_FIELD, f"the contexts are {paragraphs!r}, not a list of texts")
    return Question(
        id=pmid,
        task="pubmedqa",
        split="test",
        text=text,
        context=" ".join(one.strip() for one in paragraphs),
        options=LABELS,
        label=None if decision is None else yes_no_maybe(decision),
        answer=str(conclusion or ""),
        pmids=(pmid,),
        file=path,
        line=line,
    )


def yes_no_maybe(decision: Any) -> int:
    """Return the index of a decision among the sorted labels."""
    word = decision.strip().lower() if isinstance(decision, str) else ""
    if word not in LABELS:
        raise RowError(QuestionDrop.UNKNOWN_LABEL, f"{decision!r} is none of {', '.join(LABELS)}")
    return LABELS.index(word)


def read_ground_truth(source: QuestionFile) -> QuestionReading:
    """Read the decisions of the test half by PMID."""
    return QuestionReading(
        shape="pubmedqa-ground-truth", split=SplitIds(test=tuple(source.document), labels=dict(source.document))
    )


def read_split_ids(source: QuestionFile) -> QuestionReading:
    """Read `{test: [ids], folds: [[ids], …]}`; raises UsageError for an id in two places."""
    test = tuple(map(str, source.document["test"]))
    folds = tuple(tuple(map(str, fold)) for fold in source.document["folds"])
    ids = [*test, *(one for fold in folds for one in fold)]
    if len(set(ids)) != len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise UsageError(f"{source.path}: {twice} stands in two places of the split; make the file again")
    return QuestionReading(shape="pubmedqa-split", split=SplitIds(test=test, folds=folds))
