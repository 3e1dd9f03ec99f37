"""What a question set is made of: counts, labels, lengths, baselines by split, repeats inside and overlaps between."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import msgspec
import numpy as np

from corpus.qa.biases import Baselines, baselines
from corpus.qa.published import label_name
from corpus.qa.question import Question
from corpus.stage.manifest import Manifest

ORDER = ("train", "dev", "val", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthSummary:
    """Lengths of texts, in words between white space."""

    mean: float
    median: int
    p95: int
    most: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitOverview:
    """One split of one task."""

    task: str
    split: str
    questions: int
    labels: Mapping[str, int]  # by letter, or by word where all items share the options
    words: LengthSummary  # of the question
    context_words: LengthSummary | None  # None where no question has a context
    baselines: Baselines | None  # None where no answer is known
    repeated: int  # questions whose text an earlier one of the split has


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """Questions of a later split whose text a question of an earlier one has."""

    task: str
    first: str
    second: str
    questions: int  # of the second


def look_over(questions: Iterable[Question]) -> tuple[list[SplitOverview], list[Overlap]]:
    """Return the overviews of all splits, in the order of tasks and splits, and the overlaps that are not empty."""
    groups: dict[tuple[str, int], list[Question]] = {}
    for one in questions:
        groups.setdefault((one.task, ORDER.index(one.split)), []).append(one)
    overviews = [_split_overview(task, ORDER[place], group) for (task, place), group in sorted(groups.items())]
    texts = {key: [normal_text(one.text) for one in group] for key, group in groups.items()}
    overlaps = []
    for (task, first), (other, second) in combinations(sorted(groups), 2):
        held = set(texts[task, first]) if task == other else set()
        shared = sum(text in held for text in texts[other, second])
        if shared:
            overlaps.append(Overlap(task=task, first=ORDER[first], second=ORDER[second], questions=shared))
    return overviews, overlaps


def normal_text(text: str) -> str:
    """Return a text as repeats are told: letters without case, white space single."""
    return " ".join(text.casefold().split())


def _split_overview(task: str, split: str, group: Sequence[Question]) -> SplitOverview:
    contexts = [len(one.context.split()) for one in group]
    return SplitOverview(
        task=task,
        split=split,
        questions=len(group),
        labels=dict(sorted(Counter(label_name(one) for one in group if one.options).items())),
        words=_lengths([len(one.text.split()) for one in group]),
        context_words=_lengths(contexts) if any(contexts) else None,
        baselines=baselines(group),
        repeated=len(group) - len({normal_text(one.text) for one in group}),
    )


def _lengths(words: Sequence[int]) -> LengthSummary:
    median, p95 = (int(value) for value in np.percentile(words, [50, 95], method="lower"))
    return LengthSummary(mean=round(fmean(words), 1), median=median, p95=p95, most=max(words))


def manifest_lines(manifest: Manifest) -> list[str]:
    """Return the lines that `corpuscle qa questions` prints, from what it committed."""
    overviews = [msgspec.convert(one, SplitOverview) for one in manifest.summary["splits"]]
    overlaps = [msgspec.convert(one, Overlap) for one in manifest.summary["overlaps"]]
    lines = [line for one in overviews for line in _split_lines(one)]
    lines += [f"{one.task}: {one.questions:,} questions of {one.second} stand in {one.first} too" for one in overlaps]
    return [*lines, *(f"not as published: {line}" for line in manifest.summary["not_as_published"])]


def _split_lines(one: SplitOverview) -> list[str]:
    repeated = f", {one.repeated:,} of them repeated" if one.repeated else ""
    labels = "; " + ", ".join(f"{label} {count:,}" for label, count in one.labels.items()) if one.labels else ""
    lines = [f"{one.task} {one.split}: {one.questions:,} questions{repeated}{labels}"]
    lines.append(f"  words: {_length_text(one.words)}")
    if one.context_words is not None:
        lines.append(f"  words of context: {_length_text(one.context_words)}")
    if (base := one.baselines) is not None:
        names = ("majority", "longest", "first", "random")
        lines.append("  without reading: " + ", ".join(f"{name} {100 * getattr(base, name):.2f}" for name in names))
    return lines


def _length_text(words: LengthSummary) -> str:
    return f"mean {words.mean:,}, median {words.median:,}, 95 % up to {words.p95:,}, most {words.most:,}"
