"""Recorded results: one wrong digit fails. The table here was typed from the paper's, not from the package's file."""

import re

import pytest

from corpus.errors import CorruptError
from corpus.qa.references import METHODS, TITLES, conflicts, read_references, references
from corpus.qa.scores import wilson

# The paper's tables, a set a line: model and printed value.
PAPER = """
medmcqa: BioMedLM 57.3; GPT-4 72.4; Flan-PaLM 540B 57.6; Galactica 120B 52.9; GPT-3.5 51.0
medqa: BioMedLM 54.7; BioMedLM 50.3; Med-PaLM 2 85.4; GPT-4 81.4; Flan-PaLM 540B 67.2; GPT-3.5 53.6; DRAGON 47.5; \
BioLinkBERT-large 45.1; Galactica 120B 44.4; GPT-Neo 2.7B 37.7
mmlu/clinical_knowledge: BioMedLM 59.6; GPT-4 86.4; Flan-PaLM 540B 80.4; GPT-3.5 69.8; Galactica 120B 59.2
mmlu/professional_medicine: BioMedLM 63.1; GPT-4 93.8; Flan-PaLM 540B 83.8; GPT-3.5 70.2; Galactica 120B 59.6
mmlu/college_biology: BioMedLM 60.7; GPT-4 93.8; Flan-PaLM 540B 88.9; GPT-3.5 72.2; Galactica 120B 68.8
mmlu/medical_genetics: BioMedLM 69.0; GPT-4 92.0; Flan-PaLM 540B 75.0; GPT-3.5 70.0; Galactica 120B 70.0
pubmedqa: BioMedLM 74.4; BioGPT-Large 81.0; Flan-PaLM 540B 79.0; Galactica 120B 77.6; GPT-4 75.2; DRAGON 73.4; \
BioLinkBERT-large 72.4; GPT-Neo 2.7B 66.1
bioasq: BioMedLM 95.7; DRAGON 96.4; BioLinkBERT-large 94.9; Galactica 120B 94.3; GPT-Neo 2.7B 67.1
"""
ABLATION = {"GPT-2 125M, GPT-2's tokenizer": "33.05", "GPT-2 125M, BioMedLM's tokenizer": "34.98"}
# What other sources print, or the paper in other places.
OTHERS = """
medmcqa: BioMedLM 57.3 57.4 57.38; BERT-base 35; BioBERT 38; SciBERT 39; PubMedBERT 40
medqa: BioMedLM 54.1; BioLinkBERT-large 44.6; BioLinkBERT-base 40.0; PubMedBERT 38.1; Mistral 7B 63.0
mmlu/professional_medicine: BioMedLM 61.76
mmlu/college_biology: BioMedLM 57.64
mmlu/medical_genetics: BioMedLM 69.0 70.0
pubmedqa: BioGPT 78.2; BioLinkBERT-large 72.2; BioLinkBERT-base 70.2; PubMedBERT 55.8; one human 78.00; \
one human, with the conclusion 90.40; always yes 55.20
bioasq: BioLinkBERT-large 94.8; BioLinkBERT-base 91.4; PubMedBERT 87.5
"""


def typed(table: str) -> list[tuple[str, str, str]]:
    rows = []
    for line in table.strip().split("\n"):
        name, _, cells = line.partition(": ")
        for cell in cells.split("; "):
            found = re.fullmatch(r"(.+?)((?: \d+(?:\.\d+)?(?![\w.]))+)", cell)
            assert found is not None, cell
            model, values = found[1], found[2].split()
            while len(values) > 1 and model == "Med-PaLM":  # the 2 is of its name
                model = f"{model} {values.pop(0)}"
            rows += [(name, model, value) for value in values]
    return sorted(rows)


def test_the_papers_tables_digit_for_digit() -> None:
    held = [row for row in references() if row.in_paper and row.model not in ABLATION]
    assert sorted((row.question_set, row.model, row.value) for row in held) == typed(PAPER)
    assert {row.model: row.value for row in references() if row.model in ABLATION} == ABLATION


def test_the_other_sources_digit_for_digit() -> None:
    held = [row for row in references() if not row.in_paper]
    assert sorted((row.question_set, row.model, row.value) for row in held) == typed(OTHERS)


def test_one_wrong_digit_is_seen() -> None:
    from importlib import resources

    text = resources.files("corpus.qa").joinpath("references.yaml").read_text()
    for number in re.finditer(r'"(\d+(?:\.\d+)?)"', text):
        digit = number[1][-1]
        wrong = text[: number.end(1) - 1] + str((int(digit) + 1) % 10) + text[number.end(1) :]
        rows = sorted((row.question_set, row.model, row.value) for row in read_references(wrong))
        assert rows != sorted((row.question_set, row.model, row.value) for row in references())


def test_conflicting_values_stand_side_by_side() -> None:
    assert conflicts(references()) == {
        ("medmcqa", "BioMedLM", ""): ("57.3", "57.4", "57.38"),
        ("medqa", "BioMedLM", ""): ("54.7", "54.1"),
        ("medqa", "BioLinkBERT-large", ""): ("45.1", "44.6"),
        ("mmlu/professional_medicine", "BioMedLM", ""): ("63.1", "61.76"),
        ("mmlu/college_biology", "BioMedLM", ""): ("60.7", "57.64"),
        ("mmlu/medical_genetics", "BioMedLM", ""): ("69.0", "70.0"),
        ("pubmedqa", "BioLinkBERT-large", ""): ("72.4", "72.2"),
        ("bioasq", "BioLinkBERT-large", ""): ("94.9", "94.8"),
    }


def test_each_row_has_a_source_and_a_number_of_items() -> None:
    for row in references():
        assert row.source
        assert row.method in METHODS
        assert row.items is not None
        assert row.question_set in TITLES
    neo = next(row for row in references() if row.question_set == "bioasq" and row.model == "GPT-Neo 2.7B")
    assert f"{100 * 94 / 140:.1f}" == neo.value
    low, high = wilson(neo.accuracy * 140, 140)
    assert low < 94 / 140 < high


@pytest.mark.parametrize(
    "change",
    [("BioMedLM, fine", "BioMedLMM, fine"), ("fine-tuned", "tuned"), (", paper]", ", papers]"), ("57.6", "157.6")],
)
def test_a_broken_file_is_refused(change: tuple[str, str]) -> None:
    from importlib import resources

    text = resources.files("corpus.qa").joinpath("references.yaml").read_text()
    with pytest.raises(CorruptError, match=r"references.yaml"):
        read_references(
            text.replace(*change, 1) if change[0] != "fine-tuned" else text.replace(", fine-tuned", ", tuned")
        )
