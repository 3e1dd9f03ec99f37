"""State of one rank, shared by steps, evaluation and checkpoints; and its batches on the way to the device."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tokenizer.arrays import RowIndices, TokenIds
from tokenizer.mixture import Mixture
from tokenizer.token_rows import TokenRows
from train.checkpoint.store import ListedCheckpoint
from train.job import Job
from train.loop.heartbeat import Heartbeat
from train.loop.loss_watch import LossWatch
from train.loop.metrics import MetricsLog
from train.loop.rank_files import SaveInMaking
from train.model.attention import document_numbers, positions_in_document

_SIGNED = {2: np.int16, 4: np.int32}  # by bytes of an id; torch has few operations for unsigned numbers


@dataclass(kw_only=True, slots=True)
class RankState:
    """State of one rank: job, engine, data and logs; `log` is rank 0's, `passed_over` what its saves may replace."""

    job: Job
    engine: Any
    device: torch.device
    rank: int
    rows: TokenRows
    order: Mixture
    watch: LossWatch
    validation: TokenRows | None
    log: MetricsLog | None
    heartbeat: Heartbeat
    say: Callable[[str], None]
    should_stop: Callable[[], bool]
    should_save: Callable[[], bool] = lambda: False
    passed_over: tuple[ListedCheckpoint, ...] = ()
    saving: SaveInMaking | None = None  # one at a time
    left_out: tuple[int, ...] = ()  # batches of the order that no step trains on, sorted
    shown_at: float = 0.0
    shown_step: int = 0
    saved_at: float = 0.0
    evaluated_at: float = 0.0
    waited: float = 0.0  # for rows, since a line was shown [seconds]


def shard_batch(rows: RowIndices, *, ranks: int, micro_batch: int) -> RowIndices:
    """Return the rows of a global batch as (micro-steps, ranks, micro_batch)."""
    return rows.reshape(-1, ranks, micro_batch)


def to_device(state: RankState, tokens: TokenIds) -> Tensor:
    """Return rows of tokens as int64 (rows, seq_length) on the device.

    To a GPU they go as they are stored, a quarter of the bytes, and from pinned memory: the host does not wait for it.
    """
    narrow = torch.from_numpy(tokens.view(_SIGNED[tokens.dtype.itemsize]))
    if state.device.type == "cuda":
        narrow = narrow.pin_memory()
    return narrow.to(state.device, non_blocking=True).long() & (1 << 8 * tokens.dtype.itemsize) - 1


def boundaries(state: RankState, ids: Tensor) -> dict[str, Tensor]:
    """Return the model's arguments about document boundaries: none, unless the configuration asks for them."""
    config = state.job.config
    if not (config.document_mask or config.reset_positions):
        return {}
    documents = document_numbers(ids, state.rows.end_of_text)
    arguments = {"documents_BT": documents} if config.document_mask else {}
    return arguments | ({"positions_BT": positions_in_document(documents)} if config.reset_positions else {})
