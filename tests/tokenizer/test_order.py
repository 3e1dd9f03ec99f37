"""The data order: a permutation in every epoch, another one in the next, the same wherever one starts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import UsageError
from tokenizer.arrays import RowIndices
from tokenizer.order import rows_at

PINNED_SMALL = [9, 0, 1, 4, 8, 2, 6, 5, 7, 3, 0, 7]
PINNED_LARGE = [14599473, 10794151, 8671024, 3761546]
SEEDS = st.integers(0, 2**64 - 1)


def batch_at(number: int, size: int, seed: int, num_rows: int) -> RowIndices:
    return rows_at(np.arange(number * size, (number + 1) * size), seed=seed, num_rows=num_rows)


@given(seed=SEEDS, epoch=st.integers(0, 1000), num_rows=st.integers(1, 2000))
def test_every_epoch_is_a_permutation(seed: int, epoch: int, num_rows: int) -> None:
    positions = np.arange(epoch * num_rows, (epoch + 1) * num_rows)
    rows = rows_at(positions, seed=seed, num_rows=num_rows)
    assert rows.dtype == np.int64
    assert np.array_equal(np.sort(rows), np.arange(num_rows))


@given(
    seed=SEEDS,
    num_rows=st.integers(1, 500),
    batch_rows=st.integers(1, 64),
    start=st.integers(0, 300),
    steps=st.integers(1, 8),
)
def test_a_resumed_run_sees_what_the_first_would_have_seen(
    seed: int, num_rows: int, batch_rows: int, start: int, steps: int
) -> None:
    whole = rows_at(np.arange((start + steps) * batch_rows), seed=seed, num_rows=num_rows)
    resumed = [batch_at(start + k, batch_rows, seed, num_rows) for k in range(steps)]
    assert np.array_equal(np.concatenate(resumed), whole[start * batch_rows :])


@given(seed=SEEDS, num_rows=st.integers(1, 300), step=st.integers(0, 100), ranks=st.sampled_from([1, 2, 4, 8]))
def test_the_batch_is_the_same_for_any_number_of_ranks(seed: int, num_rows: int, step: int, ranks: int) -> None:
    batch = batch_at(step, 32, seed, num_rows)
    share = 32 // ranks
    by_rank = [
        rows_at(np.arange(step * 32 + rank * share, step * 32 + (rank + 1) * share), seed=seed, num_rows=num_rows)
        for rank in range(ranks)
    ]
    assert np.array_equal(np.concatenate(by_rank), batch)


def test_epochs_and_seeds_differ() -> None:
    num_rows = 1000
    orders = [
        tuple(rows_at(np.arange(epoch * num_rows, (epoch + 1) * num_rows), seed=seed, num_rows=num_rows).tolist())
        for seed in (0, 1, 2**63)
        for epoch in range(4)
    ]
    assert len(set(orders)) == len(orders)


@pytest.mark.parametrize("num_rows", [5, 64, 1000])
def test_rows_are_spread_evenly_over_places(num_rows: int) -> None:
    """Chi-square of (place, row) over epochs stays within six standard deviations of its mean."""
    epochs = 4000
    rows = rows_at(np.arange(epochs * num_rows), seed=7, num_rows=num_rows).reshape(epochs, num_rows)
    for place in (0, num_rows // 2, num_rows - 1):
        observed = np.bincount(rows[:, place], minlength=num_rows)
        expected = epochs / num_rows
        chi_square = float(((observed - expected) ** 2 / expected).sum())
        assert abs(chi_square - (num_rows - 1)) < 6 * (2 * (num_rows - 1)) ** 0.5


def test_neighbours_are_not_kept_together() -> None:
    rows = rows_at(np.arange(100_000), seed=3, num_rows=100_000)
    assert np.mean(np.abs(np.diff(rows)) == 1) < 0.0005  # 2 / num_rows of chance
    assert abs(np.corrcoef(rows[:-1], rows[1:])[0, 1]) < 0.02


def test_the_order_is_pinned() -> None:
    """A changed order would change what a resumed run reads; so these values must never change."""
    assert batch_at(0, 12, seed=0, num_rows=10).tolist() == PINNED_SMALL
    assert batch_at(286_101, 4, seed=1, num_rows=33_800_000).tolist() == PINNED_LARGE


def test_no_row_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="no full row"):
        batch_at(0, 8, seed=0, num_rows=0)
