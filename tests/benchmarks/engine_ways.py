"""Ways to run `extract` and `assemble` that are set beside one another: each engine with its servers and workers."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from corpus import storage
from corpus.extract.config import REVISION
from corpus.extract.join import STAGE
from corpus.stage.events import EVENTS_LOG
from corpus.stage.lock import LOCK, RUN_FACTS
from corpus.stage.manifest import Books, has_manifest
from corpus.stage.workspace import Receipt, plan_stage
from corpus.storage import parquet
from corpus.synthetic.rehearsal.parts import RehearsedParts
from tests.benchmarks.process_cost import mark
from tests.conftest import REPOSITORY
from tests.support.apart import OtherMachine, cable, pool_apart
from tests.support.engines import prism_server, worker_pool
from tests.support.fetch_servers import s3_server
from tests.support.slurm_cluster import slurm_cluster

KEY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


def run(*words: str, **variables: str) -> tuple[int, str]:
    """Run a command of corpuscle; return its exit code and the last line that it said."""
    command = [sys.executable, "-m", "pipelines.cli.process", *words]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, next((line for line in done.stderr.splitlines() if line.startswith("error:")), "")


def words_of(stage: str, raw: str, base: str) -> list[str]:
    """Return the command of a stage, from the inputs below `raw` to results below `base`; records may be inputs."""
    if stage == "extract":
        inputs = ["--pubmed", f"{raw}/pubmed", "--pmc", f"{raw}/pmc"]
        return ["extract", *inputs, "--articles-per-part", "250", "--output", f"{base}/records"]
    records = raw if has_manifest(f"{raw}/records") else base
    return ["assemble", "--records", f"{records}/records", "--output", f"{base}/corpus"]


def road(raw: str, base: str, *flags: str, **variables: str) -> None:
    """Run both stages, or what is left of them; raises SystemExit when one fails."""
    for stage in ("assemble",) if has_manifest(f"{raw}/records") else ("extract", "assemble"):
        code, said = run(*words_of(stage, raw, base), "--", *flags, **variables)
        if code:
            raise SystemExit(f"{stage}: exit code {code}: {said}")


def external(jobs: int, workers: str) -> list[str]:
    """Return Beam's flags of an engine on this machine with workers at an address."""
    flags = [f"--job_endpoint=localhost:{jobs}", f"--environment_config={workers}"]
    return ["--runner=PortableRunner", "--environment_type=EXTERNAL", *flags]


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What a way made: the hash of every file of its results, and what `assemble` shuffled [bytes]."""

    files: dict[str, str]
    shuffled: int


def made(base: str) -> Made:
    """Look at the results below `base`."""
    with storage.open_read(f"{base}/corpus/{RUN_FACTS}") as source:
        return Made(files=hashes(base), shuffled=json.loads(source.read())["bytes_shuffled"])


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


def apart(raw: str, base: str) -> Made:
    """Run both stages over S3 with workers on a machine apart; return what they made."""
    with ExitStack() as stack:
        tied = stack.enter_context(cable())
        served = stack.enter_context(s3_server(tied.here))
        jobs, _ = stack.enter_context(prism_server())
        endpoint, _, name = served.base.rpartition("/")
        store = {"AWS_ENDPOINT_URL": endpoint, **KEY}
        os.environ.update(store)
        for file in storage.walk_files(raw):
            if file.startswith(("pubmed/", "pmc/", "records/")):
                served.put(f"raw/{file}", Path(raw, file).read_bytes())
        machine = OtherMachine(hidden=(Path(base),), variables={**store, **mark()})
        workers = stack.enter_context(pool_apart(tied, jobs, machine))
        road(f"s3://{name}/raw", f"s3://{name}", *external(jobs, workers))
        return made(f"s3://{name}")


def slurm_words(raw: str, base: str) -> tuple[str, dict[str, str]]:
    """Return the script of the corpus on Slurm, and what it is told: two shards, and nothing after `assemble`."""
    settings = {"WORK": base, "SHARDS": "2", "VENV": sys.prefix, "LAST": "assemble"}
    settings |= {"PUBMED": f"{raw}/pubmed", "PMC": f"{raw}/pmc", "EXTRACT_OPTIONS": "--articles-per-part 250"}
    return str(REPOSITORY / "configs/deploy/corpus.slurm"), settings


def on_slurm(raw: str, base: str) -> None:
    """Run the array of two shards, the join and `assemble` on two nodes."""
    with slurm_cluster(Path(base)) as cluster:
        script, settings = slurm_words(raw, base)
        cluster.run(script, **settings)
        cluster.wait()


def write_records(documents: int, base: str) -> None:
    """Commit made-up records as a result of `extract` below `base`; one in 200 is a full text."""
    articles = documents // 200
    parts = RehearsedParts(seed=0, num_citations=documents - articles, num_articles=articles)
    workspace, _ = plan_stage(
        f"{base}/records", stage=STAGE, revision=REVISION, config={"documents": documents}, inputs=[]
    )
    found, books = [], Books()
    for number, name in enumerate(parts.names):
        table = pa.Table.from_batches(parts.batches(number))
        parquet.write_table(workspace.path(f"records/{name}.parquet"), table)
        found.append(workspace.measure(f"records/{name}.parquet", role="records", rows=len(table)))
        books += Books(read=len(table), kept=len(table))
    workspace.commit([Receipt(task="records", parts=tuple(found), books=books)], summary={})
