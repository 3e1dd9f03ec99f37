"""MinHash: datasketch bit for bit, the estimator's error, and the rule that shapes the bands."""

import math

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup.minhash import (
    COUNTED,
    RECALL_AT_THRESHOLD,
    band_hashes,
    bands_for,
    collision_curve,
    collision_probability,
    permutations,
    sign,
    signatures,
)
from corpus.dedup.shingles import Shingles, normalize, shingle
from corpus.errors import UsageError


def sets_of(*documents: list[int]) -> Shingles:
    arrays = [np.unique(np.array(document, np.uint64)) for document in documents]
    none = np.zeros(len(arrays), np.uint64)
    return Shingles(
        hashes=np.concatenate([np.zeros(0, np.uint64), *arrays]),
        offsets=np.concatenate([[0], np.cumsum([len(array) for array in arrays], dtype=np.int64)]).astype(np.int64),
        texts=none,
    )


hashes = st.integers(0, 2**64 - 1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(hashes, max_size=40), min_size=1, max_size=5),
    st.sampled_from([(128, 1), (256, 1), (256, 7), (16, 7), (1, 0)]),
)
def test_signatures_are_datasketch_bit_for_bit(documents: list[list[int]], shape: tuple[int, int]) -> None:
    num_perm, seed = shape
    found = signatures(sets_of(*documents), num_perm=num_perm, seed=seed)
    assert found.dtype == np.uint32
    low = [[value & 0xFFFFFFFF for value in document] for document in documents]
    theirs = MinHash.bulk(low, num_perm=num_perm, seed=seed, scheme="affine32", hashfunc=int)
    assert np.array_equal(found, np.stack([sketch.hashvalues for sketch in theirs]))


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_permutations_are_datasketch_s(seed: int) -> None:
    assert np.array_equal(np.array(permutations(256, seed)), MinHash(num_perm=256, seed=seed).permutations)


def test_estimates_stay_within_the_binomial_error() -> None:
    generator = np.random.default_rng(5)
    errors, expected = [], []
    for shared in np.linspace(20, 380, 200).astype(int):
        pool = generator.integers(0, 2**64, 800 - shared, dtype=np.uint64)
        pair = signatures(sets_of(pool[:400].tolist(), pool[400 - shared :].tolist()))
        true = shared / (800 - shared)
        errors.append(float(np.mean(pair[0] == pair[1])) - true)
        expected.append(true * (1 - true) / 128)
    assert abs(np.mean(errors)) < 4 * math.sqrt(np.mean(expected) / 200)
    assert np.mean(np.square(errors)) < 1.5 * np.mean(expected)


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_a_band_hash_says_which_band_and_which_rows(num_bands: int, rows: int, data: st.DataObject) -> None:
    width = num_bands * rows + data.draw(st.integers(0, 2))
    rows_of = st.lists(st.integers(0, 1), min_size=width, max_size=width)
    table = np.array(data.draw(st.lists(rows_of, min_size=1, max_size=8)), np.uint32)
    found = band_hashes(table, num_bands, rows)
    assert found.shape == (len(table), num_bands)
    content = [
        (band, *document[band * rows : (band + 1) * rows].tolist()) for document in table for band in range(num_bands)
    ]
    assert len(set(found.ravel().tolist())) == len(set(content))
    assert len(set(zip(content, found.ravel().tolist(), strict=True))) == len(set(content))


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("num_perm", [64, 128, 256])
def test_bands_follow_the_stated_rule(threshold: float, num_perm: int) -> None:
    num_bands, rows = bands_for(threshold, num_perm)
    assert num_bands * rows <= num_perm
    assert collision_probability(threshold, num_bands, rows) >= RECALL_AT_THRESHOLD
    assert num_bands == 1 or collision_probability(threshold, num_bands - 1, rows) < RECALL_AT_THRESHOLD
    assert collision_probability(threshold, num_perm // (rows + 1), rows + 1) < RECALL_AT_THRESHOLD


def test_bands_miss_less_than_the_optimiser_of_datasketch() -> None:
    theirs = MinHashLSH(threshold=0.8, num_perm=128)
    assert (theirs.b, theirs.r) == (9, 13)
    assert bands_for(0.8, 128) == (18, 6)
    ours = dict(collision_curve(18, 6))
    missed = {similarity: 1 - chance for similarity, chance in collision_curve(theirs.b, theirs.r)}
    assert all(1 - ours[s] < missed[s] for s in ours if 0 < s < 1)
    assert ours[0.85] > 0.998
    assert ours[0.5] < 0.25
    assert missed[0.8] > 0.6


def test_bands_propose_as_often_as_the_curve_says() -> None:
    generator = np.random.default_rng(9)
    documents = []
    for _ in range(1500):
        pool = generator.integers(0, 2**64, 150, dtype=np.uint64).tolist()
        documents += [pool[:127], pool[23:]]  # 104 of 150: J = 0.693
    bands = band_hashes(signatures(sets_of(*documents)), 18, 6)
    hits = np.mean((bands[::2] == bands[1::2]).any(axis=1))
    chance = collision_probability(104 / 150, 18, 6)
    assert abs(hits - chance) < 4 * math.sqrt(chance * (1 - chance) / 1500)


@pytest.mark.parametrize("threshold", [-1.0, 0.0, 0.001, 1.1, float("nan")])
def test_an_impossible_threshold_is_refused(threshold: float) -> None:
    with pytest.raises(UsageError, match="dedup threshold"):
        bands_for(threshold, 128)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "β", "one-two", "x", "."]), max_size=30).map(" ".join), max_size=6))
def test_signing_a_text_equals_signing_its_set(texts: list[str]) -> None:
    normal = normalize(pa.array(["left out", *texts, "left out"], pa.large_string()).slice(1, len(texts)))
    found, sets = sign(normal), shingle(normal)
    assert np.array_equal(found.signatures, signatures(sets))
    assert np.array_equal(found.texts, sets.texts)
    assert np.array_equal(found.counts, np.minimum(sets.counts, COUNTED))
