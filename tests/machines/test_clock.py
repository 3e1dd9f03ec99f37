"""A machine whose clock is wrong, by years either way or set while a command runs: the same bytes, and nothing waits.

libfaketime sets the clock of a process and of its children (`apt-get install faketime`); files keep the times that the
system gives them, so that they seem years old or new. A wrong clock is that of the day; how much time passed since is
another clock's, which nobody sets. What must hold: nothing "from the future" is refused or made again, a clock that is
set is no hang, and once it is right again all is up to date.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from corpus.stage.manifest import MANIFEST
from corpus.storage.http_dates import clock_note, seconds_until
from corpus.synthetic.sample.write import write_sample
from tests.support.fetch_servers import ncbi_server, numbered
from tests.support.struck import COMMAND

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
CLOCKS = {
    "back": ("1975-01-01 00:00:00", ""),  # before the first of zip's dates
    "ahead": ("+10y", ""),
    "set": ("+1d", "-3y"),  # again and again, while everything runs
}
# libfaketime 0.9.10 moves the end of an absolute wait by the day's clock, whatever clock the wait is by: `time.sleep`
# ends in EINVAL, and a wait for a lock of Python or of C++ at once. By a monotonic clock they go to libc as they are.
WAITS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static void *real(const char *name, clockid_t clock) {
    return dlsym(clock == CLOCK_REALTIME ? RTLD_NEXT : dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD), name);
}
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
    return syscall(SYS_clock_nanosleep, clock, flags, until, left) ? errno : 0;
}
int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until) {
    return ((int (*)(sem_t *, clockid_t, const struct timespec *))real("sem_clockwait", clock))(sem, clock, until);
}
int pthread_cond_clockwait(pthread_cond_t *on, pthread_mutex_t *held, clockid_t clock, const struct timespec *until) {
    return ((int (*)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *))
        real("pthread_cond_clockwait", clock))(on, held, clock, until);
}
"""
CONFIG = """\
work: work
fetch: {{pubmed: {{source: "{source}"}}}}
assemble: {{validation: 0.2}}
tokenizer: {{vocab_size: 512}}
pack: {{seq_length: 64}}
"""
TRAIN = ("--config", "tiny", "--set", "batch_rows=4", "--set", "warmup_steps=1", "--set", "sample_tokens=0")


@dataclass(kw_only=True, slots=True)
class Server:
    """A PubMed server whose last file comes on the second day."""

    source: str
    files: dict[str, Path | bytes]
    last: dict[str, Path | bytes]

    def show(self, *, last: bool) -> None:
        for name, content in self.last.items():
            if last:
                self.files[name] = content
            else:
                self.files.pop(name, None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    sample = write_sample(str(tmp_path_factory.mktemp("raw")), scale=0.04)
    files, early = numbered(sample.pubmed), numbered(sample.pubmed[:-1])
    with ncbi_server(files) as source:
        yield Server(source=source, files=files, last={name: files[name] for name in files.keys() - early.keys()})


def command(folder: Path, environment: dict[str, str], *words: str) -> str:
    """Run a command that must end well, and return what it said."""
    done = subprocess.run(
        [*COMMAND, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=1200
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{words}: {said}"
    assert "fault of corpuscle" not in said
    assert not re.search(r"sign of life|has not finished|takes \d+ s|ended$", said), said
    return said


def walk(folder: Path, environment: dict[str, str], server: Server) -> dict[str, bytes]:
    """Run two days of a corpus, a training that goes on, and dedup; return the manifests."""
    server.show(last=False)
    (folder / "run.yaml").write_text(CONFIG.format(source=server.source))
    texts = [f"text {number % 40} of some words " + "and more of them " * (number % 40) for number in range(60)]
    (folder / "in.jsonl").write_text("".join(json.dumps({"id": str(n), "text": t}) + "\n" for n, t in enumerate(texts)))
    command(folder, environment, "run", "run.yaml")
    server.show(last=True)
    said = command(folder, environment, "run", "run.yaml", "--update")
    assert "inputs are unchanged and not read again; 1 new" in said
    assert "up to date" in command(folder, environment, "run", "run.yaml", "--update")
    tokens = next((folder / "work" / "tokens").glob(f"*/{MANIFEST}")).parent
    trained = ("train", "--tokens", str(tokens), "--output", "run", *TRAIN)
    command(folder, environment, *trained, "--steps", "1")
    command(folder, environment, *trained, "--steps", "3", "--resume")
    command(folder, environment, "dedup", "in.jsonl", "--output", "out")
    command(folder, environment, "verify", ".")
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob(MANIFEST)}


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
    (folder / "waits.c").write_text(WAITS)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "waits.so", "waits.c"], cwd=folder, check=True)
    own = {"LD_PRELOAD": f"{folder / 'waits.so'}:{LIBRARY}", "FAKETIME_TIMESTAMP_FILE": str(file)}
    own |= dict.fromkeys(("FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "FAKETIME_DONT_RESET"), "1")
    try:
        yield {**os.environ, **own, "NO_FAKE_STAT": "1"}
    finally:
        ended.set()


@pytest.fixture(scope="module")
def right(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return walk(tmp_path_factory.mktemp("right"), dict(os.environ), server)


@pytest.mark.slow
@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed: apt-get install faketime")
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("name", CLOCKS)
def test_a_wrong_clock_changes_no_byte(name: str, server: Server, right: dict[str, bytes], tmp_path: Path) -> None:
    script = (
        "import os, threading as t, time; a = time.monotonic(); time.sleep(0.1); t.Event().wait(0.4); "
        "assert time.monotonic() - a >= 0.5; print(time.time() - os.stat(os.environ['LIES']).st_mtime)"
    )
    with clock(*CLOCKS[name], tmp_path) as environment:
        said = subprocess.run(
            [sys.executable, "-c", script], env=environment | {"LIES": str(tmp_path / "waits.c")},
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert abs(float(said)) > 80_000, "the clock is another one, and files have the system's time"
        assert walk(tmp_path, environment, server) == right
    said = command(tmp_path, dict(os.environ), "run", "run.yaml", "--update")
    assert said.count("up to date") >= len(("extract", "assemble", "tokenizer", "pack")), said


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
        "corpus/stage/events.py",  # told, never read back
        "corpus/storage/http_dates.py",  # where a server names no date of its own
        "train/health/measures.py",  # compares the clocks of machines, for `doctor`
        "train/launch/processes.py",  # locks that torch's dead builds left: an hour either way
    }
