"""The training loop of one rank.

Step s trains on the rows `rows_for_step(s)`; they are dealt to (micro-step, rank, place), so every number of
ranks and every micro-batch sees the same global batches, and the step is all the state the data has. Steps
count from 0 inside; what is logged and saved counts steps done.
"""

import time

import numpy as np
import numpy.typing as npt
import torch
from torch import distributed

from corpus import storage
from train.checkpoint import store
from train.data.prefetch import Prefetch
from train.loop.engine import gradient_norm, load_state, load_universal, save_state, set_learning_rate
from train.loop.evaluate import evaluate
from train.loop.metrics import known_peak, speed_text
from train.loop.rank_state import Run, boundaries, deal, to_device
from train.loop.schedule import learning_rate
from train.model.gpt import next_token_targets

Rows = npt.NDArray[np.uint16]

BYTES_PER_PARAMETER = 18  # of a checkpoint: fp32 master and moments (12), weights twice (up to 4 + 2)


def train_steps(run: Run) -> bool:
    """Train from the job's checkpoint to its last step; return False when a signal stopped it, after saving."""
    config = run.job.config
    if run.job.universal:
        load_universal(run.engine, storage.join(run.job.output, store.UNIVERSAL), step=run.job.resume_step)
    elif run.job.resume is not None:
        load_state(run.engine, store.checkpoint_path(run.job.output, run.job.resume), step=run.job.resume_step)
    run.shown_at, run.shown_step = time.monotonic(), run.job.resume_step
    run.watch.skipped = int(run.engine.skipped_steps)
    steps = range(run.job.resume_step, config.steps)
    with Prefetch(lambda step: _batches(run, step), steps) as ahead:
        return all(_do_step(run, step, batches, ahead) for step, batches in zip(steps, ahead, strict=True))


def _do_step(run: Run, step: int, batches: list[Rows], ahead: Prefetch[list[Rows]]) -> bool:
    """Train, evaluate and save as one step asks for; return False when a signal stopped the run, after saving."""
    config, done, began = run.job.config, step + 1, time.monotonic()
    stop = _train_step(run, step, batches)
    if run.log is not None:
        run.log.record_timing(done, {"seconds": time.monotonic() - began, "seconds_for_data": ahead.waited})
    if run.validation is not None and (done % config.eval_every == 0 or done == config.steps):
        evaluate(run, done)
    if stop or done % config.save_every == 0 or done == config.steps:
        _save(run, done)
    if stop and done < config.steps:
        run.say(f"stopped by a signal; step {done:,} is saved")
        return False
    return True


def _batches(run: Run, step: int) -> list[Rows]:
    """Return this rank's micro-batches of a step, uint16 (micro_batch, seq_length) each."""
    config = run.job.config
    batch = run.order.rows_for_step(step, seed=config.seed, batch_rows=config.batch_rows)
    own = deal(batch, ranks=config.ranks, micro_batch=config.micro_batch)[:, run.rank]
    return [run.rows.rows(rows) for rows in own]


def _train_step(run: Run, step: int, batches: list[Rows]) -> bool:
    """Do one optimizer step and log it; return whether any rank was asked to stop."""
    config, engine = run.job.config, run.engine
    rate = learning_rate(
        step,
        peak=config.learning_rate,
        warmup_steps=config.warmup_steps,
        total_steps=config.steps,
        final_fraction=config.final_lr_fraction,
    )
    set_learning_rate(engine, rate)
    _seed_dropout(run, step)
    total = torch.zeros((), device=run.device)
    for rows in batches:
        ids = to_device(run, rows)
        loss = engine(ids, next_token_targets(ids), **boundaries(run, ids))
        engine.backward(loss)
        engine.step()
        total += loss.detach()
    sums = torch.stack([total, total.new_tensor(float(run.should_stop()))])
    distributed.all_reduce(sums)
    mean = sums[0].item() / (config.accumulation() * config.ranks)
    norm = gradient_norm(engine)
    for warning in run.watch.look(step + 1, loss=mean, norm=norm, skipped=int(engine.skipped_steps)):
        run.say(warning)
    _report(run, step + 1, loss=mean, rate=rate, norm=norm)
    return bool(sums[1].item() > 0)


def _save(run: Run, done: int) -> None:
    """Write and publish a checkpoint; on all ranks together."""
    job, output = run.job, run.job.output
    if run.log is not None:
        store.make_room(output, done, BYTES_PER_PARAMETER * job.shape.num_parameters)
    distributed.barrier()
    save_state(run.engine, store.temporary_path(output, done), step=done)
    if run.log is not None:
        run.log.sync()
        checkpoint = store.Checkpoint(
            step=done,
            tokens=done * job.tokens_per_step,
            ranks=job.config.ranks,
            zero_stage=job.config.zero_stage,
            tokens_fingerprint=job.tokens_fingerprint,
            recipe=job.recipe(),
            files={},
        )
        store.publish(output, checkpoint, keep=job.config.keep_checkpoints, keep_every=job.config.keep_every)
    run.shown_at, run.shown_step = time.monotonic(), done


def _report(run: Run, done: int, *, loss: float, rate: float, norm: float | None) -> None:
    """Log the step; print a line, with the speed since the last one, every `log_every` steps."""
    if run.log is None:
        return
    config, shape = run.job.config, run.job.shape
    values = {"loss": loss, "learning_rate": rate} | ({} if norm is None else {"gradient_norm": norm})
    run.log.record(done, values)
    if done % config.log_every and done != config.steps and done != 1:
        return
    seconds = time.monotonic() - run.shown_at
    tokens_per_second = (done - run.shown_step) * run.job.tokens_per_step / seconds
    run.log.record_timing(done, {"tokens_per_second": tokens_per_second})
    speed = speed_text(tokens_per_second, shape.flops_per_token, _peak(run))
    shown_norm = "" if norm is None else f"  grad {norm:.2f}"
    run.say(f"step {done:>6,}/{config.steps:,}  loss {loss:.4f}  lr {rate:.2e}{shown_norm}  {speed}")
    run.shown_at, run.shown_step = time.monotonic(), done


def _peak(run: Run) -> float | None:
    """Return the peak of all devices in TFLOP/s: as configured, or known for bf16 on this GPU."""
    config = run.job.config
    peak = config.peak_tflops
    if peak is None and run.device.type == "cuda" and config.precision == "bf16":
        peak = known_peak(torch.cuda.get_device_name(run.device))
    return None if peak is None else peak * config.ranks


def _seed_dropout(run: Run, step: int) -> None:
    """Make dropout a function of (seed, step, rank), so that a resumed run needs no generator state."""
    if run.job.shape.dropout:
        words = np.random.SeedSequence([run.job.config.seed, step, run.rank]).generate_state(1, np.uint64)
        torch.manual_seed(int(words[0]) >> 1)
