"""Every exported model against the trained one: logits, tokenization, bytes; and the dropped layer scale is seen."""

import itertools
import json
from pathlib import Path
from typing import Any, get_args

import ctranslate2
import gguf
import numpy as np
import pytest
import torch
from ctranslate2.converters import TransformersConverter
from safetensors import safe_open
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from corpus.stage.workspace import Workspace
from tests.support import gpt2_numpy
from tests.support.small_run import SHAPE, TEXTS, VOCAB, loud_model, without_scale, write_run
from train.export.config import FORMATS, ExportConfig, ExportFormat
from train.export.gguf_file import read_gguf, read_gguf_tokenizer
from train.export.stage import _write_format, export
from train.export.weight_names import folded, from_transformers, transformers_weights, weight_names
from train.export.weights import EMBEDDING, Weights
from train.model.gpt import GPT

# Largest and mean difference of a token's log-probability in nats. Seen: fp32 3e-6 (transformers) and 8e-6
# (CTranslate2), F16 0.011, Q8_0 0.25 and 0.027, int8 0.55 and 0.060; the dropped scale: 2.6 and 0.28.
LIMITS: dict[ExportFormat, tuple[float, float]] = {
    "folded": (2e-5, 2e-6),
    "faithful": (2e-5, 2e-6),
    "gguf-f16": (0.03, 0.003),
    "gguf-q8_0": (0.6, 0.06),
    "ct2-int8": (1.2, 0.09),
    "ct2-float32": (5e-5, 5e-6),
}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def model() -> GPT:
    return loud_model()


@pytest.fixture(scope="module")
def weights(model: GPT) -> Weights:
    found = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    found[EMBEDDING] = found[EMBEDDING][:VOCAB].clone()
    return found


@pytest.fixture(scope="module")
def exported(model: GPT, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    run = write_run(folder / "run", model)
    export(ExportConfig(formats=tuple(FORMATS)), run=str(run), output=str(folder / "out"))
    return folder / "out"


def ids() -> torch.Tensor:
    return torch.randint(VOCAB, (3, SHAPE.seq_length), generator=torch.Generator().manual_seed(5))


def logits_of(kind: ExportFormat, path: Path) -> torch.Tensor:
    """Run an exported model with the runtime it is meant for; a GGUF with NumPy."""
    tokens = ids()
    if kind.startswith("ct2"):
        generator = ctranslate2.Generator(str(path), device="cpu", intra_threads=1)
        return torch.from_numpy(np.array(generator.forward_batch(tokens.tolist())))
    if kind.startswith("gguf"):
        reader: Any = gguf.GGUFReader(str(path))
        named = {t.name: gguf.dequantize(t.data, t.tensor_type).astype(np.float64) for t in reader.tensors}
        rows = [gpt2_numpy.logits(named, row, layers=SHAPE.layers, heads=SHAPE.heads) for row in tokens.numpy()]
        return torch.from_numpy(np.stack(rows)).float()
    with torch.no_grad():
        return AutoModelForCausalLM.from_pretrained(str(path)).eval()(tokens).logits


def differences(kind: ExportFormat, path: Path, model: GPT) -> tuple[float, float]:
    with torch.no_grad():
        wanted = model.logits(ids()).log_softmax(-1)
    found = logits_of(kind, path)
    assert found.shape == wanted.shape
    gaps = (found.log_softmax(-1) - wanted).abs()
    return gaps.max().item(), gaps.mean().item()


def test_the_table_has_one_row_for_each_format() -> None:
    assert tuple(FORMATS) == get_args(ExportFormat) == tuple(LIMITS)
    assert len({row.path for row in FORMATS.values()}) == len(FORMATS)
    assert sorted(row.preference for row in FORMATS.values()) == list(range(1, len(FORMATS) + 1))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_outlet_computes_the_trained_model(kind: ExportFormat, exported: Path, model: GPT) -> None:
    largest, mean = differences(kind, exported / FORMATS[kind].path, model)
    assert largest < LIMITS[kind][0]
    assert mean < LIMITS[kind][1]


@pytest.mark.parametrize("kind", FORMATS)
def test_an_outlet_that_drops_the_layer_scale_is_caught(
    kind: ExportFormat, exported: Path, model: GPT, weights: Weights, tmp_path: Path
) -> None:
    tokenizer = (exported / "folded/tokenizer.json").read_text(encoding="utf-8")
    workspace = Workspace(output=str(tmp_path), stage="export", revision=1, fingerprint="", config={}, inputs=())
    config = ExportConfig(formats=(kind,))
    _write_format(kind, workspace, config, weights=weights, shape=without_scale(SHAPE), tokenizer=tokenizer)
    largest, mean = differences(kind, tmp_path / FORMATS[kind].path, model)
    assert largest > 1.5 * LIMITS[kind][0]
    assert mean > 2 * LIMITS[kind][1]


def test_folding_changes_the_queries_of_later_layers_alone(weights: Weights) -> None:
    changed, shape = folded(weights, SHAPE)
    assert not shape.scale_attn_by_inverse_layer_idx
    differing = [name for name in weights if not torch.equal(weights[name], changed[name])]
    assert differing == [f"blocks.{layer}.attention.qkv.{kind}" for layer in (1, 2, 3) for kind in ("weight", "bias")]
    for name in differing:
        layer = int(name.split(".")[1])
        assert torch.equal(changed[name][64:], weights[name][64:])
        torch.testing.assert_close(changed[name][:64] * (layer + 1), weights[name][:64])
    assert folded(changed, shape) == (changed, shape)


def test_names_go_there_and_back(weights: Weights) -> None:
    assert weight_names(SHAPE) == list(weights)
    back = from_transformers(transformers_weights(weights), SHAPE)
    assert all(torch.equal(back[name], weights[name]) for name in weights)


def test_a_gguf_is_read_back(exported: Path, weights: Weights) -> None:
    found, shape = read_gguf(str(exported / "gguf/model-f16.gguf"))
    assert (shape.layers, shape.heads, shape.hidden, shape.seq_length, shape.vocab_size) == (4, 4, 64, 32, VOCAB)
    wanted = folded(weights, SHAPE)[0]
    for name, tensor in found.items():
        rounded = wanted[name] if wanted[name].dim() == 1 or name == "positions.weight" else wanted[name].half().float()
        assert torch.equal(tensor, rounded), name


@pytest.mark.parametrize("kind", ["folded", "faithful"])
def test_the_head_is_stored_once_and_padding_rows_are_gone(kind: str, exported: Path) -> None:
    with safe_open(str(exported / kind / "model.safetensors"), "pt") as tensors:
        names = [*tensors.keys()]
        assert tensors.get_tensor("transformer.wte.weight").shape == (VOCAB, 64)
    assert not [name for name in names if "lm_head" in name]
    config = json.loads((exported / kind / "config.json").read_text())
    assert config["scale_attn_by_inverse_layer_idx"] is (kind == "faithful")
    assert config["vocab_size"] == VOCAB
    assert config["eos_token_id"] == VOCAB - 1


def test_ctranslate2_files_are_those_of_its_own_converter(exported: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    TransformersConverter(str(exported / "folded")).convert(str(theirs), quantization="float32")
    for name in ("model.bin", "vocabulary.json"):
        assert (theirs / name).read_bytes() == (exported / "ct2-float32" / name).read_bytes(), name


@pytest.mark.parametrize("kind", ["folded", "faithful", "ct2-int8"])
def test_autotokenizer_splits_as_the_tokenizer_does(kind: str, exported: Path) -> None:
    reference = Tokenizer.from_file(str(exported.parent / "run/tokenizer.json"))
    loaded = AutoTokenizer.from_pretrained(str(exported / kind))
    for text in TEXTS:
        assert loaded(text)["input_ids"] == reference.encode(text).ids
        assert loaded.decode(reference.encode(text).ids, skip_special_tokens=False) == text
    assert loaded.eos_token_id == VOCAB - 1
    assert loaded.model_max_length == SHAPE.seq_length


@pytest.mark.parametrize("kind", ["folded", "faithful", "ct2-int8"])
def test_transformers_4_reads_the_tokenizer_and_gives_ids_alone(kind: str, exported: Path) -> None:
    content = json.loads((exported / kind / "tokenizer.json").read_text(encoding="utf-8"))
    assert {type(merge) for merge in content["model"]["merges"]} == {str}, "tokenizers < 0.20 reads no pairs"
    assert {merge.count(" ") for merge in content["model"]["merges"]} == {1}
    whole = json.loads((exported.parent / "run/tokenizer.json").read_text(encoding="utf-8"))
    whole["model"]["merges"] = [" ".join(pair) for pair in whole["model"]["merges"]]
    assert content == whole
    settings = json.loads((exported / kind / "tokenizer_config.json").read_text())
    assert settings["model_input_names"] == ["input_ids", "attention_mask"]
    assert [*AutoTokenizer.from_pretrained(str(exported / kind))(TEXTS[0])] == ["input_ids", "attention_mask"]


def test_the_tokenizer_inside_a_gguf_splits_as_ours_does(exported: Path) -> None:
    reader: Any = gguf.GGUFReader(str(exported / "gguf/model-q8_0.gguf"))
    value = {name: field.contents() for name, field in reader.fields.items()}
    assert value["tokenizer.ggml.model"] == "gpt2"
    assert value["tokenizer.ggml.pre"] == "gpt-2"
    assert value["tokenizer.ggml.add_bos_token"] is False
    assert value["tokenizer.ggml.eos_token_id"] == VOCAB - 1
    assert value["tokenizer.ggml.token_type"] == [1] * (VOCAB - 1) + [3]
    rebuilt = read_gguf_tokenizer(str(exported / "gguf/model-q8_0.gguf"))
    reference = Tokenizer.from_file(str(exported / "folded/tokenizer.json"))
    pieces = [*TEXTS, *("".join(pair) for pair in itertools.product(("α", " 10⁻⁷", "\n\n", "°C "), repeat=2))]
    for text in pieces:
        assert rebuilt.encode(text).ids == reference.encode(text).ids
