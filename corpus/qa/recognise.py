"""Which published form a file has, told by its content alone: the keys of its objects or the cells of its rows."""

from collections.abc import Callable
from typing import Any, Final

from corpus.errors import UsageError
from corpus.qa import read_bioasq, read_long_form, read_medmcqa, read_medqa, read_mirage, read_mmlu, read_plain
from corpus.qa import read_pubmedqa as pubmedqa
from corpus.qa.reading import QuestionReading
from corpus.qa.sources import QuestionFile

QuestionReader = Callable[[QuestionFile], QuestionReading]
EXPECTED: Final = (
    "expected MedQA, MedMCQA, PubMedQA, BioASQ (BLURB's tables or the official JSON), MMLU, MIRAGE, MedQuAD, "
    "HealthSearchQA, or JSON lines with the fields id, task, split, text, context, options, label"
)
# The keys that objects of a form have, the most telling first.
_OBJECTS: Final[tuple[tuple[frozenset[str], QuestionReader], ...]] = (
    (frozenset(["question", "options", "answer_idx"]), read_medqa.read_medqa),
    (frozenset(["sent1", "ending0", "label"]), read_medqa.read_medqa_hf),
    (frozenset(["question", "opa", "opb", "opc", "opd"]), read_medmcqa.read_medmcqa),
    (frozenset(["question", "subject", "choices", "answer"]), read_mmlu.read_choices),
    (frozenset(["pubid", "question", "context", "final_decision"]), pubmedqa.read_table),
    (frozenset(["question", "focus", "answer"]), read_long_form.read_medquad_lines),
    (frozenset(["task", "split", "text"]), read_plain.read_plain),
)
_DECISIONS: Final = ("yes", "no", "maybe")


def read_file(source: QuestionFile) -> QuestionReading:
    """Return the questions of a file; raises UsageError, with what was found, for one of no known form."""
    reader, found = _FINDERS[source.kind](source)
    if reader is None:
        raise UsageError(f"{source.path}: {found}; {EXPECTED}")
    return reader(source)


def _of_objects(source: QuestionFile) -> tuple[QuestionReader | None, str]:
    if not source.rows:
        return None, "no JSON object in it"
    value = source.rows[0][1]
    for keys, reader in _OBJECTS:
        if keys <= value.keys():
            return reader, ""
    choices = value.get("choices")
    if {"question", "answer"} <= value.keys() and isinstance(choices, list) and "medmcqa" in source.path.lower():
        return read_medmcqa.read_lettered_choices, ""
    return None, f"objects of the keys {', '.join(map(str, value))[:200]}"


def _of_document(source: QuestionFile) -> tuple[QuestionReader | None, str]:
    document: dict[str, Any] = source.document
    values = list(document.values())
    if isinstance(document.get("questions"), list) and _all_objects(document["questions"]):
        return read_bioasq.read_official, ""
    if set(document) == {"test", "folds"}:
        return pubmedqa.read_split_ids, ""
    if values and set(document) <= set(read_mirage.SETS) and _all_objects(values):
        return read_mirage.read_mirage, ""
    if values and _all_objects(values) and all("QUESTION" in value for value in values):
        return pubmedqa.read_ori, ""
    if values and all(value in _DECISIONS for value in values):
        return pubmedqa.read_ground_truth, ""
    return None, f"one JSON object of the keys {', '.join(map(str, document))[:200]}"


def _of_table(source: QuestionFile) -> tuple[QuestionReader | None, str]:
    widths = [len(cells) for _, cells in source.rows]
    usual = max(set(widths), key=widths.count) if widths else 0
    if source.delimiter == "\t" and usual == 4:
        return read_bioasq.read_blurb, ""
    if source.delimiter == "," and usual == 6:
        return read_mmlu.read_csv, ""
    return None, f"a table of {len(widths)} rows of {usual} columns"


def _of_xml(source: QuestionFile) -> tuple[QuestionReader | None, str]:
    return read_long_form.read_medquad_xml, ""


def _of_lines(source: QuestionFile) -> tuple[QuestionReader | None, str]:
    asked = sum(text.endswith("?") for _, text in source.rows)
    if source.rows and asked >= 0.9 * len(source.rows):
        return read_long_form.read_healthsearchqa, ""
    return None, f"{len(source.rows)} lines of text, {asked} of which end with a question mark"


def _all_objects(values: list[Any]) -> bool:
    return all(isinstance(value, dict) for value in values)


_FINDERS: Final[dict[str, Callable[[QuestionFile], tuple[QuestionReader | None, str]]]] = {
    "objects": _of_objects,
    "document": _of_document,
    "table": _of_table,
    "xml": _of_xml,
    "lines": _of_lines,
}
