"""Mutated files of settings and facts: every reader returns a value or one of our errors.

The long run is `python -m tests.fuzz.metadata --runs N`.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import metadata


@pytest.mark.parametrize("kind", metadata.CHECKS)
@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 1 << 40))
def test_a_reader_gives_a_value_or_one_of_our_errors(kind: str, seed: int) -> None:
    metadata.check(kind, metadata.mutate(kind, random.Random(seed)))


def test_the_property_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(metadata.CHECKS, "json", lambda data: {}[data])
    with pytest.raises(KeyError):
        metadata.check("json", b"{}")
