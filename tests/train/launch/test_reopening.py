"""A finished run that is to go on keeps its manifest until nothing can refuse the start any more."""

import os
from pathlib import Path
from typing import Any

import pytest

from corpus.errors import CorpuscleError, RetryError
from corpus.stage.lock import LOCK
from corpus.stage.manifest import has_manifest, read_manifest
from tests.support.small_tokens import made_up_texts, write_tokens
from tests.train.launch.test_stage import config, published
from tokenizer.token_rows import TokenRows
from train.checkpoint.store import DESCRIPTION, FOLDER, LATEST, checkpoint_name
from train.launch import room_check, stage
from train.launch.stage import train
from train.launch.tokenizer_copy import copy_tokenizer
from train.loop.metrics import METRICS

STEPS = 3  # of `published`
WHYS: dict[str, dict[str, Any]] = {"more steps": {"steps": 6}, "a part is missing": {"steps": STEPS}}


@pytest.fixture
def tokens(tmp_path: Path) -> str:
    return str(write_tokens(tmp_path / "tokens", made_up_texts(40, seed=1), vocab_size=300, seq_length=64))


@pytest.fixture
def run(tokens: str, tmp_path: Path) -> Path:
    """A finished run, without training."""
    output, settings, rows = tmp_path / "run", config(steps=STEPS), TokenRows(tokens, "train")
    workspace, _ = stage._planned(settings, rows, str(output), None, resume=False)
    published(output, tokens, settings)
    (output / METRICS).write_text('{"step": 3, "loss": 2.5}\n')
    copy_tokenizer(tokens, str(output))
    assert settings.model is not None
    shape = settings.model.shape(seq_length=rows.seq_length, vocab_size=rows.vocab_size)
    stage._commit(workspace, stage._new_job(settings, shape, rows, str(output), None), rows)
    return output


def refuse(how: str, run: Path, tokens: str, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Make a start impossible; return what else the configuration has."""
    if how == "memory":
        patch.setattr(room_check, "has_driver", lambda: False)
        patch.setattr(room_check, "memory_bytes", lambda: 1000)
    elif how == "disk":
        patch.setattr(room_check.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    elif how == "tokens":
        shard = Path(tokens, "train-00000.bin")
        shard.write_bytes(shard.read_bytes()[::-1])
    elif how == "checkpoint":
        description = run / FOLDER / checkpoint_name(STEPS) / DESCRIPTION
        description.write_text(description.read_text() + " ")
    else:
        return {"launcher": "deepspeed", "hostfile": "/nowhere/hosts"}
    return {}


def found(run: Path) -> dict[Path, tuple[bytes, int]]:
    files = [path for path in run.rglob("*") if path.is_file() and path.name not in (LOCK, "events.jsonl")]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.mark.parametrize("why", WHYS)
@pytest.mark.parametrize("how", ["memory", "disk", "tokens", "checkpoint", "hostfile"])
def test_a_start_that_is_refused_has_changed_nothing(
    how: str, why: str, run: Path, tokens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "a part is missing":
        (run / "tokenizer.json").unlink()
    more = refuse(how, run, tokens, monkeypatch)
    before = found(run)
    with pytest.raises(CorpuscleError):
        train(config(**WHYS[why], **more), tokens=tokens, output=str(run), resume=True)
    assert found(run) == before
    assert has_manifest(str(run))


def test_checkpoints_are_not_adopted_for_a_start_that_is_refused(
    run: Path, tokens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / FOLDER / LATEST).unlink()
    refuse("disk", run, tokens, monkeypatch)
    before = found(run)
    with pytest.raises(CorpuscleError, match="the first could not be saved"):
        train(config(steps=6), tokens=tokens, output=str(run), resume=True, trust=True)
    assert found(run) == before


@pytest.mark.parametrize("why", WHYS)
def test_a_start_that_is_not_refused_goes_on_without_the_manifest(
    why: str, run: Path, tokens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def ended(job: Any, checkpoint: Any) -> None:
        begun.append((job.resume_step, has_manifest(str(run))))
        raise RetryError("killed")

    monkeypatch.setattr(stage, "_run", ended)
    before = read_manifest(str(run))
    if why == "a part is missing":
        os.unlink(run / "tokenizer.json")
        assert train(config(**WHYS[why]), tokens=tokens, output=str(run), resume=True) == before
        assert begun == []
    else:
        with pytest.raises(RetryError):
            train(config(**WHYS[why]), tokens=tokens, output=str(run), resume=True)
        assert begun == [(STEPS, False)]
    assert (run / "tokenizer.json").exists()
