"""Saving: a checkpoint of all ranks together, published by rank 0; with `save_async` while training goes on.

An asynchronous save stops training for a copy in host memory alone. A thread of each rank writes, hashes and syncs the
rank's files; the sum that every step makes anyway says when all have done so, and behind that step rank 0 publishes
them, as it does at once without it. One save is in the making at a time. Whatever ends a run in order waits for it.
"""

import time
from typing import Any

from torch import distributed

from corpus.errors import DiskError
from train.checkpoint import store
from train.checkpoint.skipped import rows_trained
from train.checkpoint.store import FileHash
from train.loop.engine import decided_by_first, write_state
from train.loop.rank_files import SaveInMaking, raise_failures
from train.loop.rank_state import RankState
from train.plan.memory import checkpoint_bytes


def save(state: RankState, done: int, *, last: bool) -> None:
    """Save a step, on all ranks together; when the disk refuses it, training goes on without.

    Raises DiskError, on all ranks, when no later save can make up for it.
    """
    settle(state)
    began = time.monotonic()
    try:
        _begin(state, done)
        if last or not state.job.config.save_async:
            _publish_together(state)
    except DiskError as error:
        _give_up(state, done, error, last=last)
    state.shown_at, state.shown_step = time.monotonic(), done
    _note_seconds(state, done, began)


def settle(state: RankState) -> None:
    """Wait for the save in the making, if there is one, and publish it; on all ranks together."""
    if state.saving is None:
        return
    began, done = time.monotonic(), state.saving.done
    try:
        _publish_together(state)
    except DiskError as error:
        _give_up(state, done, error, last=False)
    _note_seconds(state, done, began)


def is_writing(state: RankState) -> bool:
    """Say whether this rank still writes files of a save."""
    return state.saving is not None and not state.saving.files.is_written()


def _begin(state: RankState, done: int) -> None:
    """Write this rank's files, or copy what they will hold; raises DiskError on all ranks when the disk is full."""
    job, output = state.job, state.job.output
    needed = checkpoint_bytes(job.shape, job.config.precision, job.config.zero_stage)
    decided_by_first(lambda: store.make_temporary(output, done, needed))
    later = job.config.save_async
    files = write_state(state.engine, store.temporary_path(output, done), step=done, later=later)
    state.saving = SaveInMaking(done=done, files=files)
    files.start() if later else files.finish()


def _publish_together(state: RankState) -> None:
    """Gather what the ranks wrote, and publish it; raises DiskError on all ranks when one of them could not write."""
    saving, state.saving = state.saving, None
    assert saving is not None, "a save was begun"
    saving.files.wait()
    of_ranks: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(of_ranks, (saving.files.failures, saving.files.hashes))
    raise_failures([failures for failures, _ in of_ranks])
    hashes = {name: found for _, own in of_ranks for name, found in own.items()}
    decided_by_first(lambda: _publish(state, saving.done, hashes))


def _publish(state: RankState, done: int, hashes: dict[str, FileHash]) -> None:
    """Make what the ranks wrote a checkpoint; of rank 0 alone."""
    job = state.job
    assert state.log is not None, "rank 0 has the logs"
    state.log.sync()
    checkpoint = store.Checkpoint(
        step=done,
        tokens=job.shape.seq_length * rows_trained(job.config.batches, done, state.left_out),
        ranks=job.config.ranks,
        zero_stage=job.config.zero_stage,
        tokens_fingerprint=job.tokens_fingerprint,
        recipe=job.recipe(),
        files=hashes,
        skipped_batches=state.left_out,
    )
    keep, every = job.config.keep_checkpoints, job.config.keep_every
    store.publish(job.output, checkpoint, keep=keep, keep_every=every, replaces=state.passed_over)


def _give_up(state: RankState, done: int, error: DiskError, *, last: bool) -> None:
    """Remove what a save has left that the disk refused; say it, or raise it where no other save follows."""
    config = state.job.config
    if state.log is not None:
        store.discard_unlisted(state.job.output)
    if last:
        raise DiskError(f"{error}. Step {done:,} is lost, {store.what_is_left(state.job.output)}") from error
    next_try = min((done // config.save_every + 1) * config.save_every, config.steps)
    state.say(f"warning: step {done:,} is not saved. {error}. Training goes on, and tries again at step {next_try:,}")


def _note_seconds(state: RankState, done: int, began: float) -> None:
    """Log for how long training stood still."""
    if state.log is not None:
        state.log.record_timing(done, {"seconds_for_save": time.monotonic() - began})
