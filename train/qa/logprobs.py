"""Log-probabilities in an OpenAI-compatible server's answer, in the two shapes that servers give them.

legacy (OpenAI's completions, vLLM)   logprobs: {tokens, token_logprobs, top_logprobs: [{token: logprob}]}
of chats (llama.cpp)                  logprobs: {content: [{token, logprob, top_logprobs: [{token, logprob}]}]}
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corpus.errors import UsageError
from train.qa.endpoint import GarbledError


@dataclass(frozen=True, kw_only=True, slots=True)
class NextChoice:
    """What the likeliest next tokens say of a prompt's ends."""

    choice: int | None  # the likeliest end; None when it cannot be told
    scores: tuple[float, ...] | None  # log-probability of each end [nats]; None unless all are known


def next_logprobs(content: Any) -> dict[str, float]:
    """Return the log-probabilities of the likeliest next tokens by their text; raises GarbledError without any."""
    try:
        logprobs = _logprobs(content)
        if "content" in logprobs:
            pairs = [(one["token"], one["logprob"]) for one in logprobs["content"][0]["top_logprobs"]]
        else:
            pairs = list(logprobs["top_logprobs"][0].items())
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise GarbledError("no log-probabilities of likeliest tokens") from error
    found: dict[str, float] = {}
    for token, value in pairs:
        if not isinstance(token, str) or not _is_logprob(value):
            raise GarbledError(f"{str(value)[:40]!r} is no log-probability of a token")
        found[token] = max(value, found.get(token, -math.inf))
    return found


def pick_next(likeliest: Mapping[str, float], ends: Sequence[str]) -> NextChoice:
    """Return which end is likeliest as the next token, from the tokens that a server lists.

    A token that is not listed is less likely than all that are: the best listed end is the likeliest. But an end of
    several tokens, of which the first is listed, may be anything: then nothing is chosen that it could beat.
    """
    # Some servers show the space that a token begins with, some do not; a token without is another one where both are.
    spaced = any(end in likeliest for end in ends)
    wanted = [end if spaced else end.strip() for end in ends]
    found = [likeliest.get(end) for end in wanted]
    if all(one is not None for one in found):
        scores = tuple(one for one in found if one is not None)
        return NextChoice(choice=scores.index(max(scores)), scores=scores)
    best = max((one for one in found if one is not None), default=None)
    if best is None:
        return NextChoice(choice=None, scores=None)
    for end, own in zip(wanted, found, strict=True):
        starts = [
            value for token, value in likeliest.items() if own is None and token.strip() and end.startswith(token)
        ]
        if starts and max(starts) > best:
            return NextChoice(choice=None, scores=None)
    return NextChoice(choice=found.index(best), scores=None)


def echoed_sum(content: Any, end: str) -> float | None:
    """Return the log-likelihood of the end of an echoed prompt [nats]; None when no token begins where the end does.

    The last token of the answer is one that the server wrote behind the prompt. Raises UsageError when the server
    did not echo.
    """
    try:
        logprobs, usage = _logprobs(content), content["usage"]
        if "content" in logprobs:
            pairs = [(one["token"], one["logprob"]) for one in logprobs["content"]]
        else:
            pairs = list(zip(logprobs["tokens"], logprobs["token_logprobs"], strict=True))
        count = int(usage["prompt_tokens"])
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise GarbledError("no log-probabilities of the prompt's tokens") from error
    if len(pairs) < count:
        raise UsageError(
            "the server does not echo a prompt with its log-probabilities, which --format option-text needs; use "
            "--format letters, --method chat, or a server that does (vLLM)"
        )
    total, rest = 0.0, end
    for token, value in reversed(pairs[:count]):
        if not rest:
            break
        if not isinstance(token, str) or not rest.endswith(token) or not token:
            return None
        if not _is_logprob(value):
            raise GarbledError(f"{str(value)[:40]!r} is no log-probability of a token")
        total, rest = total + value, rest[: -len(token)]
    return None if rest else total


def _logprobs(content: Any) -> Any:
    """Return the log-probabilities of an answer; raises UsageError for a server that gives none."""
    found = content["choices"][0]["logprobs"]
    if found is None:
        raise UsageError("the server gives no log-probabilities, which --method likelihood needs; use --method chat")
    return found


def _is_logprob(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value <= 1e-4  # rounding above 0
