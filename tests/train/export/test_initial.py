"""Training from weights that exist: the same function at step 0, whatever form they come in, and what is refused."""

import dataclasses
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from corpus.errors import CorruptError, RetryError, UsageError
from corpus.stage.manifest import read_manifest
from tests.support.small_run import TEXTS, loud_model, write_run
from tests.support.small_tokens import made_up_texts, write_tokens
from tokenizer.mixture import plan_mixture
from tokenizer.token_rows import TokenRows
from train.config import ModelShape, TrainConfig
from train.export.config import ExportConfig
from train.export.initial import write_initial
from train.export.stage import export
from train.job import INITIAL, read_job
from train.launch.stage import tokens_of, train
from train.loop.metrics import read_metrics
from train.model.gpt import GPT, build_model, load_initial, next_token_targets

SEQ_LENGTH = 32
RECIPE = {
    "steps": 2,
    "batch_rows": 4,
    "micro_batch": 2,
    "learning_rate": 1e-3,
    "warmup_steps": 1,
    "eval_every": 2,
    "eval_rows": 4,
    "save_every": 1,
    "log_every": 1,
    "sample_tokens": 0,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Made:
    """A random, loud model as run and export, and tokens by its tokenizer."""

    model: GPT
    run: Path
    exported: Path
    tokens: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("initial")
    tokens = str(write_tokens(folder / "tokens", [*made_up_texts(40, seed=1), *TEXTS], vocab_size=300, seq_length=32))
    rows = TokenRows(tokens, "train")
    shape = ModelShape(
        layers=3,
        heads=2,
        hidden=32,
        seq_length=SEQ_LENGTH,
        vocab_size=rows.vocab_size,
        dropout=0.0,
        scale_attn_by_inverse_layer_idx=True,
    )
    model = loud_model(shape)
    tokenizer = (Path(tokens) / "tokenizer.json").read_text(encoding="utf-8")
    run = write_run(folder / "run", model, tokenizer=tokenizer)
    exported = folder / "export"
    export(ExportConfig(formats=("folded", "faithful")), run=str(run), output=str(exported))
    return Made(model=model, run=run, exported=exported, tokens=tokens)


def started(made: Made, source: Path, path: Path, **changes: Any) -> GPT:
    """A model with the initial weights that a directory gives."""
    shape = dataclasses.replace(made.model.shape, **changes)
    write_initial(str(path), str(source), shape, made.tokens, resize=False, say=lambda line: None)
    model = build_model(shape, seed=9)
    load_initial(model, str(path))
    return model.eval()


def some_rows(made: Made) -> torch.Tensor:
    rows = TokenRows(made.tokens, "train")
    return torch.from_numpy(rows.rows(np.arange(4)).astype("int64"))


@pytest.mark.parametrize("scaled", [True, False], ids=["scale-in-config", "scale-in-weights"])
@pytest.mark.parametrize("form", ["run", "folded", "faithful", "bin"])
def test_the_weights_of_every_form_are_the_same_function(made: Made, form: str, scaled: bool, tmp_path: Path) -> None:
    """Two spellings of the attention scale, pickled and unpickled weights: the logits of the model they are of."""
    source = {"run": made.run, "folded": made.exported / "folded"}.get(form, made.exported / "faithful")
    if form == "bin":
        source = shutil.copytree(source, tmp_path / "model")
        torch.save(load_file(source / "model.safetensors"), source / "pytorch_model.bin")
        (source / "model.safetensors").unlink()
    model = started(made, source, tmp_path / "initial.safetensors", scale_attn_by_inverse_layer_idx=scaled)
    ids = some_rows(made)
    with torch.no_grad():
        torch.testing.assert_close(model.logits(ids), made.model.logits(ids), rtol=1e-5, atol=2e-5)
    assert not model.tokens.weight[model.shape.vocab_size :].any()


def test_a_run_begins_at_the_loss_of_the_model_and_says_whose_weights_it_has(made: Made, tmp_path: Path) -> None:
    output = tmp_path / "run"
    config = TrainConfig.model_validate(
        RECIPE | {"model": {"layers": 3, "heads": 2, "hidden": 32}, "init": str(made.exported)}
    )
    manifest = train(config, tokens=made.tokens, output=str(output))
    assert [item.name for item in manifest.inputs] == ["init", "pack"]
    assert not (output / INITIAL).exists()
    (tmp_path / "alone").mkdir()
    shutil.copy(output / "manifest.json", tmp_path / "alone")
    assert tokens_of(str(tmp_path / "alone")) == TokenRows(made.tokens, "train").fingerprint
    first = next(line["loss"] for line in read_metrics(str(output)) if "loss" in line)
    rows = TokenRows(made.tokens, "train")
    chosen = plan_mixture(rows, None).rows_in(config.batches.places(0), seed=config.seed)
    ids = torch.from_numpy(rows.rows(chosen).astype("int64"))
    with torch.no_grad():
        expected = float(made.model(ids, next_token_targets(ids)))
        fresh = float(build_model(made.model.shape, config.seed)(ids, next_token_targets(ids)))
    assert math.isclose(first, expected, rel_tol=1e-6)
    assert abs(expected - fresh) > 0.1
    # Finished, extended without its source, and refused with another one.
    moved = tmp_path / "gone"
    gone = config.model_copy(update={"init": str(moved)})
    shutil.copytree(made.exported, moved)
    again = tmp_path / "again"
    train(gone, tokens=made.tokens, output=str(again))
    assert read_manifest(str(again)).inputs == manifest.inputs
    shutil.rmtree(moved)
    assert train(gone, tokens=made.tokens, output=str(again), resume=True, steps=3).summary["steps"] == 3
    with pytest.raises(UsageError, match=r"made with something else:\n.*\n  input only there: init"):
        train(config.model_copy(update={"init": None}), tokens=made.tokens, output=str(again), resume=True, steps=4)


def test_ranks_that_others_start_need_the_weights_that_were_asked_for(made: Made, tmp_path: Path) -> None:
    """The job names the model: its file gone, a rank must not begin at random weights."""
    from train.checkpoint.restart import find_start

    config = TrainConfig.model_validate(
        RECIPE | {"model": {"layers": 3, "heads": 2, "hidden": 32}, "init": str(made.run), "launcher": "print"}
    )
    with pytest.raises(RetryError):  # the command that starts the ranks is printed
        train(config, tokens=made.tokens, output=str(tmp_path / "run"))
    job = read_job(str(tmp_path / "run"))
    assert job.init is not None
    assert find_start(job, print).step == 0
    (tmp_path / "run" / INITIAL).unlink()
    with pytest.raises(UsageError, match=r"weights that its first step starts from are gone"):
        find_start(job, print)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden": 64}, r"model\.hidden is 32 there and 64 in the configuration: add --set model\.hidden=32"),
        ({"layers": 2, "heads": 4}, r"--set model\.layers=3\n.*--set model\.heads=2"),
        ({"seq_length": 64}, r"32 positions, the tokens rows of 64: pack them with --seq-length 32"),
    ],
)
def test_another_shape_is_refused_with_the_setting_to_change(
    made: Made, changes: dict[str, int], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        started(made, made.exported, tmp_path / "x", **changes)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("activation_function", "relu", "activation_function: relu, not gelu_new or gelu_pytorch_tanh"),
        ("layer_norm_epsilon", 1e-6, "layer_norm_epsilon: 1e-06, not 1e-05"),
        ("scale_attn_weights", False, "scale_attn_weights: False, not True"),
    ],
)
def test_another_kind_of_gpt2_is_refused_by_name(
    made: Made, name: str, value: object, said: str, tmp_path: Path
) -> None:
    source = shutil.copytree(made.exported / "faithful", tmp_path / "model")
    content = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(content | {name: value}))
    with pytest.raises(UsageError, match=said):
        started(made, source, tmp_path / "x")


def test_missing_weights_are_refused_by_name(made: Made, tmp_path: Path) -> None:
    source = shutil.copytree(made.exported / "faithful", tmp_path / "model")
    tensors = load_file(source / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_fc.bias"]
    save_file(tensors, source / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CorruptError, match=r"lacks 1 weights .*h\.1\.mlp\.c_fc\.bias"):
        started(made, source, tmp_path / "x")


def test_another_vocabulary_is_refused_and_taken_by_request(made: Made, tmp_path: Path) -> None:
    """By request: an entry that both have keeps its row, a new one has the mean of its pieces'."""
    other = str(write_tokens(tmp_path / "tokens", made_up_texts(40, seed=8), vocab_size=330, seq_length=SEQ_LENGTH))
    rows = TokenRows(other, "train")
    shape = dataclasses.replace(made.model.shape, vocab_size=rows.vocab_size)
    arguments = (str(tmp_path / "initial"), str(made.exported), shape, other)
    with pytest.raises(UsageError, match=r"another tokenizer: \d+ of their 330 entries .*--set resize_vocabulary=true"):
        write_initial(*arguments, resize=False, say=print)
    said: list[str] = []
    write_initial(*arguments, resize=True, say=said.append)
    rows_now = load_file(tmp_path / "initial")["tokens.weight"]
    old = made.model.tokens.weight.detach()
    theirs = Tokenizer.from_file(str(Path(made.tokens) / "tokenizer.json"))
    ours = Tokenizer.from_file(str(Path(other) / "tokenizer.json"))
    kept = new = 0
    for token, number in ours.get_vocab().items():
        there = theirs.token_to_id(token)
        if there is not None:
            kept += 1
            assert torch.equal(rows_now[number], old[there])
        else:
            new += 1
            text = ours.decode([number])
            if "�" in text:
                continue
            pieces = [piece.id for piece in theirs.model.tokenize(token)]
            torch.testing.assert_close(rows_now[number], old[pieces].mean(dim=0))
    assert kept > 257
    assert new > 0
    assert any(f"{kept:,} of 330 entries keep their weights, {new:,} start" in line for line in said)


def test_the_released_biomedlm_is_the_preset() -> None:
    """The sizes that BioMedLM's published config.json states, which continued pretraining must meet."""
    from train.config import load_preset
    from train.export.transformers_files import model_config

    preset = load_preset("biomedlm-2.7b")
    shape = preset.model.shape(seq_length=1024, vocab_size=28896)
    stated = model_config(shape, {"bos_token_id": 28895, "eos_token_id": 28895, "pad_token_id": 28895}, "float32")
    published = {
        "activation_function": "gelu_new",
        "attn_pdrop": 0.1,
        "bos_token_id": 28895,
        "embd_pdrop": 0.1,
        "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-05,
        "n_embd": 2560,
        "n_head": 20,
        "n_inner": None,
        "n_layer": 32,
        "n_positions": 1024,
        "reorder_and_upcast_attn": False,
        "resid_pdrop": 0.1,
        "scale_attn_by_inverse_layer_idx": True,
        "scale_attn_weights": True,
        "torch_dtype": "float32",
        "vocab_size": 28896,
    }
    assert {name: stated[name] for name in published} == published
