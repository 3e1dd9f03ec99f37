"""Requests side by side: as many at once as said, answers in their order, a disk asked one by one."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.storage.side_by_side import AT_ONCE, side_by_side


@given(st.lists(st.integers(), max_size=60), st.booleans())
def test_answers_come_in_the_order_of_what_was_asked(items: list[int], remote: bool) -> None:
    assert list(side_by_side(lambda item: item * 2, items, remote=remote)) == [item * 2 for item in items]


def test_a_store_is_asked_for_many_at_once_and_for_no_more_ahead() -> None:
    together = threading.Barrier(AT_ONCE)  # passed only by as many as that at the same time
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(4 * AT_ONCE):
            taken.append(number)
            yield number

    def work(number: int) -> int:
        together.wait(60)
        return number

    answers = side_by_side(work, items(), remote=True)
    for expected in range(AT_ONCE):
        assert next(answers) == expected
        assert len(taken) <= expected + 1 + AT_ONCE
    assert list(answers) == list(range(AT_ONCE, 4 * AT_ONCE))


def test_a_disk_is_asked_by_the_caller_itself() -> None:
    threads = set(side_by_side(lambda _: threading.get_ident(), range(9), remote=False))
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("remote", [False, True])
def test_an_error_comes_in_its_place(remote: bool) -> None:
    answers = side_by_side(lambda number: 6 // (3 - number), range(9), remote=remote)
    assert [next(answers), next(answers), next(answers)] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(answers)
