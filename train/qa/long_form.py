"""Long form: a language model that learns to answer in words, the loss on the answer and its end alone.

A row is question, <|startoftext|>, answer, <|endoftext|> (`train.qa.formats`). Logits in front of the answer's ids are
learnt and no others: what a question says is given, not predicted. The loss of a step is the mean over all of its
answers' ids, whatever ranks and micro-batches they are dealt to.

Shapes: R rows, T positions, V tokens, S learnt ids of all rows.
"""
# ruff: noqa: N806 — capital letters in names are shapes

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.model.backbone import Backbone
from train.qa.formats import FormattedQuestion
from train.qa.heads import RowBatch


class AnswerWriter(nn.Module):
    """Decoder with its language model's head: batches of rows to the loss of their answers."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def losses(self, batch: RowBatch) -> Tensor:
        """Return the negative log-likelihood of each row's answer and end, float32 (R,) [nats]."""
        logits_RTV = self.backbone.logits(batch.ids_RT, batch.mask_RT)
        learnt_RT = learnt_positions(batch)[:, 1:]
        of_S = functional.cross_entropy(
            logits_RTV[:, :-1][learnt_RT].float(), batch.ids_RT[:, 1:][learnt_RT], reduction="none"
        )
        rows_S = learnt_RT.nonzero()[:, 0]
        return torch.zeros(len(batch.ids_RT), device=of_S.device).index_add(0, rows_S, of_S)

    def scores(self, batch: RowBatch) -> Tensor:
        """Return the log-likelihood of each row's answer, float32 (R, 1) [nats]."""
        return -self.losses(batch)[:, None]

    def forward(self, batch: RowBatch, share: Tensor) -> Tensor:
        """Return the sum of the losses over `share`, the ids that a micro-batch of the step has on average [nats]."""
        return self.losses(batch).sum() / share


def learnt_positions(batch: RowBatch) -> Tensor:
    """Return bool (R, T): the ids of answers and their ends, the last of each row, which is padded on the right."""
    lengths_R = batch.mask_RT.sum(1)
    first_R = lengths_R - torch.tensor(batch.answers, device=lengths_R.device)
    positions_T = torch.arange(batch.ids_RT.shape[1], device=lengths_R.device)
    return (positions_T >= first_R[:, None]) & batch.mask_RT


def loss_per_token(questions: Sequence[FormattedQuestion], scores: Sequence[tuple[float, ...]]) -> float | None:
    """Return the mean loss of the ids of answers, by the scores of `AnswerWriter` [nats]; None without any."""
    tokens = sum(one.answer_tokens for one in questions)
    return -sum(own[0] for own in scores) / tokens if tokens else None
