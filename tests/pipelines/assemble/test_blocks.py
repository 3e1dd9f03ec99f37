"""What crosses a shuffle of `assemble` comes out as it went in, in whatever order blocks come."""

from itertools import chain

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.verify import Edges
from pipelines.assemble.blocks import pairs_block, read_verification, read_verified, texts_block, verified_block

KEYS = st.integers(0, 2**64 - 1)
PAIRS = st.lists(st.tuples(KEYS, KEYS), unique=True, max_size=9)


def edges_of(pairs: list[tuple[int, int]], num_twins: int) -> Edges:
    """Return pairs with scores and flags that depend on them alone."""
    a, b = np.array(pairs, np.uint64).reshape(-1, 2).T
    return Edges(a=a, b=b, score=(a % np.uint64(7)) / 7, exact=b % np.uint64(2) == 0, num_twins=num_twins)


@given(PAIRS, st.lists(st.lists(st.tuples(KEYS, st.text(max_size=3)), min_size=1, max_size=4), min_size=1, max_size=3))
def test_pairs_and_texts_of_a_verification(pairs: list[tuple[int, int]], parts: list[list[tuple[int, str]]]) -> None:
    edges = np.array(pairs, np.uint64).reshape(-1, 2)
    blocks = []
    for part in parts:
        keys, texts = zip(*part, strict=True)
        ranks = np.arange(8 * len(part), dtype=np.int64).reshape(-1, 8)
        blocks.append(texts_block(pa.array(keys, pa.uint64()), pa.chunked_array([texts], pa.string()), ranks))
    blocks.insert(len(blocks) // 2, pairs_block(edges))
    found, documents = read_verification(blocks)
    assert np.array_equal(found, edges)
    assert [*zip(*(documents.column(name).to_pylist() for name in ("key", "text")), strict=True)] == [*chain(*parts)]
    assert [row[0] for row in documents.column("ranks").to_pylist()] == [
        8 * k for part in parts for k in range(len(part))
    ]


@given(PAIRS, st.integers(0, 9), st.integers(0, 9))
def test_verified_pairs_are_sorted_and_distinct_and_twins_add_up(
    pairs: list[tuple[int, int]], some: int, twins: int
) -> None:
    blocks = [b"", verified_block(edges_of(pairs[some:], twins)), verified_block(edges_of(pairs[: some + 1], 2))]
    found, expected = read_verified(blocks), edges_of(sorted(pairs), twins + 2)
    assert found.num_twins == expected.num_twins
    for name in ("a", "b", "score", "exact"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))
    assert len(read_verified([b""])) == 0
