"""Weight names of transformers and GGUF for the model's own, and the attention scale folded into the weights.

transformers' GPT-2 stores linear maps as (in, out), everybody else as (out, in). The output head is the
token embedding and is stored once.
"""

import dataclasses
from collections.abc import Callable

from torch import Tensor

from train.config import ModelShape
from train.export.weights import Weights

_TRANSFORMERS = {
    "tokens": "transformer.wte",
    "positions": "transformer.wpe",
    "norm": "transformer.ln_f",
    "attention_norm": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.project": "attn.c_proj",
    "mlp_norm": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.project": "mlp.c_proj",
}
_GGUF = {
    "tokens": "token_embd",
    "positions": "position_embd",
    "norm": "output_norm",
    "attention_norm": "attn_norm",
    "attention.qkv": "attn_qkv",
    "attention.project": "attn_output",
    "mlp_norm": "ffn_norm",
    "mlp.up": "ffn_up",
    "mlp.project": "ffn_down",
}


def folded(weights: Weights, shape: ModelShape) -> tuple[Weights, ModelShape]:
    """Return weights and shape of the same function without the per-layer attention scale.

    Attention logits are linear in the queries: dividing the queries' third of qkv, weight and bias, by
    layer + 1 does what `scale_attn_by_inverse_layer_idx` does. The input is not changed.
    """
    if not shape.scale_attn_by_inverse_layer_idx:
        return weights, shape
    changed = _with_queries(weights, shape, lambda queries, depth: queries.div_(depth))
    return changed, dataclasses.replace(shape, scale_attn_by_inverse_layer_idx=False)


def unfolded(weights: Weights, shape: ModelShape) -> Weights:
    """Return the weights of the same function for a model that has the per-layer attention scale; undoes `folded`."""
    return _with_queries(weights, shape, lambda queries, depth: queries.mul_(depth))


def _with_queries(weights: Weights, shape: ModelShape, change: Callable[[Tensor, int], Tensor]) -> Weights:
    """Return the weights with the queries' third of each layer's qkv changed in a copy, given layer + 1."""
    changed = dict(weights)
    for layer in range(1, shape.layers):
        for kind in _KINDS:
            name = f"blocks.{layer}.attention.qkv.{kind}"
            changed[name] = weights[name].clone()
            change(changed[name][: shape.hidden], layer + 1)
    return changed


def transformers_weights(weights: Weights) -> Weights:
    """Return the weights as a GPT2LMHeadModel has them, without the tied head."""
    return {transformers_name(name): _turned(name, tensor) for name, tensor in weights.items()}


def from_transformers(tensors: Weights, shape: ModelShape) -> Weights:
    """Return the model's own weights from those of a GPT2LMHeadModel."""
    return {name: _turned(name, tensors[transformers_name(name)]) for name in weight_names(shape)}


def transformers_name(name: str) -> str:
    """Return transformers' name of one of the model's weights."""
    layer, part, kind = _split(name)
    theirs = _TRANSFORMERS[part]
    return f"{theirs}.{kind}" if layer is None else f"transformer.h.{layer}.{theirs}.{kind}"


def gguf_name(name: str) -> str:
    """Return GGUF's name of one of the model's weights (architecture gpt2)."""
    layer, part, kind = _split(name)
    theirs = _GGUF[part]
    return f"{theirs}.{kind}" if layer is None else f"blk.{layer}.{theirs}.{kind}"


def weight_names(shape: ModelShape) -> list[str]:
    """Return the names of all the model's weights, in its order."""
    inside = ("attention_norm", "attention.qkv", "attention.project", "mlp_norm", "mlp.up", "mlp.project")
    blocks = [f"blocks.{layer}.{part}.{kind}" for layer in range(shape.layers) for part in inside for kind in _KINDS]
    return ["tokens.weight", "positions.weight", *blocks, "norm.weight", "norm.bias"]


_KINDS = ("weight", "bias")


def _split(name: str) -> tuple[int | None, str, str]:
    """Return (layer, part, weight or bias) of a name; the layer is None outside the blocks."""
    path, _, kind = name.rpartition(".")
    if not path.startswith("blocks."):
        return None, path, kind
    _, layer, part = path.split(".", 2)
    return int(layer), part, kind


def _turned(name: str, tensor: Tensor) -> Tensor:
    """Turn a linear map of a block between (out, in) and (in, out), as a view."""
    is_linear = name.startswith("blocks.") and tensor.dim() == 2
    return tensor.T if is_linear else tensor
