"""What a score rests on: baselines that read no question; accuracy by position, length of the option, and subject."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from corpus.qa.predictions import Prediction
from corpus.qa.question import Question
from corpus.qa.scores import wilson


@dataclass(frozen=True, kw_only=True, slots=True)
class Baselines:
    """Accuracies of models that read nothing, on one set of questions; shares of 1."""

    items: int  # questions whose answer is known
    majority: float  # always the label, or the position, that is right most often
    longest: float  # always the longest option in characters, the first of equals
    first: float  # always the first option
    random: float  # expected


def baselines(questions: Iterable[Question]) -> Baselines | None:
    """Return the baselines of questions, None when no answer is known."""
    known = [(one.options, one.label) for one in questions if one.label is not None]
    if not known:
        return None
    labels = Counter(label for _, label in known)
    return Baselines(
        items=len(known),
        majority=max(labels.values()) / len(known),
        longest=sum(_longest(options) == label for options, label in known) / len(known),
        first=labels[0] / len(known),
        random=fmean(1 / len(options) for options, _ in known),
    )


def _longest(options: Sequence[str]) -> int:
    return max(range(len(options)), key=lambda number: (len(options[number]), -number))


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupAccuracy:
    """Accuracy in one group of items; a group by choice is the share of right ones among those choices."""

    group: str
    items: int
    right: int
    accuracy: float
    low: float  # of the Wilson interval of 95 %
    high: float


def grouped(predictions: Iterable[Prediction], key: Callable[[Prediction], Hashable]) -> list[GroupAccuracy]:
    """Return the accuracy of each group of scored predictions, in the order of their keys, None last."""
    held: dict[Hashable, list[bool]] = {}
    for one in predictions:
        if one.gold is not None:
            held.setdefault(key(one), []).append(one.gold == one.choice)
    rows = []
    for name in sorted(held, key=lambda one: (one is None, isinstance(one, str), one)):
        right, items = sum(held[name]), len(held[name])
        low, high = wilson(right, items)
        rows.append(
            GroupAccuracy(
                group="none" if name is None else str(name),
                items=items,
                right=right,
                accuracy=right / items,
                low=low,
                high=high,
            )
        )
    return rows


def by_gold_position(predictions: Iterable[Prediction]) -> list[GroupAccuracy]:
    """Return the accuracy by the place of the right option, from 0."""
    return grouped(predictions, lambda one: one.gold)


def by_chosen_position(predictions: Iterable[Prediction]) -> list[GroupAccuracy]:
    """Return how often each place was chosen, from 0, and how often that was right; "none" where nothing was chosen."""
    return grouped(predictions, lambda one: one.choice)


def by_subject(predictions: Iterable[Prediction]) -> list[GroupAccuracy]:
    """Return the accuracy by subject."""
    return grouped(predictions, lambda one: one.subject)


def by_length_rank(predictions: Iterable[Prediction], questions: Mapping[str, Question]) -> list[GroupAccuracy]:
    """Return the accuracy by how the right option's length ranks, 0 the longest; questions by id.

    Equally long options rank in their order. A model that chooses by length is good at rank 0 and bad elsewhere.
    """
    return grouped(predictions, lambda one: _length_rank(questions[one.id].options, one.gold))


def _length_rank(options: Sequence[str], number: int | None) -> int | None:
    if number is None:
        return None
    return sorted(range(len(options)), key=lambda one: (-len(options[one]), one)).index(number)
