"""Fine-tuning: planted sets are learnt, one loss curve on any layout, same bytes for the same seed and after kills."""

import hashlib
import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import get_linear_schedule_with_warmup

from corpus.errors import CorruptError, DataError, UsageError
from corpus.qa.predictions import read_predictions
from corpus.qa.store import write_questions
from tests.support.forked_ranks import start_server
from tests.train.qa.models import planted_choice, planted_labels, write_bert, write_gpt2
from train.checkpoint import store
from train.qa import steps
from train.qa.answerer import open_answerer
from train.qa.config import finetune_config
from train.qa.job import learning_rate
from train.qa.scoring import formatted, score_questions
from train.qa.stage import finetune

QUICK: dict[str, Any] = {
    "learning_rates": (3e-3,), "warmup_fraction": 0.1, "batch_questions": 8, "micro_batch": 4, "epochs": 2.0,
    "max_tokens": 32,
}  # fmt: skip


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory of planted questions: 48 to train on, 16 dev, 24 test, of both kinds."""
    folder = tmp_path_factory.mktemp("questions")
    sizes = {"train": 48, "dev": 16, "test": 24}
    found = [one for split, count in sizes.items() for one in planted_choice(count, split, seed=1)]
    found += [one for split, count in sizes.items() for one in planted_labels(count, split, seed=1)]
    write_questions(found, str(folder))
    return folder


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a random GPT-2."""
    return write_gpt2(tmp_path_factory.mktemp("gpt2"))


def run(model: Path, questions: Path, output: Path, **changes: Any) -> Any:
    config = finetune_config(None, {"task": "planted", **QUICK, **changes})
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the server's forks have: sums depend on it
    try:
        return finetune(config, model=str(model), questions=str(questions), output=str(output))
    finally:
        torch.set_num_threads(threads)


def digest(output: Path) -> dict[str, str]:
    """Return the hash of every file of a result, but for what says how long it took."""
    of_the_run = ("run.json", ".lock", "events.jsonl")
    files = [path for path in sorted(output.rglob("*")) if path.is_file() and path.name not in of_the_run]
    return {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def losses(output: Path, name: str = "seed-0") -> list[float]:
    lines = map(json.loads, (output / name / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def test_a_planted_choice_is_learnt(tmp_path: Path) -> None:
    found = [one for split, count in (("train", 600), ("dev", 40)) for one in planted_choice(count, split, seed=2)]
    found += planted_choice(200, "test", seed=2)
    write_questions(found, str(tmp_path / "questions"))
    model = write_gpt2(tmp_path / "model", hidden=64)
    manifest = run(
        model, tmp_path / "questions", tmp_path / "out", batch_questions=32, micro_batch=32, epochs=14.0,
        learning_rates=(2e-3,),
    )  # fmt: skip
    assert manifest.summary["runs"]["seed-0"]["test_accuracy"] >= 0.95


def test_planted_labels_are_learnt(tmp_path: Path) -> None:
    found = [one for split, count in (("train", 400), ("dev", 40)) for one in planted_labels(count, split, seed=2)]
    found += planted_labels(200, "test", seed=2)
    write_questions(found, str(tmp_path / "questions"))
    model = write_gpt2(tmp_path / "model", hidden=64)
    manifest = run(
        model, tmp_path / "questions", tmp_path / "out", task="planted-labels", batch_questions=32, micro_batch=32,
        epochs=6.0, learning_rates=(2e-3,),
    )  # fmt: skip
    assert manifest.summary["runs"]["seed-0"]["test_accuracy"] >= 0.95


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(questions: Path, gpt: Path, tmp_path: Path) -> None:
    run(gpt, questions, tmp_path / "one")
    run(gpt, questions, tmp_path / "two", seeds=2)
    one, two = digest(tmp_path / "one"), digest(tmp_path / "two")
    assert {name: value for name, value in two.items() if name.startswith("seed-0")} == {
        name: value for name, value in one.items() if name.startswith("seed-0")
    }
    assert two["seed-1/weights.safetensors"] != two["seed-0/weights.safetensors"]
    assert not (tmp_path / "one" / "_work").exists()


def test_finished_runs_are_not_done_again(
    questions: Path, gpt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    train_setting = steps.train_setting

    def counted(job: Any, say: Any) -> None:
        if len(done) == 3:
            raise DataError("the machine fell over")
        train_setting(job, say)
        done.append(job.setting.name)

    monkeypatch.setattr(steps, "train_setting", counted)
    sweep = {"seeds": 2, "learning_rates": (1e-3, 3e-3), "epochs": 1.0}
    with pytest.raises(DataError, match="fell over"):
        run(gpt, questions, tmp_path / "out", **sweep)
    monkeypatch.setattr(steps, "train_setting", lambda job, say: (train_setting(job, say), done.append("last")))
    manifest = run(gpt, questions, tmp_path / "out", **sweep)
    assert done == ["lr-0.001-seed-0", "lr-0.001-seed-1", "lr-0.003-seed-0", "last"]
    assert len(manifest.summary["runs"]) == 4
    run(gpt, questions, tmp_path / "out", **sweep)
    assert len(done) == 4, "up to date"


@pytest.mark.parametrize(("micro", "zero"), [(8, 0), (2, 0), (4, 1), (4, 2), (1, 2)])
def test_one_loss_curve_on_any_layout(questions: Path, gpt: Path, tmp_path: Path, micro: int, zero: int) -> None:
    run(gpt, questions, tmp_path / "plain")
    run(gpt, questions, tmp_path / "other", micro_batch=micro, zero_stage=zero)
    assert losses(tmp_path / "other") == pytest.approx(losses(tmp_path / "plain"), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("zero", [0, 1, 2])
def test_two_ranks_give_the_same_loss_curve(questions: Path, gpt: Path, tmp_path: Path, zero: int) -> None:
    run(gpt, questions, tmp_path / "plain")
    run(gpt, questions, tmp_path / "two", ranks=2, micro_batch=2, zero_stage=zero)
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "plain"), abs=1e-5)
    rows = [read_predictions(str(tmp_path / name / "seed-0")) for name in ("plain", "two")]
    assert [(row.id, row.choice) for row in rows[0]] == [(row.id, row.choice) for row in rows[1]]


POINTS = {
    "step": (steps, "_train_step"), "save": (steps, "save_state"), "publish": (store, "publish"),
    "best": (steps, "write_tensors"), "predictions": (steps, "write_predictions"), "card": (steps, "write_answerer"),
}  # fmt: skip


def run_struck(words: tuple[Path, Path, Path], point: str, count: int) -> None:
    """Fine-tune, and be killed when a function is called for the `count`-th time."""
    module, name = POINTS[point]
    before, calls = getattr(module, name), [0]

    def struck(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return before(*arguments, **named)

    setattr(module, name, struck)
    run(*words)


@pytest.fixture(scope="module")
def whole(questions: Path, gpt: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the digest of a run that nothing struck."""
    output = tmp_path_factory.mktemp("whole") / "out"
    run(gpt, questions, output)
    return digest(output)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "count"),
    [("step", 3), ("save", 1), ("publish", 1), ("best", 1), ("step", 9), ("predictions", 1), ("card", 1)],
)
def test_killed_at_any_point_the_same_command_gives_the_same_bytes(
    questions: Path, gpt: Path, whole: dict[str, str], tmp_path: Path, point: str, count: int
) -> None:
    start_server()
    victim = multiprocessing.get_context("forkserver").Process(
        target=run_struck, args=((gpt, questions, tmp_path / "out"), point, count)
    )
    victim.start()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    run(gpt, questions, tmp_path / "out")
    assert digest(tmp_path / "out") == whole


def test_predictions_are_those_of_the_kept_weights(questions: Path, gpt: Path, tmp_path: Path) -> None:
    run(gpt, questions, tmp_path / "out")
    answerer, card = open_answerer(str(tmp_path / "out" / "seed-0"), lambda line: None)
    rows = [row for row in read_predictions(str(tmp_path / "out" / "seed-0")) if row.split == "test"]
    asked = planted_choice(24, "test", seed=1)
    scores = score_questions(
        answerer, formatted(asked, answerer.backbone, card), batch=24, device=next(answerer.parameters()).device
    )
    assert [row.id for row in rows] == [one.id for one in asked]
    for row, own in zip(rows, scores, strict=True):
        assert row.scores == pytest.approx(own, abs=1e-5)
        assert sum(row.probabilities) == pytest.approx(1.0)


def test_the_best_epoch_is_kept(questions: Path, gpt: Path, tmp_path: Path) -> None:
    run(gpt, questions, tmp_path / "out", epochs=6.0)
    lines = list(map(json.loads, (tmp_path / "out/seed-0/metrics.jsonl").read_text().splitlines()))
    scored = [line for line in lines if "dev_accuracy" in line]
    best = max(scored, key=lambda line: (line["dev_accuracy"], -line["dev_loss"]))
    assert lines[-1]["kept_step"] == best["step"]
    rows = [row for row in read_predictions(str(tmp_path / "out/seed-0")) if row.split == "dev"]
    assert sum(row.choice == row.gold for row in rows) / len(rows) == pytest.approx(best["dev_accuracy"])


@pytest.mark.parametrize("changes", [{"lora": 2}, {"freeze_layers": 1}], ids=str)
def test_adapters_and_frozen_layers_leave_the_rest_as_it_was(
    questions: Path, gpt: Path, tmp_path: Path, changes: dict[str, int]
) -> None:
    run(gpt, questions, tmp_path / "out", **changes)
    answerer, card = open_answerer(str(tmp_path / "out" / "seed-0"), lambda line: None)
    trained = {name for name, parameter in answerer.named_parameters() if parameter.requires_grad}
    assert "head.linear.weight" in trained
    if "lora" in changes:
        assert all("lora" in name or "token_adapter" in name or "head" in name for name in trained)
    else:
        assert not any(".h.0." in name or "wte" in name for name in trained)
        assert any(".h.1." in name for name in trained)
    assert card.new_tokens == 1


def test_an_encoder_is_fine_tuned_by_the_same_command(questions: Path, tmp_path: Path) -> None:
    manifest = run(write_bert(tmp_path / "bert"), questions, tmp_path / "out", task="planted-labels")
    facts = manifest.summary["runs"]["seed-0"]
    assert (facts["format"], facts["test"]) == ("linkbert", 24)


def test_another_base_or_cut_weights_are_refused(questions: Path, tmp_path: Path) -> None:
    model = write_gpt2(tmp_path / "model")
    run(model, questions, tmp_path / "out", epochs=1.0)
    folder = tmp_path / "out" / "seed-0"
    card = json.loads((folder / "answerer.json").read_text())
    (folder / "answerer.json").write_text(json.dumps(card | {"freeze_layers": 1}))
    with pytest.raises(CorruptError, match=r"not those that its answerer\.json asks for: backbone"):
        open_answerer(str(folder), lambda line: None)
    (folder / "answerer.json").write_text(json.dumps(card))
    write_gpt2(model, seed=5)
    with pytest.raises(CorruptError, match="other files than"):
        open_answerer(str(folder), lambda line: None)


def test_what_cannot_be_trained_is_refused(questions: Path, gpt: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no questions to train on: unknown have no train split"):
        run(gpt, questions, tmp_path / "out", task="unknown")
    with pytest.raises(UsageError, match="not a multiple"):
        run(gpt, questions, tmp_path / "out", micro_batch=3)
    with pytest.raises(UsageError, match="unknown key 'learningrate'"):
        run(gpt, questions, tmp_path / "out", learningrate=3)


def test_the_rate_is_transformers_linear_schedule() -> None:
    import torch

    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], lr=2e-5)
    schedule = get_linear_schedule_with_warmup(optimizer, 50, 120)
    for step in range(120):
        assert learning_rate(step, peak=2e-5, warmup_steps=50, total_steps=120) == pytest.approx(
            optimizer.param_groups[0]["lr"], abs=1e-12
        )
        optimizer.step()
        schedule.step()
