"""Log-likelihood of texts' possible ends by a language model, in batches; what texts share is computed once.

What lm-evaluation-harness computes: the ids of an end are those that its text adds to the ids of the text before it.
A prompt that is too long loses its beginning. Texts of like length are read together, a text once for all of its ends,
and what all prompts begin with (worked examples) once for all of them.

The same numbers for every batch to a few 1e-5 nats, not to the last bit: a processor adds in another order when a
matrix has other rows. So two ends closer than `CLOSE` may change places between batches and machines.

Shapes: B questions, N ends of each, T positions of texts, E positions of ends, V rows of the embedding.
"""
# ruff: noqa: N803, N806 — capital letters in names are shapes

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from corpus.qa.prompts import Prompt, encode_ends
from train.model.backbone import Backbone, pad_rows

NORMED = "-norm"  # of a format, when an end's likelihood is divided by its characters
CLOSE = 1e-4  # nats: what batches, kernels and processors may differ by, with room
_LEAST_FILLED = 0.75  # of the longest text of a batch: shorter ones would be read as padding for the most part
_WORTH_SHARING = 16  # ids: a shorter beginning costs less than the copies of its cache


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredEnds:
    """Log-likelihoods of a prompt's ends."""

    sums: tuple[float, ...]  # of the ids of each end [nats]
    per_character: tuple[float, ...]  # the same over the end's characters, without its first space
    tokens: int  # ids of the question, the prompt's once
    truncated_tokens: int  # cut from the beginning of the prompt


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedPrompt:
    """A prompt as ids: its text, cut to fit the model, and what each end adds."""

    place: int  # in the order asked
    text: list[int]
    ends: list[list[int]]
    letters: tuple[int, ...]  # of each end, without its first space
    cut: int  # ids taken from the beginning of the text


def encode_prompts(
    prompts: Sequence[Prompt], encode: Callable[[str], list[int]], *, max_length: int
) -> list[EncodedPrompt]:
    """Return prompts as ids, each cut from its beginning so that its longest end fits into `max_length` ids."""
    found = []
    for place, prompt in enumerate(prompts):
        text, ends = encode_ends(prompt, encode)
        cut = max(0, len(text) - (max_length - max(map(len, ends)) + 1))  # the last id of an end is never read
        letters = tuple(len(end) - 1 for end in prompt.ends)
        found.append(EncodedPrompt(place=place, text=text[cut:], ends=ends, letters=letters, cut=cut))
    return found


def scored_ends(prompt: EncodedPrompt, sums: Sequence[float]) -> ScoredEnds:
    """Return what is kept of a prompt whose ends have these log-likelihoods [nats]."""
    return ScoredEnds(
        sums=tuple(sums),
        per_character=tuple(own / count for own, count in zip(sums, prompt.letters, strict=True)),
        tokens=len(prompt.text) + sum(len(end) - 1 for end in prompt.ends),
        truncated_tokens=prompt.cut,
    )


def score_ends(backbone: Backbone, prompt: Prompt) -> ScoredEnds:
    """Return the log-likelihoods of one prompt's ends; `backbone` has its language model's head."""
    return score_prompts(backbone, [prompt])[0]


@torch.no_grad()
def score_prompts(
    backbone: Backbone, prompts: Sequence[Prompt], *, batch: int = 8, done: Callable[[int], None] = lambda count: None
) -> list[ScoredEnds]:
    """Return the log-likelihoods of each prompt's ends, in the order asked; `batch` prompts are read together.

    Memory holds the keys and values of `batch` texts, times their ends where these are longer than one id. `done` is
    told how many prompts are through.
    """
    asked = encode_prompts(prompts, backbone.text.encode, max_length=backbone.max_length)
    found: list[ScoredEnds | None] = [None] * len(asked)
    shared = _shared(asked)
    groups = [(shared, [one for one in asked if one.text[: len(shared)] == shared and not one.cut])] if shared else []
    taken = {one.place for _, group in groups for one in group}
    groups.append(([], [one for one in asked if one.place not in taken]))
    reader = _BatchReader(backbone)
    for beginning, group in groups:
        cache = reader.read_beginning(beginning) if group and beginning else None
        for rows in reader.batches(group, batch):
            for row, sums in zip(rows, reader.score(rows, cache, len(beginning)), strict=True):
                found[row.place] = scored_ends(row, sums)
            done(len(rows))
    return [one for one in found if one is not None]


def _shared(asked: Sequence[EncodedPrompt]) -> list[int]:
    """Return the ids that all uncut texts begin with, but for their last; [] where sharing them is not worth it."""
    whole = [one.text[:-1] for one in asked if not one.cut]
    if len(whole) < 2:
        return []
    first, last = min(whole), max(whole)  # what these two share, all between them share
    count = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:count] if count >= _WORTH_SHARING else []


class _BatchReader:
    """Reads batches of prompts with one model."""

    def __init__(self, backbone: Backbone) -> None:
        self.model: Any = backbone.model
        self.device = next(backbone.model.parameters()).device
        self.places = "position_ids" in backbone.takes
        self.picks = "logits_to_keep" in backbone.takes
        self.pads = self.places and self._keeps_all(backbone)

    def _keeps_all(self, backbone: Backbone) -> bool:
        """Say whether a cache is all keys and values, so that a mask can hide padding from those behind it."""
        from transformers.cache_utils import DynamicLayer

        cache = self._run(torch.tensor([[0]]), torch.ones((1, 1), dtype=torch.long), None, torch.tensor([[0]]))
        layers = getattr(cache.past_key_values, "layers", ())
        return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)

    def batches(self, rows: Sequence[EncodedPrompt], batch: int) -> Iterator[list[EncodedPrompt]]:
        """Yield rows of like length together, longest first; of one length alone where padding would be seen."""
        least = _LEAST_FILLED if self.pads else 1.0
        own: list[EncodedPrompt] = []
        for row in sorted(rows, key=lambda one: len(one.text), reverse=True):
            if own and (len(own) == batch or len(row.text) < least * len(own[0].text)):
                yield own
                own = []
            own.append(row)
        if own:
            yield own

    def read_beginning(self, ids: list[int]) -> Any:
        """Return the cache of what prompts begin with."""
        row = torch.tensor([ids])
        return self._run(row, torch.ones_like(row), None, torch.arange(len(ids))[None]).past_key_values

    def score(self, rows: Sequence[EncodedPrompt], cache: Any, shared: int) -> list[list[float]]:
        """Return the log-likelihood of each end of each row; `cache` holds the first `shared` ids of all texts."""
        own = copy.deepcopy(cache)
        if own is not None:
            own.batch_repeat_interleave(len(rows))
        ids_BT, mask_BT = pad_rows([row.text[shared:] for row in rows])
        mask_BT = torch.cat([torch.ones((len(rows), shared), dtype=torch.bool), mask_BT], dim=1)
        lasts = [len(row.text) - shared - 1 for row in rows]
        kept = sorted({*lasts}) if self.picks else list(range(ids_BT.shape[1]))
        where_BT = shared + torch.arange(ids_BT.shape[1]).expand_as(ids_BT)
        read = self._run(ids_BT, mask_BT.long(), own, where_BT, keep=kept)
        found = []
        for number, row in enumerate(rows):
            first_V = read.logits[number, kept.index(lasts[number])].float().log_softmax(0)
            found.append([float(first_V[end[0]]) for end in row.ends])
        if max(len(end) for row in rows for end in row.ends) > 1:
            self._add_rest(rows, found, read.past_key_values, mask_BT)
        return found

    def _add_rest(self, rows: Sequence[EncodedPrompt], found: list[list[float]], cache: Any, mask_BT: Tensor) -> None:
        """Add the log-probabilities of the ends' ids behind their first."""
        N = max(len(row.ends) for row in rows)
        cache.batch_repeat_interleave(N)
        ends = [end for row in rows for end in [*row.ends, *[[0]] * (N - len(row.ends))]]
        ids, mask = pad_rows([end[:-1] or [0] for end in ends])
        lengths = torch.tensor([len(row.text) for row in rows]).repeat_interleave(N)
        seen = torch.cat([mask_BT.repeat_interleave(N, dim=0), mask], dim=1).long()
        rest = self._run(ids, seen, cache, lengths[:, None] + torch.arange(ids.shape[1]))
        for number, row in enumerate(rows):
            for place, end in enumerate(row.ends):
                logits_EV = rest.logits[number * N + place, : len(end) - 1]
                found[number][place] += float(_picked(logits_EV, end[1:]).sum())

    def _run(self, ids: Tensor, mask: Tensor, cache: Any, where: Tensor, *, keep: Sequence[int] | None = None) -> Any:
        inputs: dict[str, Any] = {"attention_mask": mask.to(self.device), "use_cache": True}
        if cache is not None:
            inputs["past_key_values"] = cache
        if self.places:
            inputs["position_ids"] = where.to(self.device)
        if keep is not None and self.picks:
            inputs["logits_to_keep"] = torch.tensor(keep, device=self.device)
        return self.model(input_ids=ids.to(self.device), **inputs)


def _picked(logits: Tensor, ids: list[int]) -> Tensor:
    """Return the log-probability of each id by the logits before it."""
    logs = logits.float().log_softmax(1)
    return logs[torch.arange(len(ids)), torch.tensor(ids, device=logits.device, dtype=torch.long)]
