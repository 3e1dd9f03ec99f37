"""`fetch pmc` killed at named points and at random times: run again, it ends byte-identical to an undisturbed run."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus.errors import CorruptError
from corpus.fetch.http.journal import Journal
from tests.support import fault_proxy as faults
from tests.support.fault_proxy import FaultProxy
from tests.support.fetch_servers import Bucket
from tests.support.small_fetch import filled, hashes, run, undisturbed

pytestmark = pytest.mark.slow

POINTS = (
    "corpus.fetch.pmc.choice:find_inventory:before:1",
    "corpus.fetch.pmc.choice:archive:before:1",
    "corpus.fetch.http.download:_note_validator:before:1",
    "corpus.fetch.http.download:_note_validator:after:1",
    "corpus.fetch.http.download:_publish:before:1",
    "corpus.fetch.http.download:_publish:after:2",
    "os:replace:before:1",
    "os:replace:before:4",
    "os:replace:after:5",
    "os:fsync:before:2",
    "os:fsync:before:6",
    "corpus.fetch.pmc.stage:find_candidates:before:1",
    "corpus.fetch.http.journal:Journal.add:before:1",
    "corpus.fetch.http.journal:Journal.add:after:13",
    "os:pwrite:inside:7",
    "os:pwrite:inside:40",
    "os:pwrite:inside:78",
    "corpus.fetch.pmc.metadata_files:MetadataBatch.conclude:before:1",
    "corpus.fetch.pmc.metadata_files:MetadataBatch.conclude:after:2",
    "corpus.fetch.http.journal:Journal.remove:before:1",
    "corpus.stage.workspace:Workspace.finish:before:1",
    "corpus.stage.workspace:Workspace.finish:after:3",
    "corpus.fetch.pmc.article_shards:ArticleBatch.conclude:before:1",
    "corpus.fetch.pmc.article_shards:ArticleBatch._write_index:before:2",
    "corpus.fetch.pmc.article_shards:ArticleBatch._write_shard:after:2",
    "corpus.fetch.pmc.article_shards:ArticleBatch.conclude:after:3",
    "corpus.fetch.pmc.stage:_PmcFetch._commit:before:1",
    "corpus.stage.workspace:write_manifest:before:1",
    "corpus.stage.workspace:write_manifest:after:1",
    "corpus.stage.workspace:Workspace.clean:before:1",
    "corpus.storage:remove_tree:before:2",
)
SHORT = (POINTS[15], POINTS[24], POINTS[28])


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with filled(40) as bucket:
        yield bucket


@pytest.fixture(scope="module")
def expected(server: Bucket, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return undisturbed(server, tmp_path_factory.mktemp("undisturbed"))


def start(base: str, output: Path, *points: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.support.fetch_victim", base, str(output), *points]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("point", SHORT)
def test_a_kill_at_a_named_point(server: Bucket, expected: dict[str, str], tmp_path: Path, point: str) -> None:
    _kill_and_finish(server, expected, tmp_path, point)


@pytest.mark.exhaustive
@pytest.mark.parametrize("point", [point for point in POINTS if point not in SHORT])
def test_a_kill_at_every_other_point(server: Bucket, expected: dict[str, str], tmp_path: Path, point: str) -> None:
    _kill_and_finish(server, expected, tmp_path, point)


def _kill_and_finish(server: Bucket, expected: dict[str, str], folder: Path, point: str) -> None:
    assert start(server.base, folder, point).wait(timeout=120) == -signal.SIGKILL, "the point was reached"
    with FaultProxy(server.base) as proxy:
        run(proxy.base, folder)
        asked = len(proxy.asked(".xml"))
    assert hashes(folder) == expected
    assert asked <= 40


def test_a_kill_costs_at_most_what_was_in_flight(server: Bucket, tmp_path: Path) -> None:
    with FaultProxy(server.base) as proxy:
        process = start(proxy.base, tmp_path, "corpus.fetch.http.journal:Journal.add:after:70")
        assert process.wait(timeout=120) == -signal.SIGKILL
        before = len(proxy.asked("/PMC"))
        run(proxy.base, tmp_path)
        again = set(proxy.asked("/PMC")[before:])
    assert len(again) == 80 - 70, "what was in the journal is not asked for again"


@pytest.mark.parametrize("note", [b"{}", b"[", b'{"etag": 5}', b'{"drop": "x", "newer": 1}'])
def test_a_note_that_is_not_ours_is_named(
    server: Bucket, expected: dict[str, str], tmp_path: Path, note: bytes
) -> None:
    assert start(server.base, tmp_path, "corpus.fetch.http.journal:Journal.add:after:70").wait(timeout=600) < 0
    journals = sorted(tmp_path.rglob("articles-*.journal"))
    for path in journals:
        journal = Journal(str(path))
        kept = {position: journal.read(position) for position in journal.entries}
        journal.close()
        path.unlink()
        changed = Journal(str(path))
        for position, (_, payload) in kept.items():
            changed.add(position, note, payload)
        changed.close()
    with pytest.raises(
        CorruptError, match=r"\.journal: note \d+: .*; remove that file, and the same command"
    ) as raised:
        run(server.base, tmp_path)
    assert Path(str(raised.value).partition(": note ")[0]) in journals
    for path in journals:
        path.unlink(missing_ok=True)  # the run has ended that of a shard that it finished
    run(server.base, tmp_path)
    assert hashes(tmp_path) == expected


def test_a_refresh_that_is_killed_leaves_the_old_store_whole(tmp_path: Path) -> None:
    from corpus.stage.manifest import read_manifest, verify_parts
    from tests.support.small_fetch import article

    with filled(40) as bucket:
        run(bucket.base, tmp_path)
        old = read_manifest(str(tmp_path))
        bucket.put_article(1007, article(1007, mark=" new"))
        bucket.publish("2026-11-24T01-00Z")
        assert start(bucket.base, tmp_path, "corpus.stage.workspace:write_manifest:before:1").wait(timeout=120) < 0
        assert read_manifest(str(tmp_path)) == old
        assert not list(verify_parts(str(tmp_path), old))
        assert start(bucket.base, tmp_path, "corpus.stage.workspace:write_manifest:after:1").wait(timeout=120) < 0
        run(bucket.base, tmp_path)
        new = read_manifest(str(tmp_path))
        assert not list(verify_parts(str(tmp_path), new))
        left_over = set(hashes(tmp_path)) - {part.path for part in new.parts} - {"manifest.json"}
        assert not left_over


@pytest.mark.exhaustive
def test_kills_at_random_times(server: Bucket, expected: dict[str, str], tmp_path: Path) -> None:
    dice = random.Random(11)
    kills = rounds = 0
    with FaultProxy(server.base, lambda request: lambda reply: faults.replace(reply, late=0.1)) as proxy:
        begun = time.monotonic()
        assert start(proxy.base, tmp_path / "calibration").wait() == 0
        whole = time.monotonic() - begun  # start of the interpreter, fetch, and commit
        while kills < 100:
            rounds += 1
            folder = tmp_path / str(rounds)
            while True:
                process = start(proxy.base, folder)
                try:
                    process.wait(timeout=dice.uniform(0.3, 1.1) * whole)
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    kills += 1
            assert process.returncode == 0
            assert hashes(folder) == expected, f"after {kills} kills"
    print(f"{kills} kills in {rounds} stores")


@pytest.mark.parametrize("damage", ["cut", "flip", "zeros", "garbage"])
def test_a_damaged_journal_is_used_up_to_the_damage(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "journal"
    journal = Journal(str(path))
    for position in range(10):
        journal.add(position, f"note {position}".encode(), bytes([position + 1]) * 100)
    sizes = [entry.offset + entry.note_bytes + entry.payload_bytes for entry in journal.entries.values()]
    journal.close()
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        spoiled = {
            "cut": whole[:at],
            "flip": whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :],
            "zeros": whole[:at] + bytes(len(whole) - at),
            "garbage": whole + random.Random(at).randbytes(at),
        }[damage]
        path.write_bytes(spoiled)
        again = Journal(str(path))
        intact = 10 if damage == "garbage" else sum(size <= at for size in sizes)
        assert sorted(again.entries) == list(range(intact))
        assert all(again.read(place) == (f"note {place}".encode(), bytes([place + 1]) * 100) for place in again.entries)
        again.add(99, b"n", b"p")
        again.close()
        last = Journal(str(path))
        assert last.read(99) == (b"n", b"p")
        last.close()
