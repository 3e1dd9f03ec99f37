"""Answers in words: questions to texts, by transformers' `generate` on a model that was fine-tuned for it.

The ids of the question and the token that begins an answer go in; what is written ends at the end token, or where the
length is used up, and which of the two is kept.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from msgspec import Struct

from corpus.errors import UsageError
from corpus.qa.question import Question
from train.model.backbone import pad_rows
from train.qa.answer_config import AnswerConfig
from train.qa.answerer import AnswererCard, format_rule
from train.qa.formats import END, asked_ids
from train.qa.long_form import AnswerWriter


class WrittenAnswer(Struct, frozen=True, kw_only=True, gc=False):
    """One answer that a model wrote; (task, id) names its question."""

    task: str  # of the question
    id: str  # of the question
    question: str  # its text
    answer: str  # as written
    ended: bool  # by the end token; else the length was used up
    tokens: int  # written, the end counted
    truncated_tokens: int  # cut from the question to fit the model [tokens]


@torch.no_grad()
def write_answers(
    writer: AnswerWriter, card: AnswererCard, questions: Sequence[Question], config: AnswerConfig
) -> list[WrittenAnswer]:
    """Return the answers to questions, in their order; `batch` of them at once, or one by one where tokens are drawn.

    Raises UsageError when the model has no room for `max_tokens` behind a question.
    """
    size = 1 if config.top_p is not None else config.batch
    found: list[WrittenAnswer] = []
    for start in range(0, len(questions), size):
        found += _write(writer, card, questions[start : start + size], config)
    return found


def _write(
    writer: AnswerWriter, card: AnswererCard, questions: Sequence[Question], config: AnswerConfig
) -> list[WrittenAnswer]:
    from transformers import GenerationConfig

    rule = format_rule(card)
    asked = [asked_ids(one, writer.backbone.text.encode, rule) for one in questions]
    ids, mask = pad_rows([row for row, _ in asked], side="left")
    room = writer.backbone.max_length - ids.shape[1]
    if room < config.max_tokens:
        raise UsageError(
            f"question {questions[0].id}: {ids.shape[1]:,} tokens leave room for {room:,} of the model's "
            f"{writer.backbone.max_length:,}; ask for --max-tokens {max(1, room)} or less"
        )
    end = card.special_ids[END]
    device = next(writer.parameters()).device
    if config.top_p is not None:
        torch.manual_seed(_seed(config.seed, questions[0]))
    model: Any = writer.backbone.model
    settings = GenerationConfig(eos_token_id=end, pad_token_id=end, bos_token_id=end, **config.generation())
    rows = model.generate(
        input_ids=ids.to(device), attention_mask=mask.long().to(device), generation_config=settings
    ).tolist()
    return [
        _answer(writer, one, cut, row[ids.shape[1] :], end)
        for one, (_, cut), row in zip(questions, asked, rows, strict=True)
    ]


def _answer(writer: AnswerWriter, question: Question, cut: int, written: list[int], end: int) -> WrittenAnswer:
    ended = end in written
    own = written[: written.index(end)] if ended else written
    plain = [one for one in own if one < writer.backbone.text.num_tokens]  # new special tokens have no text
    text = writer.backbone.text.tokenizer.decode(plain, skip_special_tokens=True)
    return WrittenAnswer(
        task=question.task,
        id=question.id,
        question=question.text,
        answer=text.strip(),
        ended=ended,
        tokens=len(own) + ended,
        truncated_tokens=cut,
    )


def _seed(seed: int, question: Question) -> int:
    """Return the seed of a question's draws, whatever stands before it."""
    content = f"{seed}\0{question.task}\0{question.id}\0{question.text}".encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:7], "big")
