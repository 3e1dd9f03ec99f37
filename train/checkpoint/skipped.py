"""Rows left out of a run's order because its loss went wrong on them: `skipped.json`, and what follows from it.

The rows of a step are a function of the step; with rows left out it still is: step s trains on the s-th batch of the
order that is not left out. The file is written first and atomically, and everything else follows from it, so a kill at
any moment of a rollback ends in the same bytes. No torch here.
"""

import bisect
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from corpus import storage
from corpus.errors import CorruptError
from corpus.storage.json_files import BadJsonError, build, read_json
from train.batches import Batches
from train.checkpoint import store
from train.checkpoint.store import Checkpoint

SKIPPED = "skipped.json"
_REMEDY = "put the file back as it was; without it nobody knows which rows the checkpoints were trained on"


@dataclass(frozen=True, kw_only=True, slots=True)
class SkippedRows:
    """One place of the order that was left out, and why: a rollback."""

    step: int  # whose loss was wrong, in the count of then [steps]
    loss: float | None  # of that step; null: not a number, or infinite [nats a token]
    reason: str  # what was wrong with it
    back_to: int  # step of the checkpoint that training went back to; 0: the beginning [steps]
    batches: tuple[int, ...]  # numbers in the order, counted from 0, of the batches left out
    rows: tuple[int, ...]  # numbers in the training split, counted from 0, of their rows


@dataclass(frozen=True, kw_only=True, slots=True)
class _SkippedList:
    skipped: tuple[SkippedRows, ...]


def batch_of(step: int, left_out: Sequence[int]) -> int:
    """Return the batch of the order that a step, counted from 0, trains on; `left_out` are sorted batch numbers."""
    batch = step
    for skipped in left_out:
        if skipped > batch:
            break
        batch += 1
    return batch


def read_skipped(output: str) -> tuple[SkippedRows, ...]:
    """Return what was left out of a run's order so far, oldest first; raises CorruptError when the file is damaged."""
    path = storage.join(output, SKIPPED)
    if not storage.exists(path):
        return ()
    try:
        return build(_SkippedList, read_json(path, _REMEDY)).skipped
    except BadJsonError as error:
        raise CorruptError(f"{path}: not a list of rows left out ({error}); {_REMEDY}") from error


def write_skipped(output: str, skipped: tuple[SkippedRows, ...]) -> None:
    """Replace the file atomically."""
    with storage.write_atomic(storage.join(output, SKIPPED)) as sink:
        sink.write(json.dumps({"skipped": [asdict(each) for each in skipped]}, sort_keys=True).encode() + b"\n")


def batches_of(skipped: tuple[SkippedRows, ...]) -> tuple[int, ...]:
    """Return all batches that are left out, sorted, each once."""
    return tuple(sorted({batch for each in skipped for batch in each.batches}))


def newly_left_out(step: int, left_out: Sequence[int]) -> range:
    """Return the batches between that of the step before and that of a step, both counted from 0."""
    before = batch_of(step - 1, left_out) if step else -1
    return range(before + 1, batch_of(step, left_out))


def rows_trained(batches: Batches, steps: int, left_out: Sequence[int]) -> int:
    """Return the rows that the first steps of a run train on."""
    end = batch_of(steps, left_out)
    return batches.first(end) - sum(batches.rows(batch) for batch in left_out if batch < end)


def skipped_books(skipped: tuple[SkippedRows, ...]) -> dict[str, Any]:
    """Return what the summary says of rows left out: for each rollback its step, loss, reason and rows; {} of none."""
    books = [{"step": each.step, "loss": each.loss, "reason": each.reason, "rows": len(each.rows)} for each in skipped]
    return {"skipped": books} if books else {}


def drop_outdated(output: str) -> tuple[str, ...]:
    """Take checkpoints out of the list that were trained on rows left out since; return their names.

    Raises CorruptError when one was trained with rows left out that the file does not name.
    """
    left_out = batches_of(read_skipped(output))
    entries = store.read_list(output) or ()
    outdated = [entry for entry in entries if not _fits(output, entry.name, left_out)]
    if outdated:
        store.write_list(output, tuple(entry for entry in entries if entry not in outdated))
        store.discard_unlisted(output)
    return tuple(entry.name for entry in outdated)


def _fits(output: str, name: str, left_out: tuple[int, ...]) -> bool:
    try:
        checkpoint = store.read_checkpoint(output, name)
    except (CorruptError, FileNotFoundError):
        return True  # damaged: found and passed over where it would be loaded
    known = checkpoint.skipped_batches
    if unknown := sorted({*known} - {*left_out}):
        raise CorruptError(
            f"{storage.join(output, SKIPPED)}: does not name batch {unknown[0]:,}, which {name} was trained without; "
            f"{_REMEDY}"
        )
    return not ({*left_out[: bisect.bisect_right(left_out, _last_batch(checkpoint))]} - {*known})


def _last_batch(checkpoint: Checkpoint) -> int:
    """Return the last batch of the order that a checkpoint was trained on; -1 at step 0."""
    return batch_of(checkpoint.step - 1, checkpoint.skipped_batches) if checkpoint.step else -1
