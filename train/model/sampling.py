"""Token sampling: one id drawn from the logits of a position, by temperature, top-k and top-p."""

import torch
from torch import Tensor


def sample_token(
    logits_V: Tensor,  # noqa: N803 — a shape
    generator: torch.Generator,
    *,
    temperature: float,
    top_k: int = 0,
    top_p: float = 1.0,
) -> int:
    """Return the id of the next token; `temperature` 0 takes the likeliest, `top_k` 0 and `top_p` 1 leave all in."""
    if temperature == 0 or top_k == 1:
        return int(logits_V.argmax())
    kept = min(top_k or len(logits_V), len(logits_V))
    best, ids = (logits_V.float() / temperature).topk(kept)  # sorted, largest first
    shares = best.softmax(0)
    if top_p < 1:
        before = shares.cumsum(0) - shares
        shares = torch.where(before < top_p, shares, 0.0)  # the first always stays
    return int(ids[torch.multinomial(shares, 1, generator=generator)])
