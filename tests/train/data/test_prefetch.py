"""Batches made ahead: in order, never more than asked for, and an error comes out where the batch is asked for."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.data.prefetch import DEPTH, Prefetch


@given(start=st.integers(0, 50), count=st.integers(0, 40))
def test_batches_come_in_the_order_of_the_steps(start: int, count: int) -> None:
    with Prefetch(lambda step: step * step, range(start, start + count)) as ahead:
        assert list(ahead) == [step * step for step in range(start, start + count)]


def test_the_next_batches_are_ready_before_they_are_asked_for() -> None:
    made: list[int] = []
    with Prefetch(lambda step: made.append(step) or step, range(100)) as ahead:  # type: ignore[func-returns-value]
        batches = iter(ahead)
        assert next(batches) == 0
        deadline = time.monotonic() + 10
        while len(made) < DEPTH + 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert made == list(range(DEPTH + 2))  # one handed out, DEPTH waiting, one in the making
        assert next(batches) == 1
        assert ahead.waited < 0.5


def test_an_error_comes_where_the_batch_is_asked_for() -> None:
    def make(step: int) -> int:
        if step == 2:
            raise ValueError("no such row")
        return step

    with Prefetch(make, range(5)) as ahead:
        batches = iter(ahead)
        assert [next(batches), next(batches)] == [0, 1]
        with pytest.raises(ValueError, match="no such row"):
            next(batches)


def test_leaving_early_ends_the_thread() -> None:
    with Prefetch(lambda step: step, range(10**9)) as ahead:
        next(iter(ahead))
    assert not any(thread.name == "prefetch" and thread.is_alive() for thread in threading.enumerate())
