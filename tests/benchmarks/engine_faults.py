"""What is killed or missing on an engine, what the user sees and when, and what the same command gives afterwards."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.beam.flags import WORKERS
from tests.benchmarks.engine_ways import KEY, external, hashes, road, run, slurm_words, words_of
from tests.conftest import REPOSITORY
from tests.support.engines import free_port, prism_server, worker_pool
from tests.support.forked_ranks import KILLER
from tests.support.slurm_cluster import slurm_cluster

EXTRACTING, ASSEMBLING = "after:3:*/_receipts/*", "after:1:*/outcome.npy"  # when the killer strikes


@dataclass(frozen=True, kw_only=True, slots=True)
class Struck:
    """What the user saw."""

    code: str  # exit code; on Slurm that of the array task
    said: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineFault:
    """A row of the table: `strike` takes the inputs and the folder of the results."""

    engine: str
    what: str
    stage: str
    strike: Callable[[str, str], Struck]


def compare_faults(raw: str, folder: Path) -> None:
    """Print the table of faults by engine."""
    whole = folder / "whole"
    road(raw, str(whole))
    expected = hashes(str(whole))
    print("| engine | what happens | stage | exit code | seconds | bytes after the same command again | what is said |")
    print("|---|---|---|---|---|---|---|")
    for number, fault in enumerate(FAULTS):
        base = folder / f"fault-{number}"
        base.mkdir()
        if fault.stage == "assemble":
            run(*words_of("extract", raw, str(base)))
        seen = fault.strike(raw, str(base))
        found = hashes(str(base))
        result = "equal" if found and all(expected[name] == digest for name, digest in found.items()) else "DIFFER"
        row = f"{fault.what} | {fault.stage} | {seen.code} | {seen.seconds:.1f} | {result} | {seen.said}"
        print(f"| {fault.engine} | {row} |", flush=True)


def _armed(point: str) -> dict[str, str]:
    """Return the variables by which a process of ours dies at a place of its work."""
    return {
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{KILLER}",
        "CORPUSCLE_KILL_ANY": f"corpus.storage.files:publish:{point}",
    }


def _timed(*words: str, **variables: str) -> Struck:
    start = time.monotonic()
    code, said = run(*words, **variables)
    return Struck(code=str(code), said=said, seconds=time.monotonic() - start)


def _embedded(stage: str, point: str) -> Callable[[str, str], Struck]:
    """Let one of two workers of the embedded runner die, then run the command again."""

    def strike(raw: str, base: str) -> Struck:
        words = [*words_of(stage, raw, base), "--", f"{WORKERS}=2"]
        seen = _timed(*words, **_armed(point))
        run(*words)
        return seen

    return strike


def _store(target: str, port: int | None) -> Callable[[str, str], Struck]:
    """Write to a bucket that is not there, or a store that nobody serves; the command again writes to a disk."""

    def strike(raw: str, base: str) -> Struck:
        from tests.support.fetch_servers import s3_server

        with s3_server() as served:
            endpoint, _, _ = served.base.rpartition("/")
            store = {**KEY, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}" if port is None else endpoint}
            seen = _timed(*words_of("extract", raw, target), **store)
        run(*words_of("extract", raw, base))
        return seen

    return strike


def _prism(stage: str, point: str, victim: str) -> Callable[[str, str], Struck]:
    """Let a worker or the engine die, or leave one out, then run the command again on a whole engine."""

    def strike(raw: str, base: str) -> Struck:
        words, armed = words_of(stage, raw, base), _armed(point)
        with prism_server() as (jobs, engine):
            if victim == "engine":
                armed["CORPUSCLE_KILL_VICTIM"] = str(engine.pid)
            with worker_pool(**(armed if point else {})) as (workers, _):
                jobs = free_port() if victim == "endpoint" else jobs
                workers = free_port() if victim == "pool" else workers
                limit = ["--first_task_minutes=0.1"] if victim == "pool" else []
                seen = _timed(*words, "--", *external(jobs, f"localhost:{workers}"), *limit)
        with prism_server() as (jobs, _), worker_pool() as (workers, _):
            run(*words, "--", *external(jobs, f"localhost:{workers}"))
        return seen

    return strike


def _slurm(raw: str, base: str) -> Struck:
    """Let the tasks of an array die at their first receipt, then submit the same again."""
    with slurm_cluster(Path(base)) as cluster:
        script, settings = slurm_words(raw, base)
        start = time.monotonic()
        job = cluster.run(script, **settings, **_armed("after:1:*/_receipts/*")).split("job ")[1].split()[0].rstrip(",")
        while "JobState=COMPLETED" not in (told := cluster.run("scontrol", "show", "job", f"{job}_1")):
            if "JobState=FAILED" in told:
                break
            time.sleep(0.2)
        code = told.split("ExitCode=")[1].split()[0]
        seconds = time.monotonic() - start
        cluster.run("scancel", "--user", "root")
        cluster.wait()
        cluster.run(script, **settings)
        cluster.wait()
    return Struck(code=code, said="Slurm's: JobState=FAILED; what follows is never satisfied and ends", seconds=seconds)


FAULTS = (
    EngineFault(engine="embedded", what="a worker is killed", stage="extract", strike=_embedded("extract", EXTRACTING)),
    EngineFault(
        engine="embedded", what="a worker is killed", stage="assemble", strike=_embedded("assemble", ASSEMBLING)
    ),
    EngineFault(engine="embedded", what="the bucket is not there", stage="extract", strike=_store("s3://no-such", 0)),
    EngineFault(engine="embedded", what="nobody serves the store", stage="extract", strike=_store("s3://any", None)),
    *(
        EngineFault(engine="Prism", what=what, stage=stage, strike=_prism(stage, point, victim))
        for what, stage, point, victim in (
            ("a worker is killed", "extract", EXTRACTING, "worker"),
            ("a worker is killed", "assemble", ASSEMBLING, "worker"),
            ("the engine is killed", "extract", EXTRACTING, "engine"),
            ("the engine is killed", "assemble", ASSEMBLING, "engine"),
            ("nobody serves the endpoint", "extract", "", "endpoint"),
            ("nobody serves the pool", "extract", "", "pool"),
        )
    ),
    EngineFault(engine="Slurm", what="the tasks of the array are killed", stage="extract", strike=_slurm),
)
