"""Engines beside one another: `python -m tests.benchmarks.engines [--data ../shared/data] [--faults]`.

`extract` and `assemble` by the embedded runner with one and two workers, on Prism with a pool of workers, on Prism with
a pool on a machine apart over S3, and in two shards that are joined. Prints whether every file is the same, CPU
seconds, wall and peak memory of all processes but the S3 server. `--faults`: what is killed or missing, what the user
sees, when, and what the same command gives afterwards. Without `--data` a sample is made up.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from corpus import storage
from corpus.stage.events import EVENTS_LOG
from corpus.stage.lock import LOCK, RUN_FACTS
from corpus.synthetic.sample.write import write_sample
from pipelines.beam.flags import WORKERS
from tests.conftest import REPOSITORY
from tests.support.apart import OtherMachine, cable, pool_apart
from tests.support.engines import free_port, prism_server, worker_pool
from tests.support.fetch_servers import s3_server
from tests.support.forked_ranks import KILLER

EVERY_SECONDS = 0.2
KEY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
FAULTS = (
    # (what happens, stage, point of the killer, whose process dies)
    ("a worker is killed", "extract", "after:3:*/_receipts/*", "worker"),
    ("a worker is killed", "assemble", "after:1:*/outcome.npy", "worker"),
    ("the engine is killed", "extract", "after:3:*/_receipts/*", "engine"),
    ("the engine is killed", "assemble", "after:1:*/outcome.npy", "engine"),
    ("nobody serves the endpoint", "extract", "", "endpoint"),
    ("nobody serves the pool", "extract", "", "pool"),
)


@dataclass(kw_only=True, slots=True)
class Cost:
    """What the processes below this one took."""

    wall: float = 0.0
    peak: int = 0  # bytes, all together
    cpu: dict[tuple[int, float], float] = field(default_factory=dict)  # seconds by process

    def sample(self) -> None:
        """Take in what all processes have used by now."""
        held = 0
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                used = process.cpu_times()
                self.cpu[process.pid, process.create_time()] = used.user + used.system
                held += process.memory_info().rss
        self.peak = max(self.peak, held)


@contextmanager
def cost() -> Iterator[Cost]:
    """Measure all processes below this one while the block runs."""
    found, stop, start = Cost(), threading.Event(), time.monotonic()

    def watch() -> None:
        while not stop.wait(EVERY_SECONDS):
            found.sample()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()
        found.wall = time.monotonic() - start


def run(*words: str, **variables: str) -> tuple[int, str]:
    """Run a command of corpuscle; return its exit code and the last line that it said."""
    command = [sys.executable, "-m", "pipelines.cli.process", *words]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, next((line for line in done.stderr.splitlines() if line.startswith("error:")), "")


def words_of(stage: str, raw: str, base: str) -> list[str]:
    """Return the command of a stage, from the inputs below `raw` to results below `base`."""
    if stage == "extract":
        inputs = ["--pubmed", f"{raw}/pubmed", "--pmc", f"{raw}/pmc"]
        return ["extract", *inputs, "--articles-per-part", "250", "--output", f"{base}/records"]
    return ["assemble", "--records", f"{base}/records", "--output", f"{base}/corpus"]


def road(raw: str, base: str, *flags: str, **variables: str) -> None:
    """Run both stages; raises SystemExit when one fails."""
    for stage in ("extract", "assemble"):
        code, said = run(*words_of(stage, raw, base), "--", *flags, **variables)
        if code:
            raise SystemExit(f"{stage}: exit code {code}: {said}")


def external(jobs: int, workers: str) -> list[str]:
    """Return Beam's flags of an engine on this machine with workers at an address."""
    flags = [f"--job_endpoint=localhost:{jobs}", f"--environment_config={workers}"]
    return ["--runner=PortableRunner", "--environment_type=EXTERNAL", *flags]


def hashes(base: str) -> dict[str, str]:
    """Return the hash of every file of both results, but for the lock and the cost of the run."""
    names = [name for name in storage.walk_files(base) if name.startswith(("records/", "corpus/"))]
    return {
        one: storage.sha256_file(f"{base}/{one}") for one in names if not one.endswith((LOCK, RUN_FACTS, EVENTS_LOG))
    }


def on_prism(raw: str, base: str) -> None:
    """Run both stages on Prism with a pool of workers here."""
    with prism_server() as (jobs, _), worker_pool() as (workers, _):
        road(raw, base, *external(jobs, f"localhost:{workers}"))


def in_shards(raw: str, base: str) -> None:
    """Extract in two shards, join them, assemble."""
    words = words_of("extract", raw, base)[:-1]
    for number in (1, 2):
        run(*words, f"{base}/shard-{number}", "--shard", f"{number}/2")
    run("join", f"{base}/shard-1", f"{base}/shard-2", "--output", f"{base}/records")
    run(*words_of("assemble", raw, base))


def apart(raw: str, base: str) -> dict[str, str]:
    """Run both stages over S3 with workers on a machine apart; return the hashes of the results."""
    with ExitStack() as stack:
        tied = stack.enter_context(cable())
        served = stack.enter_context(s3_server(tied.here))
        jobs, _ = stack.enter_context(prism_server())
        endpoint, _, name = served.base.rpartition("/")
        store = {"AWS_ENDPOINT_URL": endpoint, **KEY}
        os.environ.update(store)
        for file in storage.walk_files(raw):
            if file.startswith(("pubmed/", "pmc/")):
                served.put(f"raw/{file}", Path(raw, file).read_bytes())
        machine = OtherMachine(hidden=(Path(base),), variables=store)
        workers = stack.enter_context(pool_apart(tied, jobs, machine))
        road(f"s3://{name}/raw", f"s3://{name}", *external(jobs, workers))
        return hashes(f"s3://{name}")


def compare_engines(raw: str, folder: Path) -> None:
    """Print the table of engines."""
    ways: dict[str, Callable[[str, str], dict[str, str] | None]] = {
        "embedded, 1 worker": lambda raw, base: road(raw, base, f"{WORKERS}=1"),
        "embedded, 2 workers": lambda raw, base: road(raw, base, f"{WORKERS}=2"),
        "Prism, a pool of workers": on_prism,
        "Prism, workers apart, S3": apart,
        "two shards, joined": in_shards,
    }
    expected: dict[str, str] = {}
    print("| engine | files equal | CPU s | wall s | peak MB of all processes |\n|---|---|---|---|---|")
    for name, way in ways.items():
        base = folder / name.replace(" ", "-")
        base.mkdir()
        with cost() as taken:
            found = way(raw, str(base))
        found = found or hashes(str(base))
        expected = expected or found
        same = sum(found.get(file) == digest for file, digest in expected.items())
        figures = f"{sum(taken.cpu.values()):.1f} | {taken.wall:.1f} | {taken.peak / 1e6:,.0f}"
        print(f"| {name} | {same} of {len(expected)} | {figures} |", flush=True)


def strike(stage: str, point: str, victim: str, words: Sequence[str]) -> tuple[int, str, float]:
    """Run a stage on Prism and let something happen; return its exit code, the error, and after how many seconds."""
    armed = {"PYTHONPATH": f"{REPOSITORY}{os.pathsep}{KILLER}"}
    armed["CORPUSCLE_KILL_ANY"] = f"corpus.storage.files:publish:{point}"
    with prism_server() as (jobs, engine):
        if victim == "engine":
            armed["CORPUSCLE_KILL_VICTIM"] = str(engine.pid)
        with worker_pool(**(armed if point else {})) as (workers, _):
            jobs = free_port() if victim == "endpoint" else jobs
            workers = free_port() if victim == "pool" else workers
            limit = ["--first_task_minutes=0.1"] if victim == "pool" else []
            start = time.monotonic()
            code, said = run(*words, "--", *external(jobs, f"localhost:{workers}"), *limit)
            return code, said, time.monotonic() - start


def compare_faults(raw: str, folder: Path) -> None:
    """Print the table of faults on Prism."""
    whole = folder / "whole"
    road(raw, str(whole))
    expected = hashes(str(whole))
    print("| what happens | stage | exit code | seconds | bytes after the same command again | what is said |")
    print("|---|---|---|---|---|---|")
    for number, (what, stage, point, victim) in enumerate(FAULTS):
        base = folder / f"fault-{number}"
        words = words_of(stage, raw, str(base))
        if stage == "assemble":
            run(*words_of("extract", raw, str(base)))
        code, said, seconds = strike(stage, point, victim, words)
        with prism_server() as (jobs, _), worker_pool() as (workers, _):
            run(*words, "--", *external(jobs, f"localhost:{workers}"))
        found = hashes(str(base))
        result = "equal" if found and all(expected[name] == digest for name, digest in found.items()) else "DIFFER"
        print(f"| {what} | {stage} | {code} | {seconds:.1f} | {result} | {said} |", flush=True)


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder with pubmed/ and pmc/; a made-up sample without it")
    parser.add_argument("--faults", action="store_true", help="the table of faults instead of that of engines")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        raw = given.data or os.path.join(folder, "raw")
        if not given.data:
            write_sample(raw, seed=3, scale=0.3)
        (compare_faults if given.faults else compare_engines)(os.path.abspath(raw), Path(folder))


if __name__ == "__main__":
    main()
