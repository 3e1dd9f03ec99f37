"""Kill chains: whoever starts the ranks, whatever is killed, one after another; with saves written beside training.

A run is asked to stop, loses a rank, its launcher, everything at once, and is started again each time; at the end
metrics and manifest have the bytes of a run that nothing disturbed.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from corpus.stage.manifest import read_manifest
from tests.conftest import REPOSITORY
from tests.support.small_tokens import made_up_texts, write_tokens
from tests.train.launch.test_stage import RUNNER
from train.checkpoint.store import newest_good
from train.config import TrainConfig
from train.launch.stage import train
from train.loop.hold import ranks_hold
from train.loop.metrics import read_metrics

SETTINGS: dict[str, Any] = {
    "model": {"layers": 1, "heads": 2, "hidden": 16, "dropout": 0.1},
    "steps": 240,
    "batch_rows": 4,
    "micro_batch": 2,
    "ranks": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 2,
    "eval_every": 40,
    "eval_rows": 2,
    "sample_tokens": 0,
    "save_every": 4,
    "save_async": True,
    "keep_checkpoints": 2,
    "log_every": 100,
}
PATIENCE = 300.0  # seconds, of a loaded machine
ACTIONS = ("stop", "rank", "launcher", "all")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "tokens"
    return str(write_tokens(folder, made_up_texts(60, seed=1), vocab_size=300, seq_length=32))


@pytest.fixture(scope="module")
def whole(tokens: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    train(TrainConfig.model_validate(SETTINGS), tokens=tokens, output=str(run))
    return run


def steps_done(run: Path) -> int:
    return max((line["step"] for line in read_metrics(str(run))), default=0)


def wait_for(there: Any, why: str) -> None:
    until = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < until, why
        time.sleep(0.02)


def ranks_of(process: psutil.Process) -> Iterator[psutil.Process]:
    """Yield the ranks below a command, through whatever launchers are between."""
    for each in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            words = " ".join(each.cmdline())
            if "train.loop.rank" in words and "torch.distributed.run" not in words and "deepspeed" not in words:
                yield each


def disturb(action: str, process: "subprocess.Popen[bytes]") -> None:
    command = psutil.Process(process.pid)
    if action == "stop":
        process.send_signal(signal.SIGTERM)
    elif action == "launcher":
        process.kill()
    elif action == "rank":
        victims = [each for each in ranks_of(command) if each.environ().get("RANK") == "1"]
        assert victims, [each.cmdline() for each in command.children(recursive=True)]
        victims[-1].kill()
    else:
        for each in (command, *command.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                each.kill()


def link(action: str | None, command: list[str], run: Path, log: Path) -> int:
    """Start a run, disturb it once it has got on by nine steps, and return its exit code when no rank is left."""
    before = steps_done(run)
    own = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (
        log.open("wb") as sink,
        subprocess.Popen(command, cwd=REPOSITORY, stdout=sink, stderr=sink, start_new_session=True, env=own) as process,
    ):
        try:
            if action is not None:
                wait_for(lambda: steps_done(run) >= before + 9 or process.poll() is not None, f"{action}: no steps")
                assert process.poll() is None, log.read_text()
                disturb(action, process)
            code = process.wait(PATIENCE)
        finally:
            process.kill()
    wait_for(lambda: not ranks_hold(str(run)), "ranks are left")
    return code


def chain(launcher: str, actions: tuple[str, ...], tokens: str, folder: Path, whole: Path) -> None:
    run, settings = folder / "run", folder / "config.yaml"
    settings.write_text(json.dumps(SETTINGS | {"launcher": launcher}))
    command = [sys.executable, "-c", RUNNER, str(settings), tokens, str(run)]
    for number, action in enumerate(actions):
        log = folder / f"{number}.log"
        code = link(action, [*command, *(["resume"] if number else [])], run, log)
        assert code == 75 if action == "stop" else code != 0, log.read_text()
        saved = newest_good(str(run), pytest.fail)
        assert saved.step >= 4, "a kill costs no more than the save in the making and the steps behind it"
    assert link(None, [*command, "resume"], run, folder / "last.log") == 0, (folder / "last.log").read_text()
    assert (run / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert read_manifest(str(run)) == read_manifest(str(whole))


@pytest.mark.slow
def test_two_links_of_the_chain(tokens: str, whole: Path, tmp_path: Path) -> None:
    chain("own", ("rank", "stop"), tokens, tmp_path, whole)


@pytest.mark.exhaustive
@pytest.mark.parametrize("launcher", ["own", "torchrun", "deepspeed"])
def test_every_launcher_and_every_kill(launcher: str, tokens: str, whole: Path, tmp_path: Path) -> None:
    chain(launcher, ACTIONS, tokens, tmp_path, whole)
