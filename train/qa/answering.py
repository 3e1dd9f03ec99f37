"""Verb `qa answer`: a fine-tuned model answers what somebody asks, or all questions of a set, with a report.

A model of long form writes; one with a head for options names the letter, one with a head for labels the label, each
with its probability. Answers to a set are a stage: chunks of questions are tasks with receipts.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from msgspec import structs

from corpus import storage
from corpus.errors import UsageError
from corpus.qa.question import Question
from corpus.qa.store import STAGE as QUESTIONS_STAGE
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Books, Input, Manifest, has_manifest, read_manifest
from corpus.stage.progress import progress, say
from corpus.stage.workspace import WORK, Receipt, Workspace, plan_stage
from corpus.storage import parquet
from corpus.storage.schema import from_batch, to_table
from train.export.model_input import model_input
from train.qa.answer_config import AnswerConfig
from train.qa.answer_report import report_answers, report_lines
from train.qa.answerer import DESCRIPTION, AnswererCard, open_tuned, read_card
from train.qa.context import Evidence, find_evidence
from train.qa.data import QuestionSets, read_sets
from train.qa.heads import Answerer
from train.qa.kept_answers import CORPUS_STAGE, EVIDENCE
from train.qa.long_form import AnswerWriter
from train.qa.scoring import formatted, probabilities, score_questions
from train.qa.stage import STAGE as FINETUNE_STAGE
from train.qa.writing import WrittenAnswer, write_answers

STAGE = "qa answer"
REVISION = 2  # raise it when the same input gives other bytes
ANSWERS, REPORT = "answers.parquet", "report.json"
CHUNK = 64  # questions of a task: what a kill costs at most
WARNING: Final = (
    "not medical advice: a language model wrote this for research, it may be wrong, and the licence of BioMedLM's "
    "weights forbids any medical use"
)
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, kw_only=True, slots=True)
class TunedModel:
    """A fine-tuned model that is open, on its device."""

    folder: str  # of its run
    model: Answerer | AnswerWriter
    card: AnswererCard

    @property
    def device(self) -> torch.device:
        """Return where the weights are."""
        return next(self.model.parameters()).device


def tuned_folder(path: str, run: str = "") -> str:
    """Return the folder of a fine-tuned run: the path itself, or a run of the result of `qa finetune` there.

    Raises UsageError for what is neither, or has no such run.
    """
    if storage.exists(storage.join(path, DESCRIPTION)):
        return path
    if not has_manifest(path) or read_manifest(path).stage != FINETUNE_STAGE:
        raise UsageError(f"{path}: not a result of `corpuscle qa finetune`; fine-tune the model first, then give that")
    names = list(read_manifest(path).summary["runs"])
    if run and run not in names:
        raise UsageError(f"{path}: has no run {run!r}; there are {', '.join(names)}")
    if not run and len(names) > 1:
        say(f"{path}: {len(names)} runs; {names[0]} answers (choose by --run: {', '.join(names)})")
    return storage.join(path, run or names[0])


def open_model(path: str, run: str = "") -> TunedModel:
    """Return a fine-tuned model, on a GPU where there is one; raises what `tuned_folder` and `open_tuned` raise."""
    folder = tuned_folder(path, run)
    model, card = open_tuned(folder, say)
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return TunedModel(folder=folder, model=model, card=card)


def answer_lines(tuned: TunedModel, questions: Sequence[Question], config: AnswerConfig) -> list[str]:
    """Return what a model answers to questions, a text for each.

    Raises UsageError when questions lack the options that a head chooses between.
    """
    if isinstance(tuned.model, AnswerWriter):
        return [_written_line(one) for one in write_answers(tuned.model, tuned.card, questions, config)]
    asked = [_with_options(one, tuned) for one in questions]
    rows = formatted(asked, tuned.model.backbone, tuned.card)
    scores = score_questions(tuned.model, rows, batch=config.batch, device=tuned.device)
    return [_chosen_line(one, probabilities(own)) for one, own in zip(asked, scores, strict=True)]


def _written_line(one: WrittenAnswer) -> str:
    if not one.answer:
        return "(nothing: the end came first)"
    return one.answer if one.ended else f"{one.answer} … (not ended after {one.tokens:,} tokens)"


def _with_options(question: Question, tuned: TunedModel) -> Question:
    """Return a question as the head was trained to answer it."""
    if tuned.card.kind == "class":
        return structs.replace(question, options=tuned.card.labels)
    if len(question.options) < 2:
        raise UsageError(
            f"{tuned.folder}: chooses between options, and question {question.id} has none; give --option TEXT for "
            "each, or `options` in the file"
        )
    return question


def _chosen_line(question: Question, shares: Sequence[float]) -> str:
    """Return `B 0.71 gout`, and the others by their probability behind it; of labels `yes 0.62`."""
    order = sorted(range(len(shares)), key=lambda place: -shares[place])
    if all(option in ("maybe", "no", "yes") for option in question.options):
        return ", ".join(f"{question.options[place]} {shares[place]:.3f}" for place in order)
    return "\n".join(f"{_LETTERS[place]} {shares[place]:.3f} {question.options[place]}" for place in order)


def answer_set(config: AnswerConfig, *, model: str, questions: str, output: str) -> Manifest:
    """Answer the questions of a set in words, commit answers and report in `output`, and return the manifest.

    Raises UsageError when the model writes no answers or there is nothing to answer.
    """
    folder = tuned_folder(model, config.run)
    card = read_card(folder)
    if card.kind != "answer":
        raise UsageError(f"{folder}: chooses and writes nothing; score it with `corpuscle qa evaluate`")
    parent = os.path.dirname(os.path.abspath(folder))
    tuned = read_manifest(parent, FINETUNE_STAGE)
    task = config.task or str(tuned.summary["task"])
    config = config.model_copy(update={"task": task})
    read = read_manifest(questions, QUESTIONS_STAGE)
    inputs = [Input(name=read.stage, fingerprint=read.fingerprint), model_input(parent)]
    sources = {questions: read}
    if config.evidence:
        sources[config.evidence] = read_manifest(config.evidence, CORPUS_STAGE)
        inputs.append(Input(name="evidence", fingerprint=sources[config.evidence].fingerprint))
    run = Input(name=f"run {os.path.basename(folder.rstrip('/'))}", fingerprint=storage.sha256_file(_weights(folder)))
    with running_stage(output):
        workspace, manifest = plan_stage(
            output,
            stage=STAGE,
            revision=REVISION,
            config=config.identity(),
            inputs=[*inputs, run],
            sources=sources,
        )
        if manifest is not None:
            say(f"{output}: up to date")
            return manifest
        trained = (str(tuned.config["train"] or tuned.summary["task"])).split("+")
        sets = _sets(questions, task, trained)
        asked = list(getattr(sets, config.split))[: config.limit]
        if not asked:
            raise UsageError(f"{questions}: {task} has no {config.split} questions; choose another --split")
        return _answer_all(workspace, config, folder, asked, [one.answer for one in sets.train])


def _weights(folder: str) -> str:
    from train.qa.answerer import WEIGHTS

    return storage.join(folder, WEIGHTS)


def _sets(questions: str, task: str, trained: Sequence[str]) -> QuestionSets:
    """Return the questions of a task, and as train what the model learnt from, as fine-tuning split them."""
    sets, said = read_sets(questions, task=task, train=trained, needs_dev=True)
    if said:
        say(said)
    return sets


def _answer_all(
    workspace: Workspace, config: AnswerConfig, folder: str, asked: Sequence[Question], trained: Sequence[str]
) -> Manifest:
    """Answer all questions, what is missing of them, and commit answers and report."""
    tuned: TunedModel | None = None
    answers: list[WrittenAnswer] = []
    receipts = []
    with progress("qa answer", len(asked), "questions") as shown:
        for start in range(0, len(asked), CHUNK):
            chunk, task = asked[start : start + CHUNK], f"answers/{start:08d}"
            receipt = workspace.finished(task)
            if receipt is None:
                tuned = tuned or open_model(folder)
                assert isinstance(tuned.model, AnswerWriter), "its card says so"
                name = f"{WORK}/{task}.parquet"
                written = write_answers(tuned.model, tuned.card, chunk, config)
                parquet.write_table(workspace.path(name), to_table(written, WrittenAnswer))
                receipt = workspace.finish(Receipt(task=task, work=(workspace.measure_work(name),)))
            receipts.append(receipt)
            answers += from_batch(parquet.read_table(workspace.path(receipt.work[0].path)), WrittenAnswer)
            shown.advance(len(chunk))
    return _commit(workspace, config, receipts, answers, asked, trained)


def _commit(
    workspace: Workspace,
    config: AnswerConfig,
    receipts: Sequence[Receipt],
    answers: Sequence[WrittenAnswer],
    asked: Sequence[Question],
    trained: Sequence[str],
) -> Manifest:
    parts = []
    evidence = None
    if config.evidence:
        corpus = read_manifest(config.evidence, CORPUS_STAGE)
        evidence = find_evidence(asked, config.evidence, corpus, documents=config.documents)
        parquet.write_table(workspace.path(EVIDENCE), to_table(evidence, Evidence))
        parts.append(workspace.measure(EVIDENCE, role="evidence", rows=len(evidence)))
    report = report_answers(answers, asked, trained, evidence=evidence)
    parquet.write_table(workspace.path(ANSWERS), to_table(answers, WrittenAnswer))
    content: dict[str, Any] = {"warning": WARNING, "task": config.task, "split": config.split, **asdict(report)}
    with storage.write_atomic(workspace.path(REPORT)) as sink:
        sink.write(json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")
    parts.append(workspace.measure(ANSWERS, role="answers", rows=len(answers)))
    parts.append(workspace.measure(REPORT, role="report", rows=0))
    summary = {**content, "lines": report_lines(report)}
    books = Books(read=len(asked), kept=len(answers))
    manifest = workspace.commit([*receipts, Receipt(task="report", parts=tuple(parts))], summary=summary, books=books)
    workspace.clean()
    return manifest
