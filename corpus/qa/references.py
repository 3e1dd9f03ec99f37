"""Recorded results of the paper and of the models beside it, from `references.yaml`, each with its source.

Values are texts, digit for digit as printed. A result that is printed with two values is two records.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import msgspec
import yaml

from corpus.errors import CorruptError
from corpus.qa.published import published_counts

METHODS: Final = ("fine-tuned", "few-shot", "zero-shot", "by hand", "none")
TITLES: Final = {
    "medmcqa": "MedMCQA",
    "medqa": "MedQA",
    "mmlu/clinical_knowledge": "MMLU Clinical Knowledge",
    "mmlu/professional_medicine": "MMLU Professional Medicine",
    "mmlu/college_biology": "MMLU College Biology",
    "mmlu/medical_genetics": "MMLU Medical Genetics",
    "pubmedqa": "PubMedQA",
    "bioasq": "BioASQ",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedResult:
    """One published result."""

    question_set: str  # medqa, mmlu/medical_genetics, …
    split: str
    model: str
    parameters: float | None  # None: not disclosed, or no model
    method: str  # one of METHODS
    open_weights: bool
    value: str  # accuracy in percent, as printed
    source: str  # the work, and where in it
    in_paper: bool  # in BioMedLM's own result tables
    note: str = ""

    @property
    def accuracy(self) -> float:
        """Return the value as a share of 1."""
        return float(self.value) / 100

    @property
    def items(self) -> int | None:
        """Return the number of questions that were scored, by the published counts."""
        return published_counts()[self.question_set]["splits"].get(self.split)


class _RecordedModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    parameters: float | None
    open: bool


class _ReferenceFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sources: dict[str, str]
    models: dict[str, _RecordedModel]
    results: dict[str, list[list[str]]]


def title_of(question_set: str) -> str:
    """Return the name of a set for reading: "mmlu/human_aging" is MMLU Human Aging."""
    task, slash, subject = question_set.partition("/")
    if question_set in TITLES or task != "mmlu":
        return TITLES.get(question_set, question_set)
    return f"MMLU {subject.replace('_', ' ').title()}" if slash else "MMLU"


@cache
def references() -> tuple[RecordedResult, ...]:
    """Return all recorded results, in the order of the file; raises CorruptError when the file was broken."""
    return read_references(reference_text())


def reference_text() -> str:
    """Return the file of recorded results."""
    return resources.files("corpus.qa").joinpath("references.yaml").read_text(encoding="utf-8")


def read_references(text: str) -> tuple[RecordedResult, ...]:
    """Return the results of a YAML text; raises CorruptError for a row that names an unknown model or source."""
    try:
        file = msgspec.convert(yaml.safe_load(text), _ReferenceFile)
        return tuple(_reference(file, *key.split(), *row) for key, rows in file.results.items() for row in rows)
    except (yaml.YAMLError, msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
        raise CorruptError(f"references.yaml: {error}; it came with the package: install corpuscle again") from error


def _reference(
    file: _ReferenceFile,
    question_set: str,
    split: str,
    model: str,
    method: str,
    value: str,
    source: str,
    note: str = "",
) -> RecordedResult:
    if method not in METHODS:
        raise ValueError(f"{model}: {method!r} is none of {', '.join(METHODS)}")
    if not 0 <= float(value) <= 100:
        raise ValueError(f"{model}: {value} is no percentage")
    return RecordedResult(
        question_set=question_set,
        split=split,
        model=model,
        parameters=file.models[model].parameters,
        method=method,
        open_weights=file.models[model].open,
        value=value,
        source=file.sources[source],
        in_paper=source in ("paper", "table-4"),
        note=note,
    )


def conflicts(rows: tuple[RecordedResult, ...]) -> dict[tuple[str, str, str], tuple[str, ...]]:
    """Return the results that are printed with several values: (set, model, note of the training) to the values."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        kind = "alone" if "alone" in row.note else ""
        found.setdefault((row.question_set, row.model, kind), []).append(row.value)
    return {key: tuple(dict.fromkeys(values)) for key, values in found.items() if len(set(values)) > 1}
