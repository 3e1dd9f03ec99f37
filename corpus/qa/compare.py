"""Two models on the same items: exact McNemar, paired bootstrap over items, and over items and seeds.

Runs are paired by the question's id. One seed each is McNemar's case; several seeds are drawn again beside the items.
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
