"""The profile `pile` on the made sample: extract --pile, assemble --profile pile, compare; and what is refused."""

import re
from pathlib import Path

import pytest

from corpus.reasons import DropReason, PileDrop
from corpus.stage.manifest import SPLITS, read_manifest, verify_parts
from corpus.storage import parquet
from corpus.synthetic.sample.write import write_sample
from pipelines.cli.app import main

RULES = {str(reason) for reason in PileDrop}
STATE = {
    str(reason) for reason in DropReason if reason in ("superseded", "older_version", "deleted", "deletion_notice")
}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the sample's records, extracted with and without The Pile's text."""
    base = tmp_path_factory.mktemp("pile")
    sample = write_sample(str(base / "raw"), seed=0, scale=0.2)
    inputs = ["--pubmed", *sample.pubmed, "--pmc", sample.pmc_tree, sample.pmc_tar]
    assert main(["extract", *inputs, "--pile", "--output", str(base / "records")]) == 0
    assert main(["extract", *inputs, "--output", str(base / "plain")]) == 0
    return base


@pytest.mark.slow
def test_the_piles_selection_and_nothing_else(work: Path) -> None:
    argv = ["assemble", "--records", str(work / "records"), "--output", str(work / "pile"), "--profile", "pile"]
    assert main(argv) == 0
    manifest = read_manifest(str(work / "pile"), "assemble")
    assert set(manifest.books.dropped) <= RULES | STATE
    assert manifest.books.dropped[PileDrop.NO_ABSTRACT]
    assert manifest.books.dropped[PileDrop.PMC_OVERLAP]
    records: set[tuple[str, str]] = set()
    for path in read_manifest(str(work / "records"), "extract").paths(str(work / "records"), "pile"):
        rows = parquet.read_table(path).to_pylist()
        records |= {(row["doc_id"], row["text"]) for row in rows if not row["reason"]}
    kept = [
        (row["doc_id"], row["text"])
        for role in SPLITS
        for path in manifest.paths(str(work / "pile"), role)
        for row in parquet.read_table(path, columns=["doc_id", "text"]).to_pylist()
    ]
    assert len(kept) == manifest.books.kept > 50
    assert set(kept) <= records
    assert all(text.count("\n") == 1 for doc_id, text in kept if doc_id.startswith("pmid:"))


@pytest.mark.slow
def test_the_side_table_stands_beside_the_records_and_leaves_them_as_they_are(work: Path) -> None:
    with_pile, plain = (read_manifest(str(work / name), "extract") for name in ("records", "plain"))
    records = [part for part in with_pile.parts if part.role == "records"]
    tables = [part for part in with_pile.parts if part.role == "pile"]
    assert [part for part in plain.parts if part.role == "records"] == records
    assert not [part for part in plain.parts if part.role == "pile"]
    assert len(tables) == len(records) > 3
    assert sum(part.rows for part in tables) == with_pile.books.kept
    for part, table in zip(records, tables, strict=True):
        assert table.path == part.path.replace("records/", "pile/")
        ids, beside = (
            parquet.read_table(str(work / "records" / one.path), columns=["doc_id"]).to_pylist()
            for one in (part, table)
        )
        assert ids == beside


@pytest.mark.slow
def test_an_update_keeps_the_side_tables_of_unchanged_files(work: Path, tmp_path: Path) -> None:
    first, second = (str(next((work / "raw").rglob(f"*n000{number}.xml.gz"))) for number in (1, 3))
    extract = ["extract", "--pile", "--output", str(tmp_path / "records"), "--pubmed", first]
    assert main(extract) == 0
    before = read_manifest(str(tmp_path / "records")).parts
    assert main([*extract, second, "--update"]) == 0
    manifest = read_manifest(str(tmp_path / "records"))
    assert set(before) - set(manifest.parts) == {part for part in before if part.role == "receipts"}
    assert [part.role for part in manifest.parts] == ["pile", "pile", "receipts", "records", "records"]
    assert not list(verify_parts(str(tmp_path / "records"), manifest))


@pytest.mark.slow
def test_records_without_the_text_are_refused(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["assemble", "--records", str(work / "plain"), "--output", str(work / "never"), "--profile", "pile"]
    assert main(argv) == 2
    assert "corpuscle extract --pile" in capsys.readouterr().err
    assert not (work / "never").exists()


@pytest.mark.slow
def test_compare_prints_both_profiles(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus, tokenizer = str(work / "clean"), str(work / "tokenizer")
    assert main(["assemble", "--records", str(work / "records"), "--output", corpus]) == 0
    assert main(["tokenizer", "--corpus", corpus, "--output", tokenizer, "--vocab-size", "500"]) == 0
    capsys.readouterr()
    assert main(["compare", str(work / "records"), "--tokenizer", f"{tokenizer}/tokenizer.json"]) == 0
    shown = capsys.readouterr().out
    rows = {tuple(line.split()[:2]): line.split()[-5:] for line in shown.splitlines() if line.startswith("p")}
    clean, pile = (int(rows["pubmed", side][4].replace(",", "")) for side in ("clean", "pile"))
    assert clean > 0 < pile
    assert rows["pubmed", "pile"][0] != rows["pubmed", "clean"][0]
    assert re.search(r"compare: [\d,]+ tokens clean, [\d,]+ tokens pile", shown)
    assert main(["compare", str(work / "records"), "--tokenizer", str(work / "none.json")]) == 2
    assert "no tokenizer there" in capsys.readouterr().err
    assert main(["compare", str(work / "plain"), "--tokenizer", f"{tokenizer}/tokenizer.json"]) == 2
