"""Planted near-duplicates in real abstracts: how many pairs above a similarity are found, and that no other is.

Copies are made by replacing or deleting 0.2–6 % of the words, cutting to 60–97 % of the length, or adding a line of
boilerplate. The truth is the exact Jaccard similarity of every planted pair, computed with Python sets. The replaced
words come from the same texts, so that some numbers meet numbers: the rule for twins must not eat the recall.
"""

import random
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from corpus.dedup.candidates import bucket_rows, candidate_edges
from corpus.dedup.minhash import band_hashes, bands_for, signatures
from corpus.dedup.shingles import Shingles, normalize, shingle
from corpus.dedup.verify import Edges, verified_edges
from corpus.ncbi.pubmed import read_pubmed
from corpus.records import Record

THRESHOLD = 0.8
BOILERPLATE = (
    "Copyright © 1980 by the authors. All rights reserved.",
    "This article is protected by copyright.",
    "(ABSTRACT TRUNCATED AT 250 WORDS)",
)


def edited(words: list[str], others: list[str], chance: random.Random) -> str:
    """Return a copy of a text with one kind of edit."""
    count = max(1, round(len(words) * chance.uniform(0.002, 0.06)))
    places = set(chance.sample(range(len(words)), count))
    kind = chance.randrange(4)
    if kind == 0:
        return " ".join(chance.choice(others) if k in places else word for k, word in enumerate(words))
    if kind == 1:
        return " ".join(word for k, word in enumerate(words) if k not in places)
    if kind == 2:
        return " ".join(words[: int(len(words) * chance.uniform(0.60, 0.97))])
    return " ".join([*words, chance.choice(BOILERPLATE)])


def planted(data: Path) -> tuple[list[str], list[int]]:
    """Return texts, the first of each family real and up to three edited copies after it, and their families."""
    chance = random.Random(20)
    abstracts = [
        f"{record.title}\n{record.abstracts[0].text}".split()
        for record in read_pubmed(str(data / "pubmed" / "baseline" / "pubmed20n0014.xml.gz"))
        if isinstance(record, Record) and record.abstracts
    ]
    texts, families = [], []
    for family, words in enumerate(abstracts):
        others = abstracts[(family + 1) % len(abstracts)]
        copies = [edited(words, others, chance) for _ in range(chance.randint(0, 3))] if len(words) > 30 else []
        texts += [" ".join(words), *copies]
        families += [family] * (1 + len(copies))
    return texts, families


def pairs_of(edges: Edges) -> set[tuple[int, int]]:
    return set(zip(edges.a.tolist(), edges.b.tolist(), strict=True))


def family_similarities(sets: Shingles, families: list[int]) -> dict[tuple[int, int], float]:
    """Return the exact Jaccard similarity of all pairs of one family."""
    members: dict[int, list[int]] = {}
    for document, family in enumerate(families):
        members.setdefault(family, []).append(document)
    content = [set(sets.hashes[sets.offsets[d] : sets.offsets[d + 1]].tolist()) for d in range(len(sets))]
    return {
        (a, b): len(content[a] & content[b]) / len(content[a] | content[b])
        for documents in members.values()
        for a, b in combinations(documents, 2)
    }


@pytest.mark.slow
@pytest.mark.real_data
def test_planted_copies_are_found_and_nothing_else(real_data: Path) -> None:
    texts, families = planted(real_data)
    sets = shingle(normalize(pa.array(texts, pa.large_string())))
    keys = np.arange(len(texts), dtype=np.uint64)
    bands = band_hashes(signatures(sets), *bands_for(THRESHOLD))
    candidates = candidate_edges(*bucket_rows(keys, sets, bands))
    edges = verified_edges(candidates, keys, sets, threshold=THRESHOLD)
    found, similarity = pairs_of(edges), family_similarities(sets, families)
    twin = {pair for pair in similarity if sets.templates[pair[0]] == sets.templates[pair[1]]}
    twin -= {pair for pair in similarity if sets.texts[pair[0]] == sets.texts[pair[1]]}
    for least in (0.85, 0.8):
        true = {pair for pair, score in similarity.items() if score >= least}
        eaten = len(true & twin)
        print(f"J >= {least}: {len(true):,} pairs, found {len(true & found) / len(true):.4f}, eaten as twins {eaten}")
        print(f"    proposed by LSH {len(true & pairs_of_candidates(candidates)) / len(true):.4f}")
        assert len(true) > 10_000
        assert len(true & found) >= 0.99 * len(true)
        assert eaten < 0.005 * len(true)
        assert len((true - twin) & found) >= 0.998 * len(true - twin)
    scores = dict(zip(zip(edges.a.tolist(), edges.b.tolist(), strict=True), edges.score.tolist(), strict=True))
    planted_found = found & similarity.keys()
    assert all(scores[pair] == similarity[pair] >= THRESHOLD for pair in planted_found)
    assert len(found) - len(planted_found) < 0.003 * len(found)  # pairs that were in the real file before


def pairs_of_candidates(candidates: np.ndarray) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for a, b in candidates}
