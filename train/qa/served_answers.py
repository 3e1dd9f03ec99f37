"""Answers of an OpenAI-compatible server: chat whose choice is read, or log-probabilities of a prompt's ends.

    chat          /chat/completions   the choice that the answer names; else none, and it is counted
    letters       /completions        log-probabilities of the likeliest next tokens, one request a question
    option-text   /completions        the prompt with each end, echoed with log-probabilities, a request an option

What a server does not say is not made up: an option without a log-probability leaves the question without scores, and
its choice stands only if it must be the likeliest all the same.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from corpus.qa.predictions import Prediction
from corpus.qa.prompts import Prompt, prompt_format, prompt_of
from corpus.qa.question import Question
from corpus.stage.progress import progress, say
from train.qa.answered import Answered, chosen_prediction, scored_prediction
from train.qa.chat import chat_turns, read_choice
from train.qa.config import EvaluateConfig
from train.qa.context import Evidence
from train.qa.data import task_shape
from train.qa.endpoint import Endpoint, EndpointReply, GarbledError
from train.qa.likelihood import NORMED
from train.qa.logprobs import echoed_sum, next_logprobs, pick_next

CHAT = "chat"


class ServedAnswer(Struct, frozen=True, kw_only=True, gc=False):
    """What a server said to one question, as it came."""

    task: str  # of the question
    id: str  # of the question
    format: str  # chat, letters, option-text
    outcome: str  # answered; refused, filtered, too long: no answer; unread: it names no option, or several
    text: str = ""  # the words of a chat
    finish: str = ""  # why it stopped, in the server's word: stop, length, …
    tokens_in: int = 0  # read, as the server counts
    tokens_out: int = 0  # written
    seconds: float = 0.0  # until it was there


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedTask:
    """Answers of one task in one format, what the server said, and the passages that stood before the questions."""

    answered: Answered
    served: tuple[ServedAnswer, ...]  # empty but of servers
    evidence: tuple[Evidence, ...] = ()  # empty without a corpus to search


def answer_by_server(
    endpoint: Endpoint, config: EvaluateConfig, asked: Sequence[Question], examples: Sequence[Question], form: str
) -> ServedTask:
    """Return a server's answers to questions; raises what `Endpoint.ask` raises."""
    labels = task_shape(asked).kind == "class"
    asker = _by_chat if form == CHAT else _by_echo if form == "option-text" else _by_next_token
    rows, served = asker(endpoint, config, asked, examples, labels)
    if without := Counter(one.outcome for one in served if one.outcome != "answered"):
        say(
            f"{form}: {', '.join(f'{count:,} {name}' for name, count in sorted(without.items()))}; no choice is made up"
        )
    answered = Answered(
        predictions=tuple(rows),
        tokens_in=sum(one.tokens_in for one in served),
        tokens_out=sum(one.tokens_out for one in served),
        seconds=sum(one.seconds for one in served),
        parameters=None,
    )
    return ServedTask(answered=answered, served=tuple(served))


_AnswerRows = tuple[list[Prediction], list[ServedAnswer]]


def _by_chat(
    endpoint: Endpoint, config: EvaluateConfig, asked: Sequence[Question], examples: Sequence[Question], labels: bool
) -> _AnswerRows:
    bodies = [
        {
            "model": config.name,
            "messages": chat_turns(one, examples=examples, labels=labels),
            "max_tokens": config.answer_tokens,
            "temperature": 0,
        }
        for one in asked
    ]
    with progress("chat", len(asked), "questions") as shown:
        replies = endpoint.ask("/chat/completions", bodies, _said, shown.advance)
    rows, served = [], []
    for question, reply in zip(asked, replies, strict=True):
        text, outcome, choice = "", reply.refused, None
        if not outcome:
            text, outcome = _said(reply.content)
        if not outcome:
            choice = read_choice(text, question.options, labels=labels)
            outcome = "unread" if choice is None else "answered"
        rows.append(chosen_prediction(question, choice, form=CHAT))
        served.append(_served(question, CHAT, outcome, [reply], text=text))
    return rows, served


def _by_next_token(
    endpoint: Endpoint, config: EvaluateConfig, asked: Sequence[Question], examples: Sequence[Question], labels: bool
) -> _AnswerRows:
    """Return answers by the likeliest tokens behind the prompt: letters and labels are one token each."""
    prompts = [prompt_of(one, "letters", examples=examples, labels=labels) for one in asked]
    bodies = [
        {"model": config.name, "prompt": prompt.text, "max_tokens": 1, "temperature": 0, "logprobs": config.top}
        for prompt in prompts
    ]
    with progress("letters", len(asked), "questions") as shown:
        replies = endpoint.ask("/completions", bodies, next_logprobs, shown.advance)
    rows, served = [], []
    for question, prompt, reply in zip(asked, prompts, replies, strict=True):
        found = None if reply.refused else pick_next(next_logprobs(reply.content), prompt.ends)
        if found is not None and found.scores is not None:
            rows.append(scored_prediction(question, found.scores, form="letters"))
        else:
            rows.append(chosen_prediction(question, found.choice if found else None, form="letters"))
        outcome = reply.refused or ("answered" if rows[-1].choice is not None else "unread")
        served.append(_served(question, "letters", outcome, [reply]))
    return rows, served


def _by_echo(
    endpoint: Endpoint, config: EvaluateConfig, asked: Sequence[Question], examples: Sequence[Question], labels: bool
) -> _AnswerRows:
    """Return answers by the log-likelihood of each whole end, from prompts that the server echoes."""
    prompts = [prompt_of(one, prompt_format("option-text"), examples=examples, labels=labels) for one in asked]
    wanted = [(place, end) for place, prompt in enumerate(prompts) for end in prompt.ends]
    bodies = [
        {
            "model": config.name,
            "prompt": prompts[place].text + end,
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": 1,
            "echo": True,
        }
        for place, end in wanted
    ]
    with progress("option-text", len(wanted), "options") as shown:
        replies = endpoint.ask("/completions", bodies, _echo, shown.advance)
    grouped: list[list[EndpointReply]] = [[] for _ in asked]
    for (place, _), reply in zip(wanted, replies, strict=True):
        grouped[place].append(reply)
    rows, served = [], []
    for question, prompt, own in zip(asked, prompts, grouped, strict=True):
        rows += _echoed_rows(question, prompt, own)
        refused = next((reply.refused for reply in own if reply.refused), "")
        outcome = refused or ("answered" if rows[-1].choice is not None else "unread")
        served.append(_served(question, "option-text", outcome, own))
    return rows, served


def _echoed_rows(question: Question, prompt: Prompt, replies: Sequence[EndpointReply]) -> list[Prediction]:
    """Return the rows of a question: by likelihood, and by likelihood of a character."""
    names = ("option-text", f"option-text{NORMED}")
    sums = [
        None if reply.refused else echoed_sum(reply.content, end)
        for reply, end in zip(replies, prompt.ends, strict=True)
    ]
    known = [one for one in sums if one is not None]
    if len(known) < len(sums):
        return [chosen_prediction(question, None, form=name) for name in names]
    normed = [own / (len(end) - 1) for own, end in zip(known, prompt.ends, strict=True)]
    return [scored_prediction(question, scores, form=name) for name, scores in zip(names, (known, normed), strict=True)]


def _said(content: Any) -> tuple[str, str]:
    """Return the words of a chat's answer and "", or why there are none; raises GarbledError for no such answer."""
    try:
        choice = content["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise GarbledError("no choices[0].message in the answer") from error
    if choice.get("finish_reason") == "content_filter":
        return "", "filtered"
    if refusal:
        return str(refusal), "refused"
    if text is None or text == "":
        return "", "unread"  # all tokens went into thoughts that are not shown
    if not isinstance(text, str):
        raise GarbledError(f"message.content is a {type(text).__name__}, not a text")
    return text, ""


def _echo(content: Any) -> object:
    return echoed_sum(content, "")


def _served(
    question: Question, form: str, outcome: str, replies: Sequence[EndpointReply], *, text: str = ""
) -> ServedAnswer:
    usages = [_usage(reply.content) for reply in replies]
    return ServedAnswer(
        task=question.task,
        id=question.id,
        format=form,
        outcome=outcome,
        text=text,
        finish=_finish(replies[0].content),
        tokens_in=sum(int(one.get("prompt_tokens") or 0) for one in usages),
        tokens_out=sum(int(one.get("completion_tokens") or 0) for one in usages),
        seconds=sum(reply.seconds for reply in replies),
    )


def _usage(content: Any) -> Mapping[str, Any]:
    found = content.get("usage") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}


def _finish(content: Any) -> str:
    return str(content["choices"][0].get("finish_reason") or "") if content else ""
