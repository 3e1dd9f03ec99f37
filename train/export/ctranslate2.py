"""CTranslate2 writer: the model for CPUs, with int8 or fp32 weights.

The specification is filled from the model's own weights, so neither transformers nor a second copy of the
model is needed. CTranslate2's GPT-2 does not know the layer scale: the weights must be folded.

int8 weights are narrower than CTranslate2's own. Without VNNI (AVX2, AVX-512 of before 2019) a CPU adds two products
of an unsigned by a signed byte in 16 bits (vpmaddubsw) and clips the sum: 2 × 255 × 127 is twice what fits, and the
model was another one there (0.25 nats a token). Here no two weights of a row sum beyond ±128, so no sum beyond
255 × 128 = 32,640 < 2^15 comes about, whichever two meet: the same numbers on every CPU.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

import ctranslate2
import numpy as np
from ctranslate2.specs import common_spec, model_spec, transformer_spec
from numpy.typing import NDArray
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
        quantize_spec(block, quantization)
    _fill_ends(spec.decoder, weights)
    spec.register_vocabulary(tokens_by_id(tokenizer))
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = END_OF_TEXT
    spec.config.layer_norm_epsilon = 1e-5
    spec.validate()
    # What `optimize` does, but for the layers, which are done: the tests compare the bytes with its own.
    spec._alias_variables()
    quantize_spec(spec, quantization, variable_filter=lambda name: "/layer_" not in name)
    os.makedirs(folder, exist_ok=True)
    spec.save(folder)
    write_tokenizer(folder, tokenizer, seq_length=shape.seq_length)


def open_ct2(folder: str, *, threads: int) -> Any:
    """Return a `ctranslate2.Generator` on the CPU."""
    return ctranslate2.Generator(folder, device="cpu", intra_threads=threads, inter_threads=1)


def narrow_int8(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return int8 rows and what each was multiplied with, (out, in) and (out,); no two of a row sum beyond ±128."""
    pairs = np.concatenate([_largest_pairs(rows) for rows in np.array_split(weight, 1 + len(weight) // _ROWS)])
    pairs[pairs == 0] = _PAIR
    scales = _PAIR / np.maximum(pairs, _PAIR / np.finfo(np.float32).max)
    return np.rint(weight * scales[:, None]).astype(np.int8), scales


_PAIR = np.float32(127)  # 128, but that rounding may add a half to each of two
_ROWS = 4096  # looked at together: a copy of the embedding would be as large as a layer


def _largest_pairs(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the largest sum of two of a row that have the same sign, without the sign."""
    if rows.shape[1] == 1:  # of a model one wide: a weight and nothing
        return np.abs(rows[:, 0])
    last = rows.shape[1] - 1
    ordered = np.partition(rows, (1, last - 1), axis=1)
    above, below = ordered[:, -2:].clip(min=0).sum(axis=1), ordered[:, :2].clip(max=0).sum(axis=1)
    return np.maximum(above, -below)


def quantize_spec(layer: Any, quantization: str, *, variable_filter: Callable[[str], bool] = lambda name: True) -> None:
    """Quantize in place what CTranslate2's own function would; int8 as narrow as above."""
    if quantization != "int8":
        layer._quantize(quantization, variable_filter=variable_filter)
        return

    def narrow(spec: Any, name: str, value: Any) -> None:
        key = name.rpartition("/")[2]
        if variable_filter(name) and isinstance(value, model_spec.Variable) and hasattr(spec, f"{key}_scale"):
            numbers, scales = narrow_int8(value.numpy())
            setattr(spec, key, model_spec.NumpyVariable(numbers))
            setattr(spec, f"{key}_scale", model_spec.NumpyVariable(scales))

    layer._visit(narrow)


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
