"""MIRAGE's benchmark.json: five test sets in one file, `{set: {id: {question, options {A: …}, answer, PMID}}}`.

MedQA, MedMCQA (its dev) and MMLU are the published items under other ids, and are read as those. PubMedQA and BioASQ
lack their contexts, which makes them other tasks: `mirage-pubmedqa` and `mirage-bioasq`.
"""

from typing import Any

from corpus.qa import read_bioasq, read_pubmedqa
from corpus.qa.question import Question
from corpus.qa.read_medqa import lettered_options, medqa_id, task_of
from corpus.qa.read_mmlu import mmlu_id
from corpus.qa.reading import QuestionReading, RowError, letter_index, object_of, read_rows, text_of
from corpus.qa.sources import QuestionDrop, QuestionFile

SETS = ("medqa", "medmcqa", "mmlu", "pubmedqa", "bioasq")


def read_mirage(source: QuestionFile) -> QuestionReading:
    """Read all sets of the file; the line of an item is its number within its set, from 1."""
    rows = [
        (number, (name, own, value))
        for name in SETS
        for number, (own, value) in enumerate(source.document.get(name, {}).items(), start=1)
    ]
    return read_rows(source, "mirage", lambda _, line, item: _question(source.path, line, *item), rows)


def _question(path: str, line: int, name: str, own: str, value: dict[str, Any]) -> Question:
    texts = lettered_options(object_of(value).get("options"))
    label = letter_index(value.get("answer"), texts)
    task, split, subject = name, "test", ""
    options = texts
    if name == "medqa":
        own, task = medqa_id(split, _number(own)), task_of(texts)
    elif name == "medmcqa":
        split = "dev"
    elif name == "mmlu":
        subject, _, place = own.rpartition("-")
        own = mmlu_id(subject, split, _number(place))
    else:
        task, options = f"mirage-{name}", read_bioasq.LABELS if name == "bioasq" else read_pubmedqa.LABELS
        if texts[label].strip().lower() not in options:
            raise RowError(QuestionDrop.UNKNOWN_LABEL, f"{texts[label]!r} is none of {', '.join(options)}")
        label = options.index(texts[label].strip().lower())
    return Question(
        id=own,
        task=task,
        split=split,
        text=text_of(value, "question"),
        options=options,
        label=label,
        subject=subject,
        pmids=tuple(map(str, value.get("PMID") or ())),
        file=path,
        line=line,
    )


def _number(text: str) -> int:
    if not text.isdecimal():
        raise RowError(QuestionDrop.BAD_FIELD, f"the id ends in {text!r}, not in a number")
    return int(text)
