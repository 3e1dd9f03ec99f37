"""CTranslate2: the model for CPUs, with int8 weights or fp32 ones.

The specification is filled from the model's own weights, so neither transformers nor a second copy of the
model is needed. CTranslate2's GPT-2 does not know the layer scale: the weights must be folded.
"""

import json
import os
from typing import Any, Literal

import ctranslate2
from ctranslate2.specs import common_spec, transformer_spec

from tokenizer.config import END_OF_TEXT
from train.config import ModelShape
from train.export.transformers_files import write_tokenizer
from train.export.weights import Weights

Quantization = Literal["int8", "float32"]


def write_ct2(folder: str, weights: Weights, shape: ModelShape, *, tokenizer: str, quantization: Quantization) -> None:
    """Write the model's directory; `tokenizer` is the text of tokenizer.json. The weights must be folded."""
    assert not shape.scale_attn_by_inverse_layer_idx, "CTranslate2 does not know the layer scale"
    spec = _filled(weights, shape)
    spec.register_vocabulary(_tokens(json.loads(tokenizer)))
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = END_OF_TEXT
    spec.config.layer_norm_epsilon = 1e-5
    spec.validate()
    spec.optimize(quantization=quantization)
    os.makedirs(folder, exist_ok=True)
    spec.save(folder)
    write_tokenizer(folder, tokenizer, seq_length=shape.seq_length)


def open_ct2(folder: str, *, threads: int) -> Any:
    """Return a `ctranslate2.Generator` on the CPU."""
    return ctranslate2.Generator(folder, device="cpu", intra_threads=threads, inter_threads=1)


def _filled(weights: Weights, shape: ModelShape) -> Any:
    """Return the specification with copies of the weights: quantization works in place."""
    values = {name: tensor.numpy().copy() for name, tensor in weights.items()}
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        shape.layers, shape.heads, pre_norm=True, activation=common_spec.Activation.GELUTanh
    )
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = values["tokens.weight"]
    decoder.position_encodings.encodings = values["positions.weight"]
    decoder.projection.weight = values["tokens.weight"]
    _fill_norm(decoder.layer_norm, values, "norm")
    for layer, block in enumerate(decoder.layer):
        attention, ffn, name = block.self_attention, block.ffn, f"blocks.{layer}"
        _fill_norm(attention.layer_norm, values, f"{name}.attention_norm")
        _fill_linear(attention.linear[0], values, f"{name}.attention.qkv")
        _fill_linear(attention.linear[1], values, f"{name}.attention.project")
        _fill_norm(ffn.layer_norm, values, f"{name}.mlp_norm")
        _fill_linear(ffn.linear_0, values, f"{name}.mlp.up")
        _fill_linear(ffn.linear_1, values, f"{name}.mlp.project")
    return spec


def _fill_norm(spec: Any, values: dict[str, Any], name: str) -> None:
    spec.gamma, spec.beta = values[f"{name}.weight"], values[f"{name}.bias"]


def _fill_linear(spec: Any, values: dict[str, Any], name: str) -> None:
    spec.weight, spec.bias = values[f"{name}.weight"], values[f"{name}.bias"]


def _tokens(tokenizer: dict[str, Any]) -> list[str]:
    vocab = dict(tokenizer["model"]["vocab"]) | {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    return sorted(vocab, key=vocab.__getitem__)
