"""Stage `qa evaluate`: a model's answers to the questions of some tasks, kept as predictions, and a line a task.

By method `heads` the runs of a `qa finetune` score again, with their own format; by `likelihood` a language model, ours
or any, says which end of a prompt is likeliest. A (task, format, run) is a task with a receipt.
"""

from collections.abc import Iterator, Sequence

import torch

from corpus import storage
from corpus.errors import UsageError
from corpus.qa.biases import baselines
from corpus.qa.predictions import PREDICTIONS, Prediction, read_predictions, write_predictions
from corpus.qa.question import Question
from corpus.qa.scores import by_seed, mean_and_sd, score, wilson
from corpus.qa.store import STAGE as QUESTIONS_STAGE
from corpus.qa.store import read_questions
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Input, Manifest, has_manifest, read_manifest
from corpus.stage.progress import progress, say
from corpus.stage.workspace import WORK, Receipt, Workspace, plan_stage
from train.export.backbone import load_backbone
from train.model.backbone import Backbone
from train.qa.answerer import open_answerer
from train.qa.config import EvaluateConfig
from train.qa.data import task_shape
from train.qa.likelihood import score_ends
from train.qa.prompts import PromptFormat, choose_examples, prompt_of
from train.qa.scoring import formatted, predictions, probabilities, score_questions
from train.qa.stage import STAGE as FINETUNE_STAGE
from train.qa.stage import model_input

STAGE = "qa evaluate"
REVISION = 1  # raise it when the same input gives other bytes
NORMED = "-norm"  # of a format, when an end's likelihood is divided by its characters


def evaluate(config: EvaluateConfig, *, model: str, questions: str, output: str) -> Manifest:
    """Score a model on questions into `output` and return the committed manifest.

    Raises UsageError for what cannot work, such as heads of a model without any, and what opening the model raises.
    """
    tuned = has_manifest(model) and read_manifest(model).stage == FINETUNE_STAGE
    if tuned != (config.method == "heads"):
        other = "likelihood" if config.method == "heads" else "heads"
        raise UsageError(f"{model}: {'' if tuned else 'not '}a result of `corpuscle qa finetune`; use --method {other}")
    if not config.tasks:
        if not tuned:
            raise UsageError("which --task? Name tasks of the questions, joined by commas")
        config = config.model_copy(update={"task": read_manifest(model).summary["task"]})
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
            say(f"{output}: up to date")
            return manifest
        return _score_all(workspace, config, model, questions)


def result_lines(output: str, questions: str) -> list[str]:
    """Return a line for each task and format of a result: accuracy, interval, baselines, what was cut."""
    manifest = read_manifest(output, STAGE)
    rows = read_predictions(output)
    split, limit = manifest.config["split"], manifest.config["limit"]
    found = []
    for task in dict.fromkeys(row.task for row in rows):
        asked = read_questions(questions, task=task, split=split)[:limit]
        for form in dict.fromkeys(row.format for row in rows if row.task == task):
            own = [row for row in rows if (row.task, row.format) == (task, form)]
            found.append(result_line(task, own, asked))
    return found


def result_line(task: str, rows: Sequence[Prediction], asked: Sequence[Question]) -> str:
    """Return the line of one task in one format; `rows` are those of all seeds."""
    cut = sum(row.truncated_tokens > 0 for row in next(iter(by_seed(rows).values())))
    tail = f"format {rows[0].format}, {cut:,} truncated"
    base = baselines(asked)
    if base is None:
        return f"{task} {rows[0].split} {len(asked):,}: answered; its labels are hidden; {tail}"
    cards = [score(own) for own in by_seed(rows).values()]
    mean, spread = mean_and_sd(card.accuracy for card in cards)
    low, high = wilson(mean * cards[0].items, cards[0].items)
    seeds = f" ± {100 * spread:.1f} ({len(cards)} seeds)" if len(cards) > 1 else ""
    return (
        f"{task} {rows[0].split} {cards[0].items:,}: {100 * mean:.1f}{seeds}, 95 % {100 * low:.1f}–{100 * high:.1f}; "
        f"majority {100 * base.majority:.1f}, longest {100 * base.longest:.1f}; {tail}"
    )


def _score_all(workspace: Workspace, config: EvaluateConfig, model: str, questions: str) -> Manifest:
    opened: dict[str, Backbone] = {}
    receipts, rows = [], list[Prediction]()
    for task in config.tasks:
        asked = read_questions(questions, task=task, split=config.split)[: config.limit]
        names = config.formats if config.method == "likelihood" else _runs(model)
        for name in names:
            file = f"{WORK}/{task}-{name}.parquet"
            receipt = workspace.finished(f"score/{task}/{name}")
            if receipt is None:
                if config.method == "heads":
                    found = _by_head(storage.join(model, name), asked, config.batch)
                else:
                    if not opened:
                        opened[model] = _language_model(model)
                    found = list(_by_likelihood(opened[model], asked, _examples(config, questions, task), name))
                write_predictions(found, workspace.path(file))
                work = (workspace.measure_work(file),)
                facts = {"parameters": opened[model].num_parameters if opened else _tuned_parameters(model)}
                receipt = workspace.finish(Receipt(task=f"score/{task}/{name}", work=work, facts=facts))
            receipts.append(receipt)
            rows += read_predictions(workspace.path(file))
    write_predictions(rows, workspace.path(PREDICTIONS))
    part = workspace.measure(PREDICTIONS, role="predictions", rows=len(rows))
    parameters = receipts[0].facts["parameters"]
    summary = {"tasks": list(config.tasks), "predictions": len(rows), "parameters": parameters}
    manifest = workspace.commit([*receipts, Receipt(task="predictions", parts=(part,))], summary=summary)
    workspace.clean()
    return manifest


def _runs(model: str) -> list[str]:
    return [str(name) for name in read_manifest(model, FINETUNE_STAGE).summary["runs"]]


def _tuned_parameters(model: str) -> int:
    return int(read_manifest(model, FINETUNE_STAGE).summary["parameters"])


def _by_head(folder: str, asked: Sequence[Question], batch: int) -> list[Prediction]:
    """Return the predictions of one fine-tuned run."""
    answerer, card = open_answerer(folder, say)
    if (shape := task_shape(asked)).kind != card.kind or (card.labels and shape.labels != card.labels):
        raise UsageError(
            f"{folder}: a head for {card.kind} {' '.join(card.labels)}, not for the questions of this task"
        )
    rows = formatted(asked, answerer.backbone, card)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    answerer.to(device).eval()
    scores = score_questions(answerer, rows, batch=batch, device=device)
    return predictions(rows, scores, seed=card.seed, format_name=card.format)


def _language_model(model: str) -> Backbone:
    backbone = load_backbone(model, say, language_model=True)
    if not backbone.causal:
        raise UsageError(f"{model}: an encoder gives no likelihood of a text; fine-tune it, and use --method heads")
    return backbone.to("cuda" if torch.cuda.is_available() else "cpu").eval()


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


def _by_likelihood(
    backbone: Backbone, asked: Sequence[Question], examples: Sequence[Question], form: str
) -> Iterator[Prediction]:
    """Yield the predictions of a language model: of option texts twice, as they are and by their characters."""
    labels = task_shape(asked).kind == "class"
    with progress(f"likelihood, {form}", len(asked), "questions") as shown:
        for question in asked:
            prompt = prompt_of(question, _form(form), examples=examples, labels=labels)
            found = score_ends(backbone, prompt)
            kinds = {form: found.sums} | ({form + NORMED: found.per_character} if form == "option-text" else {})
            for name, scores in kinds.items():
                yield Prediction(
                    id=question.id,
                    task=question.task,
                    split=question.split,
                    subject=question.subject,
                    gold=question.label,
                    choice=max(range(len(scores)), key=lambda number: scores[number]),
                    scores=scores,
                    probabilities=probabilities(scores),
                    format=name,
                    truncated_tokens=found.truncated_tokens,
                    file=question.file,
                )
            shown.advance()


def _form(name: str) -> PromptFormat:
    return "letters" if name == "letters" else "option-text"
