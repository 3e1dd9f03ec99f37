"""Damage to a finished fetch is found and made good, and another version of the compressor is no damage."""

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import isal
import pytest

from corpus.errors import RetryError
from corpus.ncbi.archives.article_store import pack_member, read_rows
from corpus.stage.manifest import read_manifest, verify_parts
from pipelines.inspection.verification import verify_directory
from tests.corpus.fetch.test_pubmed import mirror, put
from tests.corpus.fetch.test_pubmed import run as run_pubmed
from tests.support import fault_proxy as faults
from tests.support.fault_proxy import FaultProxy, Request
from tests.support.fetch_servers import Bucket, ncbi_server
from tests.support.small_fetch import article, events, filled, hashes, index, run

NUM = 30


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with filled(NUM) as bucket:
        yield bucket


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "a bit": _flip,
}


ROLES = ("articles", "index", "metadata", "inventory")


@pytest.mark.parametrize(
    ("role", "damage"),
    [
        pytest.param(role, damage, marks=[pytest.mark.exhaustive] if damage == "cut" else [])
        for role in ROLES
        for damage in DAMAGES
    ],
)
def test_a_damaged_store_is_made_good(server: Bucket, tmp_path: Path, role: str, damage: str) -> None:
    manifest = run(server.base, tmp_path)
    before = hashes(tmp_path)
    DAMAGES[damage](Path(manifest.paths(str(tmp_path), role)[1]))
    assert verify_directory(str(tmp_path)).num_wrong == 1
    if damage == "a bit" and role != "inventory":  # sizes alone are looked at, and of the inventory the MD5
        assert run(server.base, tmp_path) == manifest
        assert hashes(tmp_path) != before
    with FaultProxy(server.base) as proxy:
        assert run(proxy.base, tmp_path, verify=True) == manifest
        asked = len(proxy.asked(".xml"))
    assert hashes(tmp_path) == before
    assert verify_directory(str(tmp_path)).num_wrong == 0
    per_shard = 16
    lost = {"articles": 1 if damage == "a bit" else per_shard, "index": per_shard}.get(role, 0)
    assert asked <= lost, "what is intact is not fetched again"


@pytest.mark.parametrize("damage", ["missing", "a bit"])
@pytest.mark.parametrize("suffix", ["xml.gz", "xml.gz.md5"])
def test_a_damaged_mirror_is_made_good(tmp_path: Path, suffix: str, damage: str) -> None:
    with ncbi_server(mirror()) as base:
        manifest = run_pubmed(base, tmp_path)
        before = hashes(tmp_path)
        DAMAGES[damage](tmp_path / "baseline" / f"pubmed26n0002.{suffix}")
        with FaultProxy(base) as proxy:
            assert run_pubmed(proxy.base, tmp_path, verify=True) == manifest
            assert len([name for name in proxy.asked("xml.gz") if not name.endswith("md5")]) <= 1
    assert hashes(tmp_path) == before


def test_a_mirror_elsewhere_fetches_what_is_new_alone(tmp_path: Path) -> None:
    import fsspec

    files, place = mirror(), "memory://mirrors/one"
    try:
        with ncbi_server(files) as base:
            spool = str(tmp_path / "spool")
            with FaultProxy(base, lambda request: _spoil_third(request.path)) as proxy, pytest.raises(RetryError):
                run_pubmed(proxy.base, place, spool=spool)
            with FaultProxy(base) as proxy:
                run_pubmed(proxy.base, place, spool=spool)
                assert len(_files(proxy)) == 1, "an interrupted run goes on with what it has stored"
            put(files, "updatefiles", 7)
            with FaultProxy(base) as proxy:
                run_pubmed(proxy.base, place, spool=spool)
                assert _files(proxy) == ["/pubmed/updatefiles/pubmed26n0007.xml.gz"]
            run_pubmed(base, tmp_path / "local")
        assert hashes(place) == hashes(tmp_path / "local")
    finally:
        fsspec.filesystem("memory").rm("/mirrors", recursive=True)


def _spoil_third(path: str) -> faults.Fault | None:
    return faults.flip if path.endswith("n0003.xml.gz") else None


def _files(proxy: FaultProxy) -> list[str]:
    return [path for path in proxy.asked("xml.gz") if not path.endswith("md5")]


def test_another_version_of_the_compressor_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(name: str, json: bytes, xml: bytes) -> bytes:
        return gzip.compress(gzip.decompress(pack_member(name, json, xml)), mtime=0)

    with filled(NUM) as bucket:

        def down(request: Request) -> faults.Fault | None:
            return faults.slow_down if len(proxy.requests) > 60 else None

        with FaultProxy(bucket.base, down) as proxy:  # noqa: SIM117
            with pytest.raises(RetryError):
                run(proxy.base, tmp_path)
        assert list((tmp_path / "_work").glob("articles-*.journal")), "a shard is half full"
        monkeypatch.setattr("corpus.fetch.pmc.article_shards.pack_member", other)
        monkeypatch.setattr(isal, "__version__", "99.0")
        ours = [event["isal"] for event in events(tmp_path, "start")]
        manifest = run(bucket.base, tmp_path)
        assert manifest.summary["isal"] == sorted({*ours, "99.0"})
        _check(bucket, tmp_path)
        bucket.put_article(1007, article(1007, mark=" corrected"))
        bucket.publish("2026-11-24T01-00Z")
        monkeypatch.undo()
        run(bucket.base, tmp_path)
        _check(bucket, tmp_path)
        os.truncate(tmp_path / "shards" / index(tmp_path)[10].shard, 1000)
        run(bucket.base, tmp_path)
        _check(bucket, tmp_path)


def _check(bucket: Bucket, folder: Path) -> None:
    """Hold every article against the server, every file against the manifest."""
    assert not list(verify_parts(str(folder), read_manifest(str(folder))))
    rows = index(folder)
    assert len(rows) == NUM
    for row in rows:
        [(_, metadata, xml)] = read_rows(str(folder / "shards" / row.shard), [row])
        assert xml == bucket.get(f"{row.doc_id}/{row.doc_id}.xml")
        assert metadata == bucket.get(f"metadata/{row.doc_id}.json")
