"""Rollback: leave out the rows around a step that went wrong, and start again from the checkpoint before them.

Where the rows themselves are at fault, the same step would go wrong after every restart. Rank 0 writes down what is
left out (`train.checkpoint.skipped`); then all ranks end, and whoever started them starts them again. What was trained
behind the checkpoint is trained again, up to the first row that is left out with the same bytes.
"""

import math
from typing import NoReturn

from corpus.errors import DataError
from train.checkpoint.skipped import SKIPPED, SkippedRows, batch_of, drop_outdated, read_skipped, write_skipped
from train.checkpoint.store import read_list
from train.job import RolledBackError
from train.loop.engine import decided_by_first
from train.loop.loss_watch import SpikeError
from train.loop.rank_state import RankState


def roll_back(state: RankState, spike: SpikeError) -> NoReturn:
    """Leave the rows out and raise RolledBackError, on all ranks; DataError when `max_rollbacks` are used up."""
    raise RolledBackError(decided_by_first(lambda: _leave_out(state, spike)))


def _leave_out(state: RankState, spike: SpikeError) -> str:
    """Write down what is left out, and return what to tell; of rank 0 alone."""
    job, known = state.job, read_skipped(state.job.output)
    if len(known) >= job.config.max_rollbacks:
        raise DataError(
            f"{spike}. Rows were left out {len(known)} times before, as often as max_rollbacks allows ({SKIPPED} names "
            "them); or raise it (`--resume --set max_rollbacks=…`)"
        ) from spike
    skipped = _around(state, spike)
    write_skipped(job.output, (*known, skipped))
    dropped = drop_outdated(job.output)
    gone = f" ({', '.join(dropped)} had them)" if dropped else ""
    return (
        f"{spike.what}: going back to step {skipped.back_to:,}, and leaving out {len(skipped.rows):,} rows{gone}; "
        f"rollback {len(known) + 1} of {job.config.max_rollbacks}"
    )


def _around(state: RankState, spike: SpikeError) -> SkippedRows:
    """Return what is to be left out: rows of `skip_steps` steps up to the spike's, of those behind a checkpoint.

    A checkpoint within those steps may have the fault in its weights already, so one before them is the good one.
    """
    job, config, last = state.job, state.job.config, spike.step - 1
    saved = [entry.step for entry in read_list(job.output) or ()]
    first = max(0, last - config.skip_steps + 1)
    before = [step for step in saved if step <= first]
    back_to = max(before) if before else min(saved, default=0)
    batches = tuple(batch_of(step, state.left_out) for step in range(max(first, back_to), last + 1))
    rows = [state.order.rows_in(config.batches.places(batch), seed=config.seed) for batch in batches]
    return SkippedRows(
        step=spike.step,
        loss=spike.loss if math.isfinite(spike.loss) else None,
        reason=spike.what,
        back_to=back_to,
        batches=batches,
        rows=tuple(int(row) for of_batch in rows for row in of_batch),
    )
