"""One answer for any order of update files, hash seed and number of workers; a split that stays as files come."""

import gzip
import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest

from corpus.assemble.config import AssembleConfig
from corpus.assemble.documents import file_ranks, key_rows
from corpus.assemble.inputs import stored_parts
from corpus.assemble.updates import fold
from corpus.extract.config import ExtractConfig
from corpus.stage.manifest import SPLITS, read_manifest
from corpus.storage import parquet
from corpus.storage.files import sha256_file
from pipelines.assemble.pipeline import assemble
from pipelines.beam.flags import WORKERS
from pipelines.extract import extract

VOCABULARY = [f"{a}{b}{c}" for a in "bcdfgklm" for b in "aeou" for c in ("ne", "rt", "sk", "ll")]


def write_updates(folder: Path, count: int, seed: int, pmids: int = 30) -> list[str]:
    """Write update files that revise, copy, version and delete the citations of one another; return their paths."""
    rng = random.Random(seed)
    base = [" ".join(rng.choices(VOCABULARY, k=60)) for _ in range(pmids // 2)]
    paths = []
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        records = []
        for _ in range(12):
            words = rng.choice(base).split()
            for _ in range(rng.randint(0, 2)):
                words[rng.randrange(len(words))] = rng.choice(VOCABULARY)
            records.append(citation(rng.randint(1, pmids), rng.randint(1, 2), " ".join(words), rng))
        gone = "".join(f'<PMID Version="1">{rng.randint(1, pmids)}</PMID>' for _ in range(rng.randint(0, 2)))
        deleted = f"<DeleteCitation>{gone}</DeleteCitation>" if gone else ""
        path = folder / f"pubmed26n{1400 + number:04d}.xml.gz"
        raw = f'<?xml version="1.0"?><PubmedArticleSet>{"".join(records)}{deleted}</PubmedArticleSet>'
        path.write_bytes(gzip.compress(raw.encode(), mtime=0))
        paths.append(str(path))
    return paths


def citation(pmid: int, version: int, text: str, rng: random.Random) -> str:
    ids = f'<ArticleId IdType="doi">10.1000/{pmid}</ArticleId>' if rng.random() < 0.3 else ""
    issue = f"<Journal><JournalIssue><PubDate><Year>{rng.randint(1990, 2020)}</Year></PubDate></JournalIssue></Journal>"
    title = "<ArticleTitle>A study of cells</ArticleTitle>"
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="{version}">{pmid}</PMID><Article>{issue}{title}'
        f"<Abstract><AbstractText>{escape(text)}</AbstractText></Abstract></Article></MedlineCitation>"
        f"<PubmedData><ArticleIdList>{ids}</ArticleIdList></PubmedData></PubmedArticle>"
    )


def folded(records: Path, order: Sequence[int]) -> str:
    """Return a hash of what the fold says of every row when the parts come in this order."""
    stored = stored_parts(str(records), read_manifest(str(records), "extract"))
    names = [stored.names[k] for k in order]
    ranks = file_ranks(names)
    keys = np.concatenate([key_rows(stored, part=k, rank=ranks[place]) for place, k in enumerate(order)])
    verdicts = fold(keys[np.random.default_rng(len(order)).permutation(len(keys))])
    return hashlib.sha256(verdicts.tobytes()).hexdigest()


def road(folder: Path, pubmed: Sequence[str], *, workers: int = 1) -> str:
    """Run both stages; return a hash of everything they committed."""
    args = [f"{WORKERS}={workers}"]
    extract(ExtractConfig(pubmed=tuple(pubmed)), output=str(folder / "records"), beam_args=args)
    config = AssembleConfig(validation=0.2, test=0.2)
    assemble(config, records=str(folder / "records"), output=str(folder / "corpus"), beam_args=args)
    return committed(folder)


def committed(folder: Path) -> str:
    found = hashlib.sha256()
    for stage in ("records", "corpus"):
        found.update(sha256_file(str(folder / stage / "manifest.json")).encode())
        for part in read_manifest(str(folder / stage)).parts:
            found.update(sha256_file(str(folder / stage / part.path)).encode())
    return found.hexdigest()


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path, str]:
    folder = tmp_path_factory.mktemp("four")
    paths = write_updates(folder / "raw", 4, seed=1)
    return paths, folder, road(folder, paths)


@pytest.fixture(scope="module")
def twenty(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    folder = tmp_path_factory.mktemp("twenty")
    paths = write_updates(folder / "raw", 20, seed=2, pmids=80)
    extract(ExtractConfig(pubmed=tuple(paths)), output=str(folder / "records"))
    return paths, folder


@pytest.mark.slow
def test_all_orders_of_four_files_and_a_hundred_of_twenty_fold_to_one_state(four: tuple, twenty: tuple) -> None:
    assert len({folded(four[1] / "records", order) for order in permutations(range(4))}) == 1
    rng = random.Random(3)
    orders = [rng.sample(range(20), 20) for _ in range(100)]
    assert len({folded(twenty[1] / "records", order) for order in orders}) == 1


@pytest.mark.slow
def test_another_order_and_hash_seed_give_the_same_bytes(four: tuple, tmp_path: Path) -> None:
    paths, _, expected = four
    assert in_a_process(tmp_path, [paths[k] for k in (2, 0, 3, 1)], seed=77) == expected
    manifest = read_manifest(str(tmp_path / "corpus"))
    assert {"superseded", "older_version", "deleted"} <= set(manifest.books.dropped)
    assert manifest.books.dropped.get("near_duplicate", 0) + manifest.books.dropped.get("exact_duplicate", 0) > 0


def in_a_process(folder: Path, paths: Sequence[str], *, seed: int, workers: int = 1) -> str:
    program = "import sys; from tests.pipelines.assemble.test_orders import road; from pathlib import Path; "
    program += "print(road(Path(sys.argv[1]), sys.argv[3:], workers=int(sys.argv[2])))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder), str(workers), *paths],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()[-1]


@pytest.mark.exhaustive
def test_all_orders_of_four_files_give_the_same_bytes(four: tuple, tmp_path: Path) -> None:
    """In this process, where an order takes 1.4 CPU seconds; every sixth in one of its own, with another hash seed."""
    paths, _, expected = four
    orders = list(permutations(paths))
    assert len(orders) == 24
    for number, order in enumerate(orders):
        if number % 6 == 5:
            assert in_a_process(tmp_path / str(number), order, seed=number) == expected
        assert road(tmp_path / f"here-{number}", order) == expected


@pytest.mark.exhaustive
def test_a_hundred_orders_of_twenty_files_give_the_same_bytes(twenty: tuple, tmp_path: Path) -> None:
    rng = random.Random(4)
    orders = {tuple(rng.sample(twenty[0], 20)) for _ in range(100)}
    assert len(orders) == 100
    assert len({road(tmp_path / str(number), order) for number, order in enumerate(orders)}) == 1
    manifest = read_manifest(str(tmp_path / "0" / "corpus"))
    assert {"superseded", "older_version", "deleted", "near_duplicate"} <= set(manifest.books.dropped)
    assert all(manifest.summary[f"{split}_documents"] for split in SPLITS)


@pytest.mark.exhaustive
@pytest.mark.parametrize("workers", [2, 4, 8])
def test_any_number_of_workers_gives_the_same_bytes(four: tuple, tmp_path: Path, workers: int) -> None:
    assert in_a_process(tmp_path, four[0], seed=workers, workers=workers) == four[2]


def decisions(folder: Path) -> dict[str, dict]:
    manifest = read_manifest(str(folder / "corpus"))
    rows = [
        row
        for path in manifest.paths(str(folder / "corpus"), "decisions")
        for row in parquet.read_table(path).to_pylist()
    ]
    return {row["doc_id"]: row for row in rows if row["kept"]}


@pytest.mark.slow
def test_the_split_stays_when_the_corpus_grows(four: tuple, tmp_path: Path) -> None:
    paths, folder, _ = four
    more = write_updates(tmp_path / "raw", 8, seed=1)[4:]
    road(tmp_path, [*paths, *more])
    before, after = decisions(folder), decisions(tmp_path)
    both = before.keys() & after.keys()
    assert len(both) > 5
    moved = [name for name in both if before[name]["split"] != after[name]["split"]]
    assert all(before[name]["cluster"] != after[name]["cluster"] for name in moved), "only with its cluster"
    for rows in (before, after):
        sides: dict[str, set[str]] = {}
        for row in rows.values():
            sides.setdefault(row["cluster"], set()).add(row["split"])
        assert all(len(side) == 1 for side in sides.values())
