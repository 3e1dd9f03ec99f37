"""Splits: PubMedQA's official one, recomputed as its authors drew it, and folds by a hash of the id for other sets.

Questions of all files go in; the same questions with their splits come out, and the fold of each item of the sets that
are cross-validated.
"""

import hashlib
import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import structs

from corpus.errors import DataError
from corpus.qa.question import Question
from corpus.qa.reading import SplitIds
from corpus.qa.store import Fold

NUM_FOLDS: Final = 10
PUBMEDQA_LABELS: Final = ("yes", "no", "maybe")  # in the order of the authors' groups
_WHOLE: Final = {"yes": 552, "no": 338, "maybe": 110}


def official_split(labels: Mapping[str, str]) -> SplitIds:
    """Return PubMedQA's test half and its ten folds; labels: yes, no or maybe by PMID, in the order of `ori_pqal.json`.

    One generator of seed 0 draws all of it: each label's PMIDs are shuffled and halved, then shuffled again and cut
    into ten; the last fold, which is smaller, gets one random item from each of the others.
    """
    draw = random.Random(0)
    groups = [[pmid for pmid, label in labels.items() if label == name] for name in PUBMEDQA_LABELS]
    halves = [_cut(group, 2, draw) for group in groups]
    groups = [list(parts[0]) for parts in halves]
    tenths = [_cut(group, NUM_FOLDS, draw) for group in groups]
    folds = [[pmid for parts in tenths for pmid in parts[number]] for number in range(NUM_FOLDS)]
    if len(folds[-1]) != len(folds[0]):
        for fold in folds[:-1]:
            moved = draw.choice(fold)
            fold.remove(moved)
            folds[-1].append(moved)
    test = [pmid for parts in halves for pmid in parts[1]]
    return SplitIds(test=tuple(test), folds=tuple(map(tuple, folds)))


def _cut(ids: list[str], parts: int, draw: random.Random) -> list[list[str]]:
    """Return shuffled ids in so many parts of one size, the last the smallest."""
    draw.shuffle(ids)
    size = math.ceil(len(ids) / parts)
    return [ids[number * size : (number + 1) * size] for number in range(parts)]


def hash_fold(task: str, own: str) -> int:
    """Return the fold of an item, which depends on nothing but its task and id."""
    return int.from_bytes(hashlib.sha256(f"{task}/{own}".encode()).digest()[:8], "big") % NUM_FOLDS


def assign_splits(
    questions: Sequence[Question], named: Sequence[SplitIds]
) -> tuple[list[Question], list[Fold], list[str]]:
    """Return questions with their splits, the folds of cross-validated tasks, and lines that say how they were split.

    named: splits that were given as files of ids. Raises DataError when PubMedQA's published ids are other ones than
    those that its items give.
    """
    own = [one for one in questions if one.task == "pubmedqa"]
    others = [one for one in questions if one.task != "pubmedqa"]
    split, said = _pubmedqa_split(own, named) if own else (SplitIds(test=()), [])
    folds = [
        Fold(task="pubmedqa", id=pmid, fold=number) for number, ids in enumerate(split.folds) for pmid in sorted(ids)
    ]
    place = {fold.id: "dev" if fold.fold == 0 else "train" for fold in folds}
    done = [structs.replace(one, split=place.get(one.id, "test")) for one in own]
    for task in sorted(_without_dev(others)):
        ids = [one.id for one in others if one.task == task and one.split == "train"]
        folds += [Fold(task=task, id=one, fold=hash_fold(task, one)) for one in ids]
        said.append(f"{task}: no dev split was given; its {len(ids):,} train items have {NUM_FOLDS} folds by their ids")
    return [*others, *done], folds, said


def _without_dev(questions: Iterable[Question]) -> set[str]:
    splits = {(one.task, one.split) for one in questions}
    return {task for task, split in splits if split == "train" and not splits & {(task, "dev"), (task, "val")}}


def _pubmedqa_split(questions: Sequence[Question], named: Sequence[SplitIds]) -> tuple[SplitIds, list[str]]:
    """Return the split of PubMedQA's items, restricted to those, and how it came about."""
    labels = {one.id: one.options[one.label] for one in questions if one.label is not None}
    with_folds = next((one for one in named if one.folds), None)
    truth = next((one for one in named if one.labels), None)
    if Counter(labels.values()) == Counter(_WHOLE):
        official = official_split(labels)
        _check(official, labels, named)
        return official, ["pubmedqa: the official split, recomputed; dev is fold 0 of 10"]
    if with_folds is not None:
        kept = tuple(tuple(pmid for pmid in fold if pmid in labels) for fold in with_folds.folds)
        return SplitIds(test=with_folds.test, folds=kept), ["pubmedqa: the split of the file of ids; dev is fold 0"]
    test = set(truth.test) if truth is not None else set()
    rest = [one.id for one in questions if one.id not in test]
    kept = tuple(tuple(pmid for pmid in rest if hash_fold("pubmedqa", pmid) == number) for number in range(NUM_FOLDS))
    said = (
        f"pubmedqa: {len(questions):,} of 1,000 items cannot give the official split; what is not in "
        f"test_ground_truth.json has {NUM_FOLDS} folds by its ids, which are not the published ones"
    )
    return SplitIds(test=tuple(test), folds=kept), [said]


def _check(official: SplitIds, labels: Mapping[str, str], named: Sequence[SplitIds]) -> None:
    for one in named:
        wrong = sorted(set(one.test) ^ set(official.test))
        wrong += sorted(pmid for pmid, label in one.labels.items() if labels.get(pmid) != label)
        wrong += sorted(
            pmid
            for ours, theirs in zip(official.folds, one.folds or official.folds, strict=True)
            for pmid in set(ours) ^ set(theirs)
        )
        if wrong:
            raise DataError(
                f"pubmedqa: {len(wrong)} ids of the split given are not those that ori_pqal.json gives, {wrong[0]} "
                "first; give the files of one release"
            )
