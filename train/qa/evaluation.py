"""Stage `qa evaluate`: a model's answers to the questions of some tasks, kept as predictions.

By method `heads` the runs of a `qa finetune` score again, with their own format; by `likelihood` a language model, ours
or any, says which end of a prompt is likeliest; by `chat` a server answers in words. A (task, format or run) is a task
with a receipt.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from corpus import storage
from corpus.errors import UsageError
from corpus.qa.predictions import PREDICTIONS, Prediction, read_predictions, write_predictions
from corpus.qa.question import Question
from corpus.qa.store import STAGE as QUESTIONS_STAGE
from corpus.qa.store import read_questions
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Input, Manifest, has_manifest, read_manifest
from corpus.stage.progress import say
from corpus.stage.workspace import WORK, Receipt, Workspace, plan_stage
from corpus.storage import parquet
from corpus.storage.schema import from_batch, schema_of, to_table
from train.model.backbone import Backbone
from train.qa.answered import AnswerCost
from train.qa.config import EvaluateConfig
from train.qa.endpoint import EndpointRules, check_address, is_address, open_endpoint
from train.qa.local_answers import answer_by_heads, answer_by_likelihood, open_language_model
from train.qa.prompts import choose_examples
from train.qa.served_answers import CHAT, ServedAnswer, ServedTask, answer_by_server
from train.qa.stage import STAGE as FINETUNE_STAGE
from train.qa.stage import model_input

STAGE = "qa evaluate"
SERVED = "served.parquet"
REVISION = 2  # raise it when the same input gives other bytes


def evaluate(config: EvaluateConfig, *, model: str, questions: str, output: str) -> Manifest:
    """Score a model on questions into `output` and return the committed manifest.

    Raises UsageError for what cannot work, such as heads of a model without any, and what opening the model raises.
    """
    config = _checked(config, model)
    read = read_manifest(questions, QUESTIONS_STAGE)
    with running_stage(output):
        workspace, manifest = plan_stage(
            output,
            stage=STAGE,
            revision=REVISION,
            config=config.identity(),
            inputs=[Input(name=read.stage, fingerprint=read.fingerprint), _model_input(config, model)],
            sources={questions: read},
        )
        if manifest is not None:
            say(f"{output}: up to date")
            return manifest
        return _commit(workspace, config, list(_score_all(workspace, config, model, questions)))


def _score_all(workspace: Workspace, config: EvaluateConfig, model: str, questions: str) -> Iterator[Receipt]:
    """Yield the receipt of each task in each format or run, in order; those there are are not done again."""
    source = _AnswerSource(config, model, workspace.path(f"{WORK}/asked"))
    for task in config.tasks:
        asked = read_questions(questions, task=task, split=config.split)[: config.limit]
        for name in source.names():
            receipt = workspace.finished(f"score/{task}/{name}")
            if receipt is None:
                found = source.answer(name, asked, _examples(config, questions, task))
                receipt = _finish(workspace, task, name, len(asked), found)
            yield receipt


def _finish(workspace: Workspace, task: str, name: str, num_asked: int, found: ServedTask) -> Receipt:
    """Write the answers of a task in one format, and leave their receipt."""
    files = [f"{WORK}/{task}-{name}.parquet", f"{WORK}/{task}-{name}-served.parquet"]
    write_predictions(found.answered.predictions, workspace.path(files[0]))
    parquet.write_table(workspace.path(files[1]), _served_table(found.served))
    facts = {key: getattr(found.answered, key) for key in (*AnswerCost.__dataclass_fields__, "parameters")}
    without = Counter(one.outcome for one in found.served if one.outcome != "answered")
    facts |= {"task": task, "name": name, "questions": num_asked, "without": dict(sorted(without.items()))}
    work = tuple(workspace.measure_work(file) for file in files)
    return workspace.finish(Receipt(task=f"score/{task}/{name}", work=work, facts=facts))


def _commit(workspace: Workspace, config: EvaluateConfig, receipts: Sequence[Receipt]) -> Manifest:
    """Put the predictions of all tasks into one file, and what a server said into another, and commit them."""
    rows: list[Prediction] = []
    served: list[ServedAnswer] = []
    costs: dict[str, dict[str, Any]] = {}
    for receipt in receipts:
        rows += read_predictions(workspace.path(receipt.work[0].path))
        served += from_batch(parquet.read_table(workspace.path(receipt.work[1].path)), ServedAnswer)
        facts = {key: value for key, value in receipt.facts.items() if key not in ("task", "name", "parameters")}
        costs.setdefault(receipt.facts["task"], {})[receipt.facts["name"]] = facts
    write_predictions(rows, workspace.path(PREDICTIONS))
    parts = [workspace.measure(PREDICTIONS, role="predictions", rows=len(rows))]
    if served:
        parquet.write_table(workspace.path(SERVED), _served_table(served))
        parts.append(workspace.measure(SERVED, role="served", rows=len(served)))
    summary = {"tasks": list(config.tasks), "predictions": len(rows), "costs": costs}
    if (parameters := receipts[0].facts["parameters"]) is not None:
        summary["parameters"] = parameters
    manifest = workspace.commit([*receipts, Receipt(task="predictions", parts=tuple(parts))], summary=summary)
    workspace.clean()
    return manifest


def _served_table(rows: Sequence[ServedAnswer]) -> Any:
    return to_table(rows, ServedAnswer) if rows else schema_of(ServedAnswer).empty_table()


def _checked(config: EvaluateConfig, model: str) -> EvaluateConfig:
    """Return the configuration with its tasks; raises UsageError when method and model do not go together."""
    if is_address(model) or config.method == "chat":
        if not is_address(model):
            raise UsageError(f"{model}: --method chat asks a server: give its address, https://HOST/v1")
        if config.method == "heads":
            raise UsageError(f"{model}: a server has no fine-tuned heads of ours; use --method chat or likelihood")
        if not config.name:
            raise UsageError(f"{model}: which --model? Name one that the server has")
        check_address(model)
        tuned = False
    else:
        tuned = has_manifest(model) and read_manifest(model).stage == FINETUNE_STAGE
        if tuned != (config.method == "heads"):
            other = "likelihood" if config.method == "heads" else "heads"
            raise UsageError(
                f"{model}: {'' if tuned else 'not '}a result of `corpuscle qa finetune`; use --method {other}"
            )
    if config.tasks:
        return config
    if not tuned:
        raise UsageError("which --task? Name tasks of the questions, joined by commas")
    return config.model_copy(update={"task": read_manifest(model).summary["task"]})


def _model_input(config: EvaluateConfig, model: str) -> Input:
    """Return the model as an input; of a server its address and the model's name, for it shows no more."""
    if not is_address(model):
        return model_input(model)
    named = f"{model.rstrip('/')} {config.name}"
    return Input(name="endpoint", fingerprint=hashlib.sha256(named.encode()).hexdigest())


class _AnswerSource:
    """Who answers: opened when the first question is asked, and once."""

    def __init__(self, config: EvaluateConfig, model: str, folder: str) -> None:
        self.config, self.model = config, model
        self.folder = folder
        self.backbone: Backbone | None = None

    def names(self) -> tuple[str, ...]:
        """Return the runs of fine-tuned heads, or the formats of prompts."""
        if self.config.method == "heads":
            return tuple(str(name) for name in read_manifest(self.model, FINETUNE_STAGE).summary["runs"])
        return self.config.formats if self.config.method == "likelihood" else (CHAT,)

    def answer(self, name: str, asked: Sequence[Question], examples: Sequence[Question]) -> ServedTask:
        """Return the answers to the questions of one task."""
        if is_address(self.model):
            rules = EndpointRules(
                requests=self.config.requests, attempts=self.config.attempts, timeout=self.config.timeout
            )
            endpoint = open_endpoint(self.model, folder=self.folder, key_env=self.config.key_env, rules=rules)
            return answer_by_server(endpoint, self.config, asked, examples, name)
        if self.config.method == "heads":
            found = answer_by_heads(storage.join(self.model, name), asked, batch=self.config.batch)
        else:
            self.backbone = self.backbone or open_language_model(self.model)
            found = answer_by_likelihood(self.backbone, asked, examples, name, batch=self.config.batch)
        return ServedTask(answered=found, served=())


def _examples(config: EvaluateConfig, questions: str, task: str) -> list[Question]:
    """Return the worked examples of a task; raises UsageError when it has no train split to take them from."""
    if not config.shots:
        return []
    everything = [one for one in read_questions(questions, task=task) if one.split != config.split]
    pool = [one for one in everything if one.split == "train"] or everything
    found = choose_examples(pool, config.shots, seed=config.seed)
    if len(found) < config.shots:
        raise UsageError(f"{task}: {len(found)} questions to take worked examples from, --shots is {config.shots}")
    return found
