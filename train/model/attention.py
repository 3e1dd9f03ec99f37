"""Causal attention, optionally inside documents: then a position sees only earlier ones of its own document.

Off by default, since BioMedLM saw whole rows. On CUDA the mask is FlexAttention's, which skips blocks without a
pair; elsewhere, and where dropout is on (FlexAttention has none), it is dense.

Shapes: B rows, T positions, H heads, K channels of a head.
"""
# ruff: noqa: N803, N806 — capital letters in names are shapes

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

AttentionMask = Tensor | BlockMask


def document_numbers(ids_BT: Tensor, end_of_text: int) -> Tensor:
    """Return the number of each position's document within its row, from 0; an end of text belongs to its document."""
    ends_BT = (ids_BT == end_of_text).to(torch.int32)
    return ends_BT.cumsum(dim=1) - ends_BT


def positions_in_document(documents_BT: Tensor) -> Tensor:
    """Return each position's number in its document, from 0, as far as the row holds the document."""
    columns_T = torch.arange(documents_BT.shape[1], device=documents_BT.device)
    begins_BT = torch.ones_like(documents_BT, dtype=torch.bool)
    begins_BT[:, 1:] = documents_BT[:, 1:] != documents_BT[:, :-1]
    starts_BT = torch.where(begins_BT, columns_T, 0).cummax(dim=1).values
    return columns_T - starts_BT


def document_mask(documents_BT: Tensor, *, dense: bool) -> AttentionMask:
    """Return the attention mask that is causal and keeps inside documents."""
    if dense:
        same_BTT = documents_BT[:, :, None] == documents_BT[:, None, :]
        return same_BTT.tril()[:, None]

    def allowed(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (documents_BT[row, query] == documents_BT[row, key])

    rows, positions = documents_BT.shape
    return create_block_mask(allowed, rows, None, positions, positions, device=documents_BT.device.type)


@torch.compiler.disable  # its scale is another number in each layer: a compiler would make a graph of each, 8 at most
def attend(
    q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor, mask: AttentionMask | None, *, scale: float, dropout: float
) -> Tensor:
    """Return attention's output, (B, H, T, K); without a mask it is causal."""
    if isinstance(mask, BlockMask):
        assert not dropout, "FlexAttention has no dropout: a dense mask is made where it is on"
        usual = 1.0 / math.sqrt(q_BHTK.shape[-1])
        by_layer = torch.full((), scale / usual, dtype=torch.float32, device=q_BHTK.device)
        out: Tensor = _flex(q_BHTK.device.type)(
            q_BHTK, k_BHTK, v_BHTK, score_mod=_times(by_layer), block_mask=mask, scale=usual
        )
        return out
    return functional.scaled_dot_product_attention(
        q_BHTK, k_BHTK, v_BHTK, attn_mask=mask, dropout_p=dropout, is_causal=mask is None, scale=scale
    )


def _times(factor: Tensor) -> Callable[..., Tensor]:
    """Return the change of a score by a layer's factor: in a tensor, so that all layers share one compiled kernel.

    As a number it would be compiled into it, and behind the eighth layer FlexAttention runs unfused.
    """

    def scaled(score: Tensor, row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return score * factor

    return scaled


@cache
def _flex(device: str) -> Callable[..., Any]:
    """Return FlexAttention, compiled where it is fast; its plain form serves the tests on a CPU."""
    plain: Callable[..., Any] = flex_attention
    return torch.compile(plain) if device == "cuda" else plain
