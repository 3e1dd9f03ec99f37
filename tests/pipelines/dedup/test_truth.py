"""`dedup` on other people's texts with planted copies, held against brute force, and its bytes over orders and workers.

The texts are MedQuAD's answers, PubMedQA's abstracts and MedQA's questions, which hold duplicates of their own.
"""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from datasketch import MinHash, MinHashLSH

from corpus.foreign.config import DedupConfig
from corpus.stage.manifest import read_manifest
from corpus.storage import parquet
from pipelines.beam.flags import WORKERS
from pipelines.dedup.pipeline import dedup
from tests.support.dedup_truth import documented_words, shingle_strings
from tests.support.foreign_corpus import (
    FORMS,
    Pairs,
    clusters_of,
    jaccard_pairs,
    left_out,
    planted,
    write_corpus_files,
)
from tests.support.qa_data import QA_DATA

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not QA_DATA.exists(), reason="the shared question sets are not beside the repository"),
]
NOT_DATA = ("run.json", "events.jsonl", ".lock")
LSH_MISSES = 0.01  # of those that go, at most: 18 bands of 6 propose a pair just at 0.8 with probability 0.996


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return planted(every=3)


@pytest.fixture(scope="module")
def result(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the result of `dedup` by similarity alone; its input lies beside it."""
    base = tmp_path_factory.mktemp("truth")
    write_corpus_files(base / "in", texts)
    dedup(DedupConfig(twins="merge"), given=[str(base / "in")], output=str(base / "out"))
    return base / "out"


def decisions(output: Path) -> list[dict[str, Any]]:
    """Return the decisions in the order of file names and lines."""
    paths = read_manifest(str(output), "dedup").paths(str(output), "decisions")
    return [row for path in paths for row in parquet.read_table(path).to_pylist()]


def hashes(output: Path) -> dict[str, str]:
    """Return the hash of every file of a result, but what a run leaves beside it."""
    files = [path for path in output.rglob("*") if path.is_file() and path.name not in NOT_DATA]
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def truth(texts: list[str], result: Path) -> Pairs:
    """Return the pairs by brute force, of places among the decisions."""
    place = {int(row["doc_id"][1:]): number for number, row in enumerate(decisions(result))}
    pairs = jaccard_pairs(texts, 0.8)
    return {(min(place[a], place[b]), max(place[a], place[b])): score for (a, b), score in pairs.items()}


def test_what_goes_is_what_brute_force_says_and_nothing_goes_wrongly(result: Path, truth: Pairs) -> None:
    rows = decisions(result)
    place = {row["doc_id"]: number for number, row in enumerate(rows)}
    gone = {number for number, row in enumerate(rows) if not row["kept"]}
    expected = left_out(len(rows), truth)
    assert len(expected) > 300, "copies were planted"
    assert gone <= expected, "0 false merges"
    assert len(expected - gone) <= LSH_MISSES * len(expected)
    for number in gone:
        row = rows[number]
        pair = sorted((number, place[row["matched"]]))
        assert row["score"] == truth[pair[0], pair[1]]
        assert row["reason"] == ("exact_duplicate" if row["score"] == 1.0 else "near_duplicate")
        assert rows[place[row["survivor"]]]["kept"]
        assert place[row["survivor"]] < number, "the first by file and line stays"


def test_clusters_are_those_of_the_pairs_found(result: Path, truth: Pairs) -> None:
    rows = decisions(result)
    gone = {number for number, row in enumerate(rows) if not row["kept"]}
    missed = left_out(len(rows), truth) - gone
    for cluster in clusters_of(truth):
        members = sorted(cluster)
        if not cluster & missed:
            assert {rows[number]["cluster"] for number in members} == {rows[members[0]]["doc_id"]}
            assert {rows[number]["cluster_size"] for number in members} == {len(members)}
            assert [rows[number]["cluster_rank"] for number in members] == list(range(len(members)))
    alone = set(range(len(rows))) - {number for pair in truth for number in pair}
    assert all(rows[number]["cluster"] == rows[number]["doc_id"] for number in alone)


def test_every_pair_that_datasketch_finds_is_in_one_cluster(texts: list[str], result: Path, truth: Pairs) -> None:
    index = MinHashLSH(threshold=0.8, num_perm=128)
    place = {row["doc_id"]: number for number, row in enumerate(decisions(result))}
    clusters = {row["doc_id"]: row["cluster"] for row in decisions(result)}
    found = 0
    for number, text in enumerate(texts):
        shingles = shingle_strings(documented_words(text))
        signature = MinHash(num_perm=128)
        signature.update_batch([shingle.encode() for shingle in shingles])
        for other in index.query(signature):
            a, b = sorted((place[other], place[f"d{number}"]))
            if (a, b) in truth:
                found += 1
                assert clusters[other] == clusters[f"d{number}"]
        index.insert(f"d{number}", signature)
    assert found > 300


@pytest.mark.parametrize("workers", [2, 4])
def test_the_bytes_are_the_same_for_any_order_of_inputs_and_any_number_of_workers(result: Path, workers: int) -> None:
    base, output = result.with_name("in"), result.with_name(f"workers-{workers}")
    given = [str(base / form) for form in FORMS]
    flat = result.with_name("flat")
    for name in given:
        target = flat / Path(name).relative_to(base)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to(name)
    parts = [str(flat / "deep"), *(str(flat / form) for form in FORMS if "/" not in form)]
    config = DedupConfig(twins="merge", workers=workers)
    whole = dedup(config, given=[str(flat)], output=str(output), beam_args=[f"{WORKERS}={workers}"])
    assert whole is not None
    assert hashes(output) == hashes(result)
    orders = [dedup(config, given=one, output=f"{output}-{n}") for n, one in enumerate((parts, parts[::-1]))]
    assert orders[0] == orders[1]
    assert hashes(Path(f"{output}-0")) == hashes(Path(f"{output}-1"))
