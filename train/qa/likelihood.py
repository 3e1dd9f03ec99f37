"""Log-likelihood of a text's possible ends by a language model; the text is computed once for all of them.

What lm-evaluation-harness computes: the ids of an end are those that its text adds to the ids of the text before it.
A prompt that is too long loses its beginning.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from train.model.backbone import Backbone, pad_rows
from train.qa.prompts import Prompt


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredEnds:
    """Log-likelihoods of a prompt's ends."""

    sums: tuple[float, ...]  # of the ids of each end [nats]
    per_character: tuple[float, ...]  # the same over the end's characters, without its first space
    tokens: int  # ids computed, the prompt's once
    truncated_tokens: int  # cut from the beginning of the prompt


def encode_ends(prompt: Prompt, encode: Callable[[str], list[int]]) -> tuple[list[int], list[list[int]]]:
    """Return the ids of a prompt's text, and those that each end adds to them."""
    text = encode(prompt.text)
    return text, [encode(prompt.text + end)[len(text) :] for end in prompt.ends]


@torch.no_grad()
def score_ends(backbone: Backbone, prompt: Prompt) -> ScoredEnds:
    """Return the log-likelihoods of a prompt's ends; `backbone` has its language model's head."""
    text, ends = encode_ends(prompt, backbone.text.encode)
    room = backbone.max_length - max(map(len, ends)) + 1  # the last id of an end is never read
    cut = max(0, len(text) - room)
    sums = _sums(backbone, text[cut:], ends)
    letters = [len(end) - 1 for end in prompt.ends]
    return ScoredEnds(
        sums=tuple(sums),
        per_character=tuple(own / count for own, count in zip(sums, letters, strict=True)),
        tokens=len(text) - cut + sum(len(end) - 1 for end in ends),
        truncated_tokens=cut,
    )


def _sums(backbone: Backbone, text: list[int], ends: list[list[int]]) -> list[float]:
    """Return the log-likelihood of each end behind a text."""
    model: Any = backbone.model
    device = next(model.parameters()).device
    read = model(input_ids=torch.tensor([text], device=device), use_cache=True, **_last_only(backbone))
    first = read.logits[0, -1].float().log_softmax(0)
    found = [float(first[end[0]]) for end in ends]
    if max(map(len, ends)) == 1:
        return found
    cache = read.past_key_values
    cache.batch_repeat_interleave(len(ends))
    ids, mask = pad_rows([end[:-1] or [0] for end in ends])
    seen = torch.cat([torch.ones((len(ends), len(text)), dtype=torch.bool), mask], dim=1).long()
    rest = model(input_ids=ids.to(device), attention_mask=seen.to(device), past_key_values=cache, use_cache=True)
    for number, end in enumerate(ends):
        found[number] += float(_picked(rest.logits[number, : len(end) - 1], end[1:]).sum())
    return found


def _picked(logits: Tensor, ids: list[int]) -> Tensor:
    """Return the log-probability of each id by the logits before it."""
    logs = logits.float().log_softmax(1)
    return logs[torch.arange(len(ids)), torch.tensor(ids, device=logits.device, dtype=torch.long)]


def _last_only(backbone: Backbone) -> dict[str, int]:
    """Return the option that spares the logits of all positions but the last, where a family has it."""
    return {"logits_to_keep": 1} if "logits_to_keep" in backbone.takes else {}
