"""What a model answered to the questions of one task in one format, and what that took."""

from collections.abc import Sequence
from dataclasses import dataclass

from corpus.qa.predictions import Prediction
from corpus.qa.question import Question
from train.qa.scoring import probabilities


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """Predictions of one task in one format, in the order of the questions, and their costs."""

    predictions: tuple[Prediction, ...]
    tokens_in: int  # read; a shared beginning counts for every question
    tokens_out: int  # written; 0 where options are only scored
    seconds: float  # of a server the sum over its answers, as if asked one by one
    parameters: int | None  # of the model; None where a server keeps it to itself


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerCost:
    """Tokens that a thousand questions take."""

    tokens_in: float
    tokens_out: float

    def price(self, price_in: float | None, price_out: float | None) -> float | None:
        """Return the price of the tokens, given that of a million of each kind; None when none is stated."""
        if price_in is None and price_out is None:
            return None
        return (self.tokens_in * (price_in or 0.0) + self.tokens_out * (price_out or 0.0)) / 1e6


def scored_prediction(
    question: Question,
    scores: Sequence[float],
    *,
    form: str,
    truncated_tokens: int = 0,
) -> Prediction:
    """Return the row of a question whose options have these log-likelihoods [nats]; of equal ones the first wins."""
    return Prediction(
        id=question.id,
        task=question.task,
        split=question.split,
        subject=question.subject,
        gold=question.label,
        choice=max(range(len(scores)), key=lambda number: scores[number]),
        scores=tuple(scores),
        probabilities=probabilities(scores),
        format=form,
        truncated_tokens=truncated_tokens,
        file=question.file,
    )


def chosen_prediction(question: Question, choice: int | None, *, form: str) -> Prediction:
    """Return the row of a question of which only the choice is known; None for a refusal or none that could be read."""
    return Prediction(
        id=question.id,
        task=question.task,
        split=question.split,
        subject=question.subject,
        gold=question.label,
        choice=choice,
        format=form,
        file=question.file,
    )
