"""A published corpus: every text once, by its licence; papers whose numbers are the manifests'."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import CorruptError, UsageError
from corpus.licenses import allows
from corpus.publish.card import size_category
from corpus.publish.config import CLASSES, PERSON, SUBSETS, class_of
from corpus.publish.stage import publish
from corpus.stage.manifest import SPLITS, read_manifest, verify_parts
from corpus.storage import parquet
from pipelines.cli.app import main
from pipelines.inspection.verification import verify_directory
from tests.support.published import SETTINGS, Published, publish_sample
from tokenizer.config import PackConfig, TokenizerConfig
from tokenizer.learn import learn

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Published:
    return publish_sample(tmp_path_factory.mktemp("published"))


def rows_of(base: Path, paths: list[str]) -> list[dict[str, object]]:
    return [row for path in paths for row in parquet.read_table(str(base / path)).to_pylist()]


def test_every_text_is_there_once_and_in_its_class(made: Published) -> None:
    for split in SPLITS:
        own = [part.path for part in made.manifest.parts if part.role == split]
        theirs = [part.path for part in made.assembled.parts if part.role == split]
        published = rows_of(made.folder, own)
        assert sorted(map(str, published)) == sorted(map(str, rows_of(made.corpus, theirs)))
        for path in own:
            name = Path(path).name.partition("-")[0]
            assert {class_of(str(row["license"])) for row in rows_of(made.folder, [path])} == {name}
    books = made.manifest.books
    assert (books.read, books.kept) == (made.assembled.books.kept,) * 2
    assert verify_directory(str(made.folder)).num_wrong == 0


def test_the_card_names_files_and_rows_as_the_hub_reads_them(made: Published) -> None:
    _, front, body = (made.folder / "README.md").read_text().split("---\n", 2)
    header = yaml.safe_load(front)
    assert [one["config_name"] for one in header["configs"]] == ["all", "open", "commercial"]
    for config, info in zip(header["configs"], header["dataset_info"], strict=True):
        named = {one["split"]: one["path"] for one in config["data_files"]}
        stated = {one["name"]: one["num_examples"] for one in info["splits"]}
        assert stated == {split: len(rows_of(made.folder, paths)) for split, paths in named.items()}
        assert info["download_size"] == sum(
            (made.folder / path).stat().st_size for paths in named.values() for path in paths
        )
    features = [one["name"] for one in header["dataset_info"][0]["features"]]
    assert features == parquet.read_table(str(made.folder / named["train"][0])).column_names
    for reason, count in made.assembled.books.dropped.items():
        assert f"| assemble | dropped: {reason} | {count:,} |" in body
    assert "Courtesy of the U.S. National Library of Medicine" in body


def test_licence_tables_are_what_duckdb_counts(made: Published, tmp_path: Path) -> None:
    shards = f"{made.corpus}/{{split}}/*.parquet"
    for split, table in made.assembled.summary["licenses"].items():
        query = f"""select source, if(license = '', 'none stated', license), count(*), sum(strlen(text))
            from '{shards.format(split=split)}' group by all"""
        wanted = {(row[0], row[1]): row[2:] for row in duckdb.sql(query).fetchall()}
        found = {(s, n): (c["documents"], c["text_bytes"]) for s, names in table.items() for n, c in names.items()}
        assert found == wanted
    from pipelines.pack import pack

    learn(TokenizerConfig(vocab_size=400, source="all"), corpus=str(made.corpus), output=str(tmp_path / "words"))
    packed = pack(
        PackConfig(seq_length=64),
        corpus=str(made.corpus),
        tokenizer=str(tmp_path / "words"),
        output=str(tmp_path / "out"),
    )
    assert packed is not None
    for split, account in packed.summary["splits"].items():
        tokens = Counter[str]()
        for source, names in account["licenses"].items():
            assert names.keys() == made.assembled.summary["licenses"][split][source].keys()
            tokens[source] += sum(counts["tokens"] for counts in names.values())
        assert tokens == account["tokens_by_source"]


def test_attribution_names_every_text(made: Published) -> None:
    table = parquet.read_table(str(made.folder / "attribution.parquet"))
    texts = rows_of(made.folder, [part.path for part in made.manifest.parts if part.role in SPLITS])
    assert sorted(table.column("doc_id").to_pylist()) == sorted(str(row["doc_id"]) for row in texts)
    licenses = {row["doc_id"]: row["license"] for row in texts}
    for row in table.to_pylist():
        assert row["license"] == licenses[row["doc_id"]]
        if row["license"].startswith("CC-BY"):
            assert row["title"]
            assert row["url"].startswith("https://")
            assert row["license_stated"] in ("link", "text", "metadata")
    assert made.manifest.summary["without_authors"] == sum(not names for names in table.column("authors").to_pylist())


def test_sums_are_those_of_the_files(made: Published) -> None:
    lines = (made.folder / "SHA256SUMS").read_text().splitlines()
    for line in lines:
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((made.folder / name).read_bytes()).hexdigest() == digest
    files = {str(path.relative_to(made.folder)) for path in made.folder.rglob("*") if path.is_file()}
    assert {line.partition("  ")[2] for line in lines} == files - {
        "SHA256SUMS",
        "manifest.json",
        "run.json",
        ".lock",
        "events.jsonl",
    }


def test_papers_hold_the_manifests_numbers_and_mark_what_a_person_knows(made: Published) -> None:
    content = json.loads((made.folder / "training_content.json").read_text())
    assert content["1_general_information"]["1.3_training_data"]["size"]["texts"] == made.manifest.books.kept
    assert content["3_data_processing"]["3.3_other"]["dropped_by_reason"] == dict(made.assembled.books.dropped)
    for name in ("DATASHEET.md", "TRAINING_CONTENT.md"):
        text = (made.folder / name).read_text()
        assert PERSON in text
        sections = [part.strip() for part in text.split("\n#")[1:]]
        assert all(section.partition("\n")[2].strip() for section in sections if not section.startswith("# "))
        assert str(made.folder) not in text


def test_croissant_lists_every_file_with_its_hash(made: Published) -> None:
    found = json.loads((made.folder / "croissant.json").read_text())
    assert found["conformsTo"][0].endswith("/1.1")
    stated = {one["@id"]: one["sha256"] for one in found["distribution"] if one["@type"] == "cr:FileObject"}
    assert stated == {part.path: part.sha256 for part in made.manifest.parts if part.role in SPLITS}
    assert found["prov:wasGeneratedBy"][1]["prov:value"] == made.assembled.fingerprint
    assert found["datePublished"] == "2026-11-30"


def test_the_same_again_is_up_to_date_and_the_same_bytes_elsewhere(made: Published, tmp_path: Path) -> None:
    assert publish(SETTINGS, source=str(made.corpus), output=str(made.folder)) == made.manifest
    moved = tmp_path / "elsewhere" / "corpus"
    shutil.copytree(made.corpus, moved)
    config = SETTINGS.model_copy(update={"records": str(made.records)})
    assert publish(config, source=str(moved), output=str(tmp_path / "again")) == made.manifest


def test_a_commercial_folder_holds_no_other_licence(made: Published, tmp_path: Path) -> None:
    words = [
        "publish",
        str(made.corpus),
        "-o",
        str(tmp_path / "out"),
        "--license",
        "commercial",
        "--format",
        "jsonl.zst",
    ]
    assert main(words) == 0
    manifest = read_manifest(str(tmp_path / "out"), "publish")
    texts = []
    for part in manifest.parts:
        if part.role in SPLITS:
            with pa.CompressedInputStream(pa.OSFile(str(tmp_path / "out" / part.path)), "zstd") as source:
                texts += [json.loads(line) for line in source.read().splitlines()]
    assert texts
    assert all(allows(row["license"], "commercial") for row in texts)
    wanted = rows_of(made.folder, [part.path for part in made.manifest.parts if "/commercial-" in part.path])
    assert sorted(map(str, texts)) == sorted(map(str, wanted))
    assert manifest.books.dropped == {"license": manifest.books.read - manifest.books.kept}


def test_records_that_are_not_there_are_asked_for(
    made: Published, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "a" / "b" / "corpus"
    shutil.copytree(made.corpus, alone)
    words = ["publish", str(alone), "-o", str(tmp_path / "out")]
    assert main(words) == 2
    assert "name their directory with --records" in capsys.readouterr().err
    assert main([*words, "--records", str(made.records)]) == 0
    with pytest.raises(UsageError, match="publish takes a result of"):
        publish(SETTINGS, source=str(made.records), output=str(tmp_path / "other"))


def test_a_damaged_shard_publishes_nothing(made: Published, tmp_path: Path) -> None:
    shutil.copytree(made.corpus.parent, tmp_path / "work")
    corpus = tmp_path / "work" / "corpus"
    path = corpus / next(part.path for part in made.assembled.parts if part.role == "validation")
    table = parquet.read_table(str(path))
    size = path.stat().st_size
    parquet.write_table(str(path), table.take(list(range(table.num_rows))[::-1]))
    with path.open("ab") as sink:
        sink.write(b"\0" * max(0, size - path.stat().st_size))
    with path.open("r+b") as sink:
        sink.truncate(size)
    with pytest.raises(CorruptError):
        publish(SETTINGS, source=str(corpus), output=str(tmp_path / "out"))
    assert list(verify_parts(str(made.folder), made.manifest)) == []
    assert not (tmp_path / "out" / "manifest.json").exists()


@given(st.sampled_from(["", "TDM", "CC0-1.0", "CC-BY-4.0", "CC-BY-NC-3.0", "CC-BY-ND", "LicenseRef-public-domain"]))
def test_a_subset_holds_what_its_use_allows(name: str) -> None:
    for use, classes in SUBSETS.items():
        assert (class_of(name) in classes) == allows(name, use)
    assert class_of(name) in CLASSES


def test_sizes_are_the_hubs_words() -> None:
    assert [size_category(rows) for rows in (0, 999, 1000, 10**9)] == ["n<1K", "n<1K", "1K<n<10K", "n>1B"]
