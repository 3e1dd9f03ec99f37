"""`assemble` with an evaluation set: what is reported, what is removed, and that the books and survivors hold."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpus.assemble import facts
from corpus.assemble.config import AssembleConfig
from corpus.assemble.id_conflicts import ConflictKind
from corpus.errors import UsageError
from corpus.extract.config import ExtractConfig
from corpus.stage.manifest import SPLITS, Manifest, read_manifest
from corpus.storage.parquet import read_table
from corpus.synthetic.sample.write import write_sample
from corpus.text.personal_data import MASKS
from pipelines.assemble.pipeline import assemble
from pipelines.assemble.summary import report_lines
from pipelines.cli.app import app
from pipelines.extract import extract

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contamination")
    sample = write_sample(str(folder / "raw"), seed=4, scale=0.04)
    config = ExtractConfig(pubmed=tuple(sample.pubmed), pmc=(sample.pmc_tree, sample.pmc_tar))
    extract(config, output=str(folder / "records"))
    return folder / "records"


def rows(folder: Path, role: str) -> list[dict]:
    manifest = read_manifest(str(folder), "assemble")
    return [row for path in manifest.paths(str(folder), role) for row in read_table(path).to_pylist()]


def all_facts() -> Iterator[str]:
    """Yield the names on the page `corpus.assemble.facts`, with evaluation sets, `pii` and all three splits."""
    prefixes = (facts.ID_CONFLICTS, facts.PERSONAL_DATA)
    yield from (value for name, value in vars(facts).items() if name.isupper() and value not in prefixes)
    for split in SPLITS:
        yield from (facts.documents(split), facts.text_bytes(split), facts.shards(split))
        yield from (facts.shard_bytes(split, "min"), facts.shard_bytes(split, "max"))
        yield from (facts.documents(split, source) for source in ("pubmed", "pmc"))
    yield from map(facts.id_conflicts, ConflictKind)
    yield from map(facts.personal_data, MASKS)
    yield from map(facts.full_text_found_by, ("pmcid", "pmid", "doi"))


def test_items_are_reported_and_removed_with_balanced_books(records: Path, tmp_path: Path) -> None:
    thirds = AssembleConfig(validation=0.3, test=0.3, pii="report")  # so that each split has documents
    plain = assemble(thirds, records=str(records), output=str(tmp_path / "plain"))
    assert plain is not None
    kept = {row["doc_id"]: row for role in SPLITS for row in rows(tmp_path / "plain", role)}
    lost = [row for row in rows(tmp_path / "plain", "decisions") if row["reason"] == "full_text_kept"]
    by_text = next(row for row in kept.values() if row["source"] == "pubmed" and len(row["text"].split()) > 90)
    by_id = lost[0]
    passage = " ".join(by_text["text"].split("\n")[-1].split()[:30])
    items = [{"id": "text", "question": passage}, {"id": "paper", "pmid": by_id["doc_id"].removeprefix("pmid:")}]
    evaluation = tmp_path / "set.jsonl"
    evaluation.write_text("".join(json.dumps(item) + "\n" for item in items))

    reported, removed = (
        assemble(
            thirds.model_copy(update={"evaluation": (str(evaluation),), "contaminated": contaminated}),
            records=str(records),
            output=str(tmp_path / contaminated),
        )
        for contaminated in ("report", "remove")
    )
    assert isinstance(reported, Manifest)
    assert isinstance(removed, Manifest)
    found = {(row["doc_id"], row["item"], row["by"]) for row in rows(tmp_path / "report", "contamination")}
    assert (by_text["doc_id"], "text", "ngram") in found
    assert (by_id["doc_id"], "paper", "pmid") in found
    assert rows(tmp_path / "report", "decisions") == rows(tmp_path / "plain", "decisions")
    gone = {row["doc_id"] for row in rows(tmp_path / "remove", "decisions") if row["reason"] == "contaminated"}
    assert gone == {document for document, _, _ in found}
    assert removed.books.dropped["contaminated"] == len(gone) == removed.summary["contaminated_documents"]
    assert set(removed.summary) == set(all_facts())
    left = {row["doc_id"] for role in SPLITS for row in rows(tmp_path / "remove", role)}
    assert not gone & left
    assert all(row["survivor"] in left for row in rows(tmp_path / "remove", "decisions") if row["score"])
    assert reported.fingerprint != removed.fingerprint != plain.fingerprint
    lines = "\n".join(report_lines(removed))
    assert "hold evaluation items (removed)" in lines
    assert f"train {removed.summary['train_documents']:,} documents in 1 shard of " in lines
    assert "18 bands of 6 values, expected recall at 0.8: 0.996" in lines
    assert "would be lost by The Pile's rule" in lines


def test_removal_needs_a_set_and_the_command_line_takes_several(records: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--evaluation FILE"):
        assemble(AssembleConfig(contaminated="remove"), records=str(records), output=str(tmp_path / "c"))
    with pytest.raises(UsageError, match="no such evaluation file"):
        assemble(AssembleConfig(evaluation=("no.jsonl",)), records=str(records), output=str(tmp_path / "c"))
    shown = CliRunner().invoke(app, ["assemble", "--help"]).output
    assert "--evaluation" in shown
    assert "--contaminated" in shown
