"""Heads in CTranslate2: float32 gives the scores of torch, int8 nearly; what it cannot hold is refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GPTNeoConfig, GPTNeoModel, LlamaConfig, LlamaModel

from corpus.qa.predictions import read_predictions
from corpus.qa.store import write_questions
from corpus.stage.manifest import read_manifest
from pipelines.cli.app import main
from tests.train.qa.models import WORDS, loud, planted_choice, planted_labels, word_tokenizer, write_bert, write_gpt2
from tests.train.qa.test_export_head import SIZES, tune

ALL = ("folded", "ct2-float32", "ct2-int8")


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory of planted questions of both kinds."""
    folder = tmp_path_factory.mktemp("questions")
    found = [one for split, size in SIZES.items() for one in planted_choice(size, split, seed=1)]
    found += [one for split, size in SIZES.items() for one in planted_labels(size, split, seed=1)]
    write_questions(found, str(folder))
    return folder


def write_decoder(folder: Path, model: Any) -> Path:
    """Write a decoder's body far from its initial weights, with the words' tokenizer, and return the folder."""
    loud(model).save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return folder


def base(folder: Path, name: str) -> Path:
    """Write a small decoder of a family."""
    ids = {"vocab_size": len(WORDS) + 2, "pad_token_id": 1, "bos_token_id": 1, "eos_token_id": 1}
    torch.manual_seed(5)
    if name == "llama":
        sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
        return write_decoder(
            folder, LlamaModel(LlamaConfig(num_key_value_heads=2, max_position_embeddings=96, **ids, **sizes))
        )
    if name == "gpt_neo":
        sizes = {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "attention_types": [[["global"], 2]]}
        return write_decoder(folder, GPTNeoModel(GPTNeoConfig(max_position_embeddings=96, **ids, **sizes)))
    return write_gpt2(folder, scale_attn_by_inverse_layer_idx=name == "scaled")


@pytest.mark.parametrize(
    ("name", "task", "changes"),
    [
        ("gpt2", "planted-labels", {"seeds": 2}),
        ("gpt2", "planted", {"lora": 2}),
        ("scaled", "planted", {}),
        ("llama", "planted-labels", {}),
    ],
)
def test_scores_are_those_of_torch(questions: Path, tmp_path: Path, name: str, task: str, changes: Any) -> None:
    tuned, out = tune(base(tmp_path / name, name), questions, tmp_path / "tuned", task=task, **changes), tmp_path / "x"
    assert (
        main(["export", str(tuned), *(word for form in ALL for word in ("--format", form)), "--output", str(out)]) == 0
    )
    assert main(["verify", str(out)]) == 0
    differences = read_manifest(str(out)).summary["formats"]
    assert {*differences} == {*ALL}
    assert differences["ct2-float32"] <= 1e-5
    words = ["--questions", str(questions), "--task", task, "--batch", "3"]
    found = {}
    for engine, model in (("torch", tuned), ("ct2-float32", out), ("ct2-int8", out)):
        target = tmp_path / f"by-{engine}"
        assert main(["qa", "evaluate", str(model), *words, "--engine", engine, "--output", str(target)]) == 0
        found[engine] = read_predictions(str(target))
    keys = [[(row.id, row.seed, row.format, row.gold) for row in rows] for rows in found.values()]
    assert keys[0] == keys[1] == keys[2]
    torch_scores, floats, ints = (np.array([row.scores for row in rows]) for rows in found.values())
    np.testing.assert_allclose(floats, torch_scores, rtol=0, atol=1e-5)
    spread = torch_scores.std()
    assert 0 < np.abs(ints - torch_scores).max() < spread, "another number, and near"
    assert [row.choice for row in found["ct2-float32"]] == [row.choice for row in found["torch"]]


def test_what_it_cannot_hold_is_refused_by_name(
    questions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bert = tune(write_bert(tmp_path / "bert"), questions, tmp_path / "tuned-bert")
    assert main(["export", str(bert), "--format", "ct2-int8", "--output", str(tmp_path / "a")]) == 2
    assert "bert is no decoder, and heads in CTranslate2 are; leave ct2-* out" in capsys.readouterr().err
    neo = tune(base(tmp_path / "neo", "gpt_neo"), questions, tmp_path / "tuned-neo")
    assert main(["export", str(neo), "--format", "ct2-int8", "--output", str(tmp_path / "b")]) == 2
    assert "CTranslate2 has no converter for gpt_neo; leave --format ct2-int8 out" in capsys.readouterr().err
    plain = tmp_path / "c"
    assert main(["export", str(neo), "--output", str(plain)]) == 0
    words = ["--questions", str(questions), "--engine", "ct2-int8", "--output", str(tmp_path / "d")]
    assert main(["qa", "evaluate", str(plain), "--task", "planted", *words]) == 2
    assert (
        "has no ct2-int8; make it: `corpuscle export TUNED --format folded --format ct2-int8" in capsys.readouterr().err
    )
    assert main(["qa", "evaluate", str(neo), "--task", "planted", *words]) == 2
    assert "not a result of `corpuscle export` of a fine-tuning" in capsys.readouterr().err
