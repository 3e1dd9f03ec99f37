"""One rank at work: what the loop, the evaluation and the checkpoints share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tokenizer.mixture import Mixture
from tokenizer.token_rows import TokenRows
from train.job import Job
from train.loop.loss_watch import Watch
from train.loop.metrics import MetricsLog
from train.model.attention import documents_of, places_of


@dataclass(kw_only=True, slots=True)
class Run:
    """One rank at work; `log` is rank 0's."""

    job: Job
    engine: Any
    device: torch.device
    rank: int
    rows: TokenRows
    order: Mixture
    watch: Watch
    validation: TokenRows | None
    log: MetricsLog | None
    say: Callable[[str], None]
    should_stop: Callable[[], bool]
    shown_at: float = 0.0
    shown_step: int = 0


def deal(batch: npt.NDArray[np.int64], *, ranks: int, micro_batch: int) -> npt.NDArray[np.int64]:
    """Deal a global batch into (micro-steps, ranks, micro_batch) rows."""
    return batch.reshape(-1, ranks, micro_batch)


def to_device(run: Run, tokens: npt.NDArray[np.uint16]) -> Tensor:
    """Return rows of tokens as int64 (rows, seq_length) on the device."""
    return torch.from_numpy(tokens.astype(np.int64)).to(run.device, non_blocking=True)


def boundaries(run: Run, ids: Tensor) -> dict[str, Tensor]:
    """Return what the model is told about document boundaries: nothing, unless the configuration asks for it."""
    config = run.job.config
    if not (config.document_mask or config.reset_positions):
        return {}
    documents = documents_of(ids, run.rows.end_of_text)
    told = {"documents_BT": documents} if config.document_mask else {}
    return told | ({"places_BT": places_of(documents)} if config.reset_positions else {})
