"""Stage `qa evaluate`: a model's answers to the questions of some tasks, kept as predictions.

By method `heads` the runs of a `qa finetune` score again, with their own format; by `likelihood` a language model, ours
or any, says which end of a prompt is likeliest; by `chat` a server answers in words. A (task, format or run) is a task
with a receipt.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from corpus import storage
from corpus.errors import UsageError
from corpus.qa.prompts import choose_examples
from corpus.qa.question import Question
from corpus.qa.store import STAGE as QUESTIONS_STAGE
from corpus.qa.store import read_questions
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Input, Manifest, has_manifest, read_manifest
from corpus.stage.progress import say
from corpus.stage.workspace import WORK, Receipt, Workspace, plan_stage
from train.export.model_input import model_input
from train.model.backbone import Backbone
from train.qa.config import EvaluateConfig
from train.qa.context import Evidence, find_evidence, with_evidence
from train.qa.ct2_heads import CT2_HEADS, answer_by_ct2_heads
from train.qa.ct2_likelihood import CT2Scorer, answer_by_ct2, open_ct2_scorer
from train.qa.endpoint import EndpointRules, check_address, is_address, open_endpoint
from train.qa.export_head import STAGE as HEADS_STAGE
from train.qa.kept_answers import (
    ANSWER_SECONDS,
    CORPUS_STAGE,
    commit_answers,
    finish_task,
    finished_task,
    gathered,
    held_items,
    keep_answers,
    kept_answers,
)
from train.qa.lm_eval_engine import answer_by_lm_eval
from train.qa.local_answers import answer_by_heads, answer_by_likelihood, open_language_model
from train.qa.served_answers import CHAT, ServedTask, answer_by_server
from train.qa.stage import STAGE as FINETUNE_STAGE

STAGE = "qa evaluate"
REVISION = 3  # raise it when the same input gives other bytes


def evaluate(config: EvaluateConfig, *, model: str, questions: str, output: str) -> Manifest:
    """Score a model on questions into `output` and return the committed manifest.

    Raises UsageError for what cannot work, such as heads of a model without any, and what opening the model raises.
    """
    config = _checked(config, model)
    read = read_manifest(questions, QUESTIONS_STAGE)
    sources = {questions: read}
    if config.contamination:
        sources[config.contamination] = read_manifest(config.contamination, CORPUS_STAGE)
    inputs = [Input(name=one.stage, fingerprint=one.fingerprint) for one in sources.values()]
    if config.context:
        sources[config.context] = read_manifest(config.context, CORPUS_STAGE)
        inputs.append(Input(name="context", fingerprint=sources[config.context].fingerprint))
    with running_stage(output) as work:
        workspace, manifest = plan_stage(
            output,
            stage=STAGE,
            revision=REVISION,
            config=config.identity(),
            inputs=[*inputs, _model_input(config, model)],
            sources=sources,
            update=keep_answers,
        )
        if manifest is not None:
            say(f"{output}: up to date")
            return manifest
        held = held_items(config, questions)
        answers = kept_answers(workspace) or gathered(workspace, _score_all(workspace, config, model, questions))
        work.measured[ANSWER_SECONDS] = answers.seconds
        return commit_answers(workspace, config, answers, held)


def _score_all(workspace: Workspace, config: EvaluateConfig, model: str, questions: str) -> Iterator[Receipt]:
    """Yield the receipt of each task in each format or run, in order; those there are are not done again."""
    source = _AnswerSource(config, model, workspace.path(f"{WORK}/asked"))
    for task in config.tasks:
        asked = read_questions(questions, task=task, split=config.split)[: config.limit]
        for name in source.names():
            receipt = finished_task(workspace, task, name)
            if receipt is None:
                evidence = source.evidence(task, asked)
                put = with_evidence(asked, evidence) if config.context else asked
                found = source.answer(name, put, _examples(config, questions, task))
                found = replace(found, evidence=evidence)
                receipt = finish_task(workspace, task, name, len(asked), found)
            yield receipt


def _checked(config: EvaluateConfig, model: str) -> EvaluateConfig:
    """Return the configuration with its tasks; raises UsageError when method and model do not go together."""
    if is_address(model) or config.method == "chat":
        if not is_address(model):
            raise UsageError(f"{model}: --method chat asks a server: give its address, https://HOST/v1")
        if config.method == "heads":
            raise UsageError(f"{model}: a server has no fine-tuned heads of ours; use --method chat or likelihood")
        if not config.name:
            raise UsageError(f"{model}: which --model? Name one that the server has")
        if config.engine != "torch":
            raise UsageError(f"{model}: --engine is for models on this machine; the server has its own")
        check_address(model)
        tuned = False
    else:
        tuned = has_manifest(model) and read_manifest(model).stage == _heads_stage(config)
        if tuned != (config.method == "heads"):
            other = "likelihood" if config.method == "heads" else "heads"
            raise UsageError(
                f"{model}: {'' if tuned else 'not '}a result of {_MADE_BY[_heads_stage(config)]}; use --method {other}"
            )
    if config.tasks:
        return config
    if not tuned:
        raise UsageError("which --task? Name tasks of the questions, joined by commas")
    return config.model_copy(update={"task": read_manifest(model).summary["task"]})


_MADE_BY = {
    FINETUNE_STAGE: "`corpuscle qa finetune`",
    HEADS_STAGE: "`corpuscle export` of a fine-tuning, which --engine reads",
}


def _heads_stage(config: EvaluateConfig) -> str:
    """Return the stage whose result holds the heads that an engine reads."""
    return HEADS_STAGE if config.engine in CT2_HEADS else FINETUNE_STAGE


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
        self.scorer: CT2Scorer | None = None
        self.found: dict[str, tuple[Evidence, ...]] = {}

    def names(self) -> tuple[str, ...]:
        """Return the runs of fine-tuned heads, or the formats of prompts."""
        if self.config.method == "heads":
            held = read_manifest(self.model, _heads_stage(self.config)).summary
            return tuple(map(str, held["runs" if self.config.engine == "torch" else "classes"]))
        return self.config.formats if self.config.method == "likelihood" else (CHAT,)

    def evidence(self, task: str, asked: Sequence[Question]) -> tuple[Evidence, ...]:
        """Return the passages of the corpus for the questions of a task; none without a corpus."""
        if self.config.context and task not in self.found:
            corpus = read_manifest(self.config.context, CORPUS_STAGE)
            found = find_evidence(asked, self.config.context, corpus, documents=self.config.documents)
            self.found[task] = tuple(found)
        return self.found.get(task, ())

    def answer(self, name: str, asked: Sequence[Question], examples: Sequence[Question]) -> ServedTask:
        """Return the answers to the questions of one task."""
        if is_address(self.model):
            rules = EndpointRules(
                requests=self.config.requests, attempts=self.config.attempts, timeout=self.config.timeout
            )
            endpoint = open_endpoint(self.model, folder=self.folder, key_env=self.config.key_env, rules=rules)
            return answer_by_server(endpoint, self.config, asked, examples, name)
        if self.config.method == "heads" and self.config.engine != "torch":
            found = answer_by_ct2_heads(self.model, name, self.config.engine, asked, batch=self.config.batch)
        elif self.config.method == "heads":
            found = answer_by_heads(storage.join(self.model, name), asked, batch=self.config.batch)
        elif self.config.engine == "lm_eval":
            self.backbone = self.backbone or open_language_model(self.model)
            found = answer_by_lm_eval(self.backbone, asked, examples, name, batch=self.config.batch)
        elif self.config.engine != "torch":
            self.scorer = self.scorer or open_ct2_scorer(self.model, self.config.engine)
            found = answer_by_ct2(self.scorer, asked, examples, name)
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
