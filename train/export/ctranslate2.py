"""CTranslate2 writer: the model for CPUs, with int8 or fp32 weights.

The specification is filled from the model's own weights, so neither transformers nor a second copy of the
model is needed. CTranslate2's GPT-2 does not know the layer scale: the weights must be folded.
"""

import os
from collections.abc import Mapping
from typing import Any

import ctranslate2
from ctranslate2.specs import common_spec, transformer_spec
from torch import Tensor

from tokenizer.config import END_OF_TEXT
from tokenizer.hf_json import tokens_by_id
from train.config import ModelShape
from train.export.transformers_files import write_tokenizer


def write_ct2(
    folder: str, weights: Mapping[str, Tensor], shape: ModelShape, *, tokenizer: str, quantization: str
) -> None:
    """Write the model's directory; `tokenizer` is the text of tokenizer.json. The weights must be folded.

    Weights are asked for a layer at a time, and a layer is quantized before the next: beside them, memory holds one
    layer in fp32 and what is written.
    """
    assert not shape.scale_attn_by_inverse_layer_idx, "CTranslate2 does not know the layer scale"
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        shape.layers, shape.heads, pre_norm=True, activation=common_spec.Activation.GELUTanh
    )
    for layer, block in enumerate(spec.decoder.layer):
        _fill_block(block, weights, f"blocks.{layer}")
        block.validate()
        block._quantize(quantization)
    _fill_ends(spec.decoder, weights)
    spec.register_vocabulary(tokens_by_id(tokenizer))
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = END_OF_TEXT
    spec.config.layer_norm_epsilon = 1e-5
    spec.validate()
    # What `optimize` does, but for the layers, which are done: the tests compare the bytes with its own.
    spec._alias_variables()
    spec._quantize(quantization, variable_filter=lambda name: "/layer_" not in name)
    os.makedirs(folder, exist_ok=True)
    spec.save(folder)
    write_tokenizer(folder, tokenizer, seq_length=shape.seq_length)


def open_ct2(folder: str, *, threads: int) -> Any:
    """Return a `ctranslate2.Generator` on the CPU."""
    return ctranslate2.Generator(folder, device="cpu", intra_threads=threads, inter_threads=1)


def _fill_block(block: Any, weights: Mapping[str, Tensor], name: str) -> None:
    attention, ffn = block.self_attention, block.ffn
    _fill_norm(attention.layer_norm, weights, f"{name}.attention_norm")
    _fill_linear(attention.linear[0], weights, f"{name}.attention.qkv")
    _fill_linear(attention.linear[1], weights, f"{name}.attention.project")
    _fill_norm(ffn.layer_norm, weights, f"{name}.mlp_norm")
    _fill_linear(ffn.linear_0, weights, f"{name}.mlp.up")
    _fill_linear(ffn.linear_1, weights, f"{name}.mlp.project")


def _fill_ends(decoder: Any, weights: Mapping[str, Tensor]) -> None:
    """Fill what is not in a layer; the output head is the token embedding."""
    decoder.scale_embeddings = False
    decoder.embeddings.weight = decoder.projection.weight = _copy(weights["tokens.weight"])
    decoder.position_encodings.encodings = _copy(weights["positions.weight"])
    _fill_norm(decoder.layer_norm, weights, "norm")


def _fill_norm(spec: Any, weights: Mapping[str, Tensor], name: str) -> None:
    spec.gamma, spec.beta = _copy(weights[f"{name}.weight"]), _copy(weights[f"{name}.bias"])


def _fill_linear(spec: Any, weights: Mapping[str, Tensor], name: str) -> None:
    spec.weight, spec.bias = _copy(weights[f"{name}.weight"]), _copy(weights[f"{name}.bias"])


def _copy(tensor: Tensor) -> Any:
    """Return a copy: CTranslate2 quantizes in place."""
    return tensor.numpy().copy()
