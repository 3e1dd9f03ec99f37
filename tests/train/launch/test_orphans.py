"""Ranks and who started them: they end together, save first, and never are two sets of them in one directory."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corpus.errors import RetryError
from tests.conftest import REPOSITORY
from tests.support.small_tokens import made_up_texts, write_tokens
from tests.train.launch.test_stage import RUNNER, SETTINGS, wait_for_step, wait_until_gone
from train.checkpoint.store import newest_good
from train.config import TrainConfig
from train.launch import processes
from train.launch.rank_errors import rank_error
from train.launch.stage import train
from train.loop import hold
from train.loop.hold import RanksBusyError, ask_to_stop, check_no_ranks, end_holder, hold_ranks, ranks_hold

# A launcher that starts one rank, and a rank that does nothing but watch; "training" comes to its next step at once.
LAUNCHER = """
import subprocess, sys
from train.loop.hold import this_launcher
subprocess.run([sys.executable, "-c", sys.argv[1], sys.argv[2], sys.argv[3], this_launcher()])
"""
RANK = """
import sys, time
from train.loop import stop
stop.WATCH_SECONDS = 0.05
rank = stop.StopRequest(output=sys.argv[1], rank=0, launcher=sys.argv[3])
rank.arm()
if sys.argv[2] == "training":
    rank.training.set()
print(rank.launcher, flush=True)
while not rank.wanted():
    time.sleep(0.05)
if sys.argv[2] == "training":
    print("saved", flush=True)
"""


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "tokens"
    return str(write_tokens(folder, made_up_texts(40, seed=1), vocab_size=300, seq_length=64))


def watched(output: Path, phase: str) -> tuple[subprocess.Popen[str], str]:
    """Start a launcher with one rank that only watches; return it and its word, once the rank is there."""
    command = [sys.executable, "-c", LAUNCHER, RANK, str(output), phase]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


@pytest.mark.parametrize(("phase", "said"), [("starting", ""), ("training", "saved\n")])
def test_a_rank_whose_launcher_was_killed_saves_if_it_can_and_ends(tmp_path: Path, phase: str, said: str) -> None:
    process, _ = watched(tmp_path, phase)
    process.kill()
    assert process.communicate(timeout=120)[0] == said  # the pipe ends when the rank does


@pytest.mark.parametrize(("phase", "said"), [("starting", ""), ("training", "saved\n")])
def test_a_rank_below_another_launcher_is_asked_by_a_file_for_its_own_start(
    tmp_path: Path, phase: str, said: str
) -> None:
    process, launcher = watched(tmp_path, phase)
    ask_to_stop(str(tmp_path), launcher + "0")
    assert process.poll() is None
    ask_to_stop(str(tmp_path), launcher)
    assert process.communicate(timeout=120)[0] == said


def test_one_directory_has_one_set_of_ranks(tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "FREE_SECONDS", 0.2)
    monkeypatch.setattr(hold, "TAKE_SECONDS", 0.2)
    output = tmp_path / "run"
    config = TrainConfig.model_validate(SETTINGS | {"launcher": "print"})
    with pytest.raises(RetryError, match="the job is written"):
        train(config, tokens=tokens, output=str(output))
    before = {path: path.read_bytes() for path in output.rglob("*.json")}
    descriptor = hold_ranks(str(output))
    busy = rf"ranks of another start are still training here \(rank 0 is process {os.getpid()} on "
    for start in (check_no_ranks, hold_ranks):
        with pytest.raises(RanksBusyError, match=busy):
            start(str(output))
    for more in ({}, {"resume": True}):
        with pytest.raises(RetryError, match=busy):
            train(config, tokens=tokens, output=str(output), **more)
    assert {path: path.read_bytes() for path in output.rglob("*.json")} == before
    os.close(descriptor)
    check_no_ranks(str(output))


def test_a_rank_that_outlives_its_launcher_can_be_ended(tmp_path: Path) -> None:
    script = "import sys, time; from train.loop.hold import hold_ranks; hold_ranks(sys.argv[1]); print(1, flush=True)\n"
    command = [sys.executable, "-c", script + "time.sleep(600)", str(tmp_path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert ranks_hold(str(tmp_path))
        end_holder(str(tmp_path))
        assert process.wait() == -signal.SIGKILL
    assert not ranks_hold(str(tmp_path))
    end_holder(str(tmp_path))  # nobody holds it: nothing is done


def test_a_rank_that_is_ended_because_another_died_is_not_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.1)
    children = [subprocess.Popen(["sh", "-c", script]) for script in ("exec sleep 600", "kill -9 $$")]
    codes = processes._wait(children)
    assert codes == [0, -signal.SIGKILL]
    assert "rank 1 was killed by SIGKILL" in str(rank_error(str(tmp_path), codes, stopped=False))
    assert children[0].returncode == -signal.SIGKILL


def started(folder: Path, tokens: str, **changes: Any) -> subprocess.Popen[bytes]:
    file = folder / "config.yaml"
    file.write_text(json.dumps(SETTINGS | {"steps": 5000} | changes))
    command = [sys.executable, "-c", RUNNER, str(file), tokens, str(folder / "run")]
    return subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True, stdout=subprocess.PIPE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "number", "code"),
    [
        ("deepspeed", signal.SIGTERM, 75),
        ("torchrun", signal.SIGTERM, 75),
        ("own", signal.SIGKILL, -signal.SIGKILL),
        ("deepspeed", signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_whoever_starts_the_ranks_a_signal_saves_and_leaves_none(
    tokens: str, tmp_path: Path, launcher: str, number: signal.Signals, code: int
) -> None:
    process = started(tmp_path, tokens, launcher=launcher)
    run = tmp_path / "run"
    wait_for_step(run, 1)
    process.send_signal(number)
    said = process.communicate(timeout=300)[0].decode()
    assert process.returncode == code, said
    if number == signal.SIGTERM:
        assert not ranks_hold(str(run)), "the command waits for its ranks"
        assert "stopped by a signal; the same command with --resume goes on" in said
    wait_until_gone(run)
    assert newest_good(str(run), pytest.fail).step >= 1
