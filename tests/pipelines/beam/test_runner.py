"""A worker's own error comes back as itself, and a killed worker ends the run instead of hanging it."""

import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DebugOptions, DirectOptions, PipelineOptions, StandardOptions

from corpus.errors import CorruptError, RetryError
from pipelines.beam.flags import is_dry_run, is_embedded
from pipelines.beam.lean_build import KeptOptions
from pipelines.beam.metering import count
from pipelines.beam.runner import _DEATH, _deaths_set, run_pipeline
from tests.conftest import REPOSITORY


class Fail(beam.DoFn):
    def process(self, element: int) -> None:
        raise CorruptError(f"file {element}: bad\n  second line; fetch it again")


class KillWorker(beam.DoFn):
    """Kills the worker process it runs in, once it is surely seen."""

    def process(self, element: int) -> None:
        time.sleep(2)
        os.kill(os.getpid(), signal.SIGKILL)


def test_own_error_is_translated() -> None:
    with pytest.raises(CorruptError, match=r"file 7: bad\n  second line; fetch it again$"):
        run_pipeline(lambda p: p | beam.Create([7]) | beam.ParDo(Fail()), workers=1, beam_args=())


def test_views_of_options_are_those_of_beam() -> None:
    flags = ["--direct_num_workers=3", "--experiments=one", "--no_such_flag=1"]
    found = []
    for options in (PipelineOptions(flags), KeptOptions(flags)):
        options.view_as(DebugOptions).experiments = ["two"]
        options.view_as(DebugOptions).experiments.append("three")
        copied = copy.deepcopy(options)
        copied.view_as(StandardOptions).runner = "Other"
        options.view_as(DirectOptions).direct_num_workers = 4
        views = [
            (one.view_as(DirectOptions), one.view_as(DebugOptions), one.view_as(StandardOptions))
            for one in (options, copied)
        ]
        found.append([(str(direct), debug.experiments, standard.runner) for direct, debug, standard in views])
        found[-1].append(options.get_all_options(drop_default=True))
        found[-1].append(pickle.loads(pickle.dumps(options)).get_all_options())
    assert found[0] == found[1]


def test_foreign_error_stays(tmp_path: Path) -> None:
    def broken(element: int) -> float:
        return element / 0

    with pytest.raises(Exception, match="division by zero"):
        run_pipeline(lambda p: p | beam.Create([7]) | beam.Map(broken), workers=1, beam_args=())


@pytest.mark.slow
def test_killed_worker_is_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))  # worker processes import this module
    with pytest.raises(RetryError, match="died"):  # Beam alone would wait for ever
        run_pipeline(
            lambda p: p | beam.Create([1, 2]) | beam.Reshuffle() | beam.ParDo(KillWorker()), workers=2, beam_args=()
        )


@pytest.mark.parametrize(
    ("args", "embedded", "dry"),
    [
        ([], True, False),
        (["--runner=DataflowRunner", "--dry_run=True"], False, True),
        (["--runner", "X"], False, False),
    ],
)
def test_flags(args: list[str], embedded: bool, dry: bool) -> None:
    assert (is_embedded(args), is_dry_run(args)) == (embedded, dry)


class CountBytes(beam.DoFn):
    def process(self, element: int) -> None:
        count("bytes shuffled", element)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_counters_of_all_workers_come_back(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    found = run_pipeline(
        lambda p: p | beam.Create([1, 20, 300]) | beam.Reshuffle() | beam.ParDo(CountBytes()),
        workers=workers,
        beam_args=(),
    )
    assert found == {"bytes shuffled": 321}


DEAD_PROXY = """
import apache_beam as beam
from pipelines.beam.runner import run_pipeline
run_pipeline(lambda p: p | beam.Create([1]) | beam.Map(print), workers=2, beam_args=())
"""


@pytest.mark.slow
def test_workers_pass_by_proxies_and_modules_of_the_current_folder(tmp_path: Path) -> None:
    for name in ("corpus.py", "random.py"):
        (tmp_path / name).write_text("raise SystemExit('a file of the user ran')\n")
    proxy = {f"{name}_proxy": "http://127.0.0.1:9" for name in ("http", "https", "all")}
    environment = {**os.environ, **proxy, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-P", "-c", DEAD_PROXY]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=180)


def test_the_thread_of_a_killed_worker_says_nothing_after_a_signal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a loaded machine it finds out only when the command has left the pipeline already."""
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)

    def find_out() -> None:
        raise RuntimeError(f"{_DEATH} -9")

    with pytest.raises(SystemExit), _deaths_set(threading.Event()):
        raise SystemExit(75)
    late = threading.Thread(target=find_out)
    late.start()
    late.join()
    assert capsys.readouterr().err == ""
