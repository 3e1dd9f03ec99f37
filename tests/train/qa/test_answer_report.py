"""Report of answers: each number equals one that was counted by hand or by a slower way; what is invented is seen."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.qa.question import Question
from train.qa.answer_report import (
    copied_share,
    distinct,
    numbers_not_given,
    report_answers,
    report_lines,
    rouge_l,
    words_of,
)
from train.qa.context import Evidence
from train.qa.writing import WrittenAnswer

WORDS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "mat", "5", "mg"]), max_size=14)
# Values of Google's rouge_score 0.1.2, RougeScorer(["rougeL"], use_stemmer=False).score(reference, answer).
GOOGLE = [
    ("The cat, sat on-the mat 5.2 mg", "the cat on mat 5 mg", 0.8),
    ("Bone cysts are benign.", "Cysts of bone are often benign, and painless", 0.5),
    ("Take 400 IU of vitamin D", "vitamin D 400 IU", 0.4),
    ("β-blockers", "blockers", 1.0),
    ("", "anything", 0.0),
]


def asked(own: str, text: str, **more: str) -> Question:
    return Question(id=own, task="t", split="test", text=text, **more)


def written(own: str, answer: str, *, ended: bool = True, tokens: int = 5) -> WrittenAnswer:
    return WrittenAnswer(task="t", id=own, question="q", answer=answer, ended=ended, tokens=tokens, truncated_tokens=0)


@pytest.mark.parametrize(("reference", "answer", "wanted"), GOOGLE)
def test_rouge_l_is_that_of_rouge_score(reference: str, answer: str, wanted: float) -> None:
    assert rouge_l(answer, reference) == pytest.approx(wanted, abs=1e-9)


@given(WORDS, WORDS)
def test_rouge_l_is_the_measure_over_the_longest_common_subsequence(first: list[str], second: list[str]) -> None:
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for row, left in enumerate(first):
        for column, right in enumerate(second):
            longer = max(table[row][column + 1], table[row + 1][column])
            table[row + 1][column + 1] = table[row][column] + 1 if left == right else longer
    common = table[-1][-1]
    precision, recall = (common / len(words) if words else 0.0 for words in (first, second))
    wanted = 2 * precision * recall / (precision + recall) if common else 0.0
    assert rouge_l(" ".join(first), " ".join(second)) == pytest.approx(wanted)


@given(st.lists(WORDS, max_size=5), st.lists(WORDS, max_size=5), st.integers(1, 4))
def test_shares_are_those_of_a_slow_count(texts: list[list[str]], known: list[list[str]], size: int) -> None:
    runs = [" ".join(words[start : start + size]) for words in texts for start in range(len(words) - size + 1)]
    assert distinct(texts, size) == pytest.approx(len(set(runs)) / max(1, len(runs)))
    eights = [" ".join(words[start : start + 8]) for words in texts for start in range(len(words) - 7)]
    held = [f" {' '.join(words)} " for words in known]
    wanted = sum(any(f" {run} " in text for text in held) for run in eights) / max(1, len(eights))
    assert copied_share(texts, known) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("Take 400 IU daily, not 4,000.", ["4,000"]),
        ("It is 0.50 mg in 12 of 1200 cases", ["12"]),
        ("vitamin B12 and CD4 cells", []),  # names, not numbers
        ("In 1999 and 1999", ["1999", "1999"]),
        ("none at all", []),
    ],
)
def test_numbers_that_were_not_given_are_found(answer: str, wanted: list[str]) -> None:
    given_there = asked("a", "Is 400 IU enough?", context="It was 0.5 mg in 1,200 cases.")
    assert numbers_not_given(answer, given_there) == wanted


def test_a_report_counts_what_was_counted_by_hand() -> None:
    copied = "this is an answer that one has learnt by heart before"
    answers = [written("a", copied, tokens=11), written("b", "Take 400 IU of it", ended=False, tokens=9)]
    questions = [asked("a", "What?", answer="an answer"), asked("b", "How much is 40?")]
    report = report_answers(answers, questions, [copied, "another one"])
    assert (report.answers, report.ended, report.tokens, report.words) == (2, 0.5, 10, 8)
    assert report.rouge_l == pytest.approx(2 * 2 / (11 + 2))
    assert (report.copied, report.copied_whole, report.same) == (1.0, 0.5, 0.0)
    assert (report.numbers, report.numbers_not_given, dict(report.not_given)) == (1, 1, {"b": ("400",)})
    assert report.distinct_1 == 1.0
    lines = report_lines(report)
    assert lines[0].startswith(
        "2 answers: 50.0 % ended by the end token, 0.0 % empty, 10.0 tokens in the mean, 8 words"
    )
    assert lines[-1] == "1 numbers, 1 in neither question nor context"
    bare = report_answers(answers, [asked("a", "What?"), asked("b", "How?")], [])
    assert (bare.rouge_l, bare.copied, bare.copied_whole, bare.reference_words) == (None, None, None, None)
    assert not any(re.search("ROUGE|copied", line) for line in report_lines(bare))


def test_words_are_told_as_rouge_score_tells_them() -> None:
    assert words_of("IL-6's β2 rose 5.2%") == ["il", "6", "s", "2", "rose", "5", "2"]


@given(st.lists(st.sampled_from(["5", "6.0", "1,000", "7"]), min_size=1, max_size=6), st.sets(st.integers(0, 2)))
def test_a_number_is_given_found_or_loose(said: list[str], held: set[int]) -> None:
    """5 stands in the question; passages of this question, not of another, may hold 6, 1,000 and 7."""
    question = asked("q", "Is 5 mg enough?")
    passages = ["6 mg were given.", "1000 patients", "7"]
    evidence = [
        Evidence(task="t", id=own, rank=rank, doc_id="pmid:1", score=1.0, text=text)
        for own, places in (("q", held), ("other", {0, 1, 2}))
        for rank, text in enumerate([passages[place] for place in sorted(places)], start=1)
    ]
    answers = [written("q", " and ".join(said)), written("other", "none")]
    report = report_answers(answers, [question, asked("other", "?")], [], evidence=evidence)
    wanted = {"6.0": 0, "1,000": 1, "7": 2}
    found = sum(wanted[one] in held for one in said if one != "5")
    loose = tuple(one for one in said if one != "5" and wanted[one] not in held)
    assert (report.numbers, report.numbers_found, report.numbers_not_given) == (len(said), found, len(loose))
    assert report.not_given == ({"q": loose} if loose else {})
    assert f"{found} only in passages of the corpus, {len(loose)} in neither" in report_lines(report)[-1]
