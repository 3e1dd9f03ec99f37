"""Where ranks begin when somebody starts them again: at the newest good checkpoint, or not at all."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from corpus.errors import CorpuscleError, CorruptError, UsageError
from train.checkpoint.restart import find_start
from train.checkpoint.store import Checkpoint, checkpoint_path, make_temporary, publish, read_list, start_list
from train.config import ModelShape, load_preset
from train.job import Job

CONFIG = load_preset("tiny").model_copy(update={"steps": 40})
SHAPE = ModelShape(
    layers=2, heads=2, hidden=32, seq_length=16, vocab_size=50, dropout=0.0, scale_attn_by_inverse_layer_idx=True
)


def save(output: Path, step: int, **changes: Any) -> None:
    temporary = make_temporary(str(output), step, 1)
    Path(temporary, "model.safetensors").write_bytes(b"weights" * step)
    fields = {
        "step": step,
        "tokens": 1,
        "ranks": CONFIG.ranks,
        "zero_stage": CONFIG.zero_stage,
        "tokens_fingerprint": "f",
        "recipe": {**CONFIG.recipe(), "model": dataclasses.asdict(SHAPE)},
        "files": {},
    }
    publish(str(output), Checkpoint(**{**fields, **changes}), keep=9)


def damage(output: Path, step: int) -> None:
    Path(checkpoint_path(str(output), f"step-{step:08d}"), "model.safetensors").write_bytes(b"x")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    start_list(str(tmp_path))
    return Job(
        config=CONFIG,
        shape=SHAPE,
        tokens="/tokens",
        tokens_fingerprint="f",
        output=str(tmp_path),
        resume=None,
        resume_step=0,
    )


def test_a_first_start_begins_where_its_job_says(job: Job, tmp_path: Path) -> None:
    begin = find_start(job, pytest.fail)
    assert (begin.resume, begin.step, begin.passed_over) == (None, 0, ())
    save(tmp_path, 10)
    begin = find_start(dataclasses.replace(job, resume="step-00000010", resume_step=10), pytest.fail)
    assert (begin.resume, begin.step, begin.universal) == ("step-00000010", 10, False)


@pytest.mark.parametrize("universal", [False, True])
def test_a_later_checkpoint_counts(job: Job, tmp_path: Path, universal: bool) -> None:
    for step in (10, 20, 30):
        save(tmp_path, step)
    resumed = dataclasses.replace(job, resume="step-00000010", resume_step=10, universal=universal)
    for started in (job, resumed):
        begin = find_start(started, pytest.fail)
        assert (begin.resume, begin.step, begin.universal) == ("step-00000030", 30, False)


def test_damaged_later_ones_are_passed_over_and_may_be_replaced(job: Job, tmp_path: Path) -> None:
    for step in (10, 20, 30):
        save(tmp_path, step)
    damage(tmp_path, 30)
    said: list[str] = []
    begin = find_start(job, said.append)
    assert (begin.step, [entry.step for entry in begin.passed_over]) == (20, [30])
    assert len(said) == 1
    assert "step-00000030 is damaged" in said[0]
    damage(tmp_path, 20)
    begin = find_start(dataclasses.replace(job, resume="step-00000010", resume_step=10), said.append)
    assert (begin.step, [entry.step for entry in begin.passed_over]) == (10, [30, 20])


def refused(job: Job, tmp_path: Path, what: str) -> tuple[type[CorpuscleError], str]:
    """Bring the directory into a state in which nothing may begin; return the error."""
    resumed = dataclasses.replace(job, resume="step-00000010", resume_step=10)
    save(tmp_path, 10)
    if what == "all are damaged":
        damage(tmp_path, 10)
        return CorruptError, "all 1 checkpoints are damaged"
    if what == "the list is gone":
        (tmp_path / "checkpoints/latest.json").unlink()
        return UsageError, r"no checkpoints/latest\.json"
    if what == "other ranks":
        save(tmp_path, 20, ranks=4)
        return UsageError, r"step-00000020 is of 4 ranks with ZeRO-1 in fp32, not of the 1 with .*--resume, which conv"
    if what == "another recipe":
        save(tmp_path, 20, recipe={**CONFIG.recipe(), "model": dataclasses.asdict(SHAPE), "seed": 5})
        return UsageError, "another recipe:\n  seed: 5 in it"
    assert what == "its own is gone"
    start_list(resumed.output)
    return UsageError, "its job goes on from step-00000010, which is not listed any more"


@pytest.mark.parametrize(
    "what", ["all are damaged", "the list is gone", "other ranks", "another recipe", "its own is gone"]
)
def test_what_does_not_fit_is_refused_and_nothing_is_removed(job: Job, tmp_path: Path, what: str) -> None:
    kind, message = refused(job, tmp_path, what)
    before = sorted(tmp_path.rglob("*"))
    started = job if what != "its own is gone" else dataclasses.replace(job, resume="step-00000010", resume_step=10)
    with pytest.raises(kind, match=message):
        find_start(started, lambda line: None)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_copy_that_is_gone_is_refused(job: Job, tmp_path: Path) -> None:
    save(tmp_path, 10, ranks=2)
    resumed = dataclasses.replace(job, resume="step-00000010", resume_step=10, universal=True)
    with pytest.raises(UsageError, match="the copy of step-00000010 for 1 ranks is gone"):
        find_start(resumed, pytest.fail)
    assert [entry.step for entry in read_list(str(tmp_path)) or ()] == [10]
