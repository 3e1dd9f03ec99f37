"""The order with source weights: exact shares, no row twice before its source is through, the step is all its state."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import UsageError
from tests.support.small_tokens import made_up_texts, write_tokens
from tokenizer.mixture import Mixture, plan_mixture
from tokenizer.order import rows_at
from tokenizer.sources import SOURCES
from tokenizer.token_rows import TokenRows

SEEDS = st.integers(0, 2**64 - 1)


def batch(number: int, size: int) -> range:
    return range(number * size, (number + 1) * size)


def mixture(sizes: tuple[int, ...], slots: tuple[int, ...]) -> Mixture:
    total = sum(sizes)
    shuffled = np.random.default_rng(0).permutation(total)
    rows = tuple(np.sort(part) for part in np.split(shuffled, np.cumsum(sizes)[:-1]))
    return Mixture(num_rows=total, rows=rows, slots=slots)


@settings(max_examples=60, deadline=None)
@given(
    seed=SEEDS,
    sizes=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    factors=st.tuples(st.integers(0, 4), st.integers(1, 4)),
    passes=st.integers(1, 3),
)
def test_shares_are_exact_in_every_pass(
    seed: int, sizes: tuple[int, int], factors: tuple[int, int], passes: int
) -> None:
    """With half-integer weights: over two passes each row of a source comes exactly 2 · weight times."""
    slots = tuple(size * factor // 2 for size, factor in zip(sizes, factors, strict=True))
    if not sum(slots):
        return
    mixed = mixture(sizes, slots)
    one_pass = [mixed.rows_in(batch(step, mixed.pass_rows), seed=seed) for step in range(2 * passes)]
    for rows in one_pass:
        for own, wanted in zip(mixed.rows, slots, strict=True):
            assert np.isin(rows, own).sum() == wanted
    together = np.bincount(np.concatenate(one_pass), minlength=sum(sizes))
    for own, size, wanted in zip(mixed.rows, sizes, slots, strict=True):
        seen = together[own]
        assert seen.sum() == 2 * passes * wanted
        assert seen.max() - seen.min() <= (1 if 2 * passes * wanted % size else 0)


@settings(max_examples=60, deadline=None)
@given(
    seed=SEEDS,
    step=st.integers(0, 10**6),
    ranks=st.sampled_from([1, 2, 4, 8]),
    weights=st.sampled_from([None, (70, 30), (10, 90)]),
)
def test_the_step_alone_decides_the_batch(seed: int, step: int, ranks: int, weights: tuple[int, int] | None) -> None:
    mixed = mixture((70, 30), weights) if weights else Mixture(num_rows=100)
    whole = mixed.rows_in(batch(step, 32), seed=seed)
    share = 32 // ranks
    finer = [mixed.rows_in(batch(step * ranks + part, share), seed=seed) for part in range(ranks)]
    assert np.array_equal(np.concatenate(finer), whole)


def test_without_weights_the_order_is_the_plain_one() -> None:
    expected = rows_at(np.arange(112, 128), seed=3, num_rows=100)
    assert np.array_equal(Mixture(num_rows=100).rows_in(batch(7, 16), seed=3), expected)


def test_a_batch_far_into_a_huge_corpus_costs_nothing() -> None:
    import time

    before = time.process_time()
    Mixture(num_rows=10**10 // 1024).rows_in(batch(10**7, 1024), seed=1)
    assert time.process_time() - before < 1


def test_weights_of_real_tokens(tmp_path: Path) -> None:
    folder = write_tokens(tmp_path / "tokens", made_up_texts(40, seed=1), vocab_size=300, seq_length=32)
    rows = TokenRows(str(folder), "train")
    mixed = plan_mixture(rows, {"pubmed": 2.0, "pmc": 0.0})
    of_rows = rows.sources_at(np.arange(len(rows)) * 32)
    assert mixed.pass_rows == 2 * (of_rows == SOURCES.index("pubmed")).sum()
    assert (of_rows[mixed.rows_in(batch(5, 16), seed=0)] == SOURCES.index("pubmed")).all()
    with pytest.raises(UsageError, match="no source arxiv"):
        plan_mixture(rows, {"arxiv": 1.0})
    with pytest.raises(UsageError, match="no row is left"):
        plan_mixture(rows, {"pubmed": 0.0, "pmc": 0.0})
