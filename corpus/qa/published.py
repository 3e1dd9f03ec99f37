"""Published counts of question sets, and how what was read differs from them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import yaml

from corpus.qa.question import Question
from corpus.qa.reading import LETTERS


def set_of(question: Question) -> str:
    """Return the set that is counted by itself: the task, of MMLU the subject."""
    return f"mmlu/{question.subject}" if question.task == "mmlu" else question.task


def differences(questions: Iterable[Question], shapes: Mapping[str, str]) -> list[str]:
    """Return a line for each split whose questions or labels are not as many as published.

    shapes: the form that each file was read in, by its path. A split of which nothing was given is no difference.
    """
    read: dict[str, dict[str, list[Question]]] = defaultdict(lambda: defaultdict(list))
    for one in questions:
        counts = published_counts().get(set_of(one))
        if counts is not None and shapes.get(one.file) in counts["shapes"]:
            read[set_of(one)][one.split].append(one)
    lines = []
    for name, by_split in sorted(read.items()):
        for split, found in sorted(by_split.items()):
            lines += _split_differences(name, split, found)
    return lines


def published_splits(questions: Sequence[Question], shape: str) -> list[tuple[str, str, int]]:
    """Return (set, split, questions) of what one file holds, if all of it is as many as published; else nothing.

    The labels count too, where they are published: another set of the same form and number has others.
    """
    read: dict[tuple[str, str], list[Question]] = defaultdict(list)
    for one in questions:
        read[set_of(one), one.split].append(one)
    for (name, split), found in read.items():
        counts = published_counts().get(name, {})
        if shape not in counts.get("shapes", ()) or split not in counts["splits"]:
            return []
        if _split_differences(name, split, found):
            return []
    return [(name, split, len(found)) for (name, split), found in read.items()]


def _split_differences(name: str, split: str, found: list[Question]) -> list[str]:
    counts = published_counts()[name]
    wanted = counts["splits"].get(split)
    if wanted is not None and len(found) != wanted:
        return [f"{name} {split}: {len(found):,} questions, published {wanted:,}"]
    labels = counts.get("labels", {}).get(split)
    if labels is None:
        return []
    held = Counter(label_name(one) for one in found)
    return [
        f"{name} {split}: {held[label]:,} of label {label}, published {number:,}"
        for label, number in sorted(labels.items())
        if held[label] != number
    ]


def label_name(question: Question) -> str:
    """Return the label of a question as people say it: its word where all items share the options, else its letter."""
    if question.label is None:
        return "hidden"
    word = question.options[question.label]
    return word if set(question.options) <= {"maybe", "no", "yes"} else LETTERS[question.label]


@cache
def published_counts() -> dict[str, dict[str, Any]]:
    """Return the counts by set: `shapes`, `splits` and, for some, `labels`."""
    text = resources.files("corpus.qa").joinpath("published.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))
