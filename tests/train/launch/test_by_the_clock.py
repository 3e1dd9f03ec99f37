"""Checkpoints and losses by the clock and by request: when they come changes no step."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.small_tokens import made_up_texts, write_tokens
from train.checkpoint.store import read_list
from train.config import TrainConfig
from train.launch.stage import train
from train.loop.metrics import Metrics, read_metrics

SETTINGS: dict[str, Any] = {
    "model": {"layers": 2, "heads": 2, "hidden": 32},
    "steps": 6,
    "batch_rows": 2,
    "micro_batch": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 1,
    "eval_every": 100,
    "eval_rows": 2,
    "save_every": 100,
    "log_every": 100,
    "sample_tokens": 0,
    "keep_checkpoints": 100,
}
PATIENCE = 300.0  # seconds, of a loaded machine


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("clock") / "tokens"
    return str(write_tokens(folder, made_up_texts(60, seed=1), vocab_size=300, seq_length=64))


def steps_of(lines: list[Metrics], name: str) -> list[int]:
    return [line["step"] for line in lines if name in line]


def saved(output: Path) -> list[int]:
    return [entry.step for entry in read_list(str(output)) or ()]


def test_a_clock_that_is_always_due_saves_and_evaluates_at_every_step(tokens: str, tmp_path: Path) -> None:
    """On two ranks, who do it together though one alone has the clock; losses are those of an undisturbed run."""
    plain = TrainConfig.model_validate(SETTINGS | {"ranks": 2, "micro_batch": 1})
    clocked = plain.model_copy(update={"save_minutes": 1e-9, "eval_minutes": 1e-9})
    for config, name in ((plain, "plain"), (clocked, "clocked")):
        train(config, tokens=tokens, output=str(tmp_path / name))
    assert saved(tmp_path / "plain") == [6]
    assert saved(tmp_path / "clocked") == [1, 2, 3, 4, 5, 6]
    first, second = (read_metrics(str(tmp_path / name)) for name in ("plain", "clocked"))
    assert steps_of(first, "validation_loss") == [6]
    assert steps_of(second, "validation_loss") == [1, 2, 3, 4, 5, 6]
    assert [line for line in second if "loss" in line] == [line for line in first if "loss" in line]


def test_a_clock_that_is_not_due_does_nothing(tokens: str, tmp_path: Path) -> None:
    config = TrainConfig.model_validate(SETTINGS | {"save_minutes": 1e6, "eval_minutes": 1e6, "save_every": 4})
    train(config, tokens=tokens, output=str(tmp_path / "run"))
    assert saved(tmp_path / "run") == [4, 6]


RUNNER = """
import sys
from train.config import load_preset
from train.launch.stage import train
train(load_preset(sys.argv[1]), tokens=sys.argv[2], output=sys.argv[3])
"""


@pytest.mark.parametrize("launcher", ["own", pytest.param("torchrun", marks=pytest.mark.exhaustive)])
def test_sigusr1_saves_and_training_goes_on(tokens: str, launcher: str, tmp_path: Path) -> None:
    """Sent to the command, whoever starts its ranks: a checkpoint more, and the same end."""
    import yaml

    output = tmp_path / "run"
    settings = tmp_path / "settings.yaml"
    steps = 4000  # which are not waited for
    settings.write_text(yaml.safe_dump(SETTINGS | {"steps": steps, "launcher": launcher}))
    command = [sys.executable, "-c", RUNNER, str(settings), tokens, str(output)]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            wait_for(lambda: any("loss" in line for line in read_metrics(str(output))), process, tmp_path / "log")
            process.send_signal(signal.SIGUSR1)
            wait_for(lambda: len(saved(output)) == 1, process, tmp_path / "log")
            then = read_metrics(str(output))[-1]["step"]
            wait_for(lambda: read_metrics(str(output))[-1]["step"] > then, process, tmp_path / "log")
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) != 0
        finally:
            process.kill()
    first, last = saved(output)
    assert 0 < first < last < steps


def wait_for(there: Any, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while not there():
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < until, log.read_text(encoding="utf-8")
        time.sleep(0.05)
