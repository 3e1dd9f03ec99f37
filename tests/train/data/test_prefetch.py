"""Batches made ahead: in order, never more than asked for, and an error comes out where the batch is asked for."""

import threading
import time
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.data.prefetch import DEPTH, prefetch


@given(start=st.integers(0, 50), count=st.integers(0, 40))
def test_batches_come_in_the_order_of_the_steps(start: int, count: int) -> None:
    expected = [step * step for step in range(start, start + count)]
    assert list(prefetch(lambda step: step * step, range(start, start + count))) == expected


def test_the_next_batches_are_ready_before_they_are_asked_for() -> None:
    made: list[int] = []
    batches = prefetch(lambda step: made.append(step) or step, range(100))  # type: ignore[func-returns-value]
    with closing(batches):
        assert next(batches) == 0
        patience = time.monotonic() + 120
        while len(made) < DEPTH + 1 and time.monotonic() < patience:
            time.sleep(0.001)
        time.sleep(0.05)
        assert made == list(range(DEPTH + 1))  # one handed out, DEPTH beyond it


def test_a_batch_that_is_ready_is_handed_out_while_the_next_is_in_the_making() -> None:
    handed_out = threading.Event()
    in_vain: list[int] = []

    def make(step: int) -> int:
        if step > 1 and not handed_out.wait(60):  # as it would be if batch 1 came only after the next
            in_vain.append(step)
        return step

    with closing(prefetch(make, range(100))) as batches:
        assert [next(batches), next(batches)] == [0, 1]
        handed_out.set()
    assert in_vain == []


def test_an_error_comes_where_the_batch_is_asked_for() -> None:
    def make(step: int) -> int:
        if step == 2:
            raise ValueError("no such row")
        return step

    with closing(prefetch(make, range(5))) as batches:
        assert [next(batches), next(batches)] == [0, 1]
        with pytest.raises(ValueError, match="no such row"):
            next(batches)


def test_leaving_early_ends_the_thread() -> None:
    with closing(prefetch(lambda step: step, range(10**9))) as batches:
        next(batches)
    assert not any(thread.name.startswith("prefetch") and thread.is_alive() for thread in threading.enumerate())
