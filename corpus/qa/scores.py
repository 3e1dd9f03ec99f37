"""Scores of predictions: accuracy with its interval, macro-F1, AUROC, Brier score, calibration error, over seeds.

Only items whose right answer is known are scored. No choice (a refusal) is a wrong choice. Values are shares of 1.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev
from typing import Final

import numpy as np
from numpy.typing import NDArray

from corpus.qa.predictions import Prediction

BINS: Final = 15  # of the calibration error, of equal numbers of items
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreCard:
    """Scores of one model on one set of items, of one seed."""

    items: int
    right: int
    accuracy: float  # share
    low: float  # of the Wilson interval of 95 %
    high: float
    macro_f1: float  # mean over the labels that occur as gold or choice
    auroc: float | None  # mean of one against the rest; None without probabilities or with one label alone
    brier: float | None  # mean of the summed squares over the options; None without probabilities
    calibration_error: float | None  # expected, of the chosen option's probability; None without probabilities


def score(predictions: Sequence[Prediction]) -> ScoreCard:
    """Return the scores of one seed's predictions; raises ValueError when none has a right answer."""
    known = [one for one in predictions if one.gold is not None]
    if not known:
        raise ValueError("no prediction has a right answer to be compared with")
    gold = [one.gold for one in known if one.gold is not None]
    right = sum(one.gold == one.choice for one in known)
    low, high = wilson(right, len(known))
    sure = all(one.probabilities for one in known)
    chances = [one.probabilities for one in known]
    return ScoreCard(
        items=len(known),
        right=right,
        accuracy=right / len(known),
        low=low,
        high=high,
        macro_f1=macro_f1(gold, [one.choice for one in known]),
        auroc=auroc_over_labels(gold, chances) if sure else None,
        brier=brier(gold, chances) if sure else None,
        calibration_error=calibration_error([max(row) for row in chances], [one.gold == one.choice for one in known])
        if sure
        else None,
    )


def wilson(right: float, items: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a share; `right` is no whole number where a published share was rounded."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, spread = right / items, z * z / items
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / items + spread / (4 * items))
    # The ends are 0 and 1 exactly at the ends, where rounding would miss them.
    return (0.0 if right == 0 else max(0.0, middle - half), 1.0 if right == items else min(1.0, middle + half))


def macro_f1(gold: Sequence[int], choice: Sequence[int | None]) -> float:
    """Return the mean F1 over all labels that occur, as gold or as choice; a label never chosen has F1 0."""
    labels = sorted({*gold, *(one for one in choice if one is not None)})
    return fmean(_f1(label, gold, choice) for label in labels)


def _f1(label: int, gold: Sequence[int], choice: Sequence[int | None]) -> float:
    hits = sum(one == other == label for one, other in zip(gold, choice, strict=True))
    named = sum(one == label for one in gold) + sum(one == label for one in choice)
    return 2 * hits / named if named else 0.0


def auroc(positive: Sequence[bool], values: Sequence[float]) -> float | None:
    """Return the chance that a positive has a higher value than a negative, ties counted half; None without both."""
    truth, ranks = np.asarray(positive, bool), _mean_ranks(np.asarray(values, np.float64))
    ones, zeros = int(truth.sum()), int((~truth).sum())
    if not ones or not zeros:
        return None
    return float((ranks[truth].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _mean_ranks(values: Floats) -> Floats:
    """Return ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse], np.float64)


def auroc_over_labels(gold: Sequence[int], probabilities: Sequence[Sequence[float]]) -> float | None:
    """Return the AUROC of the last of two labels, of more labels the mean of each against the rest."""
    widths = {len(row) for row in probabilities}
    if len(widths) != 1:  # sets whose questions have 3 to 5 options have no common labels
        return None
    (width,) = widths
    labels = [1] if width == 2 else range(width)
    found = [auroc([one == label for one in gold], [row[label] for row in probabilities]) for label in labels]
    held = [one for one in found if one is not None]
    return fmean(held) if held else None


def brier(gold: Sequence[int], probabilities: Sequence[Sequence[float]]) -> float:
    """Return the mean over items of Σ over options of (probability − whether it is right)², between 0 and 2."""
    return fmean(
        sum((chance - (number == one)) ** 2 for number, chance in enumerate(row))
        for one, row in zip(gold, probabilities, strict=True)
    )


def calibration_error(confidence: Sequence[float], right: Sequence[bool], bins: int = BINS) -> float:
    """Return the expected calibration error: Σ of |mean confidence − accuracy| over bins, by their share of items.

    Bins hold equal numbers of items in the order of their confidence (the first ones one more).
    """
    order = np.argsort(np.asarray(confidence, np.float64), kind="stable")
    sure, hit = np.asarray(confidence, np.float64)[order], np.asarray(right, np.float64)[order]
    parts = [part for part in np.array_split(np.arange(len(sure)), bins) if len(part)]
    return float(sum(abs(sure[part].mean() - hit[part].mean()) * len(part) for part in parts) / len(sure))


def mean_and_sd(values: Iterable[float]) -> tuple[float, float]:
    """Return the mean of seeds and their sample standard deviation, 0 of one seed."""
    held = list(values)
    return fmean(held), stdev(held) if len(held) > 1 else 0.0


def by_seed(predictions: Iterable[Prediction]) -> Mapping[int, list[Prediction]]:
    """Return predictions by their seed, in the order of the seeds."""
    found: dict[int, list[Prediction]] = {}
    for one in predictions:
        found.setdefault(one.seed, []).append(one)
    return dict(sorted(found.items()))
