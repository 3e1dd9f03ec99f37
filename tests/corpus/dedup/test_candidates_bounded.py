"""A partition that does not fit is searched in slices, with the same pairs; equal hashes cost two pairs a document."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpus.dedup.candidates import bounded_candidate_edges, candidate_edges, distinct_edges

BUCKET = np.dtype([("hash", "<u8"), ("key", "<u8")])


def as_rows(pairs: list[tuple[int, int]]) -> np.ndarray:
    return np.array(pairs, BUCKET) if pairs else np.zeros(0, BUCKET)


def edges_of(rows: np.ndarray, *, max_rows: int, num_blocks: int = 3) -> np.ndarray:
    blocks = np.array_split(rows, num_blocks)
    found = list(bounded_candidate_edges(lambda: iter(blocks), max_rows=max_rows))
    return distinct_edges(np.concatenate([np.zeros((0, 2), np.uint64), *found]))


# Few hashes, some equal in all but their top bits, so that slices of every depth occur; a bucket may hold over 32 keys.
HASHES = st.sampled_from([1, 2, 1 | 1 << 62, 1 | 1 << 40, 5 << 20, (1 << 64) - 1])
ROWS = st.lists(st.tuples(HASHES, st.integers(1 << 60, (1 << 60) + 200)), max_size=150)


@settings(deadline=None, max_examples=200)
@given(ROWS, st.integers(1, 60))
@example([(1, (1 << 60) + key) for key in (0, 0, 1, 2, 3)] + [(1 | 1 << 62, 1 << 60)], 5)  # one in their lower 48 bits
def test_slices_give_the_pairs_of_the_whole(pairs: list[tuple[int, int]], max_rows: int) -> None:
    rows = as_rows(pairs)
    # Buckets of up to 32 distinct keys must fit, as in life, where a slice holds millions of rows.
    whole = candidate_edges(rows["hash"].copy(), rows["key"].copy())
    sizes = {value: len(set(rows["key"][rows["hash"] == value])) for value in set(rows["hash"].tolist())}
    rows_of = {value: int(np.count_nonzero(rows["hash"] == value)) for value in sizes}
    if all(rows_of[value] <= max_rows or sizes[value] > 32 for value in sizes):
        assert np.array_equal(edges_of(rows, max_rows=max_rows), whole)


def hot(count: int) -> np.ndarray:
    rows = np.zeros(count, BUCKET)
    rows["hash"], rows["key"] = 7 << 40, np.random.default_rng(3).permutation(count) * 3 + (1 << 60)
    return rows


@pytest.mark.parametrize("max_rows", [1 << 30, 20_000])
def test_a_hundred_thousand_equal_hashes_cost_two_pairs_each(max_rows: int) -> None:
    found = edges_of(hot(100_000), max_rows=max_rows)
    assert len(found) == 2 * 100_000 - 3
    assert np.array_equal(found, edges_of(hot(100_000), max_rows=1 << 30))


def test_a_hot_bucket_holds_a_slice_in_memory() -> None:
    peaks = []
    for count in (200_000, 800_000):
        blocks = np.array_split(hot(count), count // 12_500)
        tracemalloc.start()
        total = sum(len(edges) for edges in bounded_candidate_edges(lambda b=blocks: iter(b), max_rows=50_000))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert total == 2 * count - 3
    assert peaks[1] < 1.5 * peaks[0], peaks  # of four times the rows
