"""Prompts for scoring by likelihood: a question as a text, its possible ends, and worked examples before it.

    letters       Question: …↵A. …↵B. …↵Answer:  and " A", " B", …
    option-text   Question: …↵Answer:            and " option", …
    of labels     Abstract: …↵Question: …↵Answer: and " no", " yes", … (in either format)

These are the prompts of lm-evaluation-harness's tasks for MedQA and PubMedQA. Worked examples stand before, each with
its right end, parted by an empty line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from corpus.qa.question import Question

PromptFormat = Literal["letters", "option-text"]
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


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


def choose_examples(questions: Sequence[Question], count: int, *, seed: int) -> list[Question]:
    """Return `count` questions with a known answer, drawn by the seed; fewer when there are no more."""
    known = [one for one in questions if one.label is not None]
    return Random(seed).sample(known, min(count, len(known)))


def _asked(question: Question, form: PromptFormat, labels: bool) -> tuple[str, tuple[str, ...]]:
    """Return a question's text up to `Answer:`, and its ends."""
    head = f"Abstract: {question.context.strip()}\n" if question.context else ""
    lines = ""
    ends = tuple(f" {option}" for option in question.options)
    if form == "letters" and not labels:
        letters = _LETTERS[: len(question.options)]
        listed = zip(letters, question.options, strict=True)
        lines = "".join(f"{letter}. {option}\n" for letter, option in listed)
        ends = tuple(f" {letter}" for letter in letters)
    return f"{head}Question: {question.text}\n{lines}Answer:", ends


def _worked(question: Question, form: PromptFormat, labels: bool) -> str:
    assert question.label is not None, "an example has a known answer"
    text, ends = _asked(question, form, labels)
    return text + ends[question.label]
