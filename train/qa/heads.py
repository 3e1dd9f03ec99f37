"""Heads over a backbone: a score for each option of a question, or for each label of a class task.

A row of ids is pooled at its last real token, by the mask and never by an id: a text may end with the very id that
pads it. ChoiceHead gives one number a row, softmax over the rows of a question; ClassHead one a label.

Shapes: R rows, T positions, C hidden, Q questions, N options of the question that has most.
"""
# ruff: noqa: N803, N806, N815 — capital letters in names are shapes

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.model.backbone import INIT_STD, Backbone, pad_rows

Pool = Literal["last", "cls", "mean"]
HeadKind = Literal["choice", "class", "answer"]  # answer: no head, the language model writes
ABSENT = -torch.inf  # score of an option that a question does not have


@dataclass(frozen=True, kw_only=True, slots=True)
class RowBatch:
    """Questions as rows of ids, padded; those of one question stand together."""

    ids_RT: Tensor
    mask_RT: Tensor  # False at padding
    counts: tuple[int, ...]  # rows of each question
    answers: tuple[int, ...] = ()  # of long form: the last ids of each row that are learnt, those of answer and end

    def to(self, device: torch.device) -> "RowBatch":
        """Return the batch on a device."""
        return replace(self, ids_RT=self.ids_RT.to(device), mask_RT=self.mask_RT.to(device))


def batch_rows(
    questions: Sequence[Sequence[Sequence[int]]], *, pad_id: int = 0, answers: Sequence[int] = ()
) -> RowBatch:
    """Return questions, each a list of rows of ids, as one padded batch; `answers` as in RowBatch."""
    ids_RT, mask_RT = pad_rows([row for rows in questions for row in rows], pad_id=pad_id)
    return RowBatch(ids_RT=ids_RT, mask_RT=mask_RT, counts=tuple(map(len, questions)), answers=tuple(answers))


def pool(hidden_RTC: Tensor, mask_RT: Tensor, how: Pool = "last") -> Tensor:
    """Return one state a row (R, C): of its last real token, of its first, or the mean of all real ones."""
    if how == "mean":
        weights_RT = mask_RT.to(hidden_RTC.dtype)
        return (hidden_RTC * weights_RT[..., None]).sum(1) / weights_RT.sum(1, keepdim=True)
    positions_T = torch.arange(mask_RT.shape[1], device=mask_RT.device)
    if how == "last":
        at_R = torch.where(mask_RT, positions_T, -1).max(dim=1).values
    else:
        at_R = torch.where(mask_RT, positions_T, mask_RT.shape[1]).min(dim=1).values
    return hidden_RTC[torch.arange(len(at_R), device=at_R.device), at_R]


class ChoiceHead(nn.Module):
    """Linear map of a state to one score; the scores of a question's rows stand beside each other."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, 1)

    def forward(self, states_RC: Tensor, counts: tuple[int, ...]) -> Tensor:
        """Return the scores of all questions' options, float32 (Q, N); ABSENT where a question has fewer."""
        scores_R = self.linear(states_RC)[:, 0].float()
        parts = scores_R.split(list(counts))
        return nn.utils.rnn.pad_sequence(list(parts), batch_first=True, padding_value=ABSENT)


class ClassHead(nn.Module):
    """Linear map, without bias, of a state to the scores of the labels."""

    def __init__(self, hidden: int, labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, labels, bias=False)

    def forward(self, states_RC: Tensor, counts: tuple[int, ...]) -> Tensor:
        """Return the scores of the labels, float32 (Q, N); every question is one row."""
        assert all(count == 1 for count in counts), "a question of a class task is one row"
        return cast(Tensor, self.linear(states_RC)).float()


class Answerer(nn.Module):
    """Backbone with a head: batches of questions to scores, and to the loss."""

    def __init__(self, backbone: Backbone, head: ChoiceHead | ClassHead, pooling: Pool = "last") -> None:
        super().__init__()
        self.backbone, self.head, self.pooling = backbone, head, pooling

    def scores(self, batch: RowBatch) -> Tensor:
        """Return the scores of the options, float32 (Q, N)."""
        hidden_RTC = self.backbone(batch.ids_RT, batch.mask_RT)
        return cast(Tensor, self.head(pool(hidden_RTC, batch.mask_RT, self.pooling), batch.counts))

    def forward(self, batch: RowBatch, labels_Q: Tensor) -> Tensor:
        """Return the mean cross-entropy of the questions, nats."""
        return functional.cross_entropy(self.scores(batch), labels_Q)


def make_head(kind: HeadKind, *, hidden: int, labels: int, seed: int) -> ChoiceHead | ClassHead:
    """Return a head with weights drawn from N(0, 0.02) by the seed; a bias starts at zero."""
    head = ChoiceHead(hidden) if kind == "choice" else ClassHead(hidden, labels)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        head.linear.weight.copy_(torch.randn(head.linear.weight.shape, generator=generator) * INIT_STD)
        if head.linear.bias is not None:
            head.linear.bias.zero_()
    return head
