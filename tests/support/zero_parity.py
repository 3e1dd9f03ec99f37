"""Run under torchrun by test_zero: every ZeRO stage against plain AdamW in one process, and against itself stopped and
resumed, with batches as large and with growing ones; one line of JSON for each on standard output.

`python -m torch.distributed.run --nproc_per_node 2 -m tests.support.zero_parity FOLDER`
"""

import json
import sys
from typing import Any

import torch
from torch import distributed

from train.config import ModelShape, TrainConfig
from train.loop.deepspeed_config import build_optimizer
from train.loop.engine import (
    begin_micro_step,
    begin_step,
    build_engine,
    finish_distributed,
    gradient_norm,
    load_state,
    save_state,
    set_learning_rate,
    start_distributed,
    whole_weights,
)
from train.loop.rank import run_and_exit
from train.loop.rank_state import shard_batch
from train.loop.schedule import learning_rate
from train.model.gpt import build_model, next_token_targets

STEPS = 20
SHAPE = ModelShape(
    layers=2, heads=2, hidden=32, seq_length=32, vocab_size=150, dropout=0.0, scale_attn_by_inverse_layer_idx=True
)


GROWING = {"batch_warmup_start": 2, "batch_warmup_steps": 12}  # four steps each of 2, 4 and 6 rows, then 8


def config(stage: int, micro_batch: int, precision: str = "fp32", **changes: Any) -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "model": {"layers": SHAPE.layers, "heads": SHAPE.heads, "hidden": SHAPE.hidden},
            "steps": STEPS,
            "batch_rows": 8,
            "learning_rate": 1e-3,
            "warmup_steps": 2,
            "clip": 0.5,
            "zero_stage": stage,
            "precision": precision,
            "micro_batch": micro_batch,
            "eval_every": 100,
            "eval_rows": 1,
            "ranks": distributed.get_world_size(),
            **changes,
        }
    )


def rate(step: int, settings: TrainConfig) -> float:
    return learning_rate(
        step, peak=settings.learning_rate, warmup_steps=2, total_steps=STEPS, final_fraction=settings.final_lr_fraction
    )


def batch(step: int, settings: TrainConfig) -> torch.Tensor:
    generator = torch.Generator().manual_seed(step % 2)
    rows = settings.batches.rows(step)
    return torch.randint(SHAPE.vocab_size, (8, SHAPE.seq_length), generator=generator)[:rows]


def plain(settings: TrainConfig) -> tuple[list[float], list[float], dict[str, torch.Tensor]]:
    """One process, no DeepSpeed, the whole batch at once."""
    model = build_model(SHAPE, settings.seed)
    optimizer = build_optimizer(model.parameters(), settings)
    losses, norms = [], []
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = rate(step, settings)
        optimizer.zero_grad()
        ids = batch(step, settings)
        loss = model(ids, next_token_targets(ids))
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip or 0.0)))
        optimizer.step()
        losses.append(loss.item())
    return losses, norms, {name: parameter.detach() for name, parameter in model.named_parameters()}


def zero(engine: Any, settings: TrainConfig, steps: range) -> tuple[list[float], list[float | None]]:
    losses, norms = [], []
    for step in steps:
        set_learning_rate(engine, rate(step, settings))
        total, whole = torch.zeros(()), batch(step, settings)
        numbers = shard_batch(torch.arange(len(whole)).numpy(), ranks=settings.ranks, micro_batch=settings.micro_batch)
        begin_step(engine, len(numbers))
        for number, rows in enumerate(numbers[:, distributed.get_rank()]):
            begin_micro_step(engine, last=number + 1 == len(numbers))
            ids = whole[rows]
            loss = engine(ids, next_token_targets(ids))
            engine.backward(loss)
            engine.step()
            total += loss.detach() / len(numbers) / settings.ranks
        distributed.all_reduce(total)
        losses.append(total.item())
        norms.append(gradient_norm(engine))
    return losses, norms


def parity(
    settings: TrainConfig, expected: tuple[list[float], list[float], dict[str, torch.Tensor]], kind: str = "parity"
) -> None:
    engine = build_engine(settings, SHAPE, torch.device("cpu"))
    losses, norms = zero(engine, settings, range(STEPS))
    weights = whole_weights(engine)
    tell(
        kind=kind,
        stage=settings.zero_stage,
        offloaded=settings.offload_optimizer,
        accumulation=settings.accumulation(),
        loss=farthest(losses, expected[0]),
        norm=farthest(norms, expected[1]) if None not in norms else None,
        weight=max((weights[name] - expected[2][name]).abs().max().item() for name in weights) if weights else 0.0,
        fell=losses[0] - losses[-1],
    )


def resume(stage: int, precision: str, folder: str, **changes: Any) -> None:
    """Train on from a saved state in a new engine: the losses and weights must be the same to the last bit."""
    settings = config(stage, 2 if not changes else 1, precision, **changes)
    place, saved = f"{folder}/{stage}-{precision}{len(changes)}", 4 if not changes else 5
    engine = build_engine(settings, SHAPE, torch.device("cpu"))
    zero(engine, settings, range(saved))
    save_state(engine, place, step=saved)
    losses, _ = zero(engine, settings, range(saved, STEPS))
    again = build_engine(settings.model_copy(update={"seed": 1}), SHAPE, torch.device("cpu"))
    load_state(again, place, step=saved)
    losses_again, _ = zero(again, settings, range(saved, STEPS))
    weights, weights_again = whole_weights(engine), whole_weights(again)
    tell(
        kind="resume" if not changes else "growing resume",
        stage=stage,
        precision=precision,
        losses=losses == losses_again,
        weights=all(torch.equal(weights[name], weights_again[name]) for name in weights),
    )


def grow(folder: str) -> None:
    """The same with batches that grow, and with states offloaded."""
    expected = plain(config(0, 1, **GROWING))
    for stage in range(4):
        parity(config(stage, 1, **GROWING), expected, "growing")
        resume(stage, "bf16" if stage else "fp32", folder, **GROWING)
        if stage:
            parity(config(stage, 1, **GROWING, offload_optimizer=True), expected, "growing")


def farthest(ours: list[Any], theirs: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True))


def tell(**result: Any) -> None:
    if distributed.get_rank() == 0:
        print("RESULT " + json.dumps(result), flush=True)


def main(folder: str) -> int:
    start_distributed(torch.device("cpu"))
    expected = plain(config(0, 2))
    for stage in range(4):
        for micro_batch in (1, 2, 4) if distributed.get_world_size() == 2 else (1, 2, 4, 8):
            parity(config(stage, micro_batch), expected)
        for precision in ("fp32", "bf16") if stage else ("fp32",):
            resume(stage, precision, folder)
    grow(folder)
    finish_distributed()
    return 0


if __name__ == "__main__":
    run_and_exit(lambda: main(sys.argv[1]))
