"""Training steps of one rank: forward, backward, update, log, evaluate, save.

Step s trains on the rows of a batch that follows from s alone; they are dealt to (micro-step, rank, place), so every
number of ranks and every micro-batch sees the same global batches, and the step is all the state the data has. Steps
count from 0 inside; what is logged and saved counts steps done.
"""

import gc
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass

import numpy as np
import torch
from torch import distributed

from corpus import storage
from tokenizer.arrays import TokenIds
from train.checkpoint import store
from train.checkpoint.skipped import batch_of, newly_left_out, rows_trained
from train.data.prefetch import prefetch
from train.loop.engine import (
    begin_micro_step,
    begin_step,
    gradient_norm,
    load_state,
    load_universal,
    set_learning_rate,
)
from train.loop.evaluate import evaluate
from train.loop.loss_watch import SpikeError
from train.loop.metrics import Timing, model_utilization, speed_text
from train.loop.questions import ask_questions
from train.loop.rank_state import RankState, boundaries, shard_batch, to_device
from train.loop.rollback import roll_back
from train.loop.saving import is_writing, save, settle
from train.loop.schedule import learning_rate
from train.loop.step_watch import energy_figures, energy_so_far, memory_watched, profiled
from train.model.gpt import next_token_targets
from train.plan.gpus import known_gpu

COLLECT_EVERY = 1000  # steps between two runs of Python's collector, on all ranks at once


def train_steps(state: RankState) -> bool:
    """Train from the job's checkpoint to its last step; return False when a signal stopped it, after saving."""
    config = state.job.config
    if state.job.universal:
        load_universal(state.engine, storage.join(state.job.output, store.UNIVERSAL), step=state.job.resume_step)
    elif state.job.resume is not None:
        load_state(state.engine, store.checkpoint_path(state.job.output, state.job.resume), step=state.job.resume_step)
    state.shown_at, state.shown_step = time.monotonic(), state.job.resume_step
    state.saved_at = state.evaluated_at = state.shown_at
    state.watch.skipped = int(state.engine.skipped_steps)
    steps = range(state.job.resume_step, config.steps)
    ahead = prefetch(lambda step: _micro_batches(state, step), steps)
    with _collected_by_step(), memory_watched(state), closing(ahead), closing(profiled(state, steps)) as watched:
        state.heartbeat.start()
        try:
            return all(_do_step(state, step, ahead) for step in watched)
        except SpikeError as spike:  # on all ranks, which see the same numbers
            settle(state)
            if config.on_spike != "skip":
                raise
            roll_back(state, spike)
        finally:
            state.heartbeat.stop()


@contextmanager
def _collected_by_step() -> Iterator[None]:
    """Keep Python's collector from running when it likes: each rank would stop at another moment, and all wait."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def _do_step(state: RankState, step: int, ahead: Iterator[list[TokenIds]]) -> bool:
    """Train, evaluate and save as one step asks for; return False when a signal stopped the run, after saving."""
    config, done, asked = state.job.config, step + 1, time.monotonic()
    state.heartbeat.begin(done)
    batches, began = next(ahead), time.monotonic()
    state.waited += began - asked
    wishes = _train_step(state, step, batches)
    if state.saving is not None and not wishes.writing:
        settle(state)
    stop, last = wishes.stop, wishes.stop or done == config.steps
    if state.log is not None:
        state.log.record_timing(done, {"seconds": time.monotonic() - began, "seconds_for_data": began - asked})
    if state.validation is not None and (wishes.evaluate or done % config.eval_every == 0 or done == config.steps):
        state.heartbeat.enter("in an evaluation")
        evaluate(state, done)
        state.evaluated_at = time.monotonic()
    if config.questions is not None and (done % config.questions_every == 0 or done == config.steps):
        state.heartbeat.enter("in an evaluation")
        ask_questions(state, done)
    if wishes.save or last or done % config.save_every == 0:
        state.heartbeat.enter("in a save")
        save(state, done, last=last)
        state.saved_at = time.monotonic()
    if done % COLLECT_EVERY == 0:
        gc.collect()
    if stop and done < config.steps:
        state.say(f"stopped by a signal; step {done:,} is saved")
        return False
    return True


def _micro_batches(state: RankState, step: int) -> list[TokenIds]:
    """Return this rank's micro-batches of a step, ids (micro_batch, seq_length) each."""
    config = state.job.config
    places = config.batches.places(batch_of(step, state.left_out))
    batch = state.order.rows_in(places, seed=config.seed)
    own = shard_batch(batch, ranks=config.ranks, micro_batch=config.micro_batch)[:, state.rank]
    return [state.rows.rows(rows) for rows in own]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wishes:
    """What a rank was asked for, or all of them together: any that one wishes."""

    stop: bool
    save: bool
    evaluate: bool
    writing: bool  # files of a save are not all written


def _own_wishes(state: RankState) -> _Wishes:
    """Return what this rank was asked for by signals, and, of rank 0 alone, by its clock."""
    config = state.job.config

    def due(minutes: float | None, since: float) -> bool:
        return state.rank == 0 and minutes is not None and time.monotonic() - since >= 60 * minutes

    return _Wishes(
        stop=state.should_stop(),
        save=state.should_save() or due(config.save_minutes, state.saved_at),
        evaluate=due(config.eval_minutes, state.evaluated_at),
        writing=is_writing(state),
    )


def _train_step(state: RankState, step: int, batches: list[TokenIds]) -> _Wishes:
    """Do one optimizer step and log it; return what any rank was asked for."""
    config, engine = state.job.config, state.engine
    rate = learning_rate(
        step,
        peak=config.learning_rate,
        warmup_steps=config.warmup_steps,
        total_steps=config.steps,
        final_fraction=config.final_lr_fraction,
        decay_steps=config.decay_steps,
    )
    set_learning_rate(engine, rate)
    _seed_dropout(state, step)
    total = torch.zeros((), device=state.device)
    begin_step(engine, len(batches))
    for number, rows in enumerate(batches):
        begin_micro_step(engine, last=number + 1 == len(batches))
        state.heartbeat.enter(f"in micro-step {number + 1} of {len(batches)}")
        ids = to_device(state, rows)
        loss = engine(ids, next_token_targets(ids), **boundaries(state, ids))
        engine.backward(loss)
        engine.step()
        total += loss.detach()
    state.heartbeat.enter("at the end of the step")
    own = _own_wishes(state)
    sums = torch.cat([total[None], total.new_tensor([float(wish) for wish in astuple(own)])])
    distributed.all_reduce(sums)
    together, *wishes = sums.tolist()  # the one moment of a step in which the host waits for the device
    mean = together / (len(batches) * config.ranks)
    norm = gradient_norm(engine)
    for warning in state.watch.check(step + 1, loss=mean, norm=norm, skipped=int(engine.skipped_steps)):
        state.say(warning)
    _report(state, step + 1, loss=mean, rate=rate, norm=norm)
    return _Wishes(**{name: wish > 0 for name, wish in zip(_Wishes.__slots__, wishes, strict=True)})


def _report(state: RankState, done: int, *, loss: float, rate: float, norm: float | None) -> None:
    """Log the step; print a line, with the speed since the last one, every `log_every` steps."""
    config, shape = state.job.config, state.job.shape
    if state.log is not None:
        values = {"loss": loss, "learning_rate": rate} | ({} if norm is None else {"gradient_norm": norm})
        if skipped := newly_left_out(done - 1, state.left_out):
            values["skipped_rows"] = sum(map(config.batches.rows, skipped))
        if config.batch_warmup_start is not None:  # else they follow from the step
            values["tokens"] = _tokens_trained(state, done)
        state.log.record(done, values)
    if done % config.log_every and done != config.steps and done != 1:
        return
    waited, memory = _most_of_ranks(state, [state.waited, _peak_memory(state.device) / 1e9])
    state.waited = 0.0
    if state.log is None:
        return
    seconds = time.monotonic() - state.shown_at
    tokens_per_second = (_tokens_trained(state, done) - _tokens_trained(state, state.shown_step)) / seconds
    peak = _peak(state)
    mfu = model_utilization(tokens_per_second, shape.flops_per_token, peak)
    timing: Timing = {"tokens_per_second": tokens_per_second, "seconds_for_data_most": waited, "memory_gb_most": memory}
    energy = energy_so_far(state)
    timing |= energy_figures(energy)
    state.log.record_timing(done, timing if mfu is None else {**timing, "mfu": mfu})
    speed = speed_text(tokens_per_second, shape.flops_per_token, peak)
    shown_norm = "" if norm is None else f"  grad {norm:.2f}"
    state.say(f"step {done:>6,}/{config.steps:,}  loss {loss:.4f}  lr {rate:.2e}{shown_norm}  {speed}")
    if energy is not None and done == config.steps:
        state.say(f"energy of all steps: {energy.text()}, of the devices alone")
    state.shown_at, state.shown_step = time.monotonic(), done


def _tokens_trained(state: RankState, done: int) -> int:
    return state.job.shape.seq_length * rows_trained(state.job.config.batches, done, state.left_out)


def _peak_memory(device: torch.device) -> int:
    """Return the most bytes that this rank has held: reserved on its GPU, or of its process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _most_of_ranks(state: RankState, values: list[float]) -> list[float]:
    """Return the largest of each value over all ranks; on all of them together."""
    found = torch.tensor(values, dtype=torch.float64, device=state.device)
    distributed.all_reduce(found, op=distributed.ReduceOp.MAX)
    return [float(value) for value in found.tolist()]


def _peak(state: RankState) -> float | None:
    """Return the peak of all devices in TFLOP/s: as configured, or known for bf16 on this GPU."""
    config = state.job.config
    peak = config.peak_tflops
    if peak is None and state.device.type == "cuda" and config.precision == "bf16":
        device = torch.cuda.get_device_properties(state.device)
        found = known_gpu(device.name, device.total_memory / 1e9)
        peak = found.bf16_tflops if found else None
    return None if peak is None else peak * config.ranks


def _seed_dropout(state: RankState, step: int) -> None:
    """Make dropout a function of (seed, step, rank), so that a resumed run needs no generator state."""
    if state.job.shape.dropout:
        words = np.random.SeedSequence([state.job.config.seed, step, state.rank]).generate_state(1, np.uint64)
        torch.manual_seed(int(words[0]) >> 1)
