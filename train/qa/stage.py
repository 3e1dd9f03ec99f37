"""Stage `qa finetune`: a model and questions to fine-tuned heads, one for each learning rate and seed.

Every run of the sweep is a task with a receipt: the same command, given again after a kill, does only what is missing,
and a run that was under way goes on from its last finished pass, to the same bytes.
"""

import contextlib
import json
import logging
import os
import statistics
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from corpus import storage
from corpus.errors import UsageError
from corpus.qa.predictions import PREDICTIONS, read_predictions
from corpus.qa.store import STAGE as QUESTIONS_STAGE
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Input, Manifest, read_manifest
from corpus.stage.progress import say
from corpus.stage.workspace import WORK, Receipt, Workspace, plan_stage
from corpus.storage.json_files import read_json
from train.export.model_input import model_input
from train.launch.processes import environment, run_ranks
from train.qa.answerer import DESCRIPTION, WEIGHTS
from train.qa.config import FinetuneConfig, Setting
from train.qa.job import METRICS, FinetuneJob, write_job

STAGE = "qa finetune"
REVISION = 1  # raise it when the same input gives other bytes
_ROLES = {WEIGHTS: "weights", DESCRIPTION: "description", METRICS: "metrics", PREDICTIONS: "predictions"}


def finetune(config: FinetuneConfig, *, model: str, questions: str, output: str) -> Manifest:
    """Fine-tune a model on questions into `output` and return the committed manifest.

    Raises UsageError for what cannot work, CorruptError for damaged files or models that lack weights, DataError for
    labels that do not fit, RetryError when a rank was killed.
    """
    if storage.is_remote(output):
        raise UsageError(f"{output}: fine-tuning writes to a local disk; copy the directory away afterwards")
    read = read_manifest(questions, QUESTIONS_STAGE)
    with running_stage(output):
        workspace, manifest = plan_stage(
            output,
            stage=STAGE,
            revision=REVISION,
            config=config.identity(),
            inputs=[Input(name=read.stage, fingerprint=read.fingerprint), model_input(model)],
            sources={questions: read},
        )
        if manifest is not None:
            say(f"{output}: up to date, {len(config.settings())} runs of {config.task}")
            return manifest
        receipts = [_run(workspace, config, one, model=model, questions=questions) for one in config.settings()]
        manifest = workspace.commit(receipts, summary=_summary(config, receipts))
        workspace.clean()
        return manifest


def _run(workspace: Workspace, config: FinetuneConfig, setting: Setting, *, model: str, questions: str) -> Receipt:
    """Train a setting unless it is finished, and return its receipt."""
    task = f"finetune/{setting.name}"
    if (done := workspace.finished(task)) is not None:
        say(f"{setting.name}: done before")
        return done
    work = storage.join(os.path.abspath(workspace.output), WORK, setting.name)
    os.makedirs(work, exist_ok=True)
    job = FinetuneJob(
        config=config,
        setting=setting,
        model=os.path.abspath(model),
        questions=os.path.abspath(questions),
        folder=os.path.abspath(workspace.path(setting.name)),
        work=work,
    )
    _start(job)
    return _finish(workspace, task, setting.name, work)


def _finish(workspace: Workspace, task: str, name: str, work: str) -> Receipt:
    """Leave the receipt of a trained setting, and remove its checkpoints."""
    rows = read_predictions(workspace.path(name))
    lines = {PREDICTIONS: len(rows)}
    parts = tuple(
        workspace.measure(f"{name}/{file}", role=role, rows=lines.get(file, 0)) for file, role in _ROLES.items()
    )
    facts = _facts(rows, workspace.path(name))
    receipt = workspace.finish(Receipt(task=task, parts=parts, facts=facts))
    storage.remove_tree(work)
    return receipt


def _facts(rows: list[Any], folder: str) -> dict[str, Any]:
    """Return accuracy and size of each scored split, and how many questions were cut."""
    stated = read_json(storage.join(folder, DESCRIPTION), "fine-tune again")
    facts: dict[str, Any] = {"format": stated["format"], "parameters": stated["parameters"]}
    for split in ("dev", "test"):
        known = [row for row in rows if row.split == split and row.gold is not None]
        facts[split] = len(known)
        facts[f"{split}_accuracy"] = sum(row.choice == row.gold for row in known) / len(known) if known else None
    facts["questions_cut"] = sum(row.truncated_tokens > 0 for row in rows)
    if stated["kind"] == "answer":
        facts["dev_loss"] = _dev_loss(storage.join(folder, METRICS))
    return facts


def _dev_loss(metrics: str) -> float | None:
    """Return the loss on dev of the pass that was kept, in nats a token of an answer; None without dev."""
    with storage.open_read(metrics) as source:
        lines = [json.loads(line) for line in source.read().splitlines()]
    kept = lines[-1]["kept_step"]
    return next((line["dev_loss"] for line in lines if line["step"] == kept and "dev_loss" in line), None)


def _summary(config: FinetuneConfig, receipts: list[Receipt]) -> dict[str, Any]:
    """Return what the runs came to, and mean and deviation over the seeds of each learning rate."""
    runs = {receipt.task.partition("/")[2]: dict(receipt.facts) for receipt in receipts}
    by_rate: dict[str, list[Mapping[str, Any]]] = {}
    for setting, receipt in zip(config.settings(), receipts, strict=True):
        by_rate.setdefault(f"{setting.learning_rate:g}", []).append(receipt.facts)
    return {
        "task": config.task,
        "parameters": receipts[0].facts["parameters"],
        "runs": runs,
        "rates": {rate: {split: _spread(found, split) for split in ("dev", "test")} for rate, found in by_rate.items()},
    } | ({"dev_loss": _losses(by_rate)} if "dev_loss" in receipts[0].facts else {})


def _losses(by_rate: dict[str, list[Mapping[str, Any]]]) -> dict[str, float | None]:
    """Return the mean loss on dev of the runs of each learning rate, of long form."""
    found = {rate: [facts["dev_loss"] for facts in own] for rate, own in by_rate.items()}
    return {rate: None if None in own else statistics.fmean(own) for rate, own in found.items()}


def _spread(found: list[Mapping[str, Any]], split: str) -> dict[str, float] | None:
    values = [facts[f"{split}_accuracy"] for facts in found]
    if any(value is None for value in values):
        return None
    return {"mean": statistics.fmean(values), "sd": statistics.stdev(values) if len(values) > 1 else 0.0}


def _start(job: FinetuneJob) -> None:
    """Train a setting: by this process when it is the only rank, else by processes of their own."""
    if job.config.ranks > 1:
        write_job(job)
        run_ranks(job.work, job.config.ranks, module="train.qa.rank")
        return
    with _as_rank_alone(), _quiet_deepspeed():
        from train.qa.steps import train_setting

        train_setting(job, say)


@contextlib.contextmanager
def _as_rank_alone() -> Iterator[None]:
    """Give this process the environment of a rank while the block runs: what it starts later is no rank of ours."""
    before = dict(os.environ)
    os.environ.update({"RANK": "0", "LOCAL_RANK": "0"} | environment(1))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _quiet_deepspeed() -> Iterator[None]:
    """Keep DeepSpeed's greetings off standard output, which is for results."""
    with contextlib.redirect_stdout(sys.stderr):
        import deepspeed  # noqa: F401 — its logger is made on import

        logger = logging.getLogger("DeepSpeed")
        before = logger.level
        logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            logger.setLevel(before)
