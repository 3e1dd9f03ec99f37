"""From paths to tasks: each file once, names and fingerprints that depend on contents alone."""

import hashlib
import os
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from corpus.assemble.updates import file_rank
from corpus.errors import UsageError
from corpus.extract.inputs import find_inputs, metadata_path
from corpus.stage.manifest import Books, Manifest, Part, write_manifest
from corpus.storage import sha256_file


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a folder with PubMed files, a tar, an unpacked bucket and things to be left alone."""
    files = {
        "pubmed/baseline/pubmed26n0001.xml.gz": "aaaa",
        "pubmed/baseline/pubmed26n0001.xml.gz.md5": "x",
        "pubmed/baseline/pubmed26n0002.xml": "bb",
        "pubmed/baseline/pubmed26n0002_stats.html": "x",
        "pubmed/baseline/.hidden.xml": "x",
        "pubmed/baseline/.snapshot/pubmed26n0009.xml": "x",
        "tars/oa_comm.tar.gz": "cccccc",
        "bucket/PMC1.1/PMC1.1.xml": "1",
        "bucket/PMC1.1/PMC1.1.pdf": "x",
        "bucket/PMC2.1/PMC2.1.xml": "22",
        "bucket/metadata/PMC1.1.json": "{}",
        "bucket/inventory-reports/data/inventory.csv.gz": "x",
        "old/PMC3/main.nxml": "3",
        "old/PMC4/main.nxml": "4",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def summary(tree: Path, pubmed: list[str], pmc: list[str], articles_per_part: int = 500) -> list[tuple[str, str, int]]:
    tasks = find_inputs(
        pubmed=[str(tree / path) for path in pubmed],
        pmc=[str(tree / path) for path in pmc],
        articles_per_part=articles_per_part,
    )
    return [(task.name, type(task).__name__, len(task.paths)) for task in tasks]


def test_directories_are_searched_and_other_files_left_alone(tree: Path) -> None:
    assert summary(tree, ["pubmed"], ["tars", "bucket", "old"]) == [
        ("oa_comm", "JatsTar", 1),
        ("articles-00000", "JatsFiles", 4),
        ("pubmed26n0001", "PubmedFile", 1),
        ("pubmed26n0002", "PubmedFile", 1),
    ]


@pytest.mark.parametrize(
    "pubmed",
    [
        ["pubmed/*/*.gz"],
        ["pubmed/**/*n0001.xml.gz"],
        ["pubmed/baseline/pubmed26n0001.xml.gz"],
        ["pubmed/base*/*1.xml*"],
    ],
)
def test_globs_and_files(tree: Path, pubmed: list[str]) -> None:
    assert summary(tree, pubmed, []) == [("pubmed26n0001", "PubmedFile", 1)]


def test_a_file_reached_twice_counts_once(tree: Path) -> None:
    os.symlink(tree / "pubmed", tree / "link")
    paths = ["pubmed", "pubmed/baseline", "pubmed/baseline/*", "link/baseline/pubmed26n0002.xml"]
    assert len(summary(tree, paths, ["bucket", "bucket/PMC1.1", "bucket/*/*.xml"])) == 3


def test_loose_articles_are_cut_into_chunks_in_sorted_order(tree: Path) -> None:
    tasks = find_inputs(pubmed=[], pmc=[str(tree / "bucket"), str(tree / "old")], articles_per_part=3)
    chunks = {task.name: [Path(path).parent.name for path in task.paths] for task in tasks}
    assert chunks == {"articles-00000": ["PMC1.1", "PMC2.1", "PMC3"], "articles-00001": ["PMC4"]}


def test_tasks_depend_on_contents_and_not_on_place_or_order(
    tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def tasks(base: Path, seed: int) -> list[tuple[str, int, str]]:
        pubmed, pmc = [str(base / "pubmed")], [str(base / name) for name in ("tars", "bucket", "old")]
        pubmed += [str(path) for path in (base / "pubmed").rglob("*.xml*")]
        random.Random(seed).shuffle(pmc)
        random.Random(seed).shuffle(pubmed)
        found = find_inputs(pubmed=pubmed, pmc=pmc, articles_per_part=2)
        return [(task.name, task.bytes, task.fingerprint) for task in found]

    moved = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(tree, moved)
    expected = tasks(tree, 0)
    assert all(tasks(base, seed) == expected for base in (tree, moved) for seed in range(3))
    (moved / "bucket/metadata/PMC1.1.json").write_text('{"pmcid": "PMC1"}')
    changed = [new[0] for new, old in zip(tasks(moved, 0), expected, strict=True) if new != old]
    assert changed == ["articles-00000"]


def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that the names of files go to when they are hashed."""
    names: list[str] = []

    def counted(path: str) -> str:
        names.append(Path(path).name)
        return sha256_file(path)

    monkeypatch.setattr("corpus.storage.sha256_file", counted)
    return names


def test_hashes_that_a_mirror_states_are_not_computed_again(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["baseline/pubmed26n0001.xml.gz", "baseline/pubmed26n0002.xml"]
    plain = find_inputs(pubmed=[str(tree / "pubmed" / name) for name in names], pmc=[], articles_per_part=2)
    parts = [(name, (tree / "pubmed" / name).read_bytes()) for name in names]
    manifest = Manifest(
        stage="fetch-pubmed",
        revision=1,
        fingerprint="",
        config={},
        inputs=(),
        parts=tuple(
            Part(path=name, role="baseline", rows=0, bytes=len(raw), sha256=hashlib.sha256(raw).hexdigest())
            for name, raw in parts
        ),
        books=Books(),
        summary={},
    )
    write_manifest(str(tree / "pubmed"), manifest)
    plain = [replace(task, files=tuple(replace(file, stated=True) for file in task.files)) for task in plain]
    read = hashed(monkeypatch)
    assert find_inputs(pubmed=[str(tree / "pubmed")], pmc=[], articles_per_part=2) == plain
    assert read == []
    (tree / "pubmed" / names[1]).write_text("another size")
    first, second = sorted(plain, key=lambda task: task.name)
    found = find_inputs(pubmed=[str(tree / "pubmed")], pmc=[str(tree / "bucket")], articles_per_part=2)
    now = {task.name: task for task in found}
    assert now[first.name] == first
    assert now[second.name].fingerprint != second.fingerprint
    assert sorted(read) == ["PMC1.1.json", "PMC1.1.xml", "PMC2.1.xml", "pubmed26n0002.xml"]


def test_all_paths_without_input_are_named_at_once(tree: Path) -> None:
    with pytest.raises(UsageError) as failure:
        summary(tree, ["nowhere", "pubmed/*.bz2"], ["tars/none.tar", "pubmed/baseline/*.md5"])
    assert all(name in str(failure.value) for name in ("nowhere", "*.bz2", "none.tar", "*.md5"))


def test_a_named_file_that_is_no_input_alone_is_an_error(tree: Path) -> None:
    with pytest.raises(UsageError, match=r"stats\.html"):
        summary(tree, ["pubmed/baseline/pubmed26n0002_stats.html"], [])


def test_two_different_files_of_one_name_are_an_error(tree: Path) -> None:
    for name in ("other/pubmed26n0001.xml.gz", "bucket2/PMC1.1/PMC1.1.xml"):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).write_text("else")
    with pytest.raises(UsageError, match="pubmed26n0001"):
        summary(tree, ["pubmed", "other"], [])
    with pytest.raises(UsageError, match=r"PMC1\.1\.xml"):
        summary(tree, [], ["bucket", "bucket2"])


def test_metadata_lies_beside_the_article_or_in_the_buckets_folder(tree: Path) -> None:
    article = tree / "bucket/PMC1.1/PMC1.1.xml"
    assert metadata_path(str(article)) == str(tree / "bucket/metadata/PMC1.1.json")
    article.with_suffix(".json").write_text("{}")
    assert metadata_path(str(article)) == str(article.with_suffix(".json"))
    assert metadata_path(str(tree / "bucket/PMC2.1/PMC2.1.xml")) is None


def test_file_rank_follows_year_and_number() -> None:
    names = [
        "pubmed26n1335.xml.gz",
        "pubmed25n1400.xml.gz",
        "other.xml",
        "pubmedsample19n0001.xml.gz",
        "pubmed26n0002.xml",
    ]
    assert sorted(names, key=file_rank) == [names[2], names[3], names[1], names[4], names[0]]
    assert file_rank("x/pubmed26n0001.xml.gz") == (2026, 1, "x/pubmed26n0001.xml.gz")
