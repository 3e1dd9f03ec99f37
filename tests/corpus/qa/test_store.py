"""Directories of questions: what is written is read, and only what is published is taken for it."""

import json
from collections import Counter
from pathlib import Path

import pytest

from corpus.assemble.evaluation_sets import read_evaluation
from corpus.errors import DataError, UsageError
from corpus.qa.predictions import Prediction, read_predictions, write_predictions
from corpus.qa.question import Question
from corpus.qa.stage import make_questions
from corpus.qa.store import Fold, read_folds, read_questions, with_fold, write_questions
from corpus.stage.manifest import read_manifest, verify_parts
from tests.support import question_shapes as shapes
from tests.support.qa_data import QA_DATA, needs_qa_data


def question(number: int, split: str = "train", task: str = "medqa") -> Question:
    return Question(id=f"{split}-{number}", task=task, split=split, text=f"Which {number}?", options=("a", "b"),
                    label=number % 2, pmids=("5", "6"), context="c", file="f", line=number + 1)  # fmt: skip


def test_questions_come_back_by_task_and_split(tmp_path: Path) -> None:
    rows = [question(0), question(1), question(0, "test"), question(0, "dev"), question(0, "dev", "own")]
    folds = [Fold(task="medqa", id="train-1", fold=0), Fold(task="medqa", id="train-0", fold=3)]
    directory = str(tmp_path / "q")
    manifest = write_questions(rows, directory, folds=folds)
    assert (manifest.books.read, manifest.books.kept) == (5, 5)
    assert read_questions(directory, task="medqa", split="train") == rows[:2]
    assert [one.split for one in read_questions(directory, task="medqa")] == ["train", "train", "dev", "test"]
    assert len(read_questions(directory)) == 5
    held = read_folds(directory, "medqa")
    assert held == {"train-1": 0, "train-0": 3}
    assert read_folds(directory, "own") == {}
    assert [one.split for one in with_fold(rows[:3], held, 3)] == ["dev", "train", "test"]
    with pytest.raises(UsageError, match=r"no question of medq; .*did you mean medqa"):
        read_questions(directory, task="medq")
    assert write_questions(rows, directory, folds=folds) == manifest  # up to date
    with pytest.raises(UsageError, match="finished `qa questions`"):
        write_questions(rows[1:], directory, folds=folds)
    items = read_evaluation(f"{directory}/evaluation.jsonl")
    assert items[0].name == "medqa/train-0"
    assert (items[0].texts, items[0].pmids) == (("Which 0?", "c"), frozenset({5, 6}))


def test_an_id_stands_once_in_a_task(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'train-0' is the id of two questions, f:1 and f:1"):
        write_questions([question(0), question(0)], str(tmp_path / "q"))


def test_counts_that_differ_are_refused_unless_partial(tmp_path: Path) -> None:
    row = {**shapes.gbaker_row(question(0)), "options": {"A": "a", "B": "b", "C": "c", "D": "d"}}
    path = shapes.json_lines([row] * 3, tmp_path / "test.jsonl")
    with pytest.raises(DataError, match="medqa test: 3 questions, published 1,273"):
        make_questions([str(path)], str(tmp_path / "q"))
    assert not (tmp_path / "q").exists()
    manifest = make_questions([str(path)], str(tmp_path / "q"), partial=True)
    assert manifest.summary["not_as_published"] == ["medqa test: 3 questions, published 1,273"]


def test_a_whole_set_with_a_wrong_label_is_not_as_published(tmp_path: Path) -> None:
    labels = ["yes"] * 94 + ["no"] * 46
    rows = [
        Question(id=str(number), task="bioasq", split="test", text=f"Is {number}?", context="c", options=("no", "yes"),
                 label=int(label == "yes"))
        for number, label in enumerate(labels)
    ]  # fmt: skip
    path = shapes.blurb(rows, tmp_path / "test.tsv")
    manifest = make_questions([str(path)], str(tmp_path / "q"))
    assert manifest.summary["splits"][0]["baselines"]["majority"] == pytest.approx(0.6714, abs=5e-5)
    path.write_text(path.read_text().replace("\tno\n", "\tyes\n", 1))
    with pytest.raises(DataError, match="bioasq test: 45 of label no, published 46"):
        make_questions([str(path)], str(tmp_path / "other"))


def test_repeats_and_overlaps_are_counted(tmp_path: Path) -> None:
    texts = {"train": ["Same?", "SAME? ", "Other?"], "dev": ["same?", "New?"], "test": ["new?"]}
    rows = [{"task": "own", "split": split, "id": f"{split}{number}", "text": text, "options": ["a", "b"], "label": 0}
            for split, held in texts.items() for number, text in enumerate(held)]  # fmt: skip
    manifest = make_questions([str(shapes.json_lines(rows, tmp_path / "own.jsonl"))], str(tmp_path / "q"))
    assert [one["repeated"] for one in manifest.summary["splits"]] == [1, 0, 0]
    assert manifest.summary["overlaps"] == [
        {"task": "own", "first": "train", "second": "dev", "questions": 1},
        {"task": "own", "first": "dev", "second": "test", "questions": 1},
    ]


def test_predictions_come_back(tmp_path: Path) -> None:
    rows = [
        Prediction(id="a", task="t", split="test", gold=1, choice=None, scores=(0.5, -1.5), probabilities=(0.9, 0.1),
                   seed=3, format="paper", truncated_tokens=4, contaminated=True, file="f"),
        Prediction(id="b", task="t", split="test", gold=None, choice=0),
    ]  # fmt: skip
    write_predictions(rows, str(tmp_path / "predictions.parquet"))
    assert read_predictions(str(tmp_path)) == rows
    with pytest.raises(UsageError, match="qa evaluate"):
        read_predictions(str(tmp_path / "none"))


@needs_qa_data
def test_the_real_sets(tmp_path: Path) -> None:
    directory = str(tmp_path / "q")
    manifest = make_questions([str(QA_DATA)], directory, partial=True)
    assert manifest.books.dropped == {}
    found = Counter((one.task, one.split) for one in read_questions(directory))
    assert found == {
        ("medqa", "train"): 777, ("medqa", "dev"): 1272, ("medmcqa", "train"): 1000, ("medmcqa", "test"): 300,
        ("mmlu", "dev"): 45, ("mmlu", "val"): 197, ("pubmedqa", "train"): 450, ("pubmedqa", "dev"): 50,
        ("medquad", "train"): 3002, ("healthsearchqa", "test"): 3173,
    }  # fmt: skip
    assert [line.split(":")[0] for line in manifest.summary["not_as_published"]] == [
        "medmcqa train", "medqa train", "medquad train",
    ]  # fmt: skip
    published = json.loads((QA_DATA / "pubmedqa_official_split_ids.json").read_text())
    assert {one.id for one in read_questions(directory, task="pubmedqa", split="dev")} == set(published["folds"][0])
    assert list(verify_parts(directory, read_manifest(directory))) == []
