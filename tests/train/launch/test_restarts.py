"""Ranks that others start: by the printed command, again and again, as supervisors and arrow-up do."""

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from corpus.errors import RetryError
from corpus.stage.manifest import read_manifest
from tests.support.forked_ranks import KILLER
from tests.support.small_tokens import made_up_texts, write_tokens
from train.checkpoint.store import newest_good, read_list
from train.config import TrainConfig
from train.launch.processes import free_port
from train.launch.stage import train

SETTINGS = {
    "model": {"layers": 1, "heads": 2, "hidden": 16, "dropout": 0.1},
    "steps": 8,
    "batch_rows": 4,
    "micro_batch": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 2,
    "eval_every": 4,
    "eval_rows": 2,
    "sample_tokens": 2,
    "save_every": 3,
    "log_every": 100,
}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "tokens"
    return str(write_tokens(folder, made_up_texts(40, seed=1), vocab_size=300, seq_length=32))


def printed(run: Path, tokens: str) -> list[str]:
    """Write the job; return the command that is printed for it, with what a person fills in."""
    config = TrainConfig.model_validate(SETTINGS | {"launcher": "print"})
    with pytest.raises(RetryError) as caught:
        train(config, tokens=tokens, output=str(run))
    shown = re.search(r"^  (.+torch\.distributed\.run.+)$", str(caught.value), re.MULTILINE)
    assert shown is not None
    filled = {"NODES": "1", "GPUS": "1", "HOST:PORT": f"127.0.0.1:{free_port()}"}
    return [re.sub(r"(?<==)(NODES|GPUS|HOST:PORT)$", lambda m: filled[m[1]], word) for word in shlex.split(shown[1])]


def alone(command: list[str]) -> list[str]:
    """Return the command of one rank in it, as a batch system starts it, with no agent of torchrun above."""
    return [command[command.index("-m") - 1], *command[command.index("train.loop.rank") - 1 :]]


def start(command: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(filter(None, [str(KILLER), os.environ.get("PYTHONPATH")]))
    ranks = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
    place = {"MASTER_PORT": str(free_port()), "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, "PYTHONPATH": paths, **ranks, **place, **more}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.slow
def test_ranks_started_again_go_on_and_end_as_if_undisturbed(tokens: str, tmp_path: Path) -> None:
    run, whole = tmp_path / "run", tmp_path / "whole"
    undisturbed = start(alone(printed(whole, tokens)))
    assert undisturbed.returncode == 0, undisturbed.stderr
    train(TrainConfig.model_validate(SETTINGS), tokens=tokens, output=str(whole), resume=True)
    command = printed(run, tokens)
    killed = start(alone(command), CORPUSCLE_KILL="train.loop.train_steps:_train_step:after:5")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [entry.step for entry in read_list(str(run)) or ()] == [3]
    # Once more by hand; killed behind the save of step 6, and started again by torchrun itself.
    place = command.index("-m", command.index("torch.distributed.run"))
    supervised = [*command[:place], "--max-restarts=1", *command[place:]]
    done = start(supervised, CORPUSCLE_KILL="train.loop.train_steps:save:after:1")
    assert done.returncode in (0, 1), done.stderr
    assert "going on from step-00000003, saved since this job was written" in done.stderr
    assert "going on from step-00000006, saved since this job was written" in done.stderr
    last = start(alone(command))  # and with all steps done
    assert last.returncode == 0, last.stderr
    assert "all 8 steps are done" in last.stderr
    assert newest_good(str(run), pytest.fail).step == 8
    manifest = train(TrainConfig.model_validate(SETTINGS), tokens=tokens, output=str(run), resume=True)
    assert (run / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert manifest == read_manifest(str(whole))
