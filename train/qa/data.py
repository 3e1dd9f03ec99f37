"""Question sets for training and scoring: what kind of task it is, its labels, and the order of questions.

Step s trains on a slice of one stream, the permutations of all passes one after the other, each a function of (seed,
pass) alone: all batches are whole, and the step is all the state that the data has.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from corpus.errors import DataError, UsageError
from corpus.qa.overview import normal_text
from corpus.qa.question import Question
from corpus.qa.store import read_folds, read_questions, with_fold
from train.qa.heads import HeadKind


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskShape:
    """What must be answered: one of each question's own options, one of the labels that all share, or in words."""

    kind: HeadKind
    labels: tuple[str, ...]  # of a class task, in the order of the head; () of others


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionSets:
    """Questions to train on, to choose the epoch by, and to score in the end."""

    train: tuple[Question, ...]
    dev: tuple[Question, ...]
    test: tuple[Question, ...]


def task_shape(questions: Sequence[Question]) -> TaskShape:
    """Return the kind of a set: of labels when all its questions have the same options, else of choice.

    Raises UsageError for a set without options (long-form answers).
    """
    options = {question.options for question in questions}
    if any(len(found) < 2 for found in options):
        one = next(question for question in questions if len(question.options) < 2)
        raise UsageError(f"{one.task}: question {one.id} has no options to choose from; a head needs two or more")
    if len(options) == 1 and len(questions) > 1:
        return TaskShape(kind="class", labels=next(iter(options)))
    return TaskShape(kind="choice", labels=())


def training_shape(questions: Sequence[Question]) -> TaskShape:
    """Return the kind of a set to train on: long form when no question has options and each an answer in words."""
    if all(is_long_form(question) for question in questions):
        return TaskShape(kind="answer", labels=())
    return task_shape(questions)


def is_long_form(question: Question) -> bool:
    """Say whether a question is answered in words, and its answer known."""
    return not question.options and bool(question.answer.strip())


def _is_known(question: Question) -> bool:
    return question.label is not None or is_long_form(question)


def question_sets(questions: Iterable[Question], *, task: str, train: Sequence[str]) -> QuestionSets:
    """Return the sets of a task: the train splits of `train`, dev and test of the task itself.

    A task that is not trained on (MMLU) has its epoch chosen by the dev splits of those that are. Raises UsageError
    when there is nothing to train on, DataError for a hidden label among what is trained on.
    """
    everything = list(questions)
    of_train = tuple(one for name in train for one in everything if (one.task, one.split) == (name, "train"))
    if not of_train:
        there = ", ".join(sorted({f"{one.task} {one.split}" for one in everything})) or "none"
        raise UsageError(f"no questions to train on: {' and '.join(train)} have no train split; there are {there}")
    if hidden := [one for one in of_train if not _is_known(one)]:
        raise DataError(
            f"{hidden[0].file}: {len(hidden)} questions to train on hide their label or answer, the first "
            f"{hidden[0].id}"
        )
    dev_tasks = (task,) if task in train else tuple(train)
    return QuestionSets(
        train=of_train,
        dev=tuple(one for one in everything if one.task in dev_tasks and one.split == "dev" and _is_known(one)),
        test=tuple(
            one for one in everything if (one.task, one.split) == (task, "test") and (one.options or _is_known(one))
        ),
    )


def read_sets(directory: str, *, task: str, train: Sequence[str], needs_dev: bool) -> tuple[QuestionSets, str]:
    """Return the sets of a task from a directory of questions, and a line that says what was done, or "".

    Where a dev split is needed and none was published, dev is fold 0 of the training questions; what it asks is not
    trained on, even where another row asks the same.
    """
    questions, said = read_questions(directory), ""
    if needs_dev and task in train and not any((one.task, one.split) == (task, "dev") for one in questions):
        folds = read_folds(directory, task)
        own = [one for one in questions if one.task == task]
        if folds:
            split = with_fold(own, folds, 0)
            held = {_asked(one) for one in split if one.split == "dev"}
            kept = [one for one in split if one.split != "train" or _asked(one) not in held]
            questions = [one for one in questions if one.task != task] + kept
            said = (
                f"{task}: has no dev split; dev is fold 0 of 10 of its training questions, and "
                f"{len(split) - len(kept):,} others that ask the same are left out"
            )
    return question_sets(questions, task=task, train=train), said


def _asked(question: Question) -> tuple[str, str, tuple[str, ...]]:
    """Return what a question asks, as repeats are told."""
    return normal_text(question.text), question.context, question.options


def num_steps(questions: int, *, epochs: float, batch: int) -> int:
    """Return the steps of a number of passes; the last batch goes on into the next pass."""
    return max(1, -int(-epochs * questions // batch))


def epoch_ends(questions: int, *, epochs: float, batch: int) -> list[int]:
    """Return the steps done when each pass is through, and the last step."""
    steps = num_steps(questions, epochs=epochs, batch=batch)
    ends = {min(steps, num_steps(questions, epochs=number, batch=batch)) for number in range(1, int(epochs) + 1)}
    return sorted(ends | {steps})


def questions_of_step(step: int, *, questions: int, batch: int, seed: int) -> list[int]:
    """Return the places of the questions of a step, in the order in which ranks are dealt them."""
    places = range(step * batch, (step + 1) * batch)
    orders = {number: _order(number, questions, seed) for number in {place // questions for place in places}}
    return [int(orders[place // questions][place % questions]) for place in places]


def _order(number: int, questions: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.random.default_rng([seed, number]).permutation(questions)
