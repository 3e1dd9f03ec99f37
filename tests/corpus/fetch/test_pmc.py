"""`fetch pmc` against moto's S3 server: what is selected, how it is stored, and what a second run does."""

import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corpus.errors import DataError, UsageError
from corpus.fetch.config import FetchPmcConfig
from corpus.fetch.http.pace import Pace
from corpus.fetch.pmc import stage
from corpus.fetch.pmc.stage import fetch_pmc
from corpus.ncbi.archives.article_store import IndexRow, read_rows
from corpus.stage.manifest import verify_parts
from corpus.storage import parquet
from tests.support.fault_proxy import FaultProxy
from tests.support.fetch_servers import Bucket, s3_server
from tests.support.small_fetch import article, events, filled, hashes, index, run

NUM = 60


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with filled(NUM) as bucket:
        yield bucket


@pytest.fixture(scope="module")
def rows(server: Bucket, tmp_path_factory: pytest.TempPathFactory) -> list[IndexRow]:
    """The index of all articles."""
    folder = tmp_path_factory.mktemp("all")
    run(server.base, folder)
    return index(folder)


@pytest.fixture
def changing() -> Iterator[Bucket]:
    """A server of one test's own."""
    with filled(30) as bucket:
        yield bucket


def test_the_store_holds_the_newest_version_of_each_article(server: Bucket, tmp_path: Path) -> None:
    manifest = run(server.base, tmp_path)
    assert not list(verify_parts(str(tmp_path), manifest))
    assert (manifest.books.read, manifest.books.kept) == (80, NUM)
    assert manifest.books.dropped == {"older_version": 20}
    rows = index(tmp_path)
    assert [row.pmcid for row in rows] == [1000 + 7 * number for number in range(NUM)]
    assert all(row.version == (10 if place % 6 == 0 else 1) for place, row in enumerate(rows)), ".10 is above .2"
    for row in rows:
        [(_, metadata, xml)] = read_rows(str(tmp_path / "shards" / row.shard), [row])
        assert xml == server.get(f"{row.doc_id}/{row.doc_id}.xml")
        assert metadata == server.get(f"metadata/{row.doc_id}.json")
    assert (rows[2].license, rows[1].license, rows[3].license) == ("TDM", "CC-BY-NC", "CC0-1.0")
    assert (rows[2].is_manuscript, rows[5].is_ocr, rows[1].year, rows[1].pmid) == (True, True, 1991, 500_001)


def test_shards_are_read_by_tar_and_gzip_alone(server: Bucket, tmp_path: Path) -> None:
    run(server.base, tmp_path / "store")
    shards = sorted((tmp_path / "store" / "shards").iterdir())
    assert len(shards) == 4
    for shard in shards:
        subprocess.run(["gzip", "-t", str(shard)], check=True)
        subprocess.run(["tar", "xzf", str(shard), "-C", str(tmp_path)], check=True)
    names = []
    for shard in shards:
        with tarfile.open(shard) as archive:
            names += archive.getnames()
    assert len(names) == 2 * NUM
    for name in names:
        key = f"metadata/{Path(name).name}" if name.endswith(".json") else name
        assert (tmp_path / name).read_bytes() == server.get(key)


def test_another_order_of_arrival_and_a_second_run_give_the_same_bytes(server: Bucket, tmp_path: Path) -> None:
    run(server.base, tmp_path / "one")
    config = FetchPmcConfig(source=server.base, articles_per_shard=16, metadata_per_part=25)
    fetch_pmc(config, output=str(tmp_path / "two"), pace=Pace(connections=3, grace=5))
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    before = hashes(tmp_path / "one")
    with FaultProxy(server.base) as proxy:
        run(proxy.base, tmp_path / "one")
        assert not proxy.asked("/PMC"), "up to date: no article and no metadata is asked for"
    assert hashes(tmp_path / "one") == before


@pytest.mark.parametrize(
    ("settings", "keeps"),
    [
        ({"license": "commercial"}, lambda row: row.license in ("CC-BY", "CC0-1.0")),
        ({"license": "open"}, lambda row: row.license != "TDM"),
        ({"article_types": ("manuscript",)}, lambda row: row.is_manuscript and not row.is_ocr),
        ({"article_types": ("published", "ocr")}, lambda row: row.is_ocr or not row.is_manuscript),
        ({"years": "1995-1999"}, lambda row: 1995 <= row.year <= 1999),
    ],
)
def test_filters_apply_before_any_xml_is_fetched(
    server: Bucket, rows: list[IndexRow], tmp_path: Path, settings: dict[str, object], keeps: Callable[..., bool]
) -> None:
    expected = [row.doc_id for row in rows if keeps(row)]
    with FaultProxy(server.base) as proxy:
        manifest = run(proxy.base, tmp_path / "some", **settings)
        asked = {Path(path).stem for path in proxy.asked(".xml")}
    assert 0 < len(expected) < NUM
    assert [row.doc_id for row in index(tmp_path / "some")] == expected
    assert asked == set(expected)
    assert manifest.books.read == manifest.books.kept + sum(manifest.books.dropped.values())


def test_ids_limit_and_shards_select(server: Bucket, tmp_path: Path) -> None:
    chosen = run(server.base, tmp_path / "ids", ids=("1000.2", "1007", "999999"))
    assert [row.doc_id for row in index(tmp_path / "ids")] == ["PMC1000.2", "PMC1007.1"]
    assert chosen.summary["ids_not_found"] == 1
    assert [event["id"] for event in events(tmp_path / "ids", "not_found")] == ["PMC999999"]
    limited = run(server.base, tmp_path / "limit", limit=9, license="commercial")
    assert limited.books.kept == 9
    every = {row.doc_id for part in (1, 2, 3) for row in _shard(server, tmp_path / f"part{part}", part)}
    assert len(every) == NUM
    assert sum(len(index(tmp_path / f"part{part}")) for part in (1, 2, 3)) == NUM


def _shard(server: Bucket, folder: Path, part: int) -> list[IndexRow]:
    run(server.base, folder, shard=f"{part}/3")
    return index(folder)


def test_a_limit_asks_for_little_metadata(server: Bucket, tmp_path: Path) -> None:
    with FaultProxy(server.base) as proxy:
        run(proxy.base, tmp_path, limit=1)
        assert len(proxy.asked(".xml")) == 1


def test_other_settings_in_the_same_directory_are_refused(server: Bucket, tmp_path: Path) -> None:
    run(server.base, tmp_path)
    with pytest.raises(UsageError, match="license: any there, open asked for"):
        run(server.base, tmp_path, license="open")


def test_a_store_of_another_revision_is_refused_and_unfinished_work_of_it_removed(
    server: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(stage, "first_of", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            run(server.base, tmp_path / "stopped")
    run(server.base, tmp_path / "whole")
    monkeypatch.setattr(stage, "REVISION", 99)
    with pytest.raises(UsageError, match=r"code: revision \d+ there, now 99"):
        run(server.base, tmp_path / "whole")
    with FaultProxy(server.base) as proxy:
        assert run(proxy.base, tmp_path / "stopped").revision == 99
        assert len(proxy.asked("/metadata/PMC")) == NUM, "no metadata that the other revision wrote is taken over"
    assert "unfinished work of another revision of the code is removed" in capsys.readouterr().err


def test_a_second_run_fetches_what_changed_and_marks_what_vanished(changing: Bucket, tmp_path: Path) -> None:
    run(changing.base, tmp_path)
    old = {row.doc_id: row for row in index(tmp_path)}
    changing.put_article(1007, article(1007, mark=" corrected"), license_code="CC BY")
    changing.put_article(1014, article(1014), is_retracted=True, license_code="TDM")
    changing.put_article(1021, article(1021, mark=" second"), version=2)
    changing.put_article(1001, article(1001))
    for key in ("metadata/PMC1028.1.json", "PMC1028.1/PMC1028.1.xml"):
        changing.remove(key)
    changing.publish("2026-11-24T01-00Z")
    with FaultProxy(changing.base) as proxy:
        manifest = run(proxy.base, tmp_path)
        fetched = sorted({Path(path).name for path in proxy.asked("/PMC")})
    names = ("PMC1001.1", "PMC1007.1", "PMC1014.1", "PMC1021.2")
    assert fetched == sorted(f"{name}.{kind}" for name in names for kind in ("json", "xml"))
    rows = {row.doc_id: row for row in index(tmp_path)}
    assert rows["PMC1014.1"].is_retracted
    assert "PMC1021.1" not in rows
    assert rows["PMC1028.1"].vanished == "2026-11-24T01-00Z"
    assert [name for name, row in rows.items() if row.vanished] == ["PMC1028.1"]
    assert manifest.summary["vanished"] == manifest.summary["retracted"] == 1
    assert manifest.books.kept == 30
    assert rows["PMC1196.1"].shard == old["PMC1196.1"].shard, "a shard without a change stays"
    for row in rows.values():
        list(read_rows(str(tmp_path / "shards" / row.shard), [row]))
    assert not list(verify_parts(str(tmp_path), manifest))
    named = {part.path for part in manifest.parts}
    assert set(hashes(tmp_path)) == {*named, "manifest.json"}, "no file of the old store is left over"


def test_what_came_back_is_no_longer_marked(changing: Bucket, tmp_path: Path) -> None:
    run(changing.base, tmp_path)
    first = index(tmp_path)
    metadata = changing.get("metadata/PMC1028.1.json")
    changing.remove("metadata/PMC1028.1.json")
    changing.publish("2026-11-24T01-00Z")
    run(changing.base, tmp_path)
    assert sum(bool(row.vanished) for row in index(tmp_path)) == 1
    changing.put("metadata/PMC1028.1.json", metadata)
    changing.publish("2026-11-25T01-00Z")
    with FaultProxy(changing.base) as proxy:
        run(proxy.base, tmp_path)
        assert not proxy.asked(".xml")
    assert index(tmp_path) == first


def test_metadata_is_kept_as_it_came(server: Bucket, tmp_path: Path) -> None:
    manifest = run(server.base, tmp_path, license="commercial")
    tables = [parquet.read_table(path) for path in manifest.paths(str(tmp_path), "metadata")]
    found = {row["pmcid"]: row for table in tables for row in table.to_pylist()}
    assert len(found) == NUM, "of the articles that a filter took away too"
    assert found[1007]["json"] == server.get("metadata/PMC1007.1.json")


def test_an_article_that_is_listed_and_not_there_is_named(changing: Bucket, tmp_path: Path) -> None:
    changing.remove("PMC1007.1/PMC1007.1.xml")
    with pytest.raises(DataError, match="gone 1"):
        run(changing.base, tmp_path)
    manifest = run(changing.base, tmp_path, max_missing_rate=0.1)
    assert manifest.books.dropped["gone"] == 1
    assert [event["url"] for event in events(tmp_path, "dropped")] == [f"{changing.base}/PMC1007.1/PMC1007.1.xml"]


@pytest.mark.parametrize("wanted", ["2026-11-23", "2026-11-24T01-00Z"])
def test_an_inventory_is_chosen_by_date_and_archived(changing: Bucket, tmp_path: Path, wanted: str) -> None:
    changing.put_article(5000, article(5000))
    changing.publish("2026-11-24T01-00Z")
    manifest = run(changing.base, tmp_path, inventory=wanted)
    assert manifest.books.kept == (30 if wanted == "2026-11-23" else 31)
    archived = sorted(os.listdir(tmp_path / "inventory"))
    assert len(archived) == 1
    assert archived[0].startswith(wanted)
    with pytest.raises(UsageError, match="there are 2026-11-23T01-00Z to 2026-11-24T01-00Z"):
        run(changing.base, tmp_path / "other", inventory="2026-01-01")


def test_the_terms_of_the_host_are_said_once(
    server: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(server.base, tmp_path, ids=("1000",))
    assert capsys.readouterr().err.count(f"{server.base}: each article is under its own licence") == 1
    run(server.base, tmp_path, ids=("1000",))
    assert "licence" not in capsys.readouterr().err


def test_the_newest_version_that_the_licence_allows(tmp_path: Path) -> None:
    """Allowed; refused alone; refused twice above an allowed one; refused above one that is listed and not there."""
    versions = {10: ["CC BY"], 20: ["TDM"], 30: ["CC BY", "CC BY-NC", "TDM"], 40: ["CC0", "CC BY", "TDM"]}
    with s3_server() as bucket:
        for pmcid, licenses in versions.items():
            for version, code in enumerate(licenses, start=1):
                text = article(pmcid, mark=f" v{version}")
                bucket.put_article(pmcid, text, version=version, license_code=code)
        bucket.publish()
        bucket.remove("metadata/PMC40.2.json")
        settings = {"license": "commercial", "max_missing_rate": 0.5}
        newest = run(bucket.base, tmp_path / "newest", **settings)
        assert [row.doc_id for row in index(tmp_path / "newest")] == ["PMC10.1"]
        assert "article_version" not in newest.config, "stores of before are the same ones"
        allowed = run(bucket.base, tmp_path / "allowed", article_version="newest-allowed", **settings)
        rows = index(tmp_path / "allowed")
        assert [row.doc_id for row in rows] == ["PMC10.1", "PMC30.1"]
        for row in rows:
            [(_, metadata, xml)] = read_rows(str(tmp_path / "allowed" / "shards" / row.shard), [row])
            assert xml == bucket.get(f"{row.doc_id}/{row.doc_id}.xml")
            assert metadata == bucket.get(f"metadata/{row.doc_id}.json")
        assert not list(verify_parts(str(tmp_path / "allowed"), allowed))
        assert allowed.books.dropped == {"license": 3, "older_version": 3}
        assert allowed.books.read == 8
        before = hashes(tmp_path / "allowed")
        run(bucket.base, tmp_path / "allowed", article_version="newest-allowed", **settings)
        assert hashes(tmp_path / "allowed") == before
        bucket.put_article(20, article(20), version=2, license_code="CC BY")
        bucket.publish("2026-11-24T01-00Z")
        run(bucket.base, tmp_path / "allowed", article_version="newest-allowed", **settings)
        assert [row.doc_id for row in index(tmp_path / "allowed")] == ["PMC10.1", "PMC20.2", "PMC30.1", "PMC40.1"]
        run(bucket.base, tmp_path / "ids", article_version="newest-allowed", ids=("30", "40.3"), **settings)
        assert [row.doc_id for row in index(tmp_path / "ids")] == ["PMC30.1"], "40.3 asks for that one alone"
