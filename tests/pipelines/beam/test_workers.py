"""Workers: no more are started than the work pays for, and the number that Beam's own flag gives."""

import gzip
import os
from pathlib import Path

import pytest

from corpus.stage import workspace
from pipelines.beam import runner, stage
from pipelines.beam.flags import WORKERS, given_workers
from pipelines.beam.workers import SECONDS_A_FORK, SECONDS_A_WORKER, paying_workers, workers_for
from pipelines.cli.app import main
from tests.benchmarks.beam import ONE_CITATION


@pytest.mark.parametrize(
    ("asked", "seconds", "paying", "forked"),
    [
        *((1, 0.0, 1, 1), (1, 1e9, 1, 1), (2, 0.0, 1, 1), (2, 3.9, 1, 1), (2, 4.0, 1, 2), (2, 19.9, 1, 2)),
        *((2, 20.0, 2, 2), (8, 35.0, 3, 8), (8, 1e9, 8, 8)),
    ],
)
def test_each_worker_must_find_work_for_its_start(asked: int, seconds: float, paying: int, forked: int) -> None:
    assert (SECONDS_A_WORKER, SECONDS_A_FORK) == (10.0, 2.0)
    assert paying_workers(asked, seconds=seconds, forked=False) == paying
    assert paying_workers(asked, seconds=seconds, forked=True) == forked


@pytest.mark.parametrize(
    ("flags", "number"),
    [
        ([], None),
        ([f"{WORKERS}=3"], 3),
        ([WORKERS, "2", "--x"], 2),
        (["--max_num_workers=4"], None),
        ([f"{WORKERS}=0"], os.cpu_count()),
    ],
)
def test_beams_own_flag_is_obeyed(flags: list[str], number: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert given_workers(flags) == number
    assert workers_for(1, seconds=0.0, stage="pack", beam_args=flags) == (number or 1)
    assert capsys.readouterr().err == ""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the numbers of workers that pipelines are run with; they run with one."""
    numbers: list[int] = []

    def run(*given: object, workers: int, **more: object) -> dict[str, int]:
        numbers.append(workers)
        return runner.run_pipeline(*given, workers=1, **{**more, "beam_args": ()})  # type: ignore[arg-type]

    monkeypatch.setattr(stage, "run_pipeline", run)
    return numbers


def write_inputs(folder: Path) -> None:
    folder.mkdir()
    for number in (1, 2):
        xml = ONE_CITATION.replace(b"<PMID>1", f"<PMID>{number}".encode())
        (folder / f"pubmed26n000{number}.xml.gz").write_bytes(gzip.compress(xml))


def test_a_small_job_says_that_one_worker_is_enough_and_what_starts_more(
    tmp_path: Path, started: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    write_inputs(tmp_path / "in")
    command = ["extract", "--pubmed", str(tmp_path / "in"), "--workers", "2"]
    assert main([*command, "--output", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert "extract: 1 worker instead of 2, for about 0 CPU s of work: more would cost more than they save" in said
    advice = said.partition("(`")[2].partition("`")[0].split()
    assert main([*command, "--output", str(tmp_path / "again"), *advice]) == 0
    assert "instead of" not in capsys.readouterr().err
    assert started == [1, 2]


def test_what_an_earlier_run_finished_is_no_work(
    tmp_path: Path, started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_inputs(tmp_path / "in")
    monkeypatch.setattr("pipelines.extract.COMPRESSED_RATE", 1.0)  # so that two small files are 20 seconds and more
    command = ["extract", "--pubmed", str(tmp_path / "in"), "--workers", "2", "--output"]
    assert main([*command, str(tmp_path / "out")]) == 0
    monkeypatch.setattr(workspace.Workspace, "num_finished", lambda _: 2)
    assert main([*command, str(tmp_path / "again")]) == 0
    assert started == [2, 1]
