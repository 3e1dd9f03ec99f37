"""PubMedQA's official split, and folds of other sets."""

import json
import random
from collections import Counter
from math import ceil

import pytest

from corpus.errors import DataError
from corpus.qa.question import Question
from corpus.qa.reading import SplitIds
from corpus.qa.splits import assign_splits, hash_fold, official_split
from tests.support.qa_data import QA_DATA, needs_qa_data

LABELS = ("maybe", "no", "yes")


def items(labels: dict[str, str]) -> list[Question]:
    return [
        Question(id=pmid, task="pubmedqa", split="test", text="Is it?", options=LABELS, label=LABELS.index(label))
        for pmid, label in labels.items()
    ]


def whole(seed: int = 1) -> dict[str, str]:
    labels = ["yes"] * 552 + ["no"] * 338 + ["maybe"] * 110
    random.Random(seed).shuffle(labels)
    return {str(1000 + number): label for number, label in enumerate(labels)}


def test_halves_and_folds_are_balanced_and_hold_each_item_once() -> None:
    labels = whole()
    split = official_split(labels)
    assert [len(fold) for fold in split.folds] == [50] * 10
    assert Counter(labels[pmid] for pmid in split.test) == {"yes": 276, "no": 169, "maybe": 55}
    assert Counter(labels[pmid] for pmid in split.folds[0]) == {"yes": 27, "no": 17, "maybe": 6}
    assert sorted([*split.test, *(pmid for fold in split.folds for pmid in fold)]) == sorted(labels)


@needs_qa_data
def test_the_published_ids_are_drawn_from_the_order_of_the_published_file() -> None:
    """Undo the shuffles of the published ids: the real file's items come out in the order that they really have.

    A wrong seed, order of labels, or cut would give another order: 500 items in the right one are no chance.
    """
    published = json.loads((QA_DATA / "pubmedqa_official_split_ids.json").read_text())
    real = json.loads((QA_DATA / "pubmedqa_cv500.json").read_text())
    order = {pmid: number for number, pmid in enumerate(real)}
    draw, at = random.Random(0), 0
    labels: dict[str, str] = {}
    for name, size in (("yes", 552), ("no", 338), ("maybe", 110)):
        places = list(range(size))
        draw.shuffle(places)
        half = ceil(size / 2)
        test = published["test"][at : at + size - half]
        at += size - half
        # Which of the CV half stood where after the first shuffle is known by its order in the file alone.
        own = iter(sorted((pmid for pmid in real if real[pmid]["final_decision"] == name), key=order.__getitem__))
        first = {place: next(own) for place in sorted(places[:half])}
        second = dict(zip(places[half:], test, strict=True))
        labels |= {(first | second)[place]: name for place in range(size)}
    split = official_split(labels)
    assert list(split.test) == published["test"]
    assert [list(fold) for fold in split.folds] == published["folds"]


def test_a_whole_file_gets_the_official_split_and_ids_are_checked() -> None:
    labels = whole()
    split = official_split(labels)
    truth = SplitIds(test=split.test, labels={pmid: labels[pmid] for pmid in split.test})
    questions, folds, said = assign_splits(items(labels), [truth])
    assert Counter(one.split for one in questions) == {"train": 450, "dev": 50, "test": 500}
    assert {one.id for one in questions if one.split == "dev"} == set(split.folds[0])
    assert len(folds) == 500
    assert "official" in said[0]
    other = {**truth.labels, split.test[0]: "maybe" if labels[split.test[0]] != "maybe" else "no"}
    for wrong in (
        SplitIds(test=split.test, labels=other),
        SplitIds(test=(*split.test[1:], split.folds[0][0])),
        SplitIds(test=split.test, folds=(split.folds[1], split.folds[0], *split.folds[2:])),
    ):
        with pytest.raises(DataError, match="not those that ori_pqal"):
            assign_splits(items(labels), [wrong])


def test_a_part_takes_named_ids_or_says_that_its_folds_are_its_own() -> None:
    labels = whole()
    split = official_split(labels)
    part = {pmid: label for pmid, label in labels.items() if pmid not in split.test}
    questions, folds, said = assign_splits(items(part), [split])
    assert {one.id for one in questions if one.split == "dev"} == set(split.folds[0])
    assert {fold.id: fold.fold for fold in folds} == {pmid: k for k, ids in enumerate(split.folds) for pmid in ids}
    assert "file of ids" in said[0]
    questions, folds, said = assign_splits(items(part), [])
    assert {one.split for one in questions} == {"train", "dev"}
    assert "not the published ones" in said[0]


def test_sets_without_dev_get_folds_that_depend_on_the_id_alone() -> None:
    def question(number: int, task: str, split: str) -> Question:
        return Question(id=f"{task}{number}", task=task, split=split, text="?", options=("a", "b"), label=0)

    bare = [question(number, "bare", "train") for number in range(2000)]
    whole_set = [question(0, "whole", "train"), question(0, "whole", "dev")]
    questions, folds, said = assign_splits([*bare, *whole_set], [])
    assert questions == [*bare, *whole_set]
    assert {fold.task for fold in folds} == {"bare"}
    sizes = Counter(fold.fold for fold in folds)
    assert set(sizes) == set(range(10))
    assert 140 < min(sizes.values()) <= max(sizes.values()) < 260
    assert all(fold.fold == hash_fold("bare", fold.id) for fold in folds)
    assert assign_splits(bare[:5], [])[1] == [fold for fold in folds if fold.id in {one.id for one in bare[:5]}]
    assert "10 folds" in said[0]
