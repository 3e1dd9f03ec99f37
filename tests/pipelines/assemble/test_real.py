"""Real NCBI files through `extract` and `assemble`, against what plain lxml and the bucket's JSON say of them."""

import gzip
import io
import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from corpus.assemble.config import AssembleConfig
from corpus.extract.config import ExtractConfig
from corpus.stage.manifest import SPLITS, Manifest, read_manifest
from corpus.storage.parquet import read_table
from pipelines.assemble.pipeline import assemble
from pipelines.extract import extract
from tests.support.cut_oracle import RecordsInDuckDb, counted_by_code, parts_of, random_cuts

pytestmark = [pytest.mark.slow, pytest.mark.real_data]

DELETED = {f"pmid:{pmid}" for pmid in (23203860, 23203861, *range(23203892, 23203897))}


@pytest.fixture(scope="module")
def road(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    config = ExtractConfig(pubmed=(str(real_data / "pubmed"),), pmc=(str(real_data / "pmc"),), workers=2)
    extract(config, output=str(folder / "records"))
    assemble(AssembleConfig(workers=2, shard_mb=8), records=str(folder / "records"), output=str(folder / "corpus"))
    return folder


def rows(folder: Path, stage: str, role: str, columns: list[str] | None = None) -> list[dict[str, Any]]:
    manifest = read_manifest(str(folder), stage)
    return [row for path in manifest.paths(str(folder), role) for row in read_table(path, columns).to_pylist()]


@pytest.fixture(scope="module")
def decisions(road: Path) -> list[dict[str, Any]]:
    return rows(road / "corpus", "assemble", "decisions")


@pytest.fixture(scope="module")
def kept(road: Path) -> dict[str, dict[str, Any]]:
    documents = [row for role in SPLITS for row in rows(road / "corpus", "assemble", role)]
    assert len({row["doc_id"] for row in documents}) == len(documents)
    return {row["doc_id"]: row for row in documents}


def citations(path: Path) -> dict[str, etree._Element]:
    """Return the citations of a PubMed file by document id, as plain lxml reads them."""
    root = etree.parse(io.BytesIO(gzip.decompress(path.read_bytes())))
    return {f"pmid:{item.findtext('MedlineCitation/PMID')}": item for item in root.iterfind("PubmedArticle")}


def test_books_are_exact(road: Path, decisions: list[dict[str, Any]], kept: dict[str, Any]) -> None:
    extracted: Manifest = read_manifest(str(road / "records"), "extract")
    assert extracted.books.read == extracted.books.kept == 30_000 + 177 + 176 + 7 + 848 + 2400 + 38
    assembled = read_manifest(str(road / "corpus"), "assemble")
    assert assembled.books.read == extracted.books.kept == len(decisions)
    reasons = Counter(row["reason"] for row in decisions if not row["kept"])
    assert dict(assembled.books.dropped) == dict(reasons)
    assert {row["doc_id"] for row in decisions if row["kept"]} == set(kept)


def test_thirty_random_cuts_count_as_duckdb_counts(road: Path, tmp_path: Path) -> None:
    parts = parts_of(str(road / "records"))
    database = RecordsInDuckDb(parts)
    for where in random_cuts(database, tmp_path, count=30, seed=2):
        assert counted_by_code(parts, where) == database.counts(where), where


def test_the_2019_sample_updates_the_2018_sample(
    real_data: Path, decisions: list[dict[str, Any]], kept: dict[str, dict[str, Any]]
) -> None:
    samples = real_data / "pubmed" / "samples"
    old = citations(samples / "pubmedsample18n0001.xml.gz")
    new = citations(samples / "pubmedsample19n0001.xml.gz")
    assert {row["doc_id"] for row in decisions if row["reason"] == "deleted"} == DELETED <= set(old)
    assert not DELETED & set(kept)
    twice = set(old) & set(new)
    superseded = Counter(row["doc_id"] for row in decisions if row["reason"] == "superseded")
    assert superseded == Counter(dict.fromkeys(twice, 1))
    for name in sorted(twice & set(kept)):
        parts = [part for part in new[name].iterfind(".//Article/Abstract/AbstractText") if not len(part)]
        assert all(" ".join((part.text or "").split()) in kept[name]["text"] for part in parts)
    assert len(twice & set(kept)) > 50


def test_a_derived_citation_goes_exactly_when_its_own_full_text_stays_and_holds_an_abstract(
    real_data: Path, decisions: list[dict[str, Any]], kept: dict[str, dict[str, Any]]
) -> None:
    derived = citations(real_data / "pubmed" / "derived" / "pubmed26n0001.xml.gz")
    articles, bodies = read_bucket(real_data / "pmc" / "pmc-oa-opendata.tar.xz")
    full_texts = {
        key: f"pmc:{item['pmcid']}.{item['version']}"
        for item in articles
        for key in (item["pmcid"], item["pmid"], (item["doi"] or "").lower() or None)
        if key
    }
    expected = {}
    for name, citation in derived.items():
        own = {item.get("IdType"): item.text for item in citation.iterfind("PubmedData/ArticleIdList/ArticleId")}
        keys = (own.get("pmc"), int(name.removeprefix("pmid:")), (own.get("doi") or "").lower())
        found = next((full_texts[key] for key in keys if key in full_texts), None)
        if found in kept and found in bodies:
            expected[name] = found
    dropped = {row["doc_id"]: row["survivor"] for row in decisions if row["reason"] == "full_text_kept"}
    beside = {row["doc_id"]: row["matched"] for row in decisions if row["kept"] and row["matched"]}
    assert dropped | beside == expected
    assert len(dropped) > 800
    for name, article in beside.items():
        said = " ".join("".join(derived[name].find(".//Article/Abstract").itertext()).split())
        pieces = [said[at : at + 40] for at in range(0, len(said) - 40, 40)]
        there = sum(piece in kept[article]["text"] for piece in pieces)
        assert there < len(pieces) / 2, "it stays only where its words are not there"


def read_bucket(path: Path) -> tuple[list[dict[str, Any]], set[str]]:
    """Return the articles' metadata, and the document ids of those with a body, as plain lxml reads them."""
    articles, bodies = [], set()
    with tarfile.open(path) as archive:
        for member in archive:
            name, _, suffix = member.name.rpartition("/")[2].rpartition(".")
            if not name.startswith("PMC") or not member.isfile():
                continue
            raw = archive.extractfile(member).read()
            if suffix == "json":
                articles.append(json.loads(raw))
            elif raw.startswith(b"\x1f\x8b") or etree.fromstring(raw).find(".//{*}body//{*}p") is not None:
                bodies.add(f"pmc:{name}")  # the six gzipped ones have bodies
    return articles, bodies


def test_no_citation_is_dropped_for_a_paper_that_it_cites(real_data: Path, decisions: list[dict[str, Any]]) -> None:
    survivors = {row["doc_id"]: row["survivor"] for row in decisions if row["reason"] == "full_text_kept"}
    traps = 0
    for name, citation in citations(real_data / "pubmed" / "derived" / "pubmed26n0001.xml.gz").items():
        cited = {item.text for item in citation.iterfind(".//ReferenceList//ArticleId[@IdType='pmc']")}
        own = {item.text for item in citation.iterfind("PubmedData/ArticleIdList/ArticleId[@IdType='pmc']")}
        traps += bool(cited - own)
        assert not any(f"pmc:{pmcid}." in survivors.get(name, "") for pmcid in cited - own)
    assert traps > 50


def test_every_duplicate_names_a_kept_survivor_and_its_exact_score(
    decisions: list[dict[str, Any]], kept: dict[str, dict[str, Any]]
) -> None:
    duplicates = [row for row in decisions if row["reason"] in ("exact_duplicate", "near_duplicate")]
    assert duplicates
    assert all(row["survivor"] in kept and 0.8 <= row["score"] <= 1 for row in duplicates)
    split_of = {row["doc_id"]: row["split"] for row in decisions if row["kept"]}
    clusters: dict[str, set[str]] = {}
    for row in decisions:
        if row["kept"]:
            clusters.setdefault(row["cluster"], set()).add(split_of[row["doc_id"]])
    assert all(len(splits) == 1 for splits in clusters.values())


def test_shards_hold_equally_much_text(road: Path, kept: dict[str, dict[str, Any]]) -> None:
    manifest = read_manifest(str(road / "corpus"), "assemble")
    texts = {
        split: [
            sum(len(row["text"].encode()) for row in read_table(path, ["text"]).to_pylist())
            for path in manifest.paths(str(road / "corpus"), split)
        ]
        for split in SPLITS
    }
    assert sum(map(sum, texts.values())) == sum(len(row["text"].encode()) for row in kept.values())
    sizes = texts["train"]
    assert len(sizes) == -(-sum(sizes) // 8_000_000) >= 8
    assert max(sizes) / min(sizes) - 1 < 0.05
    assert (manifest.summary["train_shard_bytes_min"], manifest.summary["train_shard_bytes_max"]) == (
        min(sizes),
        max(sizes),
    )
