"""The look-up agrees with a dictionary, and hashes of strings differ where the strings do."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.arrays.hashing_kernels import string_hashes
from corpus.arrays.lookup import index_in_sorted, stable_group_order

KEYS = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9))


@given(KEYS, st.sets(st.integers(0, 2**64 - 1) | st.integers(0, 9)))
def test_places_are_those_of_a_dictionary(keys: list[int], values: set[int]) -> None:
    ordered = sorted(values)
    place = {value: number for number, value in enumerate(ordered)}
    found = index_in_sorted(np.array(keys, np.uint64), np.array(ordered, np.uint64))
    assert found.tolist() == [place.get(key, -1) for key in keys]


@given(st.lists(st.integers(0, 70_000)), st.sampled_from([70_001, 1 << 16, 9]), st.sampled_from([np.int64, np.uint64]))
def test_groups_come_together_in_the_order_of_their_rows(groups: list[int], num_groups: int, kind: type) -> None:
    groups = [group % num_groups for group in groups]
    expected = sorted(range(len(groups)), key=groups.__getitem__)
    assert stable_group_order(np.array(groups, kind), num_groups).tolist() == expected


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.lists(st.text(max_size=9) | st.none(), max_size=6), max_size=4), st.integers(0, 3))
def test_strings_are_equal_where_their_hashes_are(chunks: list[list[str | None]], cut: int) -> None:
    column = pa.chunked_array([pa.array(["cut off", *chunk], pa.string())[1:] for chunk in chunks], pa.string())
    column = column.slice(min(cut, len(column)))
    texts = ["" if text is None else text for text in column.to_pylist()]
    hashes = string_hashes(column).tolist()
    assert len(set(zip(texts, hashes, strict=True))) == len(set(texts)) == len(set(hashes))


def test_hashes_of_strings_do_not_change() -> None:
    """FNV-1a of "a" is 0xaf63dc4c8601ec8c (its authors' table); then the finalizer's shift and product."""
    value = 0xAF63DC4C8601EC8C
    assert string_hashes(pa.array(["a"])).tolist() == [(value ^ value >> 33) * 0xFF51AFD7ED558CCD % 2**64]
