"""`verify` on question answering: what no hash shows is found, with the names, where a manifest was made to fit."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from safetensors.torch import load_file, save_file

from corpus.qa.predictions import Prediction, read_predictions, write_predictions
from corpus.qa.store import write_questions
from corpus.stage.manifest import read_manifest, write_manifest
from corpus.storage import sha256_file
from pipelines.cli.app import main
from pipelines.inspection.verification import verify_directory
from tests.train.qa.models import planted_choice, write_gpt2
from train.qa.config import EvaluateConfig, finetune_config
from train.qa.evaluation import evaluate
from train.qa.stage import finetune

SETTINGS = {
    "task": "planted", "learning_rates": (1e-3,), "batch_questions": 8, "micro_batch": 8, "epochs": 1.0,
    "max_tokens": 32, "seeds": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with questions, a fine-tuning of two seeds, and its heads evaluated."""
    work = tmp_path_factory.mktemp("made")
    sizes = {"train": 16, "dev": 8, "test": 8}
    asked = str(work / "questions")
    write_questions([one for split, size in sizes.items() for one in planted_choice(size, split, seed=1)], asked)
    model, tuned = str(write_gpt2(work / "model")), str(work / "tuned")
    finetune(finetune_config(None, SETTINGS), model=model, questions=asked, output=tuned)
    evaluate(EvaluateConfig(), model=tuned, questions=asked, output=str(work / "scored"))
    return work


@pytest.fixture
def work(made: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may damage; the base model stays where it is."""
    return Path(shutil.copytree(made, tmp_path / "work", ignore=shutil.ignore_patterns("model")))


def made_to_fit(stage: Path, name: str, rows: int) -> None:
    """Write into a stage's manifest what a changed part is now."""
    manifest = read_manifest(str(stage))
    path = stage / name
    parts = tuple(
        replace(part, rows=rows, bytes=path.stat().st_size, sha256=sha256_file(str(path)))
        if part.path == name
        else part
        for part in manifest.parts
    )
    write_manifest(str(stage), replace(manifest, parts=parts))


def test_what_is_whole_passes(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(work)]) == 0
    out = capsys.readouterr().out
    assert [line.split()[1:3] for line in out.splitlines()] == [
        ["qa", "questions"],
        ["qa", "finetune"],
        ["qa", "evaluate"],
    ]


def fewer(rows: list[Prediction]) -> list[Prediction]:
    return rows[:-1]


def unasked(rows: list[Prediction]) -> list[Prediction]:
    return [msgspec.structs.replace(rows[0], id="test-99"), *rows[1:]]


def other_gold(rows: list[Prediction]) -> list[Prediction]:
    assert rows[0].gold is not None
    return [msgspec.structs.replace(rows[0], gold=(rows[0].gold + 1) % 4), *rows[1:]]


def twice(rows: list[Prediction]) -> list[Prediction]:
    return [*rows[:-1], rows[0]]


@pytest.mark.parametrize("stage", ["tuned/seed-1", "scored"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (fewer, "7 predictions of planted test, seed 1, format paper; there are 8 questions"),
        (unasked, "1 predictions of questions that it was not asked, the first test-99"),
        (other_gold, "1 predictions have another right answer than their questions"),
        (twice, "1 questions are answered twice by one run"),
    ],
)
def test_predictions_that_do_not_fit_their_questions(
    work: Path, stage: str, change: Callable[[list[Prediction]], list[Prediction]], said: str
) -> None:
    name, _, run = stage.partition("/")
    path = work / stage / "predictions.parquet"
    rows = change(read_predictions(str(path)))
    write_predictions(rows, str(path))
    made_to_fit(work / name, f"{run}/predictions.parquet" if run else "predictions.parquet", len(rows))
    findings = verify_directory(str(work))
    assert any(said in line for line in findings.lines), findings.lines


def test_weights_that_lack_tensors_are_named(work: Path) -> None:
    path = work / "tuned" / "seed-1" / "weights.safetensors"
    tensors = load_file(path)
    tensors["head.linear.weight"] = tensors["head.linear.weight"][:, :-1].contiguous()
    del tensors["backbone.model.h.1.mlp.c_fc.weight"]
    save_file(tensors, path)
    made_to_fit(work / "tuned", "seed-1/weights.safetensors", 0)
    findings = verify_directory(str(work))
    (line,) = (line for line in findings.lines if line.startswith("WRONG   "))
    assert f"{work}/tuned/seed-1: its weights are not those" in line
    assert "backbone.model.h.1.mlp.c_fc.weight, head.linear.weight missing, left over or of another shape" in line


def test_a_base_that_is_gone_or_another_one_is_found(work: Path, made: Path) -> None:
    (made / "model").rename(made / "moved")
    try:
        assert any("its base model cannot be opened" in line for line in verify_directory(str(work)).lines)
        write_gpt2(made / "model", seed=9)
        lines = [
            line for line in verify_directory(str(work)).lines if "other files than it was fine-tuned from" in line
        ]
        assert len(lines) == 2
    finally:
        shutil.rmtree(made / "model", ignore_errors=True)
        (made / "moved").rename(made / "model")


def test_other_questions_are_another_input(work: Path, tmp_path: Path) -> None:
    shutil.rmtree(work / "questions")
    write_questions(planted_choice(8, "test", seed=4), str(work / "questions"))
    lines = verify_directory(str(work)).lines
    assert any("`qa finetune` was made from another `qa questions` than questions" in line for line in lines)
