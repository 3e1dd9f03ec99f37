"""Measurement of answers for a report: predictions to what a page shows of each task, split and format.

All seeds of a run are taken together: shares are means over them, intervals draw items and seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np

from corpus.qa.biases import baselines
from corpus.qa.predictions import Prediction
from corpus.qa.question import Question
from corpus.qa.results import over_seeds
from corpus.qa.runs import AnsweredRun
from corpus.qa.scores import by_seed, mean_and_sd, score, wilson

NUM_BINS = 10  # of the calibration curve, of equal numbers of answers
LETTERS = "ABCDEFGHIJ"
MOST_SUBJECTS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationBin:
    """Answers of like confidence; shares of 1."""

    answers: int
    sure: float  # mean probability of the chosen option
    right: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectScore:
    """Accuracy on one subject, the mean over seeds; shares of 1."""

    subject: str
    items: int
    accuracy: float
    low: float  # of the Wilson interval of 95 %
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsweredGroup:
    """All that a page shows of one task, split and format of a stage; shares of 1."""

    name: str  # for reading
    items: int
    seeds: int
    accuracy: float  # mean over seeds
    deviation: float  # sample standard deviation over seeds
    low: float  # of the 95 % interval
    high: float
    macro_f1: float
    auroc: float | None
    brier: float | None
    calibration_error: float | None
    baselines: Mapping[str, float]  # what can be had without reading, by name
    bins: tuple[CalibrationBin, ...]  # () without probabilities
    options: tuple[str, ...]  # their names, for the three shares below
    gold_share: tuple[float, ...]
    chosen_share: tuple[float, ...]
    found_share: tuple[float, ...]  # of the questions whose right option it is, those answered rightly
    subjects: tuple[SubjectScore, ...] = field(default=())  # the commonest first; () with one subject alone


def answered_groups(run: AnsweredRun, questions: Mapping[tuple[str, str], Question]) -> list[AnsweredGroup]:
    """Return the groups of a run's scored answers; questions, by task and id, give what only they know, if at hand."""
    held: dict[tuple[str, str, str], list[Prediction]] = {}
    for one in run.predictions:
        if one.gold is not None:
            held.setdefault((one.task, one.split, one.format), []).append(one)
    return [
        _group(", ".join(filter(None, (f"{task} {split}", run.setting, form))), rows, questions)
        for (task, split, form), rows in sorted(held.items())
    ]


def _group(name: str, rows: Sequence[Prediction], questions: Mapping[tuple[str, str], Question]) -> AnsweredGroup:
    seeds = by_seed(rows)
    cards = [score(own) for own in seeds.values()]
    mean, deviation = mean_and_sd(card.accuracy for card in cards)
    low, high = (cards[0].low, cards[0].high) if len(cards) == 1 else over_seeds(seeds)
    asked = [questions[one.task, one.id] for one in seeds[min(seeds)] if (one.task, one.id) in questions]
    size = max(max((one.gold or 0) + 1, (one.choice or 0) + 1, len(one.scores)) for one in rows)
    gold = np.array([one.gold for one in rows])
    chosen = np.array([-1 if one.choice is None else one.choice for one in rows])
    common = {one.options for one in asked}
    return AnsweredGroup(
        name=name,
        items=cards[0].items,
        seeds=len(cards),
        accuracy=mean,
        deviation=deviation,
        low=low,
        high=high,
        macro_f1=fmean(card.macro_f1 for card in cards),
        auroc=_mean([card.auroc for card in cards]),
        brier=_mean([card.brier for card in cards]),
        calibration_error=_mean([card.calibration_error for card in cards]),
        baselines=_without_reading(rows, asked),
        bins=_bins(rows),
        options=next(iter(common)) if len(common) == 1 else tuple(LETTERS[:size]),
        gold_share=tuple(float((gold == place).mean()) for place in range(size)),
        chosen_share=tuple(float((chosen == place).mean()) for place in range(size)),
        found_share=tuple(
            float((chosen[gold == place] == place).mean()) if (gold == place).any() else 0.0 for place in range(size)
        ),
        subjects=_subjects(rows),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def _without_reading(rows: Sequence[Prediction], asked: Sequence[Question]) -> dict[str, float]:
    """Return what can be had without reading; the longest option is known to the questions alone."""
    if (known := baselines(asked)) is not None:
        return {name: getattr(known, name) for name in ("majority", "longest", "random")}
    items = list({one.id: one for one in rows}.values())
    golds = [one.gold for one in items]
    found = {"majority": max(golds.count(gold) for gold in {*golds}) / len(golds)}
    if all(one.scores for one in items):
        found["random"] = fmean(1 / len(one.scores) for one in items)
    return found


def _bins(rows: Sequence[Prediction]) -> tuple[CalibrationBin, ...]:
    if not all(one.probabilities for one in rows):
        return ()
    pairs = np.array(sorted((max(one.probabilities), one.gold == one.choice) for one in rows), np.float64)
    parts = [part for part in np.array_split(pairs, min(NUM_BINS, len(pairs))) if len(part)]
    return tuple(
        CalibrationBin(answers=len(part), sure=float(part[:, 0].mean()), right=float(part[:, 1].mean()))
        for part in parts
    )


def _subjects(rows: Sequence[Prediction]) -> tuple[SubjectScore, ...]:
    held: dict[str, list[Prediction]] = {}
    for one in rows:
        held.setdefault(one.subject or "none", []).append(one)
    if len(held) < 2:
        return ()
    found = []
    for name, own in held.items():
        items = len({one.id for one in own})
        accuracy = fmean(one.gold == one.choice for one in own)
        low, high = wilson(accuracy * items, items)
        found.append(SubjectScore(subject=name, items=items, accuracy=accuracy, low=low, high=high))
    return tuple(sorted(found, key=lambda one: (-one.items, one.subject))[:MOST_SUBJECTS])
