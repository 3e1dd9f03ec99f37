"""Scores of questions by an answerer, shared over ranks, and the predictions that are kept of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from corpus.qa.predictions import Prediction
from corpus.qa.question import Question
from train.model.backbone import Backbone
from train.qa.answerer import AnswererCard, format_rule
from train.qa.formats import FormattedQuestion, format_question
from train.qa.heads import Answerer, RowBatch, batch_rows
from train.qa.long_form import AnswerWriter


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """Accuracy and mean loss of scores against the labels that are known; None without any."""

    accuracy: float | None
    loss: float | None  # mean cross-entropy [nats]
    known: int  # questions whose label is known


def formatted(questions: Sequence[Question], backbone: Backbone, card: AnswererCard) -> list[FormattedQuestion]:
    """Return questions as rows of ids."""
    rule = format_rule(card)
    return [format_question(question, backbone.text.encode, rule) for question in questions]


def rows_of(questions: Sequence[FormattedQuestion]) -> RowBatch:
    """Return formatted questions as one padded batch."""
    return batch_rows([one.rows for one in questions], answers=[one.answer_tokens for one in questions])


@torch.no_grad()
def score_questions(
    answerer: Answerer | AnswerWriter, questions: Sequence[FormattedQuestion], *, batch: int, device: torch.device
) -> list[tuple[float, ...]]:
    """Return the scores of each question's options, in the order given; rows of like length are computed together."""
    order = sorted(range(len(questions)), key=lambda place: max(map(len, questions[place].rows)))
    found: list[tuple[float, ...]] = [()] * len(questions)
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        rows = rows_of([questions[place] for place in places]).to(device)
        scores = answerer.scores(rows).double().cpu().tolist()
        for place, own in zip(places, scores, strict=True):
            count = len(questions[place].question.options) or 1  # of long form: its own answer's
            found[place] = tuple(own[:count])
    return found


def quality(questions: Sequence[Question], scores: Sequence[tuple[float, ...]]) -> Quality:
    """Return how good scores are, over the questions whose label is known."""
    known = [(one.label, np.array(own)) for one, own in zip(questions, scores, strict=True) if one.label is not None]
    if not known:
        return Quality(accuracy=None, loss=None, known=0)
    right = sum(int(own.argmax()) == label for label, own in known)
    losses = [float(np.logaddexp.reduce(own) - own[label]) for label, own in known]
    return Quality(accuracy=right / len(known), loss=float(np.mean(losses)), known=len(known))


def predictions(
    questions: Sequence[FormattedQuestion], scores: Sequence[tuple[float, ...]], *, seed: int, format_name: str
) -> list[Prediction]:
    """Return the rows that are kept of scored questions."""
    return [
        Prediction(
            id=one.question.id,
            task=one.question.task,
            split=one.question.split,
            subject=one.question.subject,
            gold=one.question.label,
            choice=int(np.argmax(own)) if one.question.options else None,
            scores=own,
            probabilities=probabilities(own) if one.question.options else (),
            seed=seed,
            format=format_name,
            truncated_tokens=one.truncated_tokens,
            file=one.question.file,
        )
        for one, own in zip(questions, scores, strict=True)
    ]


def probabilities(scores: Sequence[float]) -> tuple[float, ...]:
    """Return the softmax of scores."""
    logs = np.array(scores, dtype=np.float64)
    return tuple(np.exp(logs - np.logaddexp.reduce(logs)).tolist())
