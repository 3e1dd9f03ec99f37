"""Answers on disk: of each task while `qa evaluate` runs, of all at its end, and again when the corpus alone changed.

Answers may have cost days or money. So a finished result that differs from what is asked for in nothing but the corpus
that its items are looked for in keeps them, and is only marked anew.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec import structs

from corpus import storage
from corpus.errors import CorruptError
from corpus.qa.contaminated_scores import contaminated_ids, contamination_facts, marked
from corpus.qa.predictions import PREDICTIONS, Prediction, read_predictions, write_predictions
from corpus.qa.store import STAGE as QUESTIONS_STAGE
from corpus.qa.store import read_questions
from corpus.stage.lock import RUN_FACTS
from corpus.stage.manifest import Manifest, read_manifest
from corpus.stage.workspace import WORK, Receipt, Workspace, other_result
from corpus.storage import parquet
from corpus.storage.json_files import read_json
from corpus.storage.schema import from_batch, schema_of, to_table
from train.qa.answered import AnswerCost
from train.qa.config import EvaluateConfig
from train.qa.context import Evidence
from train.qa.served_answers import ServedAnswer, ServedTask

T = TypeVar("T")
CORPUS_STAGE = "assemble"
SERVED = "served.parquet"
EVIDENCE = "evidence.parquet"
ANSWER_SECONDS = "answer_seconds"  # in `run.json`
_KEPT = "kept"  # task and files of the answers of the result that was there


@dataclass(frozen=True, kw_only=True, slots=True)
class AllAnswers:
    """All that a model answered."""

    predictions: tuple[Prediction, ...]
    served: tuple[ServedAnswer, ...]  # empty but of servers
    evidence: tuple[Evidence, ...]  # empty without a corpus to search
    costs: dict[str, dict[str, Any]]  # questions and tokens, by task, then by format or run
    seconds: dict[str, dict[str, float]]  # that they took; not in the manifest, for another run takes others
    parameters: int | None  # of the model; None where a server keeps it to itself
    receipts: tuple[Receipt, ...]


def finished_task(workspace: Workspace, task: str, name: str) -> Receipt | None:
    """Return the receipt of the answers of a task in one format; None when they are not there."""
    return workspace.finished(f"score/{task}/{name}", of=_read_by_tasks(workspace))


def finish_task(workspace: Workspace, task: str, name: str, num_asked: int, found: ServedTask) -> Receipt:
    """Write the answers of a task in one format, and leave their receipt."""
    files = _write(workspace, f"{task}-{name}", found.answered.predictions, found.served, found.evidence)
    facts = {key: getattr(found.answered, key) for key in (*AnswerCost.__dataclass_fields__, "seconds", "parameters")}
    without = Counter(one.outcome for one in found.served if one.outcome != "answered")
    facts |= {"task": task, "name": name, "questions": num_asked, "without": dict(sorted(without.items()))}
    work = tuple(workspace.measure_work(file) for file in files)
    receipt = Receipt(task=f"score/{task}/{name}", work=work, facts=facts)
    return workspace.finish(receipt, of=_read_by_tasks(workspace))


def gathered(workspace: Workspace, receipts: Iterable[Receipt]) -> AllAnswers:
    """Return the answers of finished tasks, in their order."""
    found = tuple(receipts)
    costs: dict[str, dict[str, Any]] = {}
    seconds: dict[str, dict[str, float]] = {}
    for receipt in found:
        task, name = receipt.facts["task"], receipt.facts["name"]
        costs.setdefault(task, {})[name] = {
            key: value for key, value in receipt.facts.items() if key not in ("task", "name", "parameters", "seconds")
        }
        seconds.setdefault(task, {})[name] = receipt.facts["seconds"]
    return _read(workspace, found, {"costs": costs, "seconds": seconds, "parameters": found[0].facts["parameters"]})


def keep_answers(workspace: Workspace, manifest: Manifest) -> tuple[str, ...]:
    """Leave the answers of a finished result for one that differs in its corpus alone; for `plan_stage`.

    Raises UsageError, with the difference, when something else differs too.
    """
    there, asked = (
        {one for one in inputs if one.name != CORPUS_STAGE} for inputs in (manifest.inputs, workspace.inputs)
    )
    if there != asked:
        raise other_result(workspace, manifest)
    files = _write(
        workspace,
        _KEPT,
        read_predictions(workspace.output),
        _rows(workspace, manifest, "served", ServedAnswer),
        _rows(workspace, manifest, "evidence", Evidence),
    )
    facts = {
        "costs": manifest.summary["costs"],
        "seconds": answer_seconds(workspace.output),
        "parameters": manifest.summary.get("parameters"),
    }
    workspace.finish(Receipt(task=_KEPT, work=tuple(map(workspace.measure_work, files)), facts=facts))
    return ()


def _rows(workspace: Workspace, manifest: Manifest, role: str, kind: type[T]) -> list[T]:
    """Return the rows of a finished result's file of one role; none where it has no such file."""
    paths = manifest.paths(workspace.output, role)
    return [row for path in paths for row in from_batch(parquet.read_table(path), kind)]


def kept_answers(workspace: Workspace) -> AllAnswers | None:
    """Return what `keep_answers` left; None when nothing was there."""
    receipt = workspace.finished(_KEPT)
    if receipt is None:
        return None
    return _read(workspace, (receipt,), receipt.facts)


def answer_seconds(output: str) -> dict[str, dict[str, float]]:
    """Return the seconds that the answers of a finished result took, by task and format; empty when not on record."""
    path = storage.join(output, RUN_FACTS)
    if not storage.exists(path):
        return {}
    remedy = "remove this file; nothing depends on it"
    content = read_json(path, remedy)
    try:
        found = content.get(ANSWER_SECONDS, {})
        return {task: {name: float(value) for name, value in by_name.items()} for task, by_name in found.items()}
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise CorruptError(f"{path}: not what a run cost ({error}); {remedy}") from error


def held_items(config: EvaluateConfig, questions: str) -> frozenset[tuple[str, str]] | None:
    """Return the (task, id) of the questions that the corpus of `contamination` holds; None without one."""
    if not config.contamination:
        return None
    parts = read_manifest(questions, QUESTIONS_STAGE).parts
    digest = next(part.sha256 for part in parts if part.role == "evaluation")
    asked = [
        one for task in config.tasks for one in read_questions(questions, task=task, split=config.split)[: config.limit]
    ]
    return contaminated_ids(asked, config.contamination, evaluation_sha256=digest)


def commit_answers(
    workspace: Workspace, config: EvaluateConfig, answers: AllAnswers, held: frozenset[tuple[str, str]] | None
) -> Manifest:
    """Put all answers into one file, marked by what the corpus holds, and what a server said into another."""
    rows = list(answers.predictions)
    summary: dict[str, Any] = {"tasks": list(config.tasks), "predictions": len(rows), "costs": answers.costs}
    if answers.parameters is not None:
        summary["parameters"] = answers.parameters
    if held is not None:
        rows = marked(rows, held)
        facts = summary["contamination"] = {}
        for task, form in dict.fromkeys((row.task, row.format) for row in rows):
            own = (row for row in rows if (row.task, row.format) == (task, form))
            facts.setdefault(task, {})[form] = contamination_facts(own)
    write_predictions(rows, workspace.path(PREDICTIONS))
    parts = [workspace.measure(PREDICTIONS, role="predictions", rows=len(rows))]
    beside: tuple[tuple[str, str, type, Sequence[Any]], ...] = (
        (EVIDENCE, "evidence", Evidence, answers.evidence),
        (SERVED, "served", ServedAnswer, answers.served),
    )
    for name, role, kind, found in beside:
        if found:
            parquet.write_table(workspace.path(name), to_table(found, kind))
            parts.append(workspace.measure(name, role=role, rows=len(found)))
    manifest = workspace.commit([*answers.receipts, Receipt(task="predictions", parts=tuple(parts))], summary=summary)
    workspace.clean()
    return manifest


def _read_by_tasks(workspace: Workspace) -> str:
    """Return the fingerprint of what answers depend on: of all that the stage reads, not the corpus."""
    read = sorted((one.name, one.fingerprint) for one in workspace.inputs if one.name != CORPUS_STAGE)
    return hashlib.sha256(repr(read).encode()).hexdigest()


def _write(
    workspace: Workspace,
    name: str,
    predictions: Sequence[Prediction],
    served: Sequence[ServedAnswer],
    evidence: Sequence[Evidence],
) -> tuple[str, str, str]:
    """Write answers to three intermediate files and return their names; no mark of a corpus is kept."""
    files = (f"{WORK}/{name}.parquet", f"{WORK}/{name}-served.parquet", f"{WORK}/{name}-evidence.parquet")
    write_predictions([_unmarked(row) for row in predictions], workspace.path(files[0]))
    for file, rows, kind in ((files[1], served, ServedAnswer), (files[2], evidence, Evidence)):
        parquet.write_table(workspace.path(file), to_table(rows, kind) if rows else schema_of(kind).empty_table())
    return files


def _unmarked(row: Prediction) -> Prediction:
    return row if row.contaminated is None else structs.replace(row, contaminated=None)


def _read(workspace: Workspace, receipts: tuple[Receipt, ...], facts: Mapping[str, Any]) -> AllAnswers:
    rows: list[Prediction] = []
    served: list[ServedAnswer] = []
    evidence: dict[tuple[str, str, int], Evidence] = {}  # the same for all formats of a task
    for receipt in receipts:
        paths = [workspace.path(file.path) for file in receipt.work]
        rows += read_predictions(paths[0])
        served += from_batch(parquet.read_table(paths[1]), ServedAnswer)
        found = from_batch(parquet.read_table(paths[2]), Evidence)
        evidence |= {(one.task, one.id, one.rank): one for one in found}
    return AllAnswers(
        predictions=tuple(rows),
        served=tuple(served),
        evidence=tuple(evidence.values()),
        costs=facts["costs"],
        seconds=facts["seconds"],
        parameters=facts["parameters"],
        receipts=receipts,
    )
