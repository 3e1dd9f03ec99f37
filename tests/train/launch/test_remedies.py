"""What a run that stopped at a spike is told to change may be changed, and takes effect from its checkpoint on."""

import ast
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from corpus.errors import DataError, RetryError
from corpus.stage.machine import usable_cores
from tests.conftest import REPOSITORY
from tests.support.forked_ranks import KILLER, fork_ranks
from tests.support.small_tokens import made_up_texts, write_tokens
from train.checkpoint.restart import REMEDIES
from train.config import TrainConfig
from train.launch.processes import environment
from train.launch.stage import train
from train.loop.loss_watch import LEAST, REMEDY, LossWatch
from train.loop.metrics import read_metrics

SETTINGS = {
    "model": {"layers": 2, "heads": 2, "hidden": 32},
    "steps": 6,
    "batch_rows": 4,
    "micro_batch": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 1,
    "eval_every": 100,
    "eval_rows": 2,
    "sample_tokens": 0,
    "save_every": 3,
    "log_every": 100,
}
CHANGES: dict[str, Any] = {"learning_rate": 2e-3, "clip": 0.05, "precision": "bf16"}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "tokens"
    return str(write_tokens(folder, made_up_texts(40, seed=1), vocab_size=300, seq_length=64))


@pytest.fixture(scope="module")
def stopped(tokens: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that ended after its checkpoint of step 3."""
    run = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.MonkeyPatch.context() as patch:
        fork_ranks(patch)
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(KILLER), os.environ.get("PYTHONPATH")])))
        patch.setenv("CORPUSCLE_KILL", "train.loop.train_steps:_train_step:after:5")
        with pytest.raises(RetryError):
            train(TrainConfig.model_validate(SETTINGS), tokens=tokens, output=str(run))
    return run


def test_the_message_advises_what_may_be_changed() -> None:
    config = TrainConfig.model_validate(SETTINGS | {"on_spike": "stop"})
    assert {*CHANGES} == {*REMEDIES}
    assert all(name in REMEDY for name in REMEDIES)
    with pytest.raises(DataError, match=r"--resume --set learning_rate=….*or set on_spike to warn"):
        LossWatch.resumed(config, [5.0] * LEAST, skipped=0).check(11, loss=9.0, norm=1.0, skipped=0)


@pytest.mark.slow
def test_every_remedy_is_accepted_with_resume_and_works(
    tokens: str, stopped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fork_ranks(monkeypatch)
    lines = {}
    for name, value in {"steps": 6, **CHANGES}.items():
        run = tmp_path / name
        shutil.copytree(stopped, run)
        config = TrainConfig.model_validate(SETTINGS | {name: value})
        train(config, tokens=tokens, output=str(run), resume=True)
        said = f"from step 3 on {name} is {value}, it was {SETTINGS.get(name, TrainConfig.model_fields[name].default)}"
        assert (said in capsys.readouterr().err) == (name in REMEDIES)
        lines[name] = [line for line in read_metrics(str(run)) if "loss" in line]
    plain = lines.pop("steps")
    for name, own in lines.items():
        assert own[:3] == plain[:3], "what was done stays"
        assert own[3]["loss"] == pytest.approx(plain[3]["loss"], abs=0.02), f"{name}: the states were loaded"
        assert [line["step"] for line in own] == [1, 2, 3, 4, 5, 6]
        assert own[5] != plain[5], f"{name} takes effect"
    assert lines["learning_rate"][4]["learning_rate"] == pytest.approx(plain[4]["learning_rate"] / 5)


def test_cores_are_counted_where_the_system_has_no_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    for name in ("sched_getaffinity", "sched_setaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    assert usable_cores() == os.cpu_count()
    assert environment(1)["OMP_NUM_THREADS"] == str(os.cpu_count())


def test_only_one_place_asks_for_the_affinity() -> None:
    rooms = ("corpus", "tokenizer", "train", "pipelines")
    paths = [path for room in rooms for path in (REPOSITORY / room).rglob("*.py")]
    asking = {
        path.name
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("sched_getaffinity", "sched_setaffinity")
    }
    assert asking == {"machine.py"}
