"""Answers of a model on this machine: fine-tuned heads, or a language model by the likelihood of options."""

import time
from collections.abc import Sequence

import torch

from corpus.errors import UsageError
from corpus.qa.prompts import Prompt, prompt_format, prompt_of
from corpus.qa.question import Question
from corpus.stage.progress import progress, say
from train.export.backbone import load_backbone
from train.model.backbone import Backbone
from train.qa.answered import Answered, scored_prediction
from train.qa.answerer import AnswererCard, open_answerer
from train.qa.data import task_shape
from train.qa.likelihood import NORMED, ScoredEnds, score_prompts
from train.qa.scoring import formatted, predictions, score_questions


def answer_by_heads(folder: str, asked: Sequence[Question], *, batch: int) -> Answered:
    """Return the answers of one fine-tuned run; raises UsageError when its head is for other questions."""
    answerer, card = open_answerer(folder, say)
    check_head(folder, card, asked)
    started = time.perf_counter()
    rows = formatted(asked, answerer.backbone, card)
    device = _device()
    answerer.to(device).eval()
    scores = score_questions(answerer, rows, batch=batch, device=device)
    return Answered(
        predictions=tuple(predictions(rows, scores, seed=card.seed, format_name=card.format)),
        tokens_in=sum(len(row) for one in rows for row in one.rows),
        tokens_out=0,
        seconds=time.perf_counter() - started,
        parameters=card.parameters,
    )


def check_head(folder: str, card: AnswererCard, asked: Sequence[Question]) -> None:
    """Raise UsageError when a head is for other questions."""
    if (shape := task_shape(asked)).kind != card.kind or (card.labels and shape.labels != card.labels):
        raise UsageError(
            f"{folder}: a head for {card.kind} {' '.join(card.labels)}, not for the questions of this task"
        )


def open_language_model(model: str) -> Backbone:
    """Return a model with its language model's head; raises UsageError for an encoder."""
    backbone = load_backbone(model, say, language_model=True)
    if not backbone.causal:
        raise UsageError(f"{model}: an encoder gives no likelihood of a text; fine-tune it, and use --method heads")
    return backbone.to(_device()).eval()


def answer_by_likelihood(
    backbone: Backbone, asked: Sequence[Question], examples: Sequence[Question], form: str, *, batch: int
) -> Answered:
    """Return the answers of a language model: of option texts twice, as they are and by their characters."""
    started = time.perf_counter()
    prompts = likelihood_prompts(asked, examples, form)
    with progress(f"likelihood, {form}", len(asked), "questions") as shown:
        found = score_prompts(backbone, prompts, batch=batch, done=shown.advance)
    return likelihood_answers(asked, found, form, time.perf_counter() - started, backbone.num_parameters)


def likelihood_prompts(asked: Sequence[Question], examples: Sequence[Question], form: str) -> list[Prompt]:
    """Return the prompts of a task's questions in one format."""
    labels = task_shape(asked).kind == "class"
    return [prompt_of(one, prompt_format(form), examples=examples, labels=labels) for one in asked]


def likelihood_answers(
    asked: Sequence[Question], found: Sequence[ScoredEnds], form: str, seconds: float, parameters: int | None
) -> Answered:
    """Return scored ends as answers: of option texts as they are, and under another name by their characters."""
    rows = []
    for question, ends in zip(asked, found, strict=True):
        kinds = {form: ends.sums} | ({form + NORMED: ends.per_character} if form == "option-text" else {})
        rows += [
            scored_prediction(question, scores, form=name, truncated_tokens=ends.truncated_tokens)
            for name, scores in kinds.items()
        ]
    return Answered(
        predictions=tuple(rows),
        tokens_in=sum(ends.tokens for ends in found),
        tokens_out=0,
        seconds=seconds,
        parameters=parameters,
    )


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
