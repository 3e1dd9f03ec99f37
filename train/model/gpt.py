"""GPT-2 as BioMedLM has it: learned positions, pre-LayerNorm, tanh GELU, tied head, per-layer attention scale.

Equal to transformers' `GPT2LMHeadModel` in logits and gradients. Names of tensors end in their shape:
    B rows, T positions, C hidden, H heads, K channels of a head (C / H), M = 4C, V vocabulary with padding rows.
Attention of layer l (from 0) is scaled by 1 / (sqrt(K) * (l + 1)) when `scale_attn_by_inverse_layer_idx` is
on: it is in BioMedLM's published config, in no table of its paper, and several runtimes ignore it.
Padding rows of the embedding start at zero, are masked out of the loss and stay zero.
"""
# ruff: noqa: N803, N806 — capital letters in names are shapes

import math
from typing import cast

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from train.config import ModelShape
from train.model.attention import AttentionMask, attend, document_mask
from train.model.head import IGNORE, TiedHead

INIT_STD = 0.02


class Attention(nn.Module):
    """Causal self-attention with fused query, key and value."""

    def __init__(self, shape: ModelShape, layer: int) -> None:
        super().__init__()
        self.heads = shape.heads
        self.dropout = shape.dropout
        depth = layer + 1 if shape.scale_attn_by_inverse_layer_idx else 1
        self.scale = 1.0 / (math.sqrt(shape.hidden // shape.heads) * depth)
        self.qkv = nn.Linear(shape.hidden, 3 * shape.hidden)
        self.project = nn.Linear(shape.hidden, shape.hidden)

    def forward(self, x_BTC: Tensor, mask: AttentionMask | None = None) -> Tensor:
        """Return what each position gathers from itself and those before it, (B, T, C)."""
        rows, positions, hidden = x_BTC.shape
        qkv_BT3HK = self.qkv(x_BTC).view(rows, positions, 3, self.heads, hidden // self.heads)
        q_BHTK, k_BHTK, v_BHTK = (one_BTHK.transpose(1, 2) for one_BTHK in qkv_BT3HK.unbind(2))
        dropout = self.dropout if self.training else 0.0
        y_BHTK = attend(q_BHTK, k_BHTK, v_BHTK, mask, scale=self.scale, dropout=dropout)
        y_BTC = y_BHTK.transpose(1, 2).reshape(rows, positions, hidden)
        return self.project(y_BTC)


class MLP(nn.Module):
    """Feed-forward layer: two linear maps with a GELU between them."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.up = nn.Linear(shape.hidden, 4 * shape.hidden)
        self.project = nn.Linear(4 * shape.hidden, shape.hidden)

    def forward(self, x_BTC: Tensor) -> Tensor:
        """Return the transformed positions, (B, T, C)."""
        h_BTM = functional.gelu(self.up(x_BTC), approximate="tanh")
        return self.project(h_BTM)


class TransformerBlock(nn.Module):
    """Transformer layer: attention and MLP, each on a residual branch."""

    def __init__(self, shape: ModelShape, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(shape.hidden)
        self.attention = Attention(shape, layer)
        self.mlp_norm = nn.LayerNorm(shape.hidden)
        self.mlp = MLP(shape)
        self.drop = nn.Dropout(shape.dropout)

    def forward(self, x_BTC: Tensor, mask: AttentionMask | None = None) -> Tensor:
        """Return the residual stream after this layer, (B, T, C)."""
        x_BTC = x_BTC + self.drop(self.attention(self.attention_norm(x_BTC), mask))
        return x_BTC + self.drop(self.mlp(self.mlp_norm(x_BTC)))


class GPT(nn.Module):
    """GPT-2 style language model."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.shape = shape
        self.activation_checkpointing = False  # keep only each block's input for the backward pass
        self.tokens = nn.Embedding(shape.padded_vocab_size, shape.hidden)
        self.positions = nn.Embedding(shape.seq_length, shape.hidden)
        self.drop = nn.Dropout(shape.dropout)
        self.blocks = nn.ModuleList(TransformerBlock(shape, layer) for layer in range(shape.layers))
        self.norm = nn.LayerNorm(shape.hidden)
        self.head = TiedHead(cast(nn.Parameter, self.tokens.weight), shape.vocab_size)

    def forward(
        self,
        ids_BT: Tensor,
        targets_BT: Tensor | None = None,
        *,
        documents_BT: Tensor | None = None,
        positions_BT: Tensor | None = None,
        each: bool = False,
    ) -> Tensor:
        """Return the mean loss in nats over all targets that are not IGNORE, a float32 scalar.

        With `each`, every target's loss instead, float32 (B, T), 0 where there is none; without targets, the logits
        of the last position, (B, vocab_size). `documents_BT` keeps attention inside documents; `positions_BT` replaces
        the position embeddings' indices.
        """
        x_BTC = self.hidden_states(ids_BT, documents_BT=documents_BT, positions_BT=positions_BT)
        if targets_BT is None:
            return cast(Tensor, self.head(x_BTC[:, -1]))
        losses = cast(Tensor, self.head(x_BTC.flatten(0, 1), targets_BT.flatten(), each=each))
        return losses.view(ids_BT.shape) if each else losses

    def hidden_states(
        self, ids_BT: Tensor, *, documents_BT: Tensor | None = None, positions_BT: Tensor | None = None
    ) -> Tensor:
        """Return the normed residual stream that the head reads, (B, T, C)."""
        if positions_BT is None:
            positions_BT = torch.arange(ids_BT.shape[1], device=ids_BT.device)
        mask = None
        if documents_BT is not None:
            dense = documents_BT.device.type != "cuda" or self.shape.dropout > 0
            mask = document_mask(documents_BT, dense=dense)
        x_BTC = self.drop(self.tokens(ids_BT) + self.positions(positions_BT))
        for block in self.blocks:
            if self.activation_checkpointing and self.training:
                x_BTC = cast(Tensor, checkpoint(block, x_BTC, mask, use_reentrant=False))
            else:
                x_BTC = block(x_BTC, mask)
        return self.norm(x_BTC)

    def logits(self, ids_BT: Tensor) -> Tensor:
        """Return the logits of every position over the real vocabulary, (B, T, vocab_size)."""
        x_BTC = self.hidden_states(ids_BT)
        return self.head.logits(x_BTC.flatten(0, 1)).unflatten(0, ids_BT.shape)


def build_model(shape: ModelShape, seed: int, device: torch.device | None = None) -> GPT:
    """Return a model with GPT-2's initial weights, the same bits on every rank and device for the same seed.

    All matrices are normal with deviation 0.02, projections onto the residual stream divided by
    sqrt(2 · layers); biases and padding rows are zero. They are drawn on the host one at a time: of another device's
    model it holds a single one, not 10 GB a rank for 2.7B.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.device("meta"):  # torch would draw weights of its own first: 42 CPU s for 2.7B
        model = GPT(shape)
    model = model.to_empty(device=device or "cpu")
    model.head.weight = cast(nn.Parameter, model.tokens.weight)
    residual_std = INIT_STD / math.sqrt(2 * shape.layers)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2:
                std = residual_std if name.endswith("project.weight") else INIT_STD
                parameter.copy_(torch.empty(parameter.shape).normal_(0.0, std, generator=generator))
            elif name.endswith("bias"):
                parameter.zero_()
            else:
                parameter.fill_(1.0)  # of a LayerNorm
        model.tokens.weight[shape.vocab_size :] = 0.0
    return model


def load_initial(model: GPT, path: str) -> None:
    """Give a model the weights of a safetensors file, by its own names; padding rows of the embedding stay zero."""
    with torch.no_grad(), safe_open(path, framework="pt") as source:
        assert set(source.keys()) == {name for name, _ in model.named_parameters()}
        for name, parameter in model.named_parameters():
            tensor = source.get_tensor(name)
            parameter[: tensor.shape[0]].copy_(tensor)


def next_token_targets(ids_BT: Tensor) -> Tensor:
    """Return each position's next token; the last position of a row predicts nothing (IGNORE)."""
    targets_BT = torch.full_like(ids_BT, IGNORE)
    targets_BT[:, :-1] = ids_BT[:, 1:]
    return targets_BT
