"""Incremental decoding with a key-value cache: a token costs one forward pass of one position.

Names of tensors as in `train.model.gpt`; there is one row.
"""
# ruff: noqa: N803, N806 — capital letters in names are shapes

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from train.model.gpt import GPT, Attention, TransformerBlock


class Decoder:
    """Decoder of one text, of at most `seq_length` tokens; keys and values of earlier positions are kept."""

    def __init__(self, model: GPT) -> None:
        shape = model.shape
        self._model = model
        sizes = (shape.layers, 2, shape.heads, shape.seq_length, shape.hidden // shape.heads)
        self._kept = torch.zeros(sizes, dtype=model.tokens.weight.dtype)
        self.length = 0

    @torch.no_grad()
    def read(self, ids: Sequence[int]) -> Tensor:
        """Read further tokens and return the logits of what follows, (vocab_size); at least one token."""
        model, start, end = self._model, self.length, self.length + len(ids)
        assert 0 < len(ids) <= model.shape.seq_length - start, "the model has positions for these tokens"
        x_TC = model.tokens(torch.tensor(ids)) + model.positions(torch.arange(start, end))
        for layer, block in enumerate(cast(Iterable[TransformerBlock], model.blocks)):
            x_TC = x_TC + self._attend(layer, block.attention, block.attention_norm(x_TC))
            x_TC = x_TC + block.mlp(block.mlp_norm(x_TC))
        self.length = end
        return model.head.logits(model.norm(x_TC[-1:]))[0]

    def _attend(self, layer: int, attention: Attention, x_TC: Tensor) -> Tensor:
        """Return what the new positions gather from all positions so far, (T, C)."""
        new, hidden = x_TC.shape
        qkv_THK = attention.qkv(x_TC).view(new, 3 * attention.heads, hidden // attention.heads)
        q_HTK, k_HTK, v_HTK = qkv_THK.transpose(0, 1).split(attention.heads)
        end = self.length + new
        self._kept[layer, 0, :, self.length : end], self._kept[layer, 1, :, self.length : end] = k_HTK, v_HTK
        keys_HSK, values_HSK = self._kept[layer, :, :, :end]
        seen_TS = torch.ones(new, end, dtype=torch.bool).tril(self.length)
        y_HTK = functional.scaled_dot_product_attention(
            q_HTK, keys_HSK, values_HSK, attn_mask=None if new == 1 else seen_TS, scale=attention.scale
        )
        return attention.project(y_HTK.transpose(0, 1).reshape(new, hidden))
