"""Exported heads: transformers' own classes, opened by their Auto classes, give the logits of our predictions."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForMultipleChoice, AutoModelForSequenceClassification

from corpus.errors import UsageError
from corpus.qa.predictions import read_predictions
from corpus.qa.store import write_questions
from pipelines.cli.app import main
from tests.train.qa.models import planted_choice, planted_labels, write_bert, write_gpt2
from train.model.backbone import pad_rows
from train.qa import export_head
from train.qa.answerer import format_rule, open_answerer
from train.qa.config import finetune_config
from train.qa.export_head import export_heads
from train.qa.formats import format_question
from train.qa.stage import finetune

SIZES = {"train": 16, "dev": 8, "test": 8}
SETTINGS = {"learning_rates": (3e-3,), "batch_questions": 8, "micro_batch": 8, "epochs": 2.0, "max_tokens": 32}


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory of planted questions of both kinds."""
    folder = tmp_path_factory.mktemp("questions")
    found = [one for split, size in SIZES.items() for one in planted_choice(size, split, seed=1)]
    found += [one for split, size in SIZES.items() for one in planted_labels(size, split, seed=1)]
    write_questions(found, str(folder))
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a decoder, one whose attention is scaled by layers, and an encoder."""
    base = tmp_path_factory.mktemp("models")
    return {
        "gpt2": write_gpt2(base / "gpt2"),
        "scaled": write_gpt2(base / "scaled", scale_attn_by_inverse_layer_idx=True),
        "bert": write_bert(base / "bert"),
    }


def tune(model: Path, questions: Path, output: Path, **changes: Any) -> Path:
    config = finetune_config(None, {"task": "planted", **SETTINGS, **changes})
    finetune(config, model=str(model), questions=str(questions), output=str(output))
    return output


@pytest.mark.parametrize(
    ("name", "task", "changes", "kind"),
    [
        ("gpt2", "planted-labels", {}, "GPT2ForSequenceClassification"),
        ("gpt2", "planted", {"lora": 2}, "GPT2ForSequenceClassification"),
        ("scaled", "planted-labels", {}, "GPT2ForSequenceClassification"),
        ("bert", "planted", {}, "BertForMultipleChoice"),
        ("bert", "planted-labels", {}, "BertForSequenceClassification"),
    ],
)
def test_the_logits_of_transformers_class_are_those_that_were_predicted(
    questions: Path, models: dict[str, Path], tmp_path: Path, name: str, task: str, changes: Any, kind: str
) -> None:
    tuned = tune(models[name], questions, tmp_path / "tuned", task=task, **changes)
    manifest = export_heads(tuned=str(tuned), output=str(tmp_path / "out"))
    assert manifest.summary["classes"] == {"seed-0": kind}
    folder = tmp_path / "out" / "seed-0"
    auto: Any = AutoModelForMultipleChoice if kind.endswith("Choice") else AutoModelForSequenceClassification
    theirs, loading = auto.from_pretrained(folder, output_loading_info=True)
    assert not loading["missing_keys"]
    assert type(theirs).__name__ == kind
    answerer, card = open_answerer(str(tuned / "seed-0"), lambda line: None)
    planted = planted_choice if task == "planted" else planted_labels
    asked = [
        format_question(one, answerer.backbone.text.encode, format_rule(card)) for one in planted(8, "test", seed=1)
    ]
    ids, mask = pad_rows([row for one in asked for row in one.rows], pad_id=theirs.config.pad_token_id)
    if kind.endswith("Choice"):
        ids, mask = ids.view(8, 4, -1), mask.view(8, 4, -1)
    with torch.no_grad():
        found = theirs.eval()(input_ids=ids, attention_mask=mask.long()).logits.reshape(8, -1)
    rows = [row for row in read_predictions(str(tuned / "seed-0")) if row.split == "test"]
    bias = 0.0 if name == "bert" else theirs.config.corpuscle["head_bias"]
    wanted = torch.tensor([row.scores for row in rows], dtype=torch.float32) - bias
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    assert manifest.summary["difference"] <= 1e-5
    if card.labels:
        assert theirs.config.id2label == {0: "no", 1: "yes"}


def test_what_a_reader_needs_stands_in_the_files(questions: Path, models: dict[str, Path], tmp_path: Path) -> None:
    tuned, out = tune(models["gpt2"], questions, tmp_path / "tuned", task="planted-labels", seeds=2), tmp_path / "out"
    assert main(["export", str(tuned), "--output", str(out)]) == 0
    assert main(["verify", str(out)]) == 0
    with safe_open(out / "seed-1" / "model.safetensors", framework="pt") as file:
        assert file.metadata()["format"] == "pt"
        facts = json.loads(file.metadata()["corpuscle"])
    card = json.loads((tuned / "seed-1" / "answerer.json").read_text())
    for name in ("base_fingerprint", "special_ids", "labels", "format", "max_tokens", "keep"):
        assert facts[name] == card[name]
    before = {path: path.read_bytes() for path in sorted(out.rglob("*.safetensors"))}
    assert main(["export", str(tuned), "--output", str(out)]) == 0, "up to date"
    assert before == {path: path.read_bytes() for path in sorted(out.rglob("*.safetensors"))}


def test_a_class_that_computes_other_scores_is_refused(
    questions: Path, models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = tune(models["scaled"], questions, tmp_path / "tuned")
    monkeypatch.setattr(export_head, "_folded", lambda tensors, hidden: tensors)
    with pytest.raises(UsageError, match="transformers' GPT2ForSequenceClassification computes other scores, by up to"):
        export_heads(tuned=str(tuned), output=str(tmp_path / "out"))


def test_what_no_class_computes_is_refused_by_name(
    questions: Path, models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned = tune(models["bert"], questions, tmp_path / "tuned", pool="mean")
    with pytest.raises(UsageError, match="no class of transformers is a choice head over bert that reads the mean"):
        export_heads(tuned=str(tuned), output=str(tmp_path / "out"))
    tuned = tune(models["gpt2"], questions, tmp_path / "gpt2")
    assert main(["export", str(tuned), "--format", "gguf-f16", "--output", str(tmp_path / "x")]) == 2
    assert "a fine-tuned head is written for transformers (folded" in capsys.readouterr().err
    weights = tuned / "seed-0" / "weights.safetensors"
    tensors = load_file(weights)
    tensors.pop("head.linear.weight")
    save_file(tensors, weights)
    assert main(["export", str(tuned), "--output", str(tmp_path / "y")]) == 4
    assert "head.linear.weight missing" in capsys.readouterr().err
