"""A spike that lies in the data: the run goes back, leaves those rows out, and ends; killed meanwhile, the same."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpus.errors import DataError, RetryError
from corpus.stage.manifest import read_manifest, verify_parts
from pipelines.inspection.summaries import stage_text
from tests.support.forked_ranks import fork_ranks
from tests.support.small_tokens import write_tokens
from tokenizer.mixture import plan_mixture
from tokenizer.token_rows import TokenRows
from train.checkpoint.skipped import SkippedRows, batch_of, batches_of, read_skipped, write_skipped
from train.checkpoint.store import read_list
from train.config import TrainConfig
from train.job import RolledBackError, read_error, write_error
from train.launch.rank_errors import rank_error
from train.launch.stage import train
from train.loop.metrics import read_metrics

SENTENCE = "the patients were treated with aspirin and improved after two weeks of therapy"
SETTINGS: dict[str, Any] = {
    "model": {"layers": 1, "heads": 2, "hidden": 32},
    "steps": 44,
    "batch_rows": 4,
    "micro_batch": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 2,
    "eval_every": 100,
    "eval_rows": 2,
    "sample_tokens": 0,
    "save_every": 5,
    "keep_checkpoints": 3,
    "log_every": 100,
    "spike_nats": 0.5,
    "on_spike": "skip",
}
SPIKE = 35  # the step of the first batch that the model cannot know, behind those in which a loss has nothing usual


def config(**changes: Any) -> TrainConfig:
    return TrainConfig.model_validate(SETTINGS | changes)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One sentence over and over, and a text of letters and digits by chance among them."""
    letters = np.random.default_rng(3).choice([*"abcdefghijklmnopqrstuvwxyz0123456789"], 400)
    texts = [" ".join([SENTENCE] * 5)] * 60
    texts[44] = "".join(letters)
    return str(write_tokens(tmp_path_factory.mktemp("pack") / "tokens", texts, vocab_size=300, seq_length=32))


@pytest.fixture(scope="module")
def whole(tokens: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that went back by itself."""
    run = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        fork_ranks(patch)
        train(config(), tokens=tokens, output=str(run))
    return run


def same(run: Path, whole: Path) -> None:
    for name in ("metrics.jsonl", "skipped.json"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()
    assert read_manifest(str(run)) == read_manifest(str(whole))


@pytest.mark.slow
def test_the_rows_are_left_out_and_every_book_says_so(whole: Path, tokens: str) -> None:
    skipped = read_skipped(str(whole))
    assert len(skipped) == 1
    only = skipped[0]
    assert (only.step, only.back_to, only.batches) == (SPIKE, 30, (SPIKE - 3, SPIKE - 2, SPIKE - 1))
    rows = TokenRows(tokens, "train")
    order = plan_mixture(rows, None)
    expected = [order.rows_in(range(4 * batch, 4 * batch + 4), seed=0) for batch in only.batches]
    assert [*only.rows] == np.concatenate(expected).tolist()
    counts = np.bincount(rows.rows(range(len(rows))).ravel())
    rare = (counts[rows.rows(only.rows)] < 40).sum(axis=1)
    assert rare.max() > 16, "a row that the sentence is not in is among them"
    lines = read_metrics(str(whole))
    assert [line["step"] for line in lines if "loss" in line] == [*range(1, 45)]
    assert [(line["step"], line["skipped_rows"]) for line in lines if "skipped_rows" in line] == [(SPIKE - 2, 12)]
    manifest = read_manifest(str(whole))
    assert manifest.summary["skipped"] == [
        {"step": SPIKE, "loss": only.loss, "reason": only.reason, "rows": len(only.rows)}
    ]
    assert [part.rows for part in manifest.parts if part.role == "skipped"] == [12]
    verify_parts(str(whole), manifest)
    assert f"12 rows left out around step {SPIKE}" in stage_text(manifest)


@pytest.mark.slow
def test_what_comes_after_is_what_such_an_order_gives(
    whole: Path, tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the first row left out it is the run without a watch; behind it, other losses at the same rates."""
    fork_ranks(monkeypatch)
    train(config(on_spike="warn"), tokens=tokens, output=str(tmp_path / "warned"))
    warned, ours = ([line for line in read_metrics(str(run)) if "loss" in line] for run in (tmp_path / "warned", whole))
    first = SPIKE - 3
    assert ours[:first] == warned[:first]
    assert [line["learning_rate"] for line in ours] == [line["learning_rate"] for line in warned]
    assert warned[SPIKE - 1]["loss"] > max(line["loss"] for line in ours[first:]) + 0.5
    assert "skipped" not in read_manifest(str(tmp_path / "warned")).summary


POINTS = (
    "train.loop.rollback:write_skipped:before:1",
    "train.loop.rollback:write_skipped:after:1",
    "train.checkpoint.store:write_list:after:7",
)


def killed(point: str, tokens: str, run: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    monkeypatch.setenv("CORPUSCLE_KILL", point)
    with pytest.raises(RetryError, match="rank 0 was killed by SIGKILL"):
        train(config(**changes), tokens=tokens, output=str(run), resume=bool(read_list(str(run))))
    monkeypatch.delenv("CORPUSCLE_KILL")


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS[:2])
def test_a_kill_in_the_middle_changes_nothing(
    point: str, whole: Path, tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork_ranks(monkeypatch)
    killed(point, tokens, tmp_path / "run", monkeypatch)
    train(config(), tokens=tokens, output=str(tmp_path / "run"), resume=True)
    same(tmp_path / "run", whole)


GROWING = {"batch_rows": 8, "batch_warmup_start": 4, "batch_warmup_steps": SPIKE - 1, "spike_nats": 0.2}


@pytest.mark.slow
def test_rows_left_out_where_batches_grow_are_those_of_the_batches(
    tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batches left out have two sizes; killed in the rollback it goes on to the same bytes."""
    fork_ranks(monkeypatch)
    train(config(**GROWING), tokens=tokens, output=str(tmp_path / "whole"))
    skipped = read_skipped(str(tmp_path / "whole"))
    batches = config(**GROWING).batches
    sizes = [[batches.rows(batch) for batch in each.batches] for each in skipped]
    assert sizes == [[4, 4, 8]], "the spike is where the batch grows"
    rows = TokenRows(tokens, "train")
    order = plan_mixture(rows, None).rows_in(range(batches.first(200)), seed=0)
    for each in skipped:
        places = [place for batch in each.batches for place in batches.places(batch)]
        assert [*each.rows] == order[places].tolist()
    lines = [line for line in read_metrics(str(tmp_path / "whole")) if "loss" in line]
    left_out = batches_of(skipped)
    trained = np.cumsum([batches.rows(batch_of(step, left_out)) for step in range(44)])
    assert [line["tokens"] for line in lines] == (32 * trained).tolist()
    assert sum(line.get("skipped_rows", 0) for line in lines) == sum(len(each.rows) for each in skipped)
    assert read_manifest(str(tmp_path / "whole")).summary["tokens"] == 32 * trained[-1]
    for number, point in enumerate(POINTS[:2]):
        run = tmp_path / f"{number}"
        killed(point, tokens, run, monkeypatch, **GROWING)
        train(config(**GROWING), tokens=tokens, output=str(run), resume=True)
        same(run, tmp_path / "whole")


@pytest.mark.exhaustive
@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_kills_before_during_and_after_change_nothing(
    ranks: int, stage: int, tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork_ranks(monkeypatch)
    changes = {"ranks": ranks, "zero_stage": stage, "save_every": 2, "skip_steps": 4}
    train(config(**changes), tokens=tokens, output=str(tmp_path / "whole"))
    points = ("train.loop.train_steps:_train_step:after:33", *POINTS[:2], "train.loop.train_steps:_train_step:after:3")
    for point in points:
        killed(point, tokens, tmp_path / "run", monkeypatch, **changes)
    train(config(**changes), tokens=tokens, output=str(tmp_path / "run"), resume=True)
    same(tmp_path / "run", tmp_path / "whole")
    assert read_skipped(str(tmp_path / "run"))[0].back_to == 30, "what was saved behind it may have the fault in it"


@pytest.mark.slow
def test_the_remedies_of_a_run_that_stopped_work(
    whole: Path, tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped there again by --resume alone, as the rows are the same; on_spike=skip ends it as if told at once."""
    fork_ranks(monkeypatch)
    run = str(tmp_path / "run")
    for resume in (False, True):
        with pytest.raises(DataError, match=rf"step {SPIKE}: .*--resume --set on_spike=skip"):
            train(config(on_spike="stop"), tokens=tokens, output=run, resume=resume)
    shutil.copytree(run, tmp_path / "slower")
    train(config(), tokens=tokens, output=run, resume=True)
    same(tmp_path / "run", whole)
    train(config(on_spike="warn"), tokens=tokens, output=str(tmp_path / "slower"), resume=True)


@pytest.mark.slow
def test_a_run_that_went_back_too_often_stops_and_may_be_allowed_more(
    tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork_ranks(monkeypatch)
    run = str(tmp_path / "run")
    often = {"skip_steps": 1, "save_every": 40, "steps": 60}  # nothing is saved before the first
    with pytest.raises(DataError, match=r"Rows were left out 1 times before.*--resume --set max_rollbacks=…"):
        train(config(**often, max_rollbacks=1), tokens=tokens, output=run)
    assert [(each.back_to, len(each.batches)) for each in read_skipped(run)] == [(0, 1)]
    resume = bool(read_list(run))
    manifest = train(config(**often, max_rollbacks=30), tokens=tokens, output=run, resume=resume)
    assert len(manifest.summary["skipped"]) > 1
    train(config(**often, max_rollbacks=30), tokens=tokens, output=str(tmp_path / "at-once"))
    same(tmp_path / "run", tmp_path / "at-once")


def test_rows_left_out_before_the_first_save_stay_left_out_in_the_same_run_alone(tokens: str, tmp_path: Path) -> None:
    """Slurm's script starts it again without --resume then; else it would spike, and start again, for ever."""
    output = tmp_path / "run"

    def begin(**changes: Any) -> None:
        with pytest.raises(RetryError, match="the job is written"):
            train(config(launcher="print", **changes), tokens=tokens, output=str(output))

    begin()
    skipped = SkippedRows(step=3, loss=None, reason="the loss is nan", back_to=0, batches=(1, 2), rows=(5, 6))
    write_skipped(str(output), (skipped,))
    begin(max_rollbacks=7)
    assert read_skipped(str(output)) == (skipped,)
    begin(learning_rate=1e-3)
    assert read_skipped(str(output)) == ()


def test_a_signal_counts_more_than_a_rollback(tmp_path: Path) -> None:
    (tmp_path / "_work").mkdir()
    write_error(str(tmp_path), 0, RolledBackError("going back"))
    assert json.loads((tmp_path / "_work/error-0.json").read_text())["rolled_back"]
    assert isinstance(read_error(str(tmp_path), 0), RolledBackError)
    gone = rank_error(str(tmp_path), [75], stopped=False)
    assert isinstance(gone, RolledBackError)
    stopped = rank_error(str(tmp_path), [75], stopped=True)
    assert not isinstance(stopped, RolledBackError)
    assert isinstance(stopped, RetryError)
    assert "going back; stopped by a signal" in str(stopped)
