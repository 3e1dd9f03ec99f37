"""`fetch pmc --ids` and small limits by listing prefixes: the same store as by the inventory, for less."""

import gzip
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.fetch.config import FetchPmcConfig
from corpus.fetch.estimate import estimate_pmc
from corpus.fetch.pmc import prefixes
from corpus.fetch.pmc.inventory_rows import read_listing, scatter
from corpus.fetch.pmc.prefixes import PrefixListing, as_inventory, drawn_ids
from corpus.stage.manifest import Manifest, verify_parts
from tests.support.fault_proxy import FaultProxy
from tests.support.fetch_servers import Bucket, s3_server
from tests.support.small_fetch import PATIENT, article, events, hashes, index, run

BOUND = 1 << 11


@pytest.fixture
def dense() -> Iterator[Bucket]:
    """A bucket in which about half of all numbers are ids, as in PMC's, some with several versions."""
    ids = random.Random(7).sample(range(1, BOUND), BOUND // 2)
    with s3_server() as bucket:
        for pmcid in ids:
            bucket.put_article(pmcid, article(pmcid, words=20), license_code=("CC BY", "TDM")[pmcid % 2])
        for pmcid in ids[::9]:
            bucket.put_article(pmcid, article(pmcid, words=20, mark=" v2"), version=2)
        bucket.publish(files=3)
        yield bucket


@pytest.fixture(autouse=True)
def small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefixes, "ID_BOUND", BOUND)


def both(bucket: Bucket, folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> list[tuple[int, int, int]]:
    """Fetch by prefixes and by the inventory; return what was asked for, listings and inventories, and bytes."""
    numbers = []
    for name, most in (("prefixes", 10_000), ("inventory", -1)):
        monkeypatch.setattr(prefixes, "MOST_IDS", most)
        monkeypatch.setattr(prefixes, "MOST_DRAWN", most)
        with FaultProxy(bucket.base) as proxy:
            manifest = run(proxy.base, folder / name, **settings)
            # Not every request: on a busy machine one may be asked again.
            asked = [len(set(proxy.asked(part))) for part in ("prefix=metadata", "/inventory-reports", ".xml")]
            numbers.append((asked[0], asked[1], proxy.sent))
        assert not list(verify_parts(str(folder / name), manifest))
        assert asked[2] == manifest.books.kept
        assert manifest.books.read == manifest.books.kept + sum(manifest.books.dropped.values())
    assert index(folder / "prefixes") == index(folder / "inventory")
    assert stored(folder / "prefixes") == stored(folder / "inventory")
    return numbers


def stored(folder: Path) -> dict[str, str]:
    """Return the hashes of the articles' files."""
    return {name: digest for name, digest in hashes(folder).items() if name.startswith(("shards", "index"))}


def test_a_list_of_ids_asks_for_no_inventory(dense: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = [int(key.split("PMC")[1].split(".")[0]) for key in dense.keys("metadata/")]
    chosen = [str(pmcid) for pmcid in sorted(set(there))[::40]]
    ids = (*chosen, "5000", f"{there[5]}.1", f"{there[5]}.7")
    prefixed, whole = both(dense, tmp_path, monkeypatch, ids=ids)
    assert prefixed[:2] == (len({one.split(".")[0] for one in ids}), 0)
    assert whole[0] == 0
    assert whole[1] >= 4
    assert prefixed[2] < whole[2], "bytes, even though this inventory has a thousand rows and NCBI's eight million"
    missing = [f"PMC{there[5]}.7", "PMC5000"]
    for name in ("prefixes", "inventory"):
        assert sorted(event["id"] for event in events(tmp_path / name, "not_found")) == sorted(missing)


@pytest.mark.parametrize("settings", [{"limit": 30}, {"limit": 25, "license": "commercial"}])
def test_a_small_limit_draws_the_same_articles(
    dense: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    prefixed, whole = both(dense, tmp_path, monkeypatch, **settings)
    assert prefixed[1] == 0
    wanted = settings["limit"] * (4 if "license" in settings else 1) + 64
    assert wanted < prefixed[0] < 4 * wanted + 192
    assert whole[0] == 0


def test_too_few_that_pass_are_drawn_from_the_inventory(
    dense: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dense.put_article(BOUND - 1, article(7), citation="A Journal. 1901 Feb; 1(2):3")
    dense.publish("2026-11-24T01-00Z")
    prefixed, _ = both(dense, tmp_path, monkeypatch, limit=1, years="1901")
    assert prefixed[1] >= 4
    assert "0 of the articles listed pass the filters, 1 are wanted, so the whole inventory is fetched" in (
        capsys.readouterr().err
    )
    assert [row.pmcid for row in index(tmp_path / "prefixes")] == [BOUND - 1]
    assert not [name for name in hashes(tmp_path / "prefixes") if "listing-" in name], "the listing is not left over"


def test_a_bucket_of_few_ids_is_not_asked_number_by_number(tmp_path: Path) -> None:
    with s3_server() as bucket:
        for pmcid in range(100, 160, 10):
            bucket.put_article(pmcid, article(pmcid))
        bucket.publish()
        with FaultProxy(bucket.base) as proxy:
            assert run(proxy.base, tmp_path, limit=4).books.kept == 4
            assert len(proxy.asked("prefix=metadata")) <= 256
            assert proxy.asked("/inventory-reports")


def test_ids_above_all_numbers_known_are_drawn_too(
    dense: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefixes, "ID_BOUND", BOUND // 4)
    both(dense, tmp_path, monkeypatch, limit=20)


@pytest.mark.parametrize("settings", [{"ids": tuple(map(str, range(1, BOUND, 30)))}, {"limit": 30}])
def test_a_second_run_sees_what_changed_and_vanished(
    dense: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: dict[str, Any]
) -> None:
    run(dense.base, tmp_path, **settings)
    before, rows = hashes(tmp_path), index(tmp_path)
    run(dense.base, tmp_path, **settings)
    assert "up to date with the listing-" in capsys.readouterr().err
    assert hashes(tmp_path) == before
    gone, changed = rows[3], rows[5]
    dense.remove(f"metadata/{gone.doc_id}.json")
    dense.put_article(changed.pmcid, article(changed.pmcid, mark=" corrected"), version=changed.version)
    with FaultProxy(dense.base) as proxy:
        manifest = run(proxy.base, tmp_path, **settings)
        assert not proxy.asked("/inventory-reports")
        asked = {Path(path).stem for path in proxy.asked(".xml")}
    now = {row.doc_id: row for row in index(tmp_path)}
    new = set(now) - {row.doc_id for row in rows}
    assert asked == {changed.doc_id, *new}
    assert len(new) == ("limit" in settings), "another is drawn for the one that is gone"
    assert [name for name, row in now.items() if row.vanished] == [gone.doc_id]
    assert now[gone.doc_id].vanished == manifest.summary["inventory"]
    assert set(hashes(tmp_path)) == {*(part.path for part in manifest.parts), "manifest.json"}


def test_an_article_that_the_draw_has_left_behind_has_not_vanished(
    dense: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New ids come before a stored one in the draw, which is then asked for by itself."""
    run(dense.base, tmp_path, limit=5)
    stored_ids = [row.pmcid for row in index(tmp_path)]
    listed: set[int] = {int(key.split("PMC")[1].split(".")[0]) for key in dense.keys("metadata/")}
    order = np.argsort(scatter(np.arange(BOUND, dtype=np.int64)))
    new = [pmcid for pmcid in order.tolist() if pmcid and pmcid not in listed][:300]
    for pmcid in new:
        dense.put_article(pmcid, article(pmcid))
    monkeypatch.setattr(prefixes, "ROUND_SLACK", 0)
    manifest = run(dense.base, tmp_path, limit=5)
    rows = index(tmp_path)
    assert manifest.summary["vanished"] == 0
    assert len(rows) == 5
    assert set(new) & {row.pmcid for row in rows}
    assert set(stored_ids) - {row.pmcid for row in rows}


def test_a_dry_run_asks_for_as_little(dense: Bucket) -> None:
    ids = tuple(map(str, range(1, BOUND, 100)))
    with FaultProxy(dense.base) as proxy:
        said = estimate_pmc(FetchPmcConfig(source=proxy.base, ids=ids), pace=PATIENT)
        assert not proxy.asked("/inventory-reports")
    assert said.startswith("the listing-")


@given(st.lists(st.tuples(st.integers(1, 10**9), st.binary(min_size=16, max_size=16)), max_size=3000))
def test_a_listing_comes_back_from_its_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, bytes]]
) -> None:
    objects = tuple((f"metadata/PMC{pmcid}.1.json", etag.hex()) for pmcid, etag in rows)
    folder = str(tmp_path_factory.mktemp("listing"))
    inventory = as_inventory(PrefixListing(objects=objects, drawn_below=1 << 63), folder)
    (path,) = inventory.paths(folder)
    back = [one for listing, others in read_listing(path, inventory.columns) for one in [listing] if not others]
    assert [int(pmcid) for one in back for pmcid in one.pmcids] == [pmcid for pmcid, _ in rows]
    assert [one.etags[row].tobytes() for one in back for row in range(len(one))] == [etag for _, etag in rows]
    assert gzip.decompress(Path(path).read_bytes()).count(b"\n") == len(rows)
    assert inventory.drawn_below == 1 << 63


@given(st.integers(2, 5000), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_the_draw_is_every_id_once(bound: int, one: int, two: int) -> None:
    borders = [0, *sorted((one, two)), 2**64 - 1]
    found = [pmcid for first, last in pairwise(borders) for pmcid in drawn_ids(bound, first, last)]
    last = scatter(np.arange(1, bound, dtype=np.int64)) == np.uint64(2**64 - 1)
    assert sorted(map(int, found)) == [pmcid for pmcid in range(1, bound) if not last[pmcid - 1]]


def test_manifests_say_how_they_were_listed(dense: Bucket, tmp_path: Path) -> None:
    manifest: Manifest = run(dense.base, tmp_path, ids=("1", "2", "3"))
    assert manifest.inputs[0].name == manifest.summary["inventory"]
    assert manifest.inputs[0].name.startswith("listing-")
