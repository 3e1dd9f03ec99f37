"""GPT-2's forward pass in a page of NumPy, as llama.cpp's graph has it: the oracle for weights read from a GGUF."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def logits(weights: Mapping[str, Array], ids: npt.NDArray[np.int64], *, layers: int, heads: int) -> Array:
    """Return float64 (positions, vocabulary) for one row of ids; weights by GGUF's names, maps as (out, in)."""
    x = weights["token_embd.weight"][ids] + weights["position_embd.weight"][: len(ids)]
    for layer in range(layers):
        own = {name.removeprefix(f"blk.{layer}."): value for name, value in weights.items()}
        x = x + _attention(_norm(x, own, "attn_norm"), own, heads)
        inner = _gelu(_linear(_norm(x, own, "ffn_norm"), own, "ffn_up"))
        x = x + _linear(inner, own, "ffn_down")
    return _norm(x, weights, "output_norm") @ weights["token_embd.weight"].T


def _attention(x: Array, own: Mapping[str, Array], heads: int) -> Array:
    positions, hidden = x.shape
    q, k, v = np.split(_linear(x, own, "attn_qkv"), 3, axis=1)
    split = [part.reshape(positions, heads, hidden // heads).transpose(1, 0, 2) for part in (q, k, v)]
    scores = split[0] @ split[1].transpose(0, 2, 1) / np.sqrt(hidden // heads)
    scores[:, np.triu(np.ones((positions, positions), bool), 1)] = -np.inf
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return _linear((shares @ split[2]).transpose(1, 0, 2).reshape(positions, hidden), own, "attn_output")


def _linear(x: Array, own: Mapping[str, Array], name: str) -> Array:
    return x @ own[f"{name}.weight"].T + own[f"{name}.bias"]


def _norm(x: Array, own: Mapping[str, Array], name: str) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    return (
        centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) * own[f"{name}.weight"]
        + own[f"{name}.bias"]
    )


def _gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
