"""The same bytes whatever the worker count, the order of the inputs, the runner, or where a run was killed."""

import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apache_beam as beam
import fsspec
import pytest

import pipelines.extract
from corpus.assemble.config import AssembleConfig
from corpus.extract.config import ExtractConfig
from corpus.stage.lock import LOCK, RUN_FACTS
from corpus.stage.manifest import read_manifest
from corpus.storage.files import sha256_file, walk_files
from corpus.synthetic.sample.write import Sample, write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.beam.flags import WORKERS
from pipelines.extract import extract
from tests.conftest import REPOSITORY
from tests.support.engines import job_service, prism_program, prism_server, worker_pool
from tests.support.forked_ranks import KILLER

pytestmark = pytest.mark.slow

ARTICLES_PER_PART = 7  # several parts even of a small tar
DATAFLOW = [
    "--runner=DataflowRunner",
    "--dry_run=True",
    "--no_auth",
    "--project=my-project",
    "--region=us-central1",
    "--temp_location=gs://my-bucket/temp",
    "--staging_location=gs://my-bucket/staging",
    "--job_name=corpuscle",
]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return write_sample(str(tmp_path_factory.mktemp("raw")), seed=3, scale=0.06)


@pytest.fixture(scope="module")
def expected(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("expected")
    road(sample, folder)
    return folder


def extract_config(sample: Sample, **settings: object) -> ExtractConfig:
    paths = {"pubmed": sample.pubmed, "pmc": (sample.pmc_tree, sample.pmc_tar)}
    return ExtractConfig(**{"articles_per_part": ARTICLES_PER_PART, **paths, **settings})


def road(
    sample: Sample, folder: Path, *, workers: int = 1, beam_args: list[str] | None = None, **settings: object
) -> None:
    args = beam_args or [f"{WORKERS}={workers}"]
    extract(extract_config(sample, **settings), output=str(folder / "records"), beam_args=args)
    config = AssembleConfig(shard_mb=1)
    assemble(config, records=str(folder / "records"), output=str(folder / "corpus"), beam_args=args)


def hashes(folder: Path) -> dict[str, str]:
    """Return the hash of every file, but for the lock, the cost of the run, its events and its history."""
    beside = (LOCK, RUN_FACTS, "events.jsonl")
    names = [name for name in walk_files(str(folder)) if not name.endswith(beside) and "-from-" not in name]
    return {name: sha256_file(str(folder / name)) for name in names}


def test_two_workers_and_another_order_give_the_same_bytes(sample: Sample, expected: Path, tmp_path: Path) -> None:
    pubmed = tuple(path for name in reversed(sample.pubmed) for path in reversed(files_below(name)))
    road(sample, tmp_path, workers=2, pubmed=pubmed, pmc=(sample.pmc_tar, sample.pmc_tree))
    assert hashes(tmp_path) == hashes(expected)
    assert len(hashes(expected)) > 12


def files_below(path: str) -> list[str]:
    found = [os.path.join(path, name) for name in walk_files(path)] if os.path.isdir(path) else [path]
    return [name for name in found if name.endswith(".xml.gz")]


def test_portable_runner_gives_the_same_bytes(sample: Sample, expected: Path, tmp_path: Path) -> None:
    with job_service() as jobs, worker_pool() as (workers, _):
        road(sample, tmp_path, beam_args=external(jobs, workers))
    assert hashes(tmp_path) == hashes(expected)


def test_prism_gives_the_same_bytes_from_workers_of_a_pool(sample: Sample, expected: Path, tmp_path: Path) -> None:
    with prism_server() as (jobs, _), worker_pool() as (workers, _):
        road(sample, tmp_path, beam_args=external(jobs, workers))
    assert hashes(tmp_path) == hashes(expected)


def test_prism_that_the_runner_starts_gives_the_same_bytes(sample: Sample, expected: Path, tmp_path: Path) -> None:
    flags = ["--runner=PrismRunner", f"--prism_location={prism_program()}", "--environment_type=LOOPBACK"]
    road(sample, tmp_path, beam_args=flags)
    assert hashes(tmp_path) == hashes(expected)


def external(jobs: int, workers: int) -> list[str]:
    """Return Beam's flags of a job endpoint and a pool of workers on ports of this machine."""
    flags = [f"--job_endpoint=localhost:{jobs}", f"--environment_config=localhost:{workers}"]
    return ["--runner=PortableRunner", "--environment_type=EXTERNAL", *flags]


def test_an_object_store_gives_the_same_manifests(
    sample: Sample, expected: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store, raw = fsspec.filesystem("memory"), Path(sample.planted).parent
    for name in walk_files(str(raw)):
        store.pipe(f"/determinism/raw/{name}", (raw / name).read_bytes())
    base = "memory://determinism"
    pmc = tuple(f"{base}/raw/{Path(path).relative_to(raw)}" for path in (sample.pmc_tree, sample.pmc_tar))
    config = extract_config(sample, pubmed=(f"{base}/raw/pubmed",), pmc=pmc)
    extracted = extract(config, output=f"{base}/records")
    assembled = assemble(AssembleConfig(shard_mb=1), records=f"{base}/records", output=f"{base}/corpus")
    assert extracted == read_manifest(str(expected / "records"))
    assert assembled == read_manifest(str(expected / "corpus"))
    assert os.listdir(tmp_path) == [], "nothing of a remote stage stays on the local disk"


class Doubled(beam.DoFn):
    """A step of which every bundle is at work twice at the same time, as an engine does with a slow one; one counts."""

    def __init__(self, step: beam.DoFn) -> None:
        self._step = step

    def start_bundle(self) -> None:
        self._step.start_bundle()

    def process(self, element: Any, *facts: Any) -> Iterator[Any]:
        if isinstance(element, tuple) and not isinstance(element[1], bytes):
            element = (element[0], list(element[1]))
        facts = tuple(list(fact) if isinstance(fact, Iterable) else fact for fact in facts)  # for another thread
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(_whole_bundle, pickle.loads(pickle.dumps(self._step)), element, *facts)
            yield from self._step.process(element, *facts) or ()
            other.result()

    def finish_bundle(self) -> Iterator[Any]:
        yield from self._step.finish_bundle() or ()


def _whole_bundle(step: beam.DoFn, element: Any, *facts: Any) -> None:
    step.start_bundle()
    for made in (step.process(element, *facts), step.finish_bundle()):
        list(made or ())


def test_bundles_that_run_twice_at_once_change_no_byte(
    sample: Sample, expected: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(work: Callable[..., Any]) -> Callable[..., Any]:
        def both(*arguments: Any) -> Any:
            with ThreadPoolExecutor(1) as pool:
                other = pool.submit(work, *arguments)
                mine = work(*arguments)
                assert other.result() == mine
            return mine

        return both

    for name in ("extract_task", "conclude"):
        monkeypatch.setattr(f"pipelines.extract.{name}", twice(getattr(pipelines.extract, name)))
    monkeypatch.setattr("pipelines.assemble.pipeline.metered_step", Doubled)
    road(sample, tmp_path)
    assert hashes(tmp_path) == hashes(expected)


def test_dataflow_graphs_build_and_validate_offline(sample: Sample, expected: Path, tmp_path: Path) -> None:
    pytest.importorskip("apache_beam.runners.dataflow.internal.apiclient", reason="needs the gcp extra of apache-beam")
    assert extract(extract_config(sample), output=str(tmp_path / "records"), beam_args=DATAFLOW) is None
    records = str(expected / "records")
    assert assemble(AssembleConfig(), records=records, output=str(tmp_path / "corpus"), beam_args=DATAFLOW) is None
    assert "manifest.json" not in "".join(walk_files(str(tmp_path)))


def test_killed_stages_run_again_end_byte_identical(sample: Sample, expected: Path, tmp_path: Path) -> None:
    script = "import sys; from tests.pipelines.assemble.test_determinism import resume; resume(*sys.argv[1:])"
    command = [sys.executable, "-c", script, str(Path(sample.planted).parent), str(tmp_path)]
    dice = random.Random(5)
    for stage, num_kills in (("records", 3), ("corpus", 3)):
        for _ in range(num_kills):
            die_after_receipts(command, tmp_path / stage / "_receipts", more=dice.randint(1, 4))
            assert not (tmp_path / stage / "manifest.json").exists(), "nothing is visible before the commit"
        if stage == "records":
            resume(str(Path(sample.planted).parent), str(tmp_path), only_extract=True)
    resume(str(Path(sample.planted).parent), str(tmp_path))
    assert hashes(tmp_path) == hashes(expected)


def resume(raw: str, folder: str, only_extract: bool = False) -> None:
    """Run the road to its end in a folder where it was killed before; also the body of the process to kill."""
    pubmed = (f"{raw}/pubmed",)
    pmc = tuple(f"{raw}/pmc/{name}" for name in sorted(os.listdir(f"{raw}/pmc")))
    config = ExtractConfig(pubmed=pubmed, pmc=pmc, articles_per_part=ARTICLES_PER_PART)
    extract(config, output=f"{folder}/records")
    if not only_extract:
        assemble(AssembleConfig(shard_mb=1), records=f"{folder}/records", output=f"{folder}/corpus")


def die_after_receipts(command: list[str], receipts: Path, *, more: int) -> None:
    """Run the command in a process that kills itself -9 once it has left so many more receipts."""
    path = os.pathsep.join(filter(None, [str(REPOSITORY), str(KILLER), os.environ.get("PYTHONPATH")]))
    point = f"corpus.storage.files:publish:after:{more}:{receipts}/*"
    environment = {**os.environ, "PYTHONPATH": path, "CORPUSCLE_KILL_ANY": point}
    done = subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == -signal.SIGKILL


def test_a_leftover_of_a_kill_after_the_commit_is_cleaned(sample: Sample, expected: Path, tmp_path: Path) -> None:
    shutil.copytree(expected / "records", tmp_path / "records")
    (tmp_path / "records" / "_receipts").mkdir()
    (tmp_path / "records" / "_receipts" / "x.json").write_text("{}")
    extract(extract_config(sample), output=str(tmp_path / "records"))
    assert hashes(tmp_path / "records") == hashes(expected / "records")
