"""Prompts for scoring by likelihood: a question as a text, its possible ends, and worked examples before it.

    letters       Question: …↵A. …↵B. …↵Answer:  and " A", " B", …
    option-text   Question: …↵Answer:            and " option", …
    of labels     Abstract: …↵Question: …↵Answer: and " no", " yes", … (in either format)

These are the prompts of lm-evaluation-harness's tasks for MedQA and PubMedQA. Worked examples stand before, each with
its right end, parted by an empty line.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from corpus.qa.question import Question

PromptFormat = Literal["letters", "option-text"]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """A text and its possible ends; each end begins with the space that parts it from the text."""

    text: str
    ends: tuple[str, ...]


def prompt_of(
    question: Question, form: PromptFormat, *, examples: Sequence[Question] = (), labels: bool = False
) -> Prompt:
    """Return the prompt of a question; `labels` says that the options are labels that all questions share."""
    worked = [_worked(example, form, labels) for example in examples]
    text, ends = _asked(question, form, labels)
    return Prompt(text="\n\n".join([*worked, text]), ends=ends)


def encode_ends(prompt: Prompt, encode: Callable[[str], list[int]]) -> tuple[list[int], list[list[int]]]:
    """Return the ids of a prompt's text, and those that each end adds to them."""
    text = encode(prompt.text)
    return text, [encode(prompt.text + end)[len(text) :] for end in prompt.ends]


def prompt_format(name: str) -> PromptFormat:
    """Return the format of a name that the configuration has checked."""
    return "letters" if name == "letters" else "option-text"


def choose_examples(questions: Sequence[Question], count: int, *, seed: int) -> list[Question]:
    """Return `count` questions with a known answer, drawn by the seed; fewer when there are no more."""
    known = [one for one in questions if one.label is not None]
    return Random(seed).sample(known, min(count, len(known)))


def _asked(question: Question, form: PromptFormat, labels: bool) -> tuple[str, tuple[str, ...]]:
    """Return a question's text up to `Answer:`, and its ends."""
    listed = form == "letters" and not labels
    ends = LETTERS[: len(question.options)] if listed else question.options
    return f"{asked_text(question, listed=listed)}\nAnswer:", tuple(f" {end}" for end in ends)


def asked_text(question: Question, *, listed: bool) -> str:
    """Return context and question, and on lines of their own the options with their letters if `listed`."""
    lines = [f"Abstract: {question.context.strip()}"] if question.context else []
    lines.append(f"Question: {question.text}")
    if listed:
        letters = LETTERS[: len(question.options)]
        lines += [f"{letter}. {option}" for letter, option in zip(letters, question.options, strict=True)]
    return "\n".join(lines)


def _worked(question: Question, form: PromptFormat, labels: bool) -> str:
    assert question.label is not None, "an example has a known answer"
    text, ends = _asked(question, form, labels)
    return text + ends[question.label]
