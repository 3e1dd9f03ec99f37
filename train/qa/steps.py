"""Training of one setting on all its ranks: steps, dev scores after each pass, checkpoints, the kept weights' scores.

The state is saved after every pass through the store of checkpoints that pretraining uses: hashed, published by a
rename, listed. A killed run goes on from the newest good one and comes to the same bytes: order, rate and dropout are
functions of the step.
"""

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import distributed

from corpus import storage
from corpus.errors import DataError, UsageError
from corpus.qa.predictions import PREDICTIONS, write_predictions
from corpus.stage.manifest import Input, fingerprint
from corpus.stage.progress import progress
from train.checkpoint import store
from train.loop.device import choose_device
from train.loop.engine import (
    decided_by_first,
    gradient_norm,
    load_state,
    save_state,
    set_learning_rate,
    start_distributed,
    wrap_model,
)
from train.qa.answerer import (
    AnswererCard,
    build_answerer,
    load_trained,
    trained_tensors,
    write_answerer,
    write_tensors,
)
from train.qa.data import QuestionSets, epoch_ends, questions_of_step, read_sets, training_shape
from train.qa.formats import FormattedQuestion
from train.qa.heads import Answerer, RowBatch
from train.qa.job import METRICS, FinetuneJob, learning_rate, run_options
from train.qa.long_form import AnswerWriter, loss_per_token
from train.qa.scoring import Quality, formatted, predictions, quality, rows_of, score_questions

BEST = "best.safetensors"
KEEP = 1  # checkpoints of a run


@dataclass(kw_only=True, slots=True)
class SettingState:
    """All that one rank has in hand while it trains a setting."""

    job: FinetuneJob
    engine: Any
    answerer: Answerer | AnswerWriter
    card: AnswererCard
    device: torch.device
    rank: int
    train: list[FormattedQuestion]
    dev: list[FormattedQuestion]
    test: list[FormattedQuestion]
    ends: list[int]  # steps done after each pass
    say: Callable[[str], None]
    metrics: list[dict[str, Any]] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.ends[-1]


def train_setting(job: FinetuneJob, say: Callable[[str], None]) -> None:
    """Train a setting to its end and write its result; on all ranks together."""
    device = choose_device()
    start_distributed(device)
    rank = distributed.get_rank()
    state = _state(job, device, rank, say if rank == 0 else lambda line: None)
    begin = decided_by_first(lambda: _begin(state))
    state.metrics = _read_metrics(job.work, begin)
    if begin:
        load_state(state.engine, store.checkpoint_path(job.work, store.checkpoint_name(begin)), step=begin)
    with progress(job.setting.name, state.steps - begin, "steps") if rank == 0 else nullcontext() as shown:
        for step in range(begin, state.steps):
            _train_step(state, step)
            if shown is not None:
                shown.advance()
            if step + 1 in state.ends:
                _end_of_pass(state, step + 1)
    _write_result(state)
    distributed.barrier()


def _state(job: FinetuneJob, device: torch.device, rank: int, say: Callable[[str], None]) -> SettingState:
    config = job.config
    by_dev = config.selection == "best-dev"
    sets, said = read_sets(job.questions, task=config.task, train=config.train_tasks, needs_dev=by_dev)
    if said:
        say(said)
    shape = training_shape(sets.train)
    if by_dev and not sets.dev:
        raise UsageError(f"{config.task}: no dev questions to choose the epoch by; add --selection last")
    if other := [one for one in (*sets.dev, *sets.test) if shape.labels and one.options != shape.labels]:
        raise DataError(
            f"{other[0].file}: question {other[0].id} has the labels {', '.join(other[0].options)}, "
            f"training has {', '.join(shape.labels)}; give one set of labels"
        )
    answerer, card = build_answerer(config, job.model, shape, job.setting.seed, say)
    answerer.to(device)
    of_sets = {name: formatted(getattr(sets, name), answerer.backbone, card) for name in ("train", "dev", "test")}
    _say_sets(sets, of_sets, card, say)
    return SettingState(
        job=job,
        engine=wrap_model(answerer, run_options(job)),
        answerer=answerer,
        card=card,
        device=device,
        rank=rank,
        train=of_sets["train"],
        dev=of_sets["dev"],
        test=of_sets["test"],
        ends=epoch_ends(len(sets.train), epochs=config.epochs, batch=config.batch_questions),
        say=say,
    )


def _say_sets(
    sets: QuestionSets,
    of_sets: dict[str, list[FormattedQuestion]],
    card: AnswererCard,
    say: Callable[[str], None],
) -> None:
    cut = sum(one.truncated_tokens > 0 for own in of_sets.values() for one in own)
    tokens = sum(one.truncated_tokens for own in of_sets.values() for one in own)
    say(
        f"{len(sets.train):,} questions to train on, {len(sets.dev):,} dev, {len(sets.test):,} test; format "
        f"{card.format}, rows of at most {card.max_tokens:,} tokens: {cut:,} questions cut, {tokens:,} tokens"
    )


def _begin(state: SettingState) -> int:
    """Return the step of the newest good checkpoint of the same run, 0 without one; of rank 0 alone."""
    work, config = state.job.work, state.job.config
    if store.read_list(work):
        checkpoint = store.newest_good(work, state.say)
        layout = (checkpoint.ranks, checkpoint.zero_stage, checkpoint.tokens_fingerprint)
        if layout == (config.ranks, config.zero_stage, _data_fingerprint(state)):
            state.say(f"{state.job.setting.name}: going on from step {checkpoint.step:,}")
            return checkpoint.step
        state.say(f"{state.job.setting.name}: begun with another layout or other data; begun again")
        storage.remove_tree(storage.join(work, store.FOLDER))
    store.start_list(work)
    return 0


def _train_step(state: SettingState, step: int) -> None:
    """Do one optimizer step and note its loss."""
    config, engine = state.job.config, state.engine
    rate = learning_rate(
        step,
        peak=state.job.setting.learning_rate,
        warmup_steps=round(config.warmup_fraction * state.steps),
        total_steps=state.steps,
    )
    set_learning_rate(engine, rate)
    words = np.random.SeedSequence([state.job.setting.seed, step, state.rank]).generate_state(1, np.uint64)
    torch.manual_seed(int(words[0]) >> 1)  # dropout is a function of seed, step and rank
    engine.train()
    total = torch.zeros((), device=state.device)
    for batch, labels in _micro_batches(state, step):
        loss = engine(batch, labels)
        engine.backward(loss)
        engine.step()
        total += loss.detach()
    distributed.all_reduce(total)
    mean = total.item() / (config.accumulation() * config.ranks)
    if not np.isfinite(mean):
        raise DataError(f"{state.job.setting.name}: the loss of step {step + 1:,} is {mean}; use a lower learning rate")
    norm = gradient_norm(engine)
    _note(state, {"step": step + 1, "loss": mean, "learning_rate": rate} | ({} if norm is None else {"norm": norm}))


def _micro_batches(state: SettingState, step: int) -> list[tuple[RowBatch, torch.Tensor]]:
    """Return this rank's micro-batches of a step, with their labels; of long form, with what the loss is over."""
    config = state.job.config
    size = config.batch_questions
    places = questions_of_step(step, questions=len(state.train), batch=size, seed=state.job.setting.seed)
    dealt = np.array(places).reshape(config.accumulation(), config.ranks, config.micro_batch)[:, state.rank]
    found = []
    share = sum(state.train[place].answer_tokens for place in places) / (config.accumulation() * config.ranks)
    for own in dealt.tolist():
        questions = [state.train[place] for place in own]
        goal = [one.question.label for one in questions] if state.card.kind != "answer" else share
        found.append((rows_of(questions).to(state.device), torch.tensor(goal, device=state.device)))
    return found


def _end_of_pass(state: SettingState, done: int) -> None:
    """Score dev, keep the weights if they are the best so far, and publish a checkpoint."""
    if state.dev:
        found = _quality(state)
        _note(state, {"step": done, "dev_accuracy": found.accuracy, "dev_loss": found.loss})
        accuracy = "" if found.accuracy is None else f"accuracy {100 * found.accuracy:.1f}, "
        state.say(
            f"{state.job.setting.name}: pass {state.ends.index(done) + 1} of {len(state.ends)}, step {done:,}: "
            f"dev {accuracy}loss {found.loss:.4f}"
        )
    if _best_step(state) == done and state.rank == 0:
        write_tensors(storage.join(state.job.work, BEST), trained_tensors(state.answerer))
    if done < state.steps:
        _save(state, done)


def _quality(state: SettingState) -> Quality:
    """Return how good the model is on dev: of long form the loss of an answer's token alone."""
    scores = _scores(state, state.dev)
    if state.card.kind == "answer":
        return Quality(accuracy=None, loss=loss_per_token(state.dev, scores), known=len(scores))
    return quality([one.question for one in state.dev], scores)


def _best_step(state: SettingState) -> int:
    """Return the step whose weights are kept, of those scored so far: best accuracy, then lowest loss, then first."""
    scored = [line for line in state.metrics if "dev_accuracy" in line]
    if state.job.config.selection == "last" or not scored:
        return state.steps
    return int(max(scored, key=lambda line: (line["dev_accuracy"] or 0.0, -line["dev_loss"], -line["step"]))["step"])


def _save(state: SettingState, done: int) -> None:
    work, config = state.job.work, state.job.config
    if state.rank == 0:
        _write_metrics(storage.join(work, METRICS), state.metrics)
    decided_by_first(lambda: store.make_temporary(work, done, 0))
    save_state(state.engine, store.temporary_path(work, done), step=done)
    checkpoint = store.Checkpoint(
        step=done,
        tokens=0,
        ranks=config.ranks,
        zero_stage=config.zero_stage,
        tokens_fingerprint=_data_fingerprint(state),
        recipe=config.identity(),
        files={},
    )
    decided_by_first(lambda: store.publish(work, checkpoint, keep=KEEP))


def _data_fingerprint(state: SettingState) -> str:
    """Return the fingerprint of all that decides a run beside its layout."""
    sets = (state.train, state.dev)
    rows = [[one.question.id, one.question.label, one.rows] for own in sets for one in own]
    settings = state.job.config.identity() | {
        "seeds": 0,
        "learning_rates": [],
        "setting": state.job.setting.model_dump(),
    }
    model = Input(name="model", fingerprint=state.card.base_fingerprint)
    return fingerprint("qa finetune", settings | {"rows": rows}, [model], revision=1)


def _scores(state: SettingState, questions: list[FormattedQuestion]) -> list[tuple[float, ...]]:
    """Return the scores of questions, each rank's share computed by it; on all ranks together."""
    state.answerer.eval()
    ranks, rank = state.job.config.ranks, state.rank
    own = score_questions(
        state.answerer, questions[rank::ranks], batch=2 * state.job.config.micro_batch, device=state.device
    )
    shares: list[Any] = [None] * ranks
    distributed.all_gather_object(shares, own)
    found: list[tuple[float, ...]] = [()] * len(questions)
    for number, share in enumerate(shares):
        found[number::ranks] = share
    return found


def _write_result(state: SettingState) -> None:
    """Write the kept weights, their card, the metrics and the predictions of dev and test."""
    best = _best_step(state)
    distributed.barrier()
    if best != state.steps:
        load_trained(state.answerer, load_file(storage.join(state.job.work, BEST)), state.job.work)
    rows = [
        row
        for questions in (state.dev, state.test)
        for row in predictions(
            questions, _scores(state, questions), seed=state.job.setting.seed, format_name=state.card.format
        )
    ]
    _note(state, {"step": state.steps, "kept_step": best})
    if state.rank == 0:
        folder = state.job.folder
        write_answerer(folder, state.card, trained_tensors(state.answerer))
        write_predictions(rows, storage.join(folder, PREDICTIONS))
        _write_metrics(storage.join(folder, METRICS), state.metrics)


def _note(state: SettingState, line: dict[str, Any]) -> None:
    state.metrics.append(line)


def _write_metrics(path: str, lines: list[dict[str, Any]]) -> None:
    with storage.write_atomic(path) as sink:
        sink.write("".join(json.dumps(line) + "\n" for line in lines).encode())


def _read_metrics(work: str, step: int) -> list[dict[str, Any]]:
    """Return the metrics up to a step, as they were saved with its checkpoint."""
    path = Path(storage.join(work, METRICS))
    if not step or not os.path.exists(path):
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["step"] <= step]
