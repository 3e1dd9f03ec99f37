"""Backend of a model of transformers' library, from a run or an export of one: its own module, in fp32 on the CPU."""
# ruff: noqa: N803, N806 — capital letters in names are shapes

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.generate.sampling import Sampling
from train.model.sampling import sample_token


class ForeignText:
    """Language model for inference around a transformers model; `end` is the id of the end of text."""

    def __init__(self, model: nn.Module, *, end: int, seq_length: int, vocab_size: int) -> None:
        self._model, self._vocab_size = cast(Any, model), vocab_size
        self.end, self.seq_length = end, seq_length

    def continuations(
        self, ids: Sequence[int], sampling: Sampling, stop: Callable[[list[int]], bool]
    ) -> list[list[int]]:
        """Return continuations one after the other, from one stream of random numbers."""
        generator = torch.Generator().manual_seed(sampling.seed)
        return [self._one(ids, sampling, stop, generator) for _ in range(sampling.number)]

    @torch.no_grad()
    def losses(self, ids_BT: Tensor) -> Tensor:
        """Return the loss of each token but the first of rows of ids, nats, float32 (B, T - 1)."""
        rows = []
        for row_T in ids_BT:  # one at a time: all logits of a row are 600 MB at Qwen's vocabulary
            logits_TV = self._model(input_ids=row_T[None], use_cache=False).logits[0, :-1].float()
            rows.append(functional.cross_entropy(logits_TV, row_T[1:], reduction="none"))
        return torch.stack(rows)

    @torch.no_grad()
    def _one(
        self,
        ids: Sequence[int],
        sampling: Sampling,
        stop: Callable[[list[int]], bool],
        generator: torch.Generator,
    ) -> list[int]:
        found, length = list[int](), len(ids)
        cache, new = None, torch.tensor([list(ids)])
        while True:
            out = self._model(input_ids=new, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            chosen = sample_token(
                out.logits[0, -1, : self._vocab_size],
                generator,
                temperature=sampling.temperature,
                top_k=sampling.top_k,
                top_p=sampling.top_p,
            )
            if chosen == self.end:
                return found
            found.append(chosen)
            if len(found) >= sampling.max_tokens or length + len(found) > self.seq_length or stop(found):
                return found
            new = torch.tensor([[chosen]])
