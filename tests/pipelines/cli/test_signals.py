"""Signals: a command ends with a line and its code, no process is left, the same command makes the same bytes."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.storage.files import walk_files
from corpus.synthetic.sample.write import write_sample
from pipelines.beam.flags import WORKERS
from pipelines.beam.forks import WORKER_NAME
from tests.pipelines.assemble.test_determinism import hashes
from tests.support.small_fetch import filled
from tests.support.small_fetch import hashes as stored
from tests.support.small_run import loud_model, write_run
from tests.support.struck import COMMAND, PATIENCE, Aftermath, Blow, strike, workers_of

CODES = {signal.SIGTERM: 75, signal.SIGHUP: 75, signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}


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


def has_two_workers(pid: int) -> bool:
    return len(workers_of(pid)) == 2


def is_under_way(output: Path) -> bool:
    return (output / "_work").exists() and not (output / "manifest.json").exists()


def check(after: Aftermath | None, blow: Blow) -> None:
    """See that a struck command ended as it should: with its code, a line, and no process left."""
    assert after is not None, "it ended too early"
    assert not after.left
    wanted = 75 if blow.victim in ("worker", "server") else CODES[blow.number]
    assert after.code == wanted, after.said
    assert after.said.count("error: ") == (wanted > 0), after.said
    assert not re.search("Traceback|Exception ignored|corpuscle's own", after.said), after.said
    if wanted == 75 and blow.victim not in ("worker", "server"):
        assert f"error: stopped by {blow.number.name}; the same command goes on" in after.said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "blow"),
    [
        ("extract", Blow(number=signal.SIGTERM)),
        ("assemble", Blow(number=signal.SIGHUP, victim="group")),
        ("pack", Blow(number=signal.SIGINT, victim="group")),
        ("extract", Blow(number=signal.SIGKILL)),
        ("assemble", Blow(number=signal.SIGKILL, victim="worker")),
        ("pack", Blow(number=signal.SIGKILL, victim="server")),
    ],
    ids=str,
)
def test_forked_workers_end_with_the_command(stage: str, blow: Blow, road: Path, tmp_path: Path) -> None:
    output = tmp_path / stage

    def are_forked(pid: int) -> bool:
        return [one.name() for one in workers_of(pid)] == 2 * [WORKER_NAME]

    check(strike([*words(stage, road, output), "--", f"{WORKERS}=2"], blow, are_forked), blow)
    assert not (output / "manifest.json").exists()
    assert finish(stage, road, output, "--", f"{WORKERS}=2") == 0
    assert hashes(output) == hashes(road / stage)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "blow"),
    [
        ("extract", Blow(number=signal.SIGTERM)),
        ("pack", Blow(number=signal.SIGINT, victim="group")),
        ("assemble", Blow(number=signal.SIGKILL)),
        ("assemble", Blow(number=signal.SIGKILL, victim="worker")),
    ],
    ids=str,
)
def test_workers_end_with_a_command_that_may_not_fork(
    stage: str, blow: Blow, road: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JE_ARROW_MALLOC_CONF", "background_thread:true")  # a thread of its own
    output = tmp_path / stage
    check(strike([*words(stage, road, output), "--", f"{WORKERS}=2"], blow, has_two_workers), blow)
    assert not (output / "manifest.json").exists()
    assert finish(stage, road, output, "--", f"{WORKERS}=2") == 0
    assert hashes(output) == hashes(road / stage)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_a_stage_of_one_process_says_that_it_was_stopped(number: signal.Signals, road: Path, tmp_path: Path) -> None:
    output, blow = tmp_path / "tokenizer", Blow(number=number)
    check(strike(words("tokenizer", road, output), blow, lambda _: is_under_way(output)), blow)
    assert finish("tokenizer", road, output) == 0
    assert hashes(output) == hashes(road / "tokenizer")
    assert {*walk_files(str(output))} == {*walk_files(str(road / "tokenizer"))}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_fetch_says_that_it_was_stopped(number: signal.Signals, tmp_path: Path) -> None:
    output, blow = tmp_path / "store", Blow(number=number)
    with filled(60) as bucket:
        command = [*COMMAND, "fetch", "pmc", "--source", bucket.base, "--output", str(output)]
        check(strike(command, blow, lambda _: is_under_way(output)), blow)
        assert not (output / "manifest.json").exists()
        assert subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0
        again = [*command[:-1], str(tmp_path / "whole")]
        assert subprocess.run(again, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert stored(output) == stored(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["generate", "export"])
def test_a_verb_that_runs_torch_says_that_it_was_stopped(verb: str, tmp_path: Path) -> None:
    run, blow = str(write_run(tmp_path / "run", loud_model())), Blow(number=signal.SIGTERM)
    more = {"generate": ["--prompt", "a", "--max-tokens", "1000000"], "export": ["--output", str(tmp_path / "model")]}
    check(strike([*COMMAND, verb, run, *more[verb]], blow, has_loaded_torch), blow)
    assert not (tmp_path / "model" / "manifest.json").exists()


def has_loaded_torch(pid: int) -> bool:
    return "libtorch_cpu" in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")


LONG_CALL = """
import ctypes, sys, pipelines.cli.app as app, pipelines.cli.process as process
app.main = lambda: print("begun", flush=True) or ctypes.CDLL(None).sleep(600)
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


IN_A_DESTRUCTOR = """
import os, signal, sys, time, pipelines.cli.app as app, pipelines.cli.process as process
class Object:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        time.sleep(0.01)
def work():
    Object()
    try:
        time.sleep(600)
    finally:
        print("unwound", flush=True)
app.main = work
process.command()
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_that_comes_while_an_object_is_destroyed_is_not_lost(name: str) -> None:
    code = IN_A_DESTRUCTOR.format(name=name)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.stdout == "unwound\n"
    assert "Exception ignored" not in done.stderr
    assert name == "SIGINT" or (done.returncode, done.stderr.count("stopped by SIGTERM")) == (75, 1)


AT_THE_END = """
import atexit, os, signal, pipelines.cli.app as app, pipelines.cli.process as process
class Object:
    def __init__(self, kill):
        self.kill = kill
    def __del__(self):
        self.kill()
def kill(kill=os.kill, pid=os.getpid(), number=signal.NUMBER):
    kill(pid, number)
def work():
    atexit.register(kill)
    return 7
last = Object(kill)
app.main = work
process.command()
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_after_the_work_changes_nothing(name: str) -> None:
    code = AT_THE_END.replace("NUMBER", name)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")


# libc calls `raise` with the exit status, which is SIGINT's number, when Python itself is gone.
AFTER_PYTHON = """
import ctypes, pipelines.cli.app as app, pipelines.cli.process as process
app.main = lambda: 2
libc = ctypes.CDLL(None)
libc.on_exit(ctypes.cast(getattr(libc, "raise"), ctypes.c_void_p), None)
process.command()
"""


def test_ctrl_c_after_pythons_end_changes_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", AFTER_PYTHON], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


DROPPED = """
import os, signal, time, pipelines.cli.app as app, pipelines.cli.process as process
def work():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    except KeyboardInterrupt:
        pass
    return 0
app.main = work
process.command()
"""


def test_ctrl_c_that_a_library_drops_is_told_at_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", DROPPED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        130,
        "error: interrupted; the same command goes on from the finished parts\n",
    )


GOES_ON = """
import os, signal, sys, time, pipelines.cli.app as app, pipelines.cli.process as process
def work():
    for _ in range(3):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60)
        except KeyboardInterrupt:
            print("dropped", flush=True)
    try:
        time.sleep(600)
    finally:
        time.sleep(2)  # a block that ends: no further one is sent meanwhile
        print("ended", flush=True)
app.main = work
process.command()
"""


def test_ctrl_c_that_a_library_drops_is_sent_again() -> None:
    done = subprocess.run([sys.executable, "-c", GOES_ON], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 130
    assert done.stdout == "dropped\n" * 3 + "ended\n"
    assert done.stderr == "error: interrupted; the same command goes on from the finished parts\n"


PANIC = """
import os, signal, time, pipelines.cli.app as app, pipelines.cli.process as process
class PanicException(BaseException): "As PyO3's, which is none of Exception."
def work():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    except KeyboardInterrupt:
        error = PanicException("called `Result::unwrap()` on an `Err` value: KeyboardInterrupt")
    raise error
app.main = work
process.command()
"""


def test_ctrl_c_of_which_rust_makes_a_panic_is_an_interruption() -> None:
    done = subprocess.run([sys.executable, "-c", PANIC], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr.count("\n"), done.stderr[:18]) == (130, 1, "error: interrupted")
