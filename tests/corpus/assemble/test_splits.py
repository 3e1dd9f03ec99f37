"""The split stays as the corpus grows, and shards hold equally much text wherever single documents allow it."""

from dataclasses import replace
from itertools import accumulate
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpus.arrays.hashing import GOLDEN, splitmix64
from corpus.assemble.config import AssembleConfig
from corpus.assemble.splits import BIN_BITS, Scales, cut, order_of, split_of
from corpus.dedup.resolve import Outcome, resolve
from corpus.dedup.verify import Edges
from corpus.records import doc_key
from corpus.stage.manifest import SPLITS

NOTHING = resolve(
    Edges(a=np.zeros(0, np.uint64), b=np.zeros(0, np.uint64), score=np.zeros(0), exact=np.zeros(0, bool)),
    doc_keys=np.zeros(0, np.uint64),
    ranks=np.zeros((0, 1), np.int64),
    citations=np.zeros(0, np.uint64),
    full_texts=np.zeros(0, np.uint64),
)
SHARES = st.tuples(st.floats(0, 0.45), st.floats(0, 0.45))


def pubmed_keys(count: int, first: int = 1) -> np.ndarray:
    return np.uint64(doc_key("pmid:0")) + np.arange(first, first + count, dtype=np.uint64)


def test_mix_gives_the_published_values_of_splitmix64() -> None:
    states = np.uint64(1234567) + np.arange(1, 6, dtype=np.uint64) * GOLDEN
    assert splitmix64(states).tolist() == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821,
    ]  # fmt: skip


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**70))
def test_the_order_is_one_to_one_and_even_and_says_nothing_of_the_split(seed: int) -> None:
    keys = pubmed_keys(40_000)
    order = order_of(keys, seed)
    assert len(np.unique(order)) == len(keys)
    split = split_of(keys, NOTHING, AssembleConfig(validation=0.25, test=0.25, seed=seed % 2**63))
    for chosen in (split >= 0, *(split == code for code in range(3))):
        counts = np.bincount((order[chosen] >> np.uint64(60)).astype(np.int64), minlength=16)
        expected = chosen.sum() / 16
        assert ((counts - expected) ** 2 / expected).sum() < 60  # chi-square, 15 degrees: p < 3e-7 a time
    assert abs(np.bincount(split, minlength=3) / len(keys) - [0.5, 0.25, 0.25]).max() < 0.015  # six deviations


@given(seed=st.integers(0, 2**32), small=SHARES, more=SHARES)
def test_a_larger_share_takes_documents_from_train_alone(
    seed: int, small: tuple[float, float], more: tuple[float, float]
) -> None:
    validation, test = small
    larger = {"validation": max(validation, more[0]), "test": max(test, more[1])}
    keys = pubmed_keys(400)
    before = split_of(keys, NOTHING, AssembleConfig(validation=validation, test=test, seed=seed))
    after = split_of(keys, NOTHING, AssembleConfig(seed=seed, **larger))
    assert np.all((before == after) | (before == SPLITS.index("train")))


def test_without_a_share_a_split_has_no_document_and_no_shard() -> None:
    keys = pubmed_keys(3000)
    config = AssembleConfig(validation=0, test=0)
    assert not split_of(keys, NOTHING, config).any()
    scales = Scales(config)
    scales.add(keys, np.full(len(keys), 100), NOTHING)
    assert [len(starts) for starts in scales.shards().starts] == [1, 0, 0]


@given(st.lists(st.integers(1, 2**36 - 1), min_size=1, max_size=60, unique=True), st.integers(0, 2**32), st.booleans())
def test_a_paper_is_held_out_whole(pmcids: list[int], seed: int, joined: bool) -> None:
    """Its next version and its replies are where it was, also when its citation gives the cluster its smallest id."""
    config = AssembleConfig(validation=0.3, test=0.3, seed=seed)
    forms = [[doc_key(f"pmc:PMC{pmcid}.{form}") for pmcid in pmcids] for form in ("1", "2", "1#1", "2#7")]
    versions = [np.array(keys, np.uint64) for keys in forms]
    outcomes = [NOTHING, NOTHING]
    if joined:
        citations = pubmed_keys(len(pmcids))
        for which in (0, 1):
            members = np.concatenate([versions[which], citations])
            order = np.argsort(members)
            clusters = np.concatenate([citations, citations])[order]
            outcomes[which] = replace(NOTHING, member=members[order], cluster=clusters)
    splits = [split_of(keys, outcomes[number % 2], config) for number, keys in enumerate(versions)]
    assert all(np.array_equal(splits[0], other) for other in splits[1:])
    if joined:
        assert np.array_equal(splits[0], split_of(citations, outcomes[0], config))


def test_shares_must_leave_something_to_train_on() -> None:
    with pytest.raises(ValidationError, match="leave nothing to train on"):
        AssembleConfig(validation=0.5, test=0.5)


def world(pairs: list[tuple[int, int]], size: int) -> tuple[np.ndarray, Outcome]:
    """Resolve documents 1 to `size`, the ranks of which are their numbers, of which these pairs resemble each other."""
    keys = pubmed_keys(size)
    ends = np.array(sorted({(min(a, b), max(a, b)) for a, b in pairs if a != b and max(a, b) < size}), np.int64)
    ends = ends.reshape(-1, 2)
    ones = np.ones(len(ends))
    edges = Edges(a=keys[ends[:, 0]], b=keys[ends[:, 1]], score=ones, exact=ones.astype(bool))
    involved = np.unique(ends)
    none = np.zeros(0, np.uint64)
    return keys, resolve(edges, doc_keys=keys[involved], ranks=involved[:, None], citations=none, full_texts=none)


@settings(max_examples=200, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 79), st.integers(0, 79)), max_size=80),
    growth=st.tuples(st.integers(1, 40), st.integers(0, 40)),
    shares=SHARES,
    seed=st.integers(0, 2**32),
)
def test_a_document_moves_only_when_its_cluster_gets_another_smallest_id(
    pairs: list[tuple[int, int]], growth: tuple[int, int], shares: tuple[float, float], seed: int
) -> None:
    """The smaller corpus holds the later numbers, so that what is added may be smaller than what was there."""
    config = AssembleConfig(validation=shares[0], test=shares[1], seed=seed)
    size = sum(growth)
    keys, grown = world(pairs, size)
    late = growth[1]  # what is there from the beginning: all but the first `late` numbers
    first_pairs = [(a - late, b - late) for a, b in pairs if min(a, b) >= late]
    old_keys, small = world(first_pairs, size - late)
    shifted = {name: getattr(small, name) + np.uint64(late) for name in ("dropped", "member", "cluster")}
    small = replace(small, **shifted)
    old_keys = old_keys + np.uint64(late)
    before, after = small.clusters_of(old_keys), grown.clusters_of(keys)[late:]
    splits = split_of(old_keys, small, config), split_of(keys, grown, config)
    assert np.array_equal(old_keys, keys[late:])
    moved = splits[0] != splits[1][late:]
    assert np.all(before[moved] != after[moved])
    assert np.all(after <= before), "a smallest id only falls"
    assert_clusters_are_components(keys, grown.clusters_of(keys), pairs)
    sides = np.unique(np.column_stack([grown.clusters_of(keys), splits[1]]), axis=0)
    assert len(np.unique(sides[:, 0])) == len(sides), "a cluster is on one side"


def assert_clusters_are_components(keys: np.ndarray, clusters: np.ndarray, pairs: list[tuple[int, int]]) -> None:
    graph: Any = nx.Graph()
    graph.add_nodes_from(range(len(keys)))
    graph.add_edges_from((a, b) for a, b in pairs if max(a, b) < len(keys))
    for component in nx.connected_components(graph):
        assert {int(clusters[k]) for k in component} == {int(keys[min(component)])}


@settings(max_examples=60, deadline=None)
@given(
    count=st.sampled_from([300, 4000, 60_000]),
    scale=st.sampled_from([300, 3000, 30_000]),
    tail=st.floats(0.8, 4),
    largest=st.sampled_from([1 / 82, 1 / 50, 1 / 10, 3]),
    validation=st.sampled_from([0, 0.3]),
    seed=st.integers(0, 2**32),
)
def test_shards_hold_equally_much_wherever_documents_allow_it(
    count: int, scale: int, tail: float, largest: float, validation: float, seed: int
) -> None:
    """The heaviest bin, one document or two, decides: of a shard's forty-first part, it leaves shards within 5 %."""
    config = AssembleConfig(shard_mb=1, validation=validation, test=0.2, seed=seed)
    drawn = scale * np.random.default_rng(seed).pareto(tail, count)
    texts = np.clip(drawn, 1, config.shard_mb * 1_000_000 * largest).astype(int)
    keys = pubmed_keys(count)
    scales = Scales(config)
    for start in range(0, count, 7001):
        scales.add(keys[start : start + 7001], texts[start : start + 7001], NOTHING)
    shards = scales.shards()
    order, split = order_of(keys, seed), split_of(keys, NOTHING, config)
    number = shards.numbers(order, split)
    sizes = np.bincount(number, weights=texts, minlength=shards.num_all).astype(int)
    assert sizes.tolist() == [size for sizes in shards.text_bytes for size in sizes], "as planned"
    assert all(SPLITS[split[row]] == shards.name(int(number[row]))[0] for row in range(0, count, 97))
    ends = list(accumulate(map(len, shards.starts), initial=0))
    for code in range(3):
        own = sizes[ends[code] : ends[code + 1]]
        if len(own) > 1:
            bins = np.unique(order[split == code] >> np.uint64(64 - BIN_BITS), return_inverse=True)[1]
            heaviest = np.bincount(bins, weights=texts[split == code]).max()
            assert len(own) == -(-own.sum() // 1_000_000)
            assert np.abs(own - own.mean()).max() <= heaviest + 1
            if heaviest <= own.mean() / 41:
                assert own.max() / own.min() - 1 <= 0.0501  # (42 / 41) / (40 / 41), and a byte of rounding


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(1, 12))
def test_every_border_is_the_nearest_to_its_place(weights: list[int], num_shards: int) -> None:
    places, sizes = cut(np.array(weights), num_shards)
    ends = [0, *accumulate(weights)]
    assert sizes == [sum(weights[a:b]) for a, b in zip(places, [*places[1:], len(weights)], strict=True)]
    assert list(places) == sorted(places)
    assert places[0] == 0
    for k, place in enumerate(places):
        goal = k * ends[-1] // num_shards
        assert abs(ends[place] - goal) == min(abs(end - goal) for end in ends[:-1])


def test_a_dropped_document_weighs_nothing() -> None:
    keys = pubmed_keys(1000)
    config = AssembleConfig(validation=0.2, test=0.2)
    scales = Scales(config)
    scales.add(keys, np.full(1000, 10), replace(NOTHING, dropped=keys[:400]))
    assert sum(map(sum, scales.shards().text_bytes)) == 6000


@given(
    keys=st.sets(st.integers(1, 10**6), max_size=12),
    length=st.sampled_from([0, 1, 400_000]),
    shares=st.sampled_from([(0.0, 0.0), (0.3, 0.0), (0.3, 0.3), (0.9, 0.05)]),
)
def test_a_split_has_shards_if_it_has_documents(keys: set[int], length: int, shares: tuple[float, float]) -> None:
    """Texts of no bytes are documents too; without any document train has a shard, whose columns can be read."""
    config = AssembleConfig(shard_mb=1, validation=shares[0], test=shares[1])
    some = np.array(sorted(keys), np.uint64)
    scales = Scales(config)
    scales.add(some, np.full(len(some), length), NOTHING)
    shards, split = scales.shards(), split_of(some, NOTHING, config)
    assert [bool(starts) for starts in shards.starts] == [code in split or (not keys and not code) for code in range(3)]
    named = [shards.name(int(number))[0] for number in shards.numbers(order_of(some, config.seed), split)]
    assert named == [SPLITS[code] for code in split]
