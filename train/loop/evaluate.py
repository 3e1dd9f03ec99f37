"""Evaluation in the loop: validation loss and bits per byte, over all and by source, and a text sample.

The validation rows are fixed: `eval_rows` of them, evenly spaced over the split. A token's loss counts for the
source of its document. Bits per byte divide the nats of all predicted tokens, ends of documents too, by the bytes
those tokens stand for: a figure that does not depend on the tokenizer.
"""

import math
import time
from functools import cache

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, distributed

from corpus import storage
from tokenizer.arrays import RowIndices
from tokenizer.hf_json import TOKENIZER, token_lengths
from tokenizer.sources import SOURCES
from train.data.tokens import evenly_spaced_rows
from train.loop.rank_state import RankState, boundaries, shard_batch, to_device
from train.model.gpt import next_token_targets
from train.model.head import IGNORE
from train.model.sampling import sample_token

TEMPERATURE = 0.8
TOP_K = 40
ALL = len(SOURCES)  # the row of the sums in which every source counts


def evaluate(state: RankState, done: int) -> None:
    """Log the validation loss and bits per byte after a step, and print a sample; on all ranks together."""
    sums = _sums(state).cpu()
    values = figures(sums, by_source=state.validation is not None and state.validation.has_sources)
    if state.log is not None:
        state.log.record(done, values)
    shown = [f"{values['validation_loss']:.4f}, {values['validation_bits_per_byte']:.4f} bits a byte"]
    shown += [
        f"{name} {values[f'validation_loss_{name}']:.4f}, {values[f'validation_bits_per_byte_{name}']:.4f}"
        for name in SOURCES
        if f"validation_loss_{name}" in values
    ]
    state.say(f"step {done:>6,}/{state.job.config.steps:,}  validation loss {'; '.join(shown)}")
    if state.job.config.sample_tokens:
        state.say(f"  sample: {sample(state, done)}")
    state.shown_at, state.shown_step = time.monotonic(), done


def figures(sums: Tensor, *, by_source: bool) -> dict[str, float]:
    """Return losses and bits per byte by name, from sums of (nats, tokens, bytes), float64 (len(SOURCES) + 1, 3)."""
    values = {}
    for number, name in enumerate([*SOURCES, ""]):
        nats, tokens, text_bytes = sums[number].tolist()
        if not tokens or (name and not by_source):
            continue
        suffix = f"_{name}" if name else ""
        values[f"validation_loss{suffix}"] = nats / tokens
        if text_bytes:
            values[f"validation_bits_per_byte{suffix}"] = nats / math.log(2) / text_bytes
    return values


def _sums(state: RankState) -> Tensor:
    """Return nats, tokens and bytes by source over all ranks; rows that only fill a batch count nothing."""
    assert state.validation is not None
    config, rows = state.job.config, state.validation
    chosen = evenly_spaced_rows(len(rows), config.eval_rows)
    together = config.ranks * config.micro_batch
    filled = np.arange(-(-len(chosen) // together) * together)
    lengths = _lengths(state.job.output, state.device)
    sums = torch.zeros(ALL + 1, 3, dtype=torch.float64, device=state.device)
    state.engine.eval()
    for slots in shard_batch(filled, ranks=config.ranks, micro_batch=config.micro_batch)[:, state.rank]:
        numbers = chosen[np.minimum(slots, len(chosen) - 1)]
        ids = to_device(state, rows.rows(numbers))
        counts = torch.from_numpy(slots < len(chosen)).to(state.device)
        targets = next_token_targets(ids).masked_fill(~counts[:, None], IGNORE)
        with torch.no_grad():
            losses = state.engine(ids, targets, each=True, **boundaries(state, ids))
        real = targets != IGNORE
        each = torch.stack([losses.double(), real.double(), lengths[targets.clamp(min=0)] * real], dim=-1)
        sums[ALL] += each.sum(dim=(0, 1))
        if rows.has_sources:
            sums.index_add_(0, _sources(state, numbers).flatten(), each.flatten(0, 1))
    state.engine.train()
    distributed.all_reduce(sums)
    return sums


def _sources(state: RankState, numbers: RowIndices) -> Tensor:
    """Return the source of each target of some validation rows, (rows, seq_length)."""
    assert state.validation is not None
    length = state.validation.seq_length
    positions = numbers[:, None] * length + np.arange(1, length + 1)
    positions = np.minimum(positions, state.validation.num_tokens - 1)  # the last target of the last row is none
    return torch.from_numpy(state.validation.sources_at(positions).astype(np.int64)).to(state.device)


@cache
def _lengths(output: str, device: torch.device) -> Tensor:
    """Return the bytes of each token id, float64, from the tokenizer beside the checkpoints."""
    with storage.open_read(storage.join(output, TOKENIZER)) as source:
        return torch.tensor(token_lengths(source.read().decode()), dtype=torch.float64, device=device)


def sample(state: RankState, done: int) -> str:
    """Return text sampled from the model as it is; the same on every rank, and the same for the same weights."""
    config, engine = state.job.config, state.engine
    tokenizer = Tokenizer.from_file(storage.join(state.job.output, TOKENIZER))
    ids = [state.rows.end_of_text, *tokenizer.encode(config.sample_prompt, add_special_tokens=False).ids]
    generator = torch.Generator().manual_seed(config.seed + done)
    engine.eval()
    for _ in range(config.sample_tokens):
        window = torch.tensor([ids[-state.rows.seq_length :]], device=state.device)
        with torch.no_grad():
            logits = engine(window, **boundaries(state, window))[0].cpu()
        chosen = sample_token(logits, generator, temperature=TEMPERATURE, top_k=TOP_K)
        token = torch.tensor([chosen], device=state.device)
        # Ranks that differed in a last digit would go apart, and ZeRO-3 would hang: rank 0's choice counts.
        distributed.broadcast(token, 0)
        if int(token) == state.rows.end_of_text:
            break
        ids.append(int(token))
    engine.train()
    return repr(tokenizer.decode(ids[1:]))
