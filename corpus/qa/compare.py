"""Two models on the same items: exact McNemar, paired bootstrap over items, over items and seeds, and by both.

Runs are paired by the question's id. One seed each is McNemar's case; several seeds are drawn again beside the items,
those of each run by themselves, or, of two fine-tunings that differ in one thing, answer by answer of one seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb

import numpy as np
from numpy.typing import NDArray

from corpus.errors import UsageError
from corpus.qa.predictions import Prediction
from corpus.qa.scores import by_seed

DRAWS = 10_000
_BATCH = 250  # draws at a time, to bound memory


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedTest:
    """What a second run differs by from a first on the items of both; shares of 1."""

    items: int
    first: float  # accuracy, the mean over its seeds
    second: float
    difference: float  # second − first
    low: float  # of the bootstrap interval of 95 %
    high: float
    only_first: int | None  # items that the first alone has right; None with several seeds
    only_second: int | None
    p_value: float | None  # exact McNemar, two-sided; None with several seeds


@dataclass(frozen=True, kw_only=True, slots=True)
class SeededTest:
    """What a second fine-tuning differs by from a first, answer by answer of the same seed and item; shares of 1."""

    items: int
    seeds: tuple[int, ...]  # those of both
    first: float  # accuracy, the mean over these seeds
    second: float
    difference: float  # second − first
    low: float  # of the bootstrap interval of 95 %: seeds drawn, then items, each with both its answers
    high: float
    by_seed: tuple[float, ...]  # difference of each seed, in their order
    only_first: int  # pairs of seed and item that the first alone has right
    only_second: int


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p-value of McNemar's test, the binomial test of 1/2 on the items that differ."""
    total = only_first + only_second
    if not total:
        return 1.0
    tail = sum(comb(total, one) for one in range(min(only_first, only_second) + 1))
    return float(min(Fraction(2 * tail, 2**total), Fraction(1)))


def compare_runs(
    first: Sequence[Prediction], second: Sequence[Prediction], *, draws: int = DRAWS, seed: int = 0
) -> PairedTest:
    """Return how two runs differ on the items that both have answered; raises UsageError when there are none."""
    hits_a, hits_b = (_by_item(run) for run in (first, second))
    names = sorted(hits_a.keys() & hits_b.keys())
    if not names:
        raise UsageError("the two runs have no scored item in common; give two runs on one set and split")
    a, b = (np.array([run[name] for name in names], np.float64).T for run in (hits_a, hits_b))
    low, high = paired_bootstrap(a, b, draws=draws, seed=seed)
    one_each = len(a) == len(b) == 1
    only_a, only_b = int((a[0] > b[0]).sum()), int((b[0] > a[0]).sum())
    return PairedTest(
        items=len(names),
        first=float(a.mean()),
        second=float(b.mean()),
        difference=float(b.mean() - a.mean()),
        low=low,
        high=high,
        only_first=only_a if one_each else None,
        only_second=only_b if one_each else None,
        p_value=mcnemar(only_a, only_b) if one_each else None,
    )


def compare_seeds(
    first: Sequence[Prediction], second: Sequence[Prediction], *, draws: int = DRAWS, seed: int = 0
) -> SeededTest:
    """Return how two fine-tunings differ on the seeds and items that both have answered.

    Raises UsageError when they have no seed or no scored item in common, or a seed lacks an item.
    """
    hits_a, hits_b = (_by_item(run) for run in (first, second))
    seeds_a, seeds_b = ([*by_seed(one for one in run if one.gold is not None)] for run in (first, second))
    names, seeds = sorted(hits_a.keys() & hits_b.keys()), sorted({*seeds_a} & {*seeds_b})
    if not names or not seeds:
        lacking = "seed" if names else "scored item"
        raise UsageError(f"the two runs have no {lacking} in common; give two fine-tunings with the same seeds and set")
    chosen_a, chosen_b = ([own.index(one) for one in seeds] for own in (seeds_a, seeds_b))
    a = np.array([hits_a[name] for name in names], np.float64).T[chosen_a]
    b = np.array([hits_b[name] for name in names], np.float64).T[chosen_b]
    low, high = hierarchical_bootstrap(b - a, draws=draws, seed=seed)
    return SeededTest(
        items=len(names),
        seeds=tuple(seeds),
        first=float(a.mean()),
        second=float(b.mean()),
        difference=float(b.mean() - a.mean()),
        low=low,
        high=high,
        by_seed=tuple((b - a).mean(axis=1).tolist()),
        only_first=int((a > b).sum()),
        only_second=int((b > a).sum()),
    )


def hierarchical_bootstrap(
    differences: NDArray[np.float64], *, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of the mean of paired differences, [seeds, items]: seeds are drawn, then items.

    All drawn seeds of a draw share its items, for an item is as hard for one seed as for another.
    """
    draw = np.random.default_rng(seed)
    num_seeds, num_items = differences.shape
    means = np.empty(draws)
    for number in range(draws):
        counts = np.bincount(draw.integers(num_seeds, size=num_seeds), minlength=num_seeds) / num_seeds
        means[number] = (counts @ differences)[draw.integers(num_items, size=num_items)].mean()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _by_item(run: Sequence[Prediction]) -> dict[tuple[str, str], list[bool]]:
    """Return whether each item was answered rightly, a value a seed; raises UsageError for items that lack a seed."""
    seeds = by_seed(one for one in run if one.gold is not None)
    found: dict[tuple[str, str], list[bool]] = {}
    for predictions in seeds.values():
        for one in predictions:
            found.setdefault((one.task, one.id), []).append(one.gold == one.choice)
    if uneven := [name for name, hits in found.items() if len(hits) != len(seeds)]:
        raise UsageError(
            f"{uneven[0][0]} {uneven[0][1]} is answered {len(found[uneven[0]])} times by {len(seeds)} seeds; "
            "give predictions of one format in which each seed answers each item once"
        )
    return found


def paired_bootstrap(
    first: NDArray[np.float64], second: NDArray[np.float64], *, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of second − first; both [seeds, items] of 0 and 1, drawn by items and by seeds.

    An item is drawn with both its answers; the seeds of the runs are drawn each by itself.
    """
    draw = np.random.default_rng(seed)
    items, found = first.shape[1], []
    for start in range(0, draws, _BATCH):
        size = min(_BATCH, draws - start)
        chosen = draw.integers(items, size=(size, items))
        means = [_redrawn(run, draw.integers(len(run), size=(size, len(run))), chosen) for run in (first, second)]
        found.append(means[1] - means[0])
    low, high = np.quantile(np.concatenate(found), [0.025, 0.975])
    return float(low), float(high)


def _redrawn(run: NDArray[np.float64], seeds: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the accuracy of each draw; seeds [draws, num_seeds], items [draws, num_items]."""
    rates = np.stack([run[chosen].mean(axis=0) for chosen in seeds]) if len(run) > 1 else None
    if rates is None:
        return np.asarray(run[0][items].mean(axis=1))
    return np.asarray(np.take_along_axis(rates, items, axis=1).mean(axis=1))


def bootstrap(run: NDArray[np.float64], *, draws: int = DRAWS, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of a run's accuracy over its items and seeds; run [seeds, items] of 0 and 1."""
    return paired_bootstrap(np.zeros((1, run.shape[1])), run, draws=draws, seed=seed)
