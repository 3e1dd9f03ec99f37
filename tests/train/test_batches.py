"""Batches that grow: pieces of the order that leave nothing out and have nothing twice, in stages that divide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import UsageError
from tests.train.test_config import tiny
from tokenizer.mixture import Mixture
from train.batches import Batches
from train.checkpoint.restart import DEFAULTS
from train.checkpoint.skipped import batch_of, newly_left_out, rows_trained
from train.config import with_settings

GROWING = st.builds(
    lambda start, stages, steps: Batches(full=start * stages, start=start, steps=steps),
    start=st.integers(1, 6),
    stages=st.integers(1, 9),
    steps=st.integers(0, 40),
)


@given(GROWING)
def test_batches_follow_one_another_and_grow_in_whole_stages_to_the_full_size(batches: Batches) -> None:
    sizes = [batches.rows(number) for number in range(batches.steps + 3)]
    assert [batches.first(number) for number in range(len(sizes) + 1)] == np.cumsum([0, *sizes]).tolist()
    assert all(size % batches.start == 0 for size in sizes)
    assert sizes == sorted(sizes)
    assert sizes[batches.steps :] == [batches.full] * 3
    if batches.steps:
        assert sizes[0] == batches.start, "the first step has the size that was asked for"
        stages = batches.full // batches.start
        within = [size // batches.start for size in sizes[: batches.steps]]
        held = [within.count(stage) for stage in range(1, stages)]
        assert max(held, default=0) - min(held, default=0) <= 1, "each stage is held as long as the others"


@given(batches=GROWING, seed=st.integers(0, 2**64 - 1), num_rows=st.integers(1, 200), passes=st.integers(1, 3))
def test_every_pass_is_a_permutation_of_all_rows(batches: Batches, seed: int, num_rows: int, passes: int) -> None:
    order, seen, number = Mixture(num_rows=num_rows), np.empty(0, np.int64), 0
    while len(seen) < passes * num_rows:
        seen = np.append(seen, order.rows_in(batches.places(number), seed=seed))
        number += 1
    for one in seen[: passes * num_rows].reshape(passes, num_rows):
        assert np.array_equal(np.sort(one), np.arange(num_rows))


@given(batches=GROWING, left_out=st.sets(st.integers(0, 50)), steps=st.integers(0, 60))
def test_with_batches_left_out_the_others_are_trained_on_once(batches: Batches, left_out: set[int], steps: int) -> None:
    """Nothing twice and nothing left: what was trained on and what was left out are together the order's beginning."""
    skipped = sorted(left_out)
    trained = [batch_of(step, skipped) for step in range(steps)]
    places = [place for batch in trained for place in batches.places(batch)]
    assert len(places) == rows_trained(batches, steps, skipped) == len({*places})
    gaps = [batch for step in range(steps) for batch in newly_left_out(step, skipped)]
    missing = [place for batch in gaps for place in batches.places(batch)]
    assert sorted(places + missing) == [*range(batches.first(trained[-1] + 1) if trained else 0)]


@given(batches=GROWING, rows=st.floats(0.01, 3000))
def test_the_steps_of_so_many_rows_are_the_nearest(batches: Batches, rows: float) -> None:
    count = batches.count_for(rows)
    assert count >= 1
    off = {near: abs(batches.first(near) - rows) for near in (count - 1, count, count + 1) if near >= 1}
    assert off[count] == min(off.values())


@given(full=st.integers(1, 2000), rows=st.floats(0.01, 1e9))
def test_without_a_warm_up_they_are_what_they_were(full: int, rows: float) -> None:
    batches = tiny(batch_rows=full).batches
    assert batches.count_for(rows) == max(1, round(rows / full))
    assert batches.places(7) == range(7 * full, 8 * full)
    assert rows_trained(batches, 9, (2, 3, 50)) == 9 * full


def test_epochs_count_the_rows_of_the_warm_up() -> None:
    """150 steps of 8 rows; 39 of them with 2, 4 and 6 rows are 156 rows less, 20 steps more."""
    growing = tiny(batch_rows=8, steps=0, epochs=3, batch_warmup_start=2, batch_warmup_steps=39)
    assert tiny(batch_rows=8, steps=0, epochs=3).with_steps(400).steps == 150
    assert growing.batches.first(39) == 13 * (2 + 4 + 6)
    assert growing.with_steps(400).steps == 39 + round((1200 - 156) / 8) == 169


@pytest.mark.parametrize(
    ("settings", "said", "remedy"),
    [
        (["batch_warmup_start=5"], r"batch_warmup_start 5 is no divisor of batch_rows 24 .* 4 or 6", 6),
        (["batch_warmup_start=24"], r"24 is no divisor of batch_rows 24 below it; the nearest are 8 or 12", 12),
        (["batch_warmup_start=999"], r"999 is no divisor of batch_rows 24 below it; the nearest are 8 or 12", 8),
    ],
)
def test_a_start_that_does_not_divide_is_refused_with_those_that_do(
    settings: list[str], said: str, remedy: int
) -> None:
    config = tiny(batch_rows=24, micro_batch=1)
    with pytest.raises(UsageError, match=said):
        with_settings(config, ["batch_warmup_steps=10", *settings])
    with_settings(config, ["batch_warmup_steps=10", f"batch_warmup_start={remedy}"])


def test_half_a_warm_up_is_refused() -> None:
    for half in ("batch_warmup_start=2", "batch_warmup_steps=9"):
        with pytest.raises(UsageError, match="batch_warmup_start and batch_warmup_steps go together"):
            with_settings(tiny(), [half])
    with pytest.raises(UsageError, match="no divisor of batch_rows 1 below it; such a batch cannot grow"):
        with_settings(tiny(batch_rows=1), ["batch_warmup_start=1", "batch_warmup_steps=9"])


def test_the_start_must_be_whole_micro_steps_of_all_ranks() -> None:
    growing = {"batch_rows": 48, "batch_warmup_steps": 10}
    with pytest.raises(UsageError, match=r"batch_warmup_start 3 .* micro_batch 2 x ranks 2 = 4; set it to 4 or 8"):
        tiny(**growing, batch_warmup_start=3, micro_batch=2, ranks=2).accumulation()
    for start in (4, 8):
        assert tiny(**growing, batch_warmup_start=start, micro_batch=2, ranks=2).accumulation() == 12
    with pytest.raises(UsageError, match="24 x ranks 2 = 48; no smaller batch is: take a smaller micro_batch"):
        tiny(**growing, batch_warmup_start=4, micro_batch=24, ranks=2).accumulation()


def test_a_warm_up_is_in_the_recipe_and_none_leaves_no_trace() -> None:
    growing = {"batch_rows": 8, "batch_warmup_start": 2, "batch_warmup_steps": 10}
    assert {name: tiny(**growing).recipe()[name] for name in growing} == growing
    absent = {"batch_warmup_start", "batch_warmup_steps"}
    assert not absent & {*tiny().identity()}
    assert {DEFAULTS[name] for name in absent} == {None}, "as checkpoints of before had it"
