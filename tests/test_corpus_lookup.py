"""The look-up agrees with a dictionary."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.lookup import places_in

KEYS = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9))


@given(KEYS, st.sets(st.integers(0, 2**64 - 1) | st.integers(0, 9)))
def test_places_are_those_of_a_dictionary(keys: list[int], values: set[int]) -> None:
    ordered = sorted(values)
    place = {value: number for number, value in enumerate(ordered)}
    found = places_in(np.array(keys, np.uint64), np.array(ordered, np.uint64))
    assert found.tolist() == [place.get(key, -1) for key in keys]
