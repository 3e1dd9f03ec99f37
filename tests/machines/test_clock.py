"""A machine whose clock is wrong, by years either way or set while a command runs: the same bytes, and nothing waits.

libfaketime sets the clock of a process and of its children (`apt-get install faketime`); files keep the times that the
system gives them, so that they seem years old or new. A wrong clock is that of the day; how much time passed since is
another clock's, which nobody sets.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from corpus.stage.manifest import MANIFEST
from corpus.storage.http_dates import clock_note, seconds_until
from corpus.synthetic.sample.write import write_sample
from tests.pipelines.cli.test_odd_places import COMMAND, ROAD

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
STAGES = ("extract", "assemble", "tokenizer", "pack")  # `train` under libfaketime: EINVAL of its own
# Before the first of zip's dates.
CLOCKS = {"back": ("1975-01-01 00:00:00", "")}


def walk(folder: Path, environment: dict[str, str]) -> dict[str, bytes]:
    """Go down the road in a folder; return the manifests."""
    write_sample(str(folder / "raw"), scale=0.02)
    for verb, words in ((verb, ROAD[verb]) for verb in STAGES):
        done = subprocess.run(
            [*COMMAND, verb, *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, f"{verb}: {done.stderr}"
        assert "fault of corpuscle" not in done.stderr
    outputs = [ROAD[verb][ROAD[verb].index("--output") + 1] for verb in STAGES]
    return {name: (folder / name / MANIFEST).read_bytes() for name in outputs}


@contextmanager
def clock(at: str, then: str, folder: Path) -> Iterator[dict[str, str]]:
    """Yield the environment of a clock that says `at`, and a moment later, again and again, `then`."""
    file, ended = folder / "clock", threading.Event()
    file.write_text(f"{at}\n")

    def turn() -> None:
        while not ended.wait(0.7):
            new = folder / "clock.new"
            new.write_text(f"{then if file.read_text().strip() == at else at}\n")
            os.replace(new, file)

    if then:
        threading.Thread(target=turn, daemon=True).start()
    own = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1"}
    try:
        yield {**os.environ, **own, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}
    finally:
        ended.set()


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return walk(tmp_path_factory.mktemp("right"), dict(os.environ))


@pytest.mark.slow
@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed: apt-get install faketime")
@pytest.mark.parametrize("name", CLOCKS)
def test_a_wrong_clock_changes_no_byte(name: str, right: dict[str, bytes], tmp_path: Path) -> None:
    with clock(*CLOCKS[name], tmp_path) as environment:
        said = subprocess.run(
            [sys.executable, "-c", "import time; print(time.gmtime().tm_year)"],
            env=environment, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert abs(int(said) - time.gmtime().tm_year) > 3
        assert walk(tmp_path, environment) == right


@pytest.mark.parametrize(
    ("due", "given", "seconds"),
    [
        ("Tue, 01 Dec 2026 05:00:30 GMT", "Tue, 01 Dec 2026 05:00:00 GMT", 30.0),
        ("Tue, 01 Dec 2026 05:00:00 GMT", "Tue, 01 Dec 2026 05:00:30 GMT", 0.0),
        ("Sat, 01 Jan 2000 00:01:00 GMT", "Sat, 01 Jan 2000 00:00:00 GMT", 60.0),  # a server's clock that is wrong
        ("Sat, 01 Jan 2000 00:01:00 GMT", "", 0.0),
    ],
)
def test_a_date_to_wait_for_is_held_against_the_servers_clock(due: str, given: str, seconds: float) -> None:
    assert seconds_until(due, {"Date": given} if given else {}) == seconds


@pytest.mark.parametrize("date", ["", "tomorrow", "Tue, 99 Dec 2026 05:00:30 GMT", "12"])
def test_what_is_no_date_is_said_to_be_none(date: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        seconds_until(date, {"Date": "Tue, 01 Dec 2026 05:00:00 GMT"})
    assert seconds_until("Sat, 01 Jan 2000 00:01:00 GMT", {"Date": date}) == 0.0


def test_a_certificate_refused_for_its_dates_speaks_of_the_clock() -> None:
    said = "certificate verify failed: certificate is not yet valid (_ssl.c:1006)"
    assert "by this machine's clock it is 20" in clock_note(said)
    assert clock_note("certificate verify failed: self-signed certificate") == ""


def test_few_places_ask_what_time_of_day_it_is(repository: Path) -> None:
    """Each new one must say why the clock of the day will do, and not that of the time passed."""
    asks = re.compile(r"time\.time\(|datetime\.now\(|\.utcnow\(|date\.today\(|localtime\(|gmtime\(|st_mtime\b")
    found = {
        str(path.relative_to(repository))
        for room in ("corpus", "pipelines", "tokenizer", "train")
        for path in (repository / room).rglob("*.py")
        if asks.search(path.read_text(encoding="utf-8"))
    }
    assert found == {
        "corpus/compiled/build.py",  # which build of many is the oldest
        "corpus/fetch/http/tally.py",  # told, never read back
        "corpus/stage/events.py",  # as well
        "corpus/storage/http_dates.py",  # where a server names no date of its own
        "train/health/measures.py",  # compares the clocks of machines, for `doctor`
        "train/launch/processes.py",  # locks that torch's dead builds left: an hour either way
    }
