"""Output head with its loss: cross-entropy over a large vocabulary without ever holding all logits.

Full fp32 logits of one 1024-token row of BioMedLM are 118 MB, and backward needs them twice. Here a block of
positions at a time gets its logits, its loss and at once its gradients, as in Liger Kernel
(arXiv 2410.10989); only the gradients, the size of the hidden states and of the weight, are kept.

Shapes: N positions, C hidden, V vocabulary with padding rows, P a block of positions.
"""
# ruff: noqa: N803, N806 — capital letters in names are shapes

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

IGNORE = -1  # a target that counts nothing: the last position of a row, a row that only fills a batch
# Logits of one block by kind of device: 128 MB keep a GPU busy; on a CPU 16 MB stay near the caches, and
# malloc reuses them instead of asking the kernel for fresh pages.
BLOCK_LOGITS = {"cuda": 1 << 25, "cpu": 1 << 22}

TILE = 128  # rows of a product that a GPU's matrix units take at a time


class TiedHead(nn.Module):
    """Output head that shares the token embedding's weights."""

    def __init__(self, weight_VC: nn.Parameter, vocab_size: int) -> None:
        super().__init__()
        self.weight = weight_VC
        self.vocab_size = vocab_size

    def forward(self, x_NC: Tensor, targets_N: Tensor | None = None, *, each: bool = False) -> Tensor:
        """Return the mean loss in nats over the targets that count, a float32 scalar.

        With `each`, every target's loss, float32[N], without gradients; without targets, the logits.
        """
        if targets_N is None:
            return self.logits(x_NC)
        if each:
            return self._losses(x_NC, targets_N)
        return ChunkedCrossEntropy.apply(x_NC, self.weight, targets_N, self.vocab_size)

    def logits(self, x_NC: Tensor) -> Tensor:
        """Return the logits of the real vocabulary, without padding columns."""
        return functional.linear(x_NC, self.weight)[:, : self.vocab_size]

    @torch.no_grad()
    def _losses(self, x_NC: Tensor, targets_N: Tensor) -> Tensor:
        blocks = block_positions(x_NC, self.weight)
        losses = [
            functional.cross_entropy(self.logits(x_PC).float(), targets_P, ignore_index=IGNORE, reduction="none")
            for x_PC, targets_P in zip(x_NC.split(blocks), targets_N.split(blocks), strict=True)
        ]
        return torch.cat(losses)


def block_positions(x_NC: Tensor, weight_VC: Tensor) -> int:
    """Return how many positions have their logits in memory at a time; on CUDA a multiple of TILE, if that many.

    A block that is none leaves the last tile of each of its products mostly empty.
    """
    positions = max(1, BLOCK_LOGITS[x_NC.device.type] // weight_VC.shape[0])
    if x_NC.device.type == "cuda" and positions > TILE:
        return positions - positions % TILE
    return positions


class ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of a linear head, block by block; columns from `vocab_size` on do not exist for it."""

    @staticmethod
    def forward(ctx: Any, x_NC: Tensor, weight_VC: Tensor, targets_N: Tensor, vocab_size: int) -> Tensor:
        """Return the loss, and keep both gradients when they will be asked for."""
        training = any(ctx.needs_input_grad[:2])
        count = (targets_N != IGNORE).sum().clamp(min=1)
        loss = torch.zeros((), dtype=torch.float32, device=x_NC.device)
        dx_NC = torch.empty_like(x_NC) if training else None
        dweight_VC = torch.zeros_like(weight_VC, dtype=torch.float32) if training else None
        block = block_positions(x_NC, weight_VC)
        for start in range(0, x_NC.shape[0], block):
            x_PC, targets_P = x_NC[start : start + block], targets_N[start : start + block]
            counts_P = targets_P != IGNORE
            labels_P = targets_P.clamp(min=0)
            logits_PV = functional.linear(x_PC, weight_VC)
            logits_PV[:, vocab_size:] = -torch.inf
            logs_PV = functional.log_softmax(logits_PV, dim=1, dtype=torch.float32)
            losses_P = -logs_PV.gather(1, labels_P[:, None])[:, 0]
            loss += torch.where(counts_P, losses_P, 0.0).sum()
            if dx_NC is None or dweight_VC is None:
                continue
            # d loss / d logits = softmax - one-hot, over the count of targets. A head is bound by memory: few passes
            # over a block, in place, the last one into the logits' own numbers.
            dlogits_PV = logs_PV.exp_()
            dlogits_PV.scatter_add_(1, labels_P[:, None], torch.full_like(losses_P, -1.0)[:, None])
            low_PV = torch.mul(dlogits_PV, (counts_P / count)[:, None], out=logits_PV)
            dx_NC[start : start + block] = low_PV @ weight_VC
            dweight_VC += low_PV.T @ x_PC
        if dx_NC is not None and dweight_VC is not None:
            ctx.save_for_backward(dx_NC, dweight_VC.to(weight_VC.dtype))
        return loss / count

    @staticmethod
    def backward(ctx: Any, *dlosses: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Scale the gradients kept by the forward pass."""
        dx_NC, dweight_VC = ctx.saved_tensors
        return dx_NC * dlosses[0].to(dx_NC.dtype), dweight_VC * dlosses[0].to(dweight_VC.dtype), None, None
