"""Candidates: every pair of a small bucket, linear cost of a large one, and no word of the order of the rows."""

from itertools import combinations, pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup.candidates import bucket_rows, candidate_edges, distinct_edges
from corpus.dedup.minhash import band_hashes, signatures
from corpus.dedup.shingles import normalize, shingle
from corpus.dedup.verify import components

rows = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 40)), max_size=120)


def as_arrays(table: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    array = np.array(table, np.uint64).reshape(-1, 2)
    return array[:, 0].copy(), array[:, 1].copy()


def reference(table: list[tuple[int, int]], limit: int) -> list[list[int]]:
    """Return the sorted distinct edges with dictionaries and sets."""
    buckets: dict[int, set[int]] = {}
    for bucket, key in table:
        buckets.setdefault(bucket, set()).add(key)
    edges: set[tuple[int, int]] = set()
    for members in map(sorted, buckets.values()):
        if len(members) <= limit:
            edges.update(combinations(members, 2))
        else:
            edges.update((members[0], other) for other in members[1:])
            edges.update(pairwise(members))
    return [list(edge) for edge in sorted(edges)]


@settings(max_examples=200, deadline=None)
@given(rows, st.sampled_from([1, 2, 5, 32]), st.randoms())
def test_edges_equal_the_reference_in_any_order(table: list[tuple[int, int]], limit: int, random: object) -> None:
    expected = reference(table, limit)
    assert candidate_edges(*as_arrays(table), max_pairs_bucket=limit).tolist() == expected
    shuffled = sorted(table, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert candidate_edges(*as_arrays(shuffled + table[:7]), max_pairs_bucket=limit).tolist() == expected


def test_a_bucket_of_a_hundred_thousand_costs_linear() -> None:
    keys = np.random.default_rng(1).permutation(np.arange(100_000, dtype=np.uint64) * np.uint64(3))
    edges = candidate_edges(np.full(len(keys), 42, np.uint64), keys)
    assert len(edges) == 2 * len(keys) - 3  # star and chain share the first edge
    assert np.all(edges[:, 0] < edges[:, 1])
    members, labels = components(edges)
    assert len(members) == len(keys)
    assert not labels.any()


NOTICE = 1 << 63


@settings(max_examples=200, deadline=None)
@given(rows, st.sampled_from([1, 2, 5, 32]), st.sets(st.integers(0, 40)))
def test_two_notices_are_a_pair_nowhere_but_in_the_bucket_of_their_text(
    table: list[tuple[int, int]], limit: int, notices: set[int]
) -> None:
    marked = [(bucket, key | NOTICE if key in notices and bucket % 2 else key) for bucket, key in table]
    edges = (edge for edge in reference(marked, limit) if edge[0] < NOTICE or edge[1] < NOTICE)
    expected = {tuple(sorted(key & (NOTICE - 1) for key in edge)) for edge in edges}
    assert candidate_edges(*as_arrays(marked), max_pairs_bucket=limit).tolist() == [
        list(edge) for edge in sorted(expected)
    ]


def test_each_of_three_thousand_notices_meets_the_text_that_is_none() -> None:
    keys = np.arange(3000, dtype=np.uint64) | np.uint64(NOTICE)
    keys[1234] = 1234
    edges = candidate_edges(np.zeros(3000, np.uint64), keys)
    assert len(edges) == 2999
    assert np.all((edges == 1234).any(axis=1))


def test_keys_use_63_bits() -> None:
    keys = np.array([2**63 - 1, 1, 2**62], np.uint64)
    assert candidate_edges(np.zeros(3, np.uint64), keys).tolist() == [[1, 2**62], [1, 2**63 - 1], [2**62, 2**63 - 1]]
    assert distinct_edges(np.zeros((0, 2), np.uint64)).shape == (0, 2)


def test_short_documents_bring_only_the_bucket_of_their_text() -> None:
    long = "one two three four five six seven eight nine ten eleven twelve thirteen"
    texts = ["", "Reply.", "Reply!", long, long + " fourteen"]
    found = shingle(normalize(pa.array(texts)))
    keys = np.arange(10, 15, dtype=np.uint64)
    hashes, owners = bucket_rows(keys, found, band_hashes(signatures(found), 18, 6))
    assert len(hashes) == 4 + 2 * 18
    assert np.bincount(owners.astype(int), minlength=15)[10:].tolist() == [0, 1, 1, 19, 19]
    assert [11, 12] in candidate_edges(hashes, owners).tolist()
    assert [13, 14] in candidate_edges(hashes, owners).tolist()
