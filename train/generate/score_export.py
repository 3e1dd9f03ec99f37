"""Scores of an export on held-out rows, each format from its own files: is it still the model that was trained?

The checkpoint's fp32 masters score the same rows in the same process; what a format changes is seen in the loss and,
finer, in the log-probability of each token. safetensors and GGUF (dequantized) are read back into our own model, and
CTranslate2 computes its own: what llama.cpp and transformers make of the files is for the tests.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corpus import storage
from corpus.errors import DataError, UsageError
from corpus.stage.manifest import Manifest
from corpus.stage.progress import progress, say
from tokenizer.hf_json import TOKENIZER, token_lengths
from train.checkpoint.store import checkpoint_name, read_checkpoint
from train.data.tokens import evenly_spaced_rows, validation_rows
from train.export.config import FORMATS, ExportConfig
from train.export.lineage import check_tokens, find_tokens
from train.export.weights import read_weights
from train.generate.backends import checkpoint_text, open_text_model
from train.job import read_job, read_shape

HALF_TOLERANCE = 0.02  # of safetensors in bfloat16 or float16, as of `train.export.config.FORMATS`


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """Score of a format on held-out tokens; `difference` is each token's from the checkpoint, on average, in nats."""

    name: str
    loss: float
    bits_per_byte: float
    difference: float
    limit: float


def check_export(
    config: ExportConfig, manifest: Manifest, *, run: str, output: str, num_tokens: int, tokens: str | None = None
) -> Iterator[Score]:
    """Yield the checkpoint's score, and that of each format; `tokens` is where the run's tokens are now, if they moved.

    Raises UsageError without held-out rows of the run's own tokens, CorruptError when a file's hash does not hold.
    """
    checkpoint = read_checkpoint(run, checkpoint_name(manifest.summary["step"]))
    shape = read_shape(checkpoint.recipe["model"])
    place = find_tokens(run, checkpoint.tokens_fingerprint, given=tokens) or read_job(run).tokens
    rows = _held_out(place, checkpoint.tokens_fingerprint, num_tokens)
    with storage.open_read(storage.join(run, TOKENIZER)) as source:
        lengths = torch.tensor(token_lengths(source.read().decode()), dtype=torch.float64)
    num_bytes = float(lengths[rows[:, 1:]].sum())
    trained = checkpoint_text(read_weights(run, checkpoint, shape), shape, end=0)
    say(f"checking on {rows[:, 1:].numel():,} held-out tokens in {len(rows):,} rows")
    with progress("check", len(config.formats) + 1) as shown:
        wanted = trained.losses(rows)
        shown.advance()
        yield _score("trained", wanted, wanted, num_bytes, limit=0.0)
        for kind in config.formats:
            opened = open_text_model(output, say, kind=kind, threads=torch.get_num_threads())
            losses = opened.model.losses(rows)
            half = FORMATS[kind].family == "transformers" and config.dtype != "float32"
            limit = HALF_TOLERANCE if half else FORMATS[kind].tolerance
            shown.advance()
            yield _score(kind, losses, wanted, num_bytes, limit=limit)


def check_lines(config: ExportConfig, manifest: Manifest, **places: Any) -> Iterator[str]:
    """Yield the scores of `check_export` for a person; raises DataError behind them when a format is another model."""
    wrong = []
    for score in check_export(config, manifest, **places):
        line = (
            f"{score.name:<12} {score.loss:.4f} nats a token  {score.bits_per_byte:.4f} bits a byte  "
            f"each token off by {score.difference:.6f} nats"
        )
        if score.difference > score.limit:
            wrong.append(score.name)
            line = f"{line}  above {score.limit:g}: not the model that was trained"
        yield line
    if wrong:
        raise DataError(f"{', '.join(wrong)}: not the model that was trained; do not publish, and report this")


def _held_out(tokens: str, fingerprint: str, num_tokens: int) -> Tensor:
    """Return rows of the validation split, evenly spaced, int64 (rows, seq_length), at least one."""
    check_tokens(tokens, fingerprint)
    rows = validation_rows(tokens)
    if rows is None:
        raise UsageError(f"{tokens}: the validation split has no full row, so there is nothing to check with")
    chosen = evenly_spaced_rows(len(rows), max(1, num_tokens // rows.seq_length))
    return torch.from_numpy(rows.rows(chosen).astype(np.int64))


def _score(name: str, losses: Tensor, wanted: Tensor, num_bytes: float, *, limit: float) -> Score:
    nats = float(losses.double().sum())
    return Score(
        name=name,
        loss=nats / losses.numel(),
        bits_per_byte=nats / math.log(2) / num_bytes,
        difference=float((losses.double() - wanted.double()).abs().mean()),
        limit=limit,
    )
