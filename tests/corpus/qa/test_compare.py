"""Paired tests against scipy, biases and contamination by hand."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from corpus.assemble.contamination import find_contamination, load_index
from corpus.errors import UsageError
from corpus.qa import biases, compare, contamination
from corpus.qa.predictions import Prediction
from corpus.qa.question import Question
from corpus.qa.recognise import read_file
from corpus.qa.sources import open_file
from corpus.qa.store import write_questions
from corpus.stage.manifest import Books, Manifest, Part, write_manifest
from corpus.storage import parquet, sha256_file
from tests.support.qa_data import QA_DATA, needs_qa_data


def answered(number: int, gold: int | None, choice: int | None, *, seed: int = 0, subject: str = "") -> Prediction:
    return Prediction(
        id=str(number), task="t", split="test", gold=gold, choice=choice, seed=seed, subject=subject, file="f.jsonl"
    )


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_scipys_binomial_test(first: int, second: int) -> None:
    wanted = stats.binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert compare.mcnemar(first, second) == pytest.approx(wanted, rel=1e-9)


def test_one_seed_each_is_mcnemars_case() -> None:
    first = [answered(number, 0, int(number >= 60)) for number in range(100)]  # 60 right
    second = [answered(number, 0, int(not 10 <= number < 75)) for number in range(100)]  # 65 right, 10 lost, 15 won
    found = compare.compare_runs(first, second)
    assert (found.only_first, found.only_second) == (10, 15)
    assert found.p_value == pytest.approx(stats.binomtest(10, 25).pvalue)
    assert (found.items, found.first, found.second) == (100, 0.6, 0.65)
    assert found.difference == pytest.approx(0.05)
    # The interval of a paired difference by the normal law.
    half = 1.96 * np.sqrt((25 / 100 - 0.05**2) / 100)
    assert (found.low, found.high) == pytest.approx((0.05 - half, 0.05 + half), abs=0.015)
    assert found == compare.compare_runs(list(reversed(first)), second)


def seeded(rights: np.ndarray, *, first_seed: int = 0) -> list[Prediction]:
    """Return predictions of hits, [seeds, items]."""
    return [
        answered(item, 0, int(not right), seed=first_seed + number)
        for number, row in enumerate(rights)
        for item, right in enumerate(row)
    ]


def test_two_fine_tunings_are_paired_by_seed_and_item() -> None:
    draw = np.random.default_rng(1)
    first, second = draw.random((5, 80)) < 0.4, draw.random((5, 80)) < 0.55
    found = compare.compare_seeds(seeded(first), list(reversed(seeded(second))))
    assert (found.items, found.seeds) == (80, (0, 1, 2, 3, 4))
    assert found.difference == pytest.approx(second.mean() - first.mean())
    assert found.by_seed == pytest.approx(second.mean(axis=1) - first.mean(axis=1))
    assert (found.only_first, found.only_second) == ((first & ~second).sum(), (second & ~first).sum())
    shifted = compare.compare_seeds(
        seeded(first), seeded(second[1:], first_seed=1)
    )  # only seeds of both, each with its own
    assert shifted.seeds == (1, 2, 3, 4)
    assert shifted.by_seed == pytest.approx(found.by_seed[1:])
    with pytest.raises(UsageError, match="no seed in common"):
        compare.compare_seeds(seeded(first), seeded(second, first_seed=9))
    with pytest.raises(UsageError, match="no scored item in common"):
        compare.compare_seeds(seeded(first), [answered(999, 0, 0)])


def test_the_hierarchical_interval_is_scipys_over_items_and_wider_where_seeds_differ() -> None:
    draw = np.random.default_rng(2)
    row = draw.choice([-1.0, 0.0, 1.0], size=300, p=[0.2, 0.5, 0.3])
    ours = compare.hierarchical_bootstrap(np.stack([row] * 4))  # seeds that agree: only items vary
    theirs = stats.bootstrap((row,), np.mean, n_resamples=10_000, method="percentile", rng=3).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.012)
    seeds = np.array([-0.3, -0.1, 0.1, 0.3])  # items that agree: only seeds vary
    low, high = compare.hierarchical_bootstrap(np.repeat(seeds[:, None], 300, axis=1))
    wanted = stats.bootstrap((seeds,), np.mean, n_resamples=10_000, method="percentile", rng=3).confidence_interval
    assert (low, high) == pytest.approx((wanted.low, wanted.high), abs=0.03)
    both = compare.hierarchical_bootstrap(row + seeds[:, None])
    assert both[1] - both[0] > max(ours[1] - ours[0], high - low)


def test_pairs_by_id_and_several_seeds_have_no_mcnemar() -> None:
    first = [answered(number, 0, 0, seed=seed) for seed in range(3) for number in range(20)]
    second = [answered(number, 0, 1, seed=seed) for seed in range(2) for number in range(10, 40)]
    found = compare.compare_runs(first, second)
    assert (found.items, found.p_value, found.only_first) == (10, None, None)
    assert (found.difference, found.low, found.high) == (-1, -1, -1)
    with pytest.raises(UsageError, match="no scored item in common"):
        compare.compare_runs(first, [answered(99, 0, 0)])
    with pytest.raises(UsageError, match="answered 2 times by 3 seeds"):
        compare.compare_runs(first[:-1], second)


def test_seeds_widen_the_interval() -> None:
    draw = np.random.default_rng(1)
    same = (draw.random((1, 300)) < 0.5).astype(float)
    alike, apart = np.repeat(same, 5, axis=0), np.vstack([np.full((2, 300), 1.0), np.repeat(same, 3, axis=0)])
    sizes = [np.diff(compare.bootstrap(run, draws=2000))[0] for run in (same, alike, apart)]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.1)
    assert sizes[2] > 3 * sizes[1]
    low, high = compare.bootstrap(same, draws=4000)
    wanted = stats.bootstrap((same[0],), np.mean, n_resamples=4000, method="percentile", rng=2).confidence_interval
    assert (low, high) == pytest.approx((wanted.low, wanted.high), abs=0.01)


def question(number: int, options: tuple[str, ...], label: int | None) -> Question:
    return Question(id=str(number), task="t", split="test", text=f"{number}?", options=options, label=label)


def test_baselines_by_hand() -> None:
    questions = [
        question(0, ("a", "bbb", "cc"), 1),  # longest
        question(1, ("aa", "bb"), 1),  # of equals the first is taken as the longest
        question(2, ("a", "b", "c", "dd"), 0),
        question(3, ("a", "b"), None),
    ]
    found = biases.baselines(questions)
    assert found is not None
    assert (found.items, found.majority, found.longest, found.first) == (3, 2 / 3, 1 / 3, 1 / 3)
    assert found.random == pytest.approx((1 / 3 + 1 / 2 + 1 / 4) / 3)
    assert biases.baselines(questions[3:]) is None


def test_groups_by_hand() -> None:
    rows = [
        answered(0, 0, 0, subject="x"),
        answered(1, 1, 0, subject="x"),
        answered(2, 1, None, subject="y"),
        answered(3, 1, 1, subject="y"),
        answered(4, None, 1, subject="y"),
    ]

    def short(groups: list[biases.GroupAccuracy]) -> list[tuple[str, int, int]]:
        return [(one.group, one.items, one.right) for one in groups]

    assert short(biases.by_gold_position(rows)) == [("0", 1, 1), ("1", 3, 1)]
    assert short(biases.by_chosen_position(rows)) == [("0", 2, 1), ("1", 1, 1), ("none", 1, 0)]
    assert short(biases.by_subject(rows)) == [("x", 2, 1), ("y", 2, 1)]
    questions = {str(number): question(number, ("aa", "b", "cc"), 0) for number in range(5)}
    assert short(biases.by_length_rank(rows, questions)) == [("0", 1, 1), ("2", 3, 1)]


def corpus_with(findings: list[tuple[str, str]], directory: str) -> str:
    """An assembled corpus of which only the findings matter."""
    table = pa.table({"file": [file for file, _ in findings], "item": [item for _, item in findings]})
    path = f"{directory}/contamination/part-00000.parquet"
    parquet.write_table(path, table)
    part = Part(path="contamination/part-00000.parquet", role="contamination", rows=len(findings), bytes=1,
                sha256=sha256_file(path))  # fmt: skip
    manifest = Manifest(stage="assemble", revision=1, fingerprint="f", config={}, inputs=(), books=Books(), summary={},
                        parts=(part,) if findings else ())  # fmt: skip
    write_manifest(directory, manifest)
    return directory


def test_findings_are_joined_by_name_id_and_line(tmp_path: object) -> None:
    findings = [
        ("evaluation.jsonl", "medqa/dev-00001"),
        ("ori_pqal.json", "77"),
        ("dev.jsonl", "3"),
        ("own.jsonl", "5"),
    ]
    corpus = corpus_with(findings, f"{tmp_path}/corpus")
    rows = [
        Question(id="dev-00001", task="medqa", split="dev", text="?", file="a/dev.jsonl", line=2),
        Question(id="dev-00002", task="medqa", split="dev", text="?", file="a/dev.jsonl", line=3),
        Question(id="dev-00003", task="medqa", split="dev", text="?", file="a/dev.jsonl", line=4),
        Question(id="77", task="pubmedqa", split="test", text="?", file="b/ori_pqal.json", line=9),
        Question(id="x", task="own", split="test", text="?", file="own.jsonl", line=5),  # 5 is another item's own id
        Question(id="5", task="own", split="test", text="?", file="own.jsonl", line=8),
    ]
    found = contamination.find_contaminated(rows, corpus)
    assert found == {("medqa", "dev-00001"), ("medqa", "dev-00002"), ("pubmedqa", "77"), ("own", "5")}
    with pytest.raises(UsageError, match="assembled without --evaluation"):
        contamination.find_contaminated(rows, corpus_with([], f"{tmp_path}/other"))


@needs_qa_data
def test_planted_source_abstracts_are_found(tmp_path: object) -> None:
    """Of real items ten stand in the corpus by PMID and ten by their text: those twenty are found, and no other."""
    questions = read_file(open_file(str(QA_DATA / "pubmedqa_cv500.json"))).questions
    directory = f"{tmp_path}/questions"
    write_questions(questions, directory)
    index = load_index((f"{directory}/{contamination.EVALUATION}",), None)
    texts = ["a paper about something else"] * 10 + [one.context for one in questions[10:20]]
    numbers = [int(one.id) for one in questions[:10]] + [None] * 10
    strange = [f"Number {number} says that {number * 7} of {number * 31} were other ones." for number in range(30)]
    table = pa.table(
        {
            "doc_id": [f"d{number}" for number in range(50)],
            "source": ["pubmed"] * 50,
            "pmid": pa.array([*numbers, *range(1, 31)], pa.int64()),
            "pmcid": pa.nulls(50, pa.int64()),
            "doi": pa.nulls(50, pa.string()),
            "text": [*texts, *strange],
        }
    )
    found = find_contamination(table, index, share=0.5)
    findings = list(zip(found.column("file").to_pylist(), found.column("item").to_pylist(), strict=True))
    names = contamination.find_contaminated(questions, corpus_with(findings, f"{tmp_path}/corpus"))
    assert names == {("pubmedqa", one.id) for one in questions[:20]}


def test_adjusted_scores_by_hand() -> None:
    # 20 planted items, 18 of them right; of 80 clean ones 40 are.
    rows = [answered(number, 0, int(number in (3, 7))) for number in range(20)]
    rows += [answered(number, 0, number % 2) for number in range(20, 100)]
    found = contamination.adjusted(rows, {("t", str(number)) for number in range(20)})
    assert found.clean is not None
    assert found.contaminated is not None
    assert (found.everything.accuracy, found.clean.accuracy, found.contaminated.accuracy) == (0.58, 0.5, 0.9)
    assert found.gain == pytest.approx(0.4)
    half = 1.96 * np.sqrt(0.9 * 0.1 / 20 + 0.25 / 80)
    assert (found.low, found.high) == pytest.approx((0.4 - half, 0.4 + half), abs=0.02)
    clean = contamination.adjusted(rows, set())
    assert (clean.contaminated, clean.gain, clean.clean) == (None, None, clean.everything)
