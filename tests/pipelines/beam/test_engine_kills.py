"""A worker or the engine itself killed at named places of a job on Prism; the same command again ends the same.

A worker kills itself, or Prism, at a file that it has written and synced, or given its name for good.
"""

import os
from pathlib import Path

import pytest

from corpus.errors import RetryError
from corpus.stage.events import EVENTS_LOG
from corpus.stage.lock import LOCK, RUN_FACTS
from corpus.storage.files import sha256_file, walk_files
from corpus.synthetic.sample.write import write_sample
from pipelines.cli.app import main
from tests.conftest import REPOSITORY
from tests.support.engines import prism_server, worker_pool
from tests.support.forked_ranks import KILLER

pytestmark = pytest.mark.slow

# By stage: the files, and which of them, counted in a worker; before or after it has its name.
PLACES = {
    "extract": (
        "before:2:*/records/records/*",
        "before:1:*/_receipts/*",
        "after:3:*/_receipts/*",
        "before:1:*/manifest.json",
        "after:1:*/manifest.json",
    ),
    "assemble": (
        "after:2:*/documents/*",
        "after:1:*/outcome.npy",
        "before:1:*/decisions/*",
        "after:1:*/train/*",
        "after:1:*/manifest.json",
    ),
}
USUAL = (("extract", PLACES["extract"][2], "worker"), ("assemble", PLACES["assemble"][1], "engine"))
ALL = tuple(
    (stage, place, whom) for stage, places in PLACES.items() for place in places for whom in ("worker", "engine")
)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a sample, and of both results by the embedded runner."""
    folder = tmp_path_factory.mktemp("kills")
    write_sample(str(folder / "raw"), seed=3, scale=0.03)
    for stage in PLACES:
        assert main(command(stage, folder, folder)) == 0
    return folder


def command(stage: str, raw: Path, folder: Path) -> list[str]:
    """Return the command of a stage whose output is below a folder, `records` or `corpus`."""
    if stage == "extract":
        pmc = [str(path) for path in sorted((raw / "raw" / "pmc").iterdir())]
        inputs = ["--pubmed", str(raw / "raw" / "pubmed"), "--pmc", *pmc, "--articles-per-part", "4"]
        return ["extract", *inputs, "--output", str(folder / "records")]
    return ["assemble", "--records", str(raw / "records"), "--output", str(folder / "corpus")]


def hashes(folder: Path) -> dict[str, str]:
    """Return the hash of every file of a result, but for the lock and the cost of the run."""
    names = [name for name in walk_files(str(folder)) if not name.endswith((LOCK, RUN_FACTS, EVENTS_LOG))]
    return {name: sha256_file(str(folder / name)) for name in names}


def external(jobs: int, workers: int) -> list[str]:
    flags = [f"--job_endpoint=localhost:{jobs}", f"--environment_config=localhost:{workers}"]
    return ["--", "--runner=PortableRunner", "--environment_type=EXTERNAL", *flags]


def check_a_kill(
    stage: str, place: str, whom: str, raw: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, name = command(stage, raw, folder), {"extract": "records", "assemble": "corpus"}[stage]
    path = os.pathsep.join([str(REPOSITORY), str(KILLER)])
    point = {"PYTHONPATH": path, "CORPUSCLE_KILL_ANY": f"corpus.storage.files:publish:{place}"}
    with prism_server() as (jobs, engine):
        victim = {"CORPUSCLE_KILL_VICTIM": str(engine.pid)} if whom == "engine" else {}
        with worker_pool(**point, **victim) as (workers, _):
            assert main([*words, *external(jobs, workers)]) == RetryError.exit_code
    said = capsys.readouterr().err
    assert "a fault of corpuscle's own" not in said
    assert "the same command again" in said
    with prism_server() as (jobs, _), worker_pool() as (workers, _):
        assert main([*words, *external(jobs, workers)]) == 0
    assert hashes(folder / name) == hashes(raw / name)


@pytest.mark.parametrize(("stage", "place", "whom"), USUAL)
def test_what_was_killed_ends_the_same_when_it_runs_again(
    stage: str, place: str, whom: str, raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check_a_kill(stage, place, whom, raw, tmp_path, capsys)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("stage", "place", "whom"), ALL)
def test_every_place_of_a_kill(
    stage: str, place: str, whom: str, raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check_a_kill(stage, place, whom, raw, tmp_path, capsys)
