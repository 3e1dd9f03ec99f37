"""Signals: a command ends with a line and its code, no process is left, the same command makes the same bytes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from corpus.synthetic.sample.write import write_sample
from pipelines.beam.runner import WORKER
from tests.pipelines.assemble.test_determinism import hashes

COMMAND = (sys.executable, "-m", "pipelines.cli.process")
PATIENCE = 60  # seconds: of a loaded machine; an idle one takes 1


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every stage's result, made by one worker that nobody stopped."""
    folder = tmp_path_factory.mktemp("road")
    write_sample(str(folder / "raw"), seed=3, scale=0.06)
    for stage in ("extract", "assemble", "tokenizer", "pack"):
        assert finish(stage, folder, folder / stage) == 0
    return folder


def words(stage: str, road: Path, output: Path) -> list[str]:
    """Return the command line of a stage on what is in `road`."""
    inputs = {
        "extract": ["--pubmed", "raw/pubmed"],
        "assemble": ["--records", "extract"],
        "tokenizer": ["--corpus", "assemble", "--vocab-size", "600"],
        "pack": ["--corpus", "assemble", "--tokenizer", "tokenizer", "--seq-length", "64"],
    }[stage]
    paths = [str(road / word) if (road / word).exists() else word for word in inputs]
    return [*COMMAND, stage, *paths, "--output", str(output)]


def finish(stage: str, road: Path, output: Path, *more: str) -> int:
    return subprocess.run(
        [*words(stage, road, output), *more], stdout=subprocess.DEVNULL, check=False, timeout=300
    ).returncode


def wait_for(what: Callable[[], bool], process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert process is None or process.poll() is None, "it ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def workers_of(pid: int) -> list[psutil.Process]:
    try:
        return [child for child in psutil.Process(pid).children(recursive=True) if WORKER in child.cmdline()]
    except psutil.NoSuchProcess:
        return []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "number"),
    [
        ("extract", signal.SIGTERM),
        ("assemble", signal.SIGHUP),
        ("pack", signal.SIGTERM),
        ("extract", signal.SIGKILL),
    ],
)
def test_workers_end_with_the_command(stage: str, number: signal.Signals, road: Path, tmp_path: Path) -> None:
    output = tmp_path / stage
    command = [*words(stage, road, output), "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    wait_for(lambda: len(workers_of(process.pid)) == 2, process)
    workers = workers_of(process.pid)
    process.send_signal(number)
    _, alive = psutil.wait_procs(workers, timeout=PATIENCE)
    assert not alive
    said = process.communicate(timeout=PATIENCE)[1].decode()
    if number != signal.SIGKILL:
        assert process.returncode == 75
        assert f"error: stopped by {number.name}; the same command goes on" in said
        assert "Traceback" not in said
    assert not (output / "manifest.json").exists()
    assert finish(stage, road, output, "--workers", "2") == 0
    assert hashes(output) == hashes(road / stage)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stage_of_one_process_says_that_it_was_stopped(number: signal.Signals, road: Path, tmp_path: Path) -> None:
    output = tmp_path / "tokenizer"
    process = subprocess.Popen(words("tokenizer", road, output), stderr=subprocess.PIPE)
    wait_for(lambda: (output / "_work").exists(), process)
    process.send_signal(number)
    said = process.communicate(timeout=PATIENCE)[1].decode()
    assert (process.returncode, said.count("stopped by " + number.name)) == (75, 1)
    assert finish("tokenizer", road, output) == 0
    assert hashes(output) == hashes(road / "tokenizer")


LONG_CALL = """
import ctypes, sys, pipelines.cli.process as process
process.main = lambda: print("begun", flush=True) or ctypes.CDLL(None).sleep(600)
process.command()
"""


def in_a_long_call(**more: object) -> subprocess.Popen[str]:
    """Start a command that is inside a library's call, where Python calls no handler."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", LONG_CALL], text=True, **pipes, **more)  # type: ignore[call-overload]
    assert process.stdout.readline() == "begun\n"
    return process  # type: ignore[no-any-return]


def test_a_signal_is_obeyed_inside_a_long_call() -> None:
    process = in_a_long_call()
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=PATIENCE)[1]
    assert (process.returncode, said.count("stopped by SIGTERM")) == (75, 1)


def test_a_signal_ignored_from_the_start_stays_so() -> None:
    process = in_a_long_call(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))  # as nohup does
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert "stopped by SIGTERM" in process.communicate(timeout=PATIENCE)[1]


def test_a_stream_that_is_gone_changes_nothing() -> None:
    read, write = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", LONG_CALL], stdout=subprocess.PIPE, stderr=write)
    os.close(write)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    os.close(read)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 75
