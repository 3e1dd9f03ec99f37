"""Question sets on disk: one directory, committed by its manifest, that holds the questions of all tasks.

`questions.parquet` has one row a `Question`, in the order of task, split and file; `folds.parquet` one row an item of
a task that is cross-validated; `dropped.parquet` one row a row that gave no question; `evaluation.jsonl` the questions
as `assemble --evaluation` looks for them. The same questions give the same bytes.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from msgspec import Struct, json, structs

from corpus import storage
from corpus.errors import CorruptError, UsageError, did_you_mean
from corpus.qa.contamination import EVALUATION, evaluation_lines
from corpus.qa.question import Question
from corpus.qa.sources import DroppedRow
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Books, Input, Manifest
from corpus.stage.progress import say
from corpus.stage.reading import held_for_reading, read_whole
from corpus.stage.workspace import Receipt, Workspace, plan_stage
from corpus.storage import parquet
from corpus.storage.schema import from_batch, schema_of, to_table

STAGE = "qa questions"
REVISION = 1  # raise it when the same input gives other bytes
QUESTIONS = "questions.parquet"
FOLDS = "folds.parquet"
DROPPED = "dropped.parquet"
SPLITS = ("train", "dev", "val", "test")  # val is MMLU's alone, whose dev holds the examples of few-shot prompts


class Fold(Struct, frozen=True, kw_only=True, gc=False):
    """The fold of one item in cross-validation: dev when its fold is held out, else train."""

    task: str  # of the question
    id: str  # of the question
    fold: int  # from 0; fold 0 is the published dev


def write_questions(
    questions: Iterable[Question],
    directory: str,
    *,
    folds: Sequence[Fold] = (),
    dropped: Sequence[DroppedRow] = (),
    inputs: Iterable[Input] = (),
    summary: Mapping[str, Any] = MappingProxyType({}),
) -> Manifest:
    """Commit questions in a directory and return its manifest; the same again is "up to date".

    `dropped` are the rows that gave none; `summary` are numbers for `inspect`. Raises UsageError when two questions of
    a task have one id, or the directory holds something else.
    """
    ordered = in_order(questions)
    with running_stage(directory):
        inputs = [*inputs, _content(ordered, folds, dropped)]
        workspace, manifest = plan_stage(directory, stage=STAGE, revision=REVISION, config={}, inputs=inputs)
        if manifest is not None:
            say(f"{directory}: up to date ({STAGE}, {manifest.fingerprint[:12]})")
            return manifest
        reasons = Counter(str(row.reason) for row in dropped)
        books = Books(read=len(ordered) + len(dropped), kept=len(ordered), dropped=dict(sorted(reasons.items())))
        receipt = write_parts(workspace, ordered, folds=folds, dropped=dropped)
        manifest = workspace.commit([receipt], summary={"questions": len(ordered), **summary}, books=books)
        workspace.clean()
        return manifest


def read_questions(directory: str, *, task: str | None = None, split: str | None = None) -> list[Question]:
    """Return the questions of a task and a split, or of all, in the order of their files.

    Raises UsageError when the directory holds no questions, or none of the task and split; CorruptError when it is
    damaged.
    """
    with held_for_reading(directory):
        manifest = read_whole(directory, STAGE, ("questions",))
        table = parquet.read_table(storage.join(directory, QUESTIONS))
    if table.num_rows != manifest.books.kept:
        raise CorruptError(f"{directory}: {table.num_rows} questions, its manifest says {manifest.books.kept}")
    questions = from_batch(table, Question)
    found = [one for one in questions if task in (None, one.task) and split in (None, one.split)]
    if not found:
        _refuse(directory, questions, task, split)
    return found


def read_folds(directory: str, task: str) -> dict[str, int]:
    """Return the fold of each item of a task by its id; empty for a task that is not cross-validated."""
    with held_for_reading(directory):
        read_whole(directory, STAGE, ("folds",))
        rows = from_batch(parquet.read_table(storage.join(directory, FOLDS)), Fold)
    return {row.id: row.fold for row in rows if row.task == task}


def with_fold(questions: Iterable[Question], folds: Mapping[str, int], fold: int) -> list[Question]:
    """Return questions with one fold as dev and the other folds as train; what is in no fold stays as it is."""
    held = {True: "dev", False: "train"}
    return [structs.replace(one, split=held[folds[one.id] == fold]) if one.id in folds else one for one in questions]


def _content(*rows: Sequence[Any]) -> Input:
    """Return the rows themselves as an input: what is written is decided by them, not by the files' bytes."""
    return Input(name="rows", fingerprint=hashlib.sha256(json.encode(rows)).hexdigest())


def in_order(questions: Iterable[Question]) -> list[Question]:
    """Return questions by task and split; raises UsageError when two questions of a task have one id."""
    ordered = sorted(questions, key=lambda one: (one.task, SPLITS.index(one.split)))
    _check_ids(ordered)
    return ordered


def _check_ids(questions: Iterable[Question]) -> None:
    seen: dict[tuple[str, str], Question] = {}
    for one in questions:
        first = seen.setdefault((one.task, one.id), one)
        if first is not one:
            raise UsageError(
                f"{one.task}: {one.id!r} is the id of two questions, {first.file}:{first.line} and "
                f"{one.file}:{one.line}; give each set once, in one of its shapes"
            )


def write_parts(
    workspace: Workspace,
    questions: Sequence[Question],
    *,
    folds: Sequence[Fold] = (),
    dropped: Sequence[DroppedRow] = (),
) -> Receipt:
    """Write the files of a directory of questions, which are in order, and return the receipt of them."""
    files: tuple[tuple[str, str, Sequence[Any], type], ...] = (
        (DROPPED, "dropped", dropped, DroppedRow),
        (FOLDS, "folds", folds, Fold),
        (QUESTIONS, "questions", questions, Question),
    )
    for name, _, rows, row in files:
        parquet.write_table(workspace.path(name), to_table(rows, row) if rows else schema_of(row).empty_table())
    with storage.write_atomic(workspace.path(EVALUATION)) as sink:
        for line in evaluation_lines(questions):
            sink.write(line)
    parts = [workspace.measure(name, role=role, rows=len(rows)) for name, role, rows, _ in files]
    parts.append(workspace.measure(EVALUATION, role="evaluation", rows=len(questions)))
    return workspace.finish(Receipt(task="questions", parts=tuple(parts)))


def _refuse(directory: str, questions: Sequence[Question], task: str | None, split: str | None) -> None:
    there = sorted({(one.task, SPLITS.index(one.split)) for one in questions})
    listed = ", ".join(f"{name} {SPLITS[place]}" for name, place in there) or "none"
    near = did_you_mean(task, {one.task for one in questions}) if task else ""
    wanted = " ".join(part for part in (task, split) if part) or "any task"
    raise UsageError(f"{directory}: holds no question of {wanted}; there are {listed}{near}")
