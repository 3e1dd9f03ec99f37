"""Log-likelihood of ends by CTranslate2: an export in int8 or float32, with the prompts and rules of torch's way.

A text is read once when all of its ends are single ids (letters), else once with each end: CTranslate2 keeps no cache
between calls.
"""
# ruff: noqa: N806 — capital letters in names are shapes: T positions, V entries of the vocabulary

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from tokenizers import Tokenizer

from corpus.errors import UsageError
from corpus.qa.prompts import Prompt
from corpus.qa.question import Question
from corpus.stage.machine import usable_cores
from corpus.stage.manifest import has_manifest, read_manifest
from corpus.stage.progress import progress, say
from train.generate.backends import CT2Text, open_text_model
from train.qa.answered import Answered
from train.qa.likelihood import EncodedPrompt, ScoredEnds, encode_prompts, scored_ends
from train.qa.local_answers import likelihood_answers, likelihood_prompts

CT2Format = Literal["ct2-int8", "ct2-float32"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CT2Scorer:
    """CTranslate2's model of an export, with its tokenizer."""

    model: CT2Text
    tokenizer: Tokenizer
    parameters: int

    def score(self, prompts: Sequence[Prompt], *, done: Callable[[int], None] = lambda count: None) -> list[ScoredEnds]:
        """Return the log-likelihoods of each prompt's ends, in the order asked; `done` as in `score_prompts`."""
        found = []
        for one in encode_prompts(prompts, self._encode, max_length=self.model.seq_length):
            found.append(scored_ends(one, self._sums(one)))
            done(1)
        return found

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _sums(self, prompt: EncodedPrompt) -> list[float]:
        if all(len(end) == 1 for end in prompt.ends):
            logs_V = self.model.log_probabilities(prompt.text)[-1]
            return [float(logs_V[end[0]]) for end in prompt.ends]
        sums = []
        for end in prompt.ends:
            logs_TV = self.model.log_probabilities([*prompt.text, *end[:-1]])[-len(end) :]
            sums.append(float(logs_TV[torch.arange(len(end)), torch.tensor(end)].sum()))
        return sums


def open_ct2_scorer(model: str, kind: CT2Format) -> CT2Scorer:
    """Return an export in one of CTranslate2's formats, its hashes checked.

    Raises UsageError for what is no export, or one without that format; CorruptError when a hash does not hold.
    """
    if not has_manifest(model) or read_manifest(model).stage != "export":
        raise UsageError(
            f"{model}: --engine {kind} reads an export; make one: `corpuscle export RUN --format {kind} --output DIR`"
        )
    opened = open_text_model(model, say, kind=kind, threads=usable_cores())
    assert isinstance(opened.model, CT2Text)
    opened.tokenizer.encode_special_tokens = True  # as everywhere: the name of one in a text is its characters
    parameters = int(read_manifest(model).summary["parameters"])
    return CT2Scorer(model=opened.model, tokenizer=opened.tokenizer, parameters=parameters)


def answer_by_ct2(scorer: CT2Scorer, asked: Sequence[Question], examples: Sequence[Question], form: str) -> Answered:
    """Return the answers of an export, as `answer_by_likelihood` does those of torch."""
    started = time.perf_counter()
    prompts = likelihood_prompts(asked, examples, form)
    with progress(f"likelihood, {form}", len(asked), "questions") as shown:
        found = scorer.score(prompts, done=shown.advance)
    return likelihood_answers(asked, found, form, time.perf_counter() - started, scorer.parameters)
