"""`fetch pubmed` against a server of NCBI's layout that knows ranges, plain and behind a proxy that spoils answers."""

import gzip
import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from corpus.errors import RetryError, UsageError
from corpus.extract.config import ExtractConfig
from corpus.extract.inputs import find_inputs
from corpus.fetch.config import FetchPubmedConfig
from corpus.fetch.http.pace import Pace
from corpus.fetch.pubmed import fetch_pubmed
from corpus.stage.manifest import Manifest, verify_parts
from tests.support import fault_proxy as faults
from tests.support.fault_proxy import Fault, FaultProxy, Reply, Request
from tests.support.fetch_servers import ncbi_server
from tests.support.small_fetch import events, hashes

PACE = Pace(connections=3, first_wait=0.01, longest_wait=0.05, grace=1.0)
PATIENT = replace(PACE, grace=60.0)  # for servers that answer, on a machine that may be busy
Files = dict[str, Path | bytes]


def put(files: Files, folder: str, number: int, *, year: int = 26, size: int = 60_000) -> str:
    content = gzip.compress(random.Random(number).randbytes(size), mtime=0)
    name = f"pubmed{year}n{number:04d}.xml.gz"
    files[f"{folder}/{name}"] = content
    files[f"{folder}/{name}.md5"] = f"MD5({name})= {hashlib.md5(content).hexdigest()}\n".encode()
    return name


def mirror(*, baseline: int = 3, updates: int = 3) -> Files:
    files: Files = {"baseline/README.txt": b"read me", "updatefiles/pubmed26n0004_stats.html": b"<html></html>"}
    for number in range(1, baseline + 1):
        put(files, "baseline", number)
    for number in range(baseline + 1, baseline + updates + 1):
        put(files, "updatefiles", number)
    return files


FILES = mirror()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ncbi_server(FILES) as base:
        yield base


def run(base: str, output: Path | str, *, pace: Pace = PATIENT, **settings: object) -> Manifest:
    return fetch_pubmed(FetchPubmedConfig(**{"source": base, **settings}), output=str(output), pace=pace)


def whole(folder: Path, files: Files = FILES) -> bool:
    return all((folder / name).read_bytes() == content for name, content in files.items() if "xml.gz" in name)


def test_the_mirror_is_the_servers_files_and_sidecars(server: str, tmp_path: Path) -> None:
    manifest = run(server, tmp_path)
    assert whole(tmp_path)
    assert not list(verify_parts(str(tmp_path), manifest))
    assert set(hashes(tmp_path)) == {"manifest.json", *(name for name in FILES if "xml.gz" in name)}
    assert (manifest.books.kept, manifest.summary["last_file"], manifest.summary["year"]) == (6, 6, 2026)
    with FaultProxy(server) as proxy:
        assert run(proxy.base, tmp_path) == manifest
        assert not [path for path in proxy.asked(".xml.gz") if not path.endswith(".md5")], "up to date"


def test_extract_reads_a_mirror_from_its_manifest(server: str, tmp_path: Path) -> None:
    run(server, tmp_path, baseline=True, updates=False, files="2-3")
    (tmp_path / "baseline" / "pubmed25n0001.xml.gz").write_bytes(b"of another year")
    tasks = find_inputs(pubmed=(str(tmp_path),), pmc=(), articles_per_part=500)
    assert sorted(task.name for task in tasks) == ["pubmed26n0002", "pubmed26n0003"]
    assert ExtractConfig(pubmed=(str(tmp_path),)).pubmed


def test_updates_that_arrive_later_are_added(tmp_path: Path) -> None:
    files = mirror()
    with ncbi_server(files) as base:
        run(base, tmp_path)
        put(files, "updatefiles", 7)
        with FaultProxy(base) as proxy:
            manifest = run(proxy.base, tmp_path)
            assert {path for path in proxy.asked("xml.gz") if not path.endswith(".md5")} == {
                "/pubmed/updatefiles/pubmed26n0007.xml.gz"
            }
    assert manifest.summary["last_file"] == 7
    assert whole(tmp_path, files)


BROKEN: dict[str, tuple[Callable[[Files], object], str]] = {
    "a hole in the baseline": (lambda files: _drop(files, "baseline/pubmed26n0002"), "a hole in the numbers: 2 of 1"),
    "no first file": (lambda files: _drop(files, "baseline/pubmed26n0001"), "a hole in the numbers: 1 of 1"),
    "a hole in the updates": (lambda files: _drop(files, "updatefiles/pubmed26n0005"), "a hole in the numbers: 5 of 4"),
    "no first update": (lambda files: _drop(files, "updatefiles/pubmed26n0004"), "a hole in the numbers: 4 of 4"),
    "the end of the baseline is cut off": (
        lambda files: _drop(files, "baseline/pubmed26n0003"),
        "a hole in the numbers: 3",
    ),
    "no sidecar": (lambda files: files.pop("baseline/pubmed26n0002.xml.gz.md5"), "no .md5 for"),
    "two years": (lambda files: put(files, "baseline", 4, year=27), "changing the year"),
    "updates of another year": (
        lambda files: (
            [_drop(files, f"updatefiles/pubmed26n000{n}") for n in (4, 5, 6)] + [put(files, "updatefiles", 4, year=25)]
        ),
        "changing the year",
    ),
    "nothing": (lambda files: files.clear(), "no PubMed file"),
    "a sidecar of another file": (
        lambda files: files.update({"baseline/pubmed26n0002.xml.gz.md5": files["baseline/pubmed26n0001.xml.gz.md5"]}),
        "no MD5 of pubmed26n0002",
    ),
}


def _drop(files: Files, name: str) -> None:
    for suffix in (".xml.gz", ".xml.gz.md5"):
        del files[name + suffix]


@pytest.mark.parametrize("name", BROKEN)
def test_a_listing_that_is_not_whole_is_refused(tmp_path: Path, name: str) -> None:
    files = mirror()
    change, message = BROKEN[name]
    change(files)
    with ncbi_server(files) as base, pytest.raises(RetryError, match=message):
        run(base, tmp_path)
    assert not list(tmp_path.rglob("*.xml.gz"))


def test_a_listing_cut_at_any_byte_is_refused_or_retried(server: str, tmp_path: Path) -> None:
    dice = random.Random(3)
    for turn in range(6):
        share = dice.random()

        def rule(request: Request, share: float = share) -> Fault | None:
            listing = request.path.endswith("/") and request.turn == 0
            return faults.cut_without_length(share) if listing else None

        with FaultProxy(server, rule) as proxy:
            run(proxy.base, tmp_path / str(turn))
            assert len(proxy.committed) == 2
        assert whole(tmp_path / str(turn))
        assert len(events(tmp_path / str(turn), "retry")) == 2


def data_only(fault: Fault, turns: int = 1) -> Callable[[Request], Fault | None]:
    return lambda request: fault if request.path.endswith(".xml.gz") and request.turn < turns else None


def wrong_range(reply: Reply) -> Reply:
    """A range other than the one asked for, honestly stated."""
    if b"206" not in reply.status:
        return faults.cut(0.5)(reply)
    headers = {name: value for name, value in reply.headers.items() if name.lower() != "content-range"}
    return faults.replace(reply, headers={**headers, "Content-Range": "bytes 0-99/60000"})


def lying_range(reply: Reply) -> Reply:
    """Other bytes than those of the range that is stated."""
    return faults.flip(reply) if b"206" in reply.status else faults.cut(0.5)(reply)


def rest_as_the_whole(reply: Reply) -> Reply:
    """A cache that answers a range with its bytes and says that they are the file."""
    if b"206" not in reply.status:
        return faults.cut(0.5)(reply)
    return faults.replace(reply.without("Content-Range"), status=b"HTTP/1.1 200 OK")


FAULTS: dict[str, Callable[[Request], Fault | None]] = {
    "cut at the start": data_only(faults.cut(0)),
    "cut in the middle, three times": data_only(faults.cut(0.4), turns=3),
    "last byte missing": data_only(faults.cut(0.9999)),
    "no length, cut": data_only(faults.cut_without_length(0.5), turns=2),
    "no length": data_only(faults.no_length),
    "a byte flipped": data_only(faults.flip),
    "an HTML page": data_only(faults.error_page, turns=2),
    "503": data_only(faults.slow_down, turns=4),
    "404 at first": data_only(faults.not_found),
    "no answer": data_only(faults.mute),
    "a byte now and then": data_only(faults.loris),
    "another range": data_only(wrong_range, turns=2),
    "a range as the whole file": data_only(rest_as_the_whole, turns=2),
    "other bytes in the range": data_only(lying_range, turns=2),
    "sidecar cut": lambda request: (
        faults.cut_without_length(0.5) if request.path.endswith(".md5") and request.turn == 0 else None
    ),
    "sidecar is a page": lambda request: (
        faults.error_page if request.path.endswith(".md5") and request.turn == 0 else None
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_retried_and_no_wrong_byte_is_kept(server: str, tmp_path: Path, name: str) -> None:
    with FaultProxy(server, FAULTS[name]) as proxy:
        run(proxy.base, tmp_path, pace=PACE)
        assert len(proxy.committed) >= 6
    assert whole(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if ".part" in path.name]
    kinds = {event["kind"] for event in events(tmp_path, "retry")}
    if name != "no length":
        assert len(events(tmp_path, "retry")) >= 6
    assert ("stale_range" in kinds) == (name == "another range")


def test_a_part_is_continued_at_its_last_byte(server: str, tmp_path: Path) -> None:
    with FaultProxy(server, data_only(faults.cut(0.5))) as proxy:
        run(proxy.base, tmp_path, files="1")
        ranges = [request.headers.get("Range") for request in proxy.requests if request.path.endswith(".xml.gz")]
        tagged = [request.headers.get("If-Range") for request in proxy.requests if request.path.endswith(".xml.gz")]
    size = len(FILES["baseline/pubmed26n0001.xml.gz"])  # type: ignore[arg-type]
    assert ranges == [None, f"bytes={size // 2}-"]
    assert tagged[1].startswith('"')


def test_a_file_that_changes_between_two_parts_begins_again(tmp_path: Path) -> None:
    files = mirror(baseline=1, updates=0)
    name = "baseline/pubmed26n0001.xml.gz"

    def rule(request: Request) -> Fault | None:
        if request.path.endswith(".xml.gz") and request.turn == 0:
            put(files, "baseline", 1, size=70_000)  # the same name, other bytes
            return faults.cut(0.5)
        return None

    with ncbi_server(files) as base, FaultProxy(base, rule) as proxy:
        manifest = run(proxy.base, tmp_path)  # the sidecar that was read is the old file's, and is asked for again
        assert not list(verify_parts(str(tmp_path), manifest))
        assert run(base, tmp_path) == manifest
    assert (tmp_path / name).read_bytes() == files[name]


def test_a_file_without_its_content_is_named(server: str, tmp_path: Path) -> None:
    def rule(request: Request) -> Fault | None:
        return faults.flip if "n0002.xml.gz" in request.path and not request.path.endswith("md5") else None

    with FaultProxy(server, rule) as proxy:
        with pytest.raises(RetryError, match=r"1 of 6 files .*the others are kept[^\0]*n0002\.xml\.gz: wrong_md5"):
            run(proxy.base, tmp_path)
        assert len(list(tmp_path.rglob("*.xml.gz"))) == 5
        with pytest.raises(UsageError, match="an unfinished `corpuscle fetch`"):
            find_inputs(pubmed=(str(tmp_path),), pmc=(), articles_per_part=500)
    with FaultProxy(server) as proxy:
        run(proxy.base, tmp_path)
        assert len([path for path in proxy.asked("xml.gz") if not path.endswith("md5")]) == 1


def test_a_new_years_baseline_is_not_mixed_in(server: str, tmp_path: Path) -> None:
    run(server, tmp_path)
    files: Files = {}
    put(files, "baseline", 1, year=27)
    with ncbi_server(files) as base, pytest.raises(UsageError, match="holds the files of 2026, the server has 2027"):
        run(base, tmp_path)


@pytest.mark.slow
def test_kills_at_random_times_end_in_the_same_bytes(server: str, tmp_path: Path) -> None:
    run(server, tmp_path / "expected")
    with FaultProxy(server, data_only(lambda reply: faults.replace(reply, slowly=0.000002), turns=99)) as proxy:
        kill_until_done(proxy.base, tmp_path / "killed", kills=3)
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "expected")


def test_what_a_kill_left_half_written_goes_with_the_next_run(server: str, tmp_path: Path) -> None:
    left = tmp_path / "mirror" / "baseline" / ".tmp-.pubmed26n0001.xml.gz.part.json-1-ab"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"{")
    run(server, tmp_path / "mirror")
    assert not left.exists()


@pytest.mark.parametrize("remote", [False, True])
def test_a_spool_of_other_files_is_refused(server: str, tmp_path: Path, remote: bool) -> None:
    own = tmp_path / "home" / "letter.txt"
    own.parent.mkdir()
    own.write_text("mine")
    output = f"memory://{tmp_path.name}" if remote else str(tmp_path / "mirror")
    with pytest.raises(UsageError, match=r"home: is not empty and was not made by corpuscle"):
        run(server, output, spool=str(own.parent))
    assert os.listdir(own.parent) == [own.name]


def test_another_folder_of_files_is_refused_and_ours_beside_files_of_the_user_is_not(
    server: str, tmp_path: Path
) -> None:
    (tmp_path / "baseline").mkdir()
    (tmp_path / "baseline" / "pubmed26n0001.xml.gz").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"was not made by corpuscle \(it holds baseline\)"):
        run(server, tmp_path)
    assert os.listdir(tmp_path) == ["baseline"]
    manifest = run(server, tmp_path / "mirror")
    (tmp_path / "mirror" / "NOTES").write_text("mine")
    assert run(server, tmp_path / "mirror") == manifest
    assert (tmp_path / "mirror" / "NOTES").read_text() == "mine"


def kill_until_done(base: str, output: Path, *, kills: int) -> None:
    code = (
        "import sys, pathlib; from tests.corpus.fetch.test_pubmed import run; "
        "run(sys.argv[1], pathlib.Path(sys.argv[2]))"
    )
    dice = random.Random(1)
    for turn in range(kills + 1):
        process = subprocess.Popen([sys.executable, "-c", code, base, str(output)], stderr=subprocess.PIPE, text=True)
        if turn < kills:
            time.sleep(dice.uniform(0.5, 1.3))
            process.kill()
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert os.path.exists(output / "manifest.json")
