"""What `extract` makes of a fetched store, and stores on object stores."""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from msgspec.structs import replace

from corpus import storage
from corpus.errors import CorruptError, UsageError
from corpus.extract.config import ExtractConfig
from corpus.extract.inputs import StorePiece, find_inputs
from corpus.extract.task import extract_task
from corpus.fetch import pubmed
from corpus.fetch.config import FetchPmcConfig, FetchPubmedConfig
from corpus.fetch.pmc.stage import fetch_pmc
from corpus.fetch.pubmed import fetch_pubmed
from corpus.ncbi.archives.article_store import pack_member, read_index, unpack_member
from corpus.records import Record
from corpus.stage.manifest import read_manifest, verify_parts
from corpus.stage.workspace import plan_stage
from corpus.storage import parquet
from corpus.storage.schema import from_batch
from corpus.synthetic.sample.write import write_sample
from tests.corpus.fetch.test_pubmed import FILES
from tests.corpus.fetch.test_pubmed import run as mirror
from tests.support.extracted import read_articles
from tests.support.fetch_servers import Bucket, ncbi_server, s3_server
from tests.support.small_fetch import PACE, hashes, index, run


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of the sample's articles, laid out as the bucket."""
    return Path(write_sample(str(tmp_path_factory.mktemp("raw")), seed=5, scale=0.1).pmc_tree)


@pytest.fixture(scope="module")
def server(tree: Path) -> Iterator[Bucket]:
    with s3_server() as bucket:
        bucket.put_tree(tree)
        yield bucket


@pytest.fixture(scope="module")
def store(server: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    run(server.base, folder)
    return folder


def records(*paths: Path | str, articles_per_part: int = 10) -> dict[str, Record]:
    tasks = find_inputs(pubmed=(), pmc=[str(path) for path in paths], articles_per_part=articles_per_part)
    found = [item for task in tasks for item in read_articles(task)]
    assert all(isinstance(item, Record) for item in found)
    return {item.doc_id: item for item in found if isinstance(item, Record)}


def without_place(record: Record) -> Record:
    return replace(record, file="", offset=0, position=0)


def test_records_of_a_store_are_those_of_the_tree(tree: Path, store: Path) -> None:
    of_tree, of_store = records(tree), records(store)
    newest = {name: record for name, record in of_tree.items() if name in of_store}
    assert len(newest) > 20
    assert {name: without_place(one) for name, one in of_store.items()} == {
        name: without_place(one) for name, one in newest.items()
    }
    assert any(record.retracted for record in of_store.values())
    assert any(record.license for record in of_store.values())
    articles = {name.partition(".")[0] for name in of_store}
    assert {name.partition(".")[0] for name in of_tree} == articles, "only older versions are not in the store"


def test_an_element_is_a_piece_of_a_shard(store: Path) -> None:
    tasks = find_inputs(pubmed=(), pmc=(str(store),), articles_per_part=10)
    rows = index(store)
    sizes = [task.last - task.first for task in tasks if isinstance(task, StorePiece)]
    assert len(sizes) == len(tasks)
    assert sum(sizes) == len(rows)
    assert max(sizes) == 10
    assert len({task.name for task in tasks}) == len(tasks) > len(list((store / "shards").iterdir()))


def test_a_shard_alone_is_a_tar_that_extract_reads(store: Path) -> None:
    shards = sorted((store / "shards").iterdir())
    of_tars = records(*shards)
    assert {name: without_place(one) for name, one in of_tars.items()} == {
        name: without_place(one) for name, one in records(store).items()
    }


def test_extract_writes_a_piece_once_and_skips_what_vanished(server: Bucket, tmp_path: Path) -> None:
    run(server.base, tmp_path / "store")
    rows = index(tmp_path / "store")
    name = rows[3].doc_id
    kept = {key: server.get(key) for key in (f"metadata/{name}.json",)}
    server.remove(f"metadata/{name}.json")
    try:
        server.publish("2026-11-25T01-00Z")
        run(server.base, tmp_path / "store")
    finally:
        for key, content in kept.items():
            server.put(key, content)
        server.publish("2026-11-26T01-00Z")
    config = ExtractConfig(pmc=(str(tmp_path / "store"),))
    tasks = find_inputs(pubmed=(), pmc=config.pmc, articles_per_part=8)
    workspace, _ = plan_stage(
        str(tmp_path / "records"), stage="extract", revision=1, config=config.identity(), inputs=[]
    )
    receipts = [extract_task(task, workspace, config) for task in tasks]
    written = {row.doc_id for path in _parts(workspace.output, receipts) for row in from_batch(_read(path), Record)}
    assert f"pmc:{name}" not in written
    assert len([one for one in written if "#" not in one]) == len(rows) - 1


def _parts(base: str, receipts: list[object]) -> list[str]:
    return [storage.join(base, part.path) for receipt in receipts for part in receipt.parts]  # type: ignore[attr-defined]


def _read(path: str) -> object:
    return parquet.read_table(path)


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_a_damaged_shard_is_refused_with_its_place(store: Path, tmp_path: Path, at: float) -> None:
    rows = index(store)
    shard = store / "shards" / rows[0].shard
    raw = bytearray(shard.read_bytes())
    middle = rows[0].offset + int(rows[0].length * at)
    raw[middle] ^= 1
    broken = tmp_path / shard.name
    broken.write_bytes(raw)
    [path] = [path for path in read_manifest(str(store)).paths(str(store), "index") if read_index(path)[0] == rows[0]]
    task = StorePiece(name="x", paths=(str(broken),), bytes=1, fingerprint="", index=path, first=0, last=1)
    with pytest.raises(CorruptError, match=f"{rows[0].doc_id} at byte 0"):
        list(read_articles(task))


def test_an_unfinished_store_is_no_input(tmp_path: Path) -> None:
    (tmp_path / "_work").mkdir()
    (tmp_path / "_work" / "fetching").write_text("")
    with pytest.raises(UsageError, match="an unfinished `corpuscle fetch`"):
        find_inputs(pubmed=(), pmc=(str(tmp_path),), articles_per_part=10)


def test_a_member_holds_one_article_and_knows_its_name() -> None:
    member = pack_member("PMC1.1", b"{}", b"<article/>")
    assert member == pack_member("PMC1.1", b"{}", b"<article/>")
    assert unpack_member(member, "PMC1.1") == (b"{}", b"<article/>")
    for spoiled, name in ((member, "PMC1.2"), (member[:-1], "PMC1.1"), (member + member, "PMC1.1"), (b"", "PMC1.1")):
        with pytest.raises(ValueError, match=r"member|tar"):
            unpack_member(spoiled, name)


@pytest.fixture
def memory() -> Iterator[str]:
    yield "memory://fetched/store"
    fsspec.filesystem("memory").rm("/fetched", recursive=True)


def test_a_store_in_an_object_store_is_the_same(
    server: Bucket, memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(server.base, tmp_path / "local")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    config = FetchPmcConfig(
        source=server.base, articles_per_shard=16, metadata_per_part=25, spool=str(tmp_path / "spool")
    )
    manifest = fetch_pmc(config, output=memory, pace=PACE)
    assert manifest == read_manifest(str(tmp_path / "local")) == read_manifest(memory)
    assert not list(verify_parts(memory, manifest))
    assert records(memory) == records(tmp_path / "local")
    assert not (tmp_path / "spool").exists(), "nothing of a remote output stays"
    assert storage.exists(storage.join(memory, "fetch.jsonl"))
    assert fetch_pmc(config, output=memory, pace=PACE) == manifest


def test_a_mirror_in_an_object_store_is_the_same(memory: str, tmp_path: Path) -> None:
    with ncbi_server(FILES) as base:
        config = FetchPubmedConfig(source=base, spool=str(tmp_path / "spool"))
        manifest = fetch_pubmed(config, output=memory, pace=PACE)
    assert not list(verify_parts(memory, manifest))
    assert [os.path.basename(task.paths[0]) for task in find_inputs(pubmed=(memory,), pmc=(), articles_per_part=1)]
    assert not [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]


def test_nothing_but_the_shards_is_needed_to_read_them(store: Path) -> None:
    names = []
    for shard in sorted((store / "shards").iterdir()):
        with tarfile.open(shard) as archive:
            names += [member.name for member in archive]
    assert len(names) == 2 * len(index(store))
    assert set(hashes(store)) > {f"shards/{row.shard}" for row in index(store)}


def test_a_mirror_of_another_revision_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ncbi_server(FILES) as base:
        mirror(base, tmp_path)
        monkeypatch.setattr(pubmed, "REVISION", 99)
        with pytest.raises(UsageError, match=r"code: revision \d+ there, now 99"):
            mirror(base, tmp_path)
