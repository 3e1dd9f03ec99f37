"""kill -9 at named points of training and saving, one after another in one run: it ends as if nothing had been.

The run goes on after every kill and is killed again at the next point; at the end its losses, all of them and so
the 20 after the last kill too, are those of the uninterrupted run to the last bit, and so is what it committed.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corpus.errors import RetryError
from corpus.stage.manifest import read_manifest
from tests.support.forked_ranks import KILLER, fork_ranks
from tests.support.small_tokens import made_up_texts, write_tokens
from train.checkpoint.store import newest_good, read_list
from train.config import TrainConfig
from train.launch.stage import train
from train.loop.metrics import read_metrics

# module:function:before|after:N-th call in a process. Each process resumes at an even step and saves every two.
TRAINING = (
    "train.loop.train_steps:_train_step:before:2",
    "train.loop.train_steps:_train_step:after:3",
    "train.loop.train_steps:set_learning_rate:before:3",
    "train.loop.train_steps:gradient_norm:before:3",
    "train.loop.metrics:MetricsLog.record:before:3",
    "train.loop.metrics:MetricsLog.record:after:3",
    "train.loop.train_steps:evaluate:before:1",
    "train.loop.train_steps:evaluate:after:1",
)
SAVING = (
    "train.checkpoint.store:make_temporary:before:2",
    "train.checkpoint.store:make_temporary:after:2",
    "train.loop.saving:write_state:before:2",
    "train.loop.engine:whole_weights:before:2",
    "train.loop.engine:save_file:before:2",
    "train.loop.saving:write_state:after:2",
    "train.checkpoint.store:hash_and_sync:after:5",
    "corpus.storage:sync_path:before:9",
    "os:rename:before:2",
    "os:rename:after:2",
    "train.checkpoint.store:write_list:before:2",
    "train.checkpoint.store:_remove_unlisted:before:2",
)
# Of asynchronous saves: in the copy, in the thread that writes and hashes, before and behind the step that publishes.
LATER = (
    "train.loop.rank_files:record:before:1",
    "train.loop.rank_files:record:after:2",
    "train.loop.rank_files:RankFiles.start:before:2",
    "train.loop.rank_files:write_records:before:2",
    "train.loop.rank_files:write_records:after:2",
    "train.loop.engine:save_file:before:2",
    "train.checkpoint.store:hash_and_sync:after:2",
    "train.loop.rank_files:RankFiles.finish:after:2",
    "train.loop.train_steps:settle:before:2",
    "train.loop.saving:_publish_together:before:2",
    "os:rename:before:2",
    "train.checkpoint.store:write_list:before:2",
    "train.checkpoint.store:_remove_unlisted:before:2",
)
SETTINGS = {
    "model": {"layers": 1, "heads": 2, "hidden": 16, "dropout": 0.1},
    "steps": 62,
    "batch_rows": 4,
    "micro_batch": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 2,
    "eval_every": 4,
    "eval_rows": 2,
    "sample_tokens": 2,
    "save_every": 2,
    "keep_checkpoints": 2,
    "log_every": 100,
}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "tokens"
    return str(write_tokens(folder, made_up_texts(40, seed=1), vocab_size=300, seq_length=32))


def killed_and_whole(
    tokens: str, folder: Path, points: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, **changes: Any
) -> None:
    settings = TrainConfig.model_validate(SETTINGS | changes)
    run, whole = folder / "run", folder / "whole"
    fork_ranks(monkeypatch)
    train(settings, tokens=tokens, output=str(whole))
    for number, point in enumerate(points):
        monkeypatch.setenv("CORPUSCLE_KILL", point)
        resume = bool(read_list(str(run)))
        with pytest.raises(RetryError, match="rank 0 was killed by SIGKILL"):
            train(settings, tokens=tokens, output=str(run), resume=resume)
        if entries := read_list(str(run)):
            assert newest_good(str(run), pytest.fail).step == entries[-1].step, point
        assert read_metrics(str(run)), (number, point)
    last = newest_good(str(run), pytest.fail).step
    assert settings.steps - last >= 20, "20 losses are left after the last kill"
    monkeypatch.delenv("CORPUSCLE_KILL")
    train(settings, tokens=tokens, output=str(run), resume=True)
    assert (run / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert read_manifest(str(run)) == read_manifest(str(whole))


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Ranks started as ever, with the killer on their path."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(KILLER), os.environ.get("PYTHONPATH")])))
    return monkeypatch


@pytest.mark.slow
def test_a_finished_run_ends_well_whatever_the_teardown_does(
    tokens: str, tmp_path: Path, killer: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Libraries abort at the interpreter's exit; and a rank is killed after the last checkpoint was published."""
    settings = TrainConfig.model_validate(SETTINGS | {"steps": 2})
    killer.setenv("CORPUSCLE_ABORT_AT_EXIT", "1")
    train(settings, tokens=tokens, output=str(tmp_path / "aborts"))
    assert "Nothing is lost" not in capfd.readouterr().err
    killer.setenv("CORPUSCLE_KILL", "train.loop.engine:finish_distributed:before:1")
    manifest = train(settings, tokens=tokens, output=str(tmp_path / "killed"))
    said = capfd.readouterr().err
    assert "its checkpoint published and intact: rank 0 was killed by SIGKILL" in said
    assert manifest == read_manifest(str(tmp_path / "aborts"))


def test_an_error_is_not_hidden_by_an_abort(tmp_path: Path, killer: pytest.MonkeyPatch) -> None:
    killer.setenv("CORPUSCLE_ABORT_AT_EXIT", "1")
    killer.setenv("RANK", "0")
    done = subprocess.run(
        [sys.executable, "-m", "train.loop.rank", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, "the teardown would have made it SIGABRT"
    assert done.stderr.rstrip().splitlines()[-1].startswith("FileNotFoundError: ")


@pytest.mark.slow
def test_three_kills_change_nothing(tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = (TRAINING[3], SAVING[4], SAVING[9])
    killed_and_whole(tokens, tmp_path, points, monkeypatch, steps=28)


GROWING = {"batch_rows": 8, "micro_batch": 1, "batch_warmup_start": 2, "batch_warmup_steps": 8}  # 2, 4, 6, then 8


@pytest.mark.slow
def test_kills_while_batches_grow_change_nothing(tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in the warm-up, in its last step, and in a save behind it."""
    points = (TRAINING[1], TRAINING[3], TRAINING[6], SAVING[4])
    killed_and_whole(tokens, tmp_path, points, monkeypatch, steps=30, ranks=2, **GROWING)


@pytest.mark.exhaustive
@pytest.mark.parametrize("stage", range(4))
def test_twenty_kills_while_batches_grow_change_nothing(
    tokens: str, tmp_path: Path, stage: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = GROWING | {"batch_warmup_steps": 30}
    killed_and_whole(tokens, tmp_path, TRAINING + SAVING, monkeypatch, zero_stage=stage, ranks=2, **changes)


@pytest.mark.slow
def test_kills_while_a_a_save_is_written_beside_training_change_nothing(
    tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = (LATER[1], LATER[4], LATER[8])
    killed_and_whole(tokens, tmp_path, points, monkeypatch, steps=30, save_async=True, ranks=2)


@pytest.mark.exhaustive
@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("stage", range(4))
def test_all_kills_of_asynchronous_saves_change_nothing(
    tokens: str, tmp_path: Path, stage: int, ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = TRAINING + LATER
    killed_and_whole(tokens, tmp_path, points, monkeypatch, save_async=True, zero_stage=stage, ranks=ranks)


@pytest.mark.exhaustive
@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("stage", range(4))
def test_twenty_kills_change_nothing(
    tokens: str, tmp_path: Path, stage: int, ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = TRAINING + SAVING
    assert len(points) == 20
    killed_and_whole(tokens, tmp_path, points, monkeypatch, zero_stage=stage, ranks=ranks)
