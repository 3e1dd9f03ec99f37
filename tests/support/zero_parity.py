"""Run under torchrun by test_train_zero: every ZeRO stage against plain AdamW in one process, and against itself
stopped and resumed; one line of JSON for each on standard output.

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


def config(stage: int, micro_batch: int, precision: str = "fp32") -> TrainConfig:
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
        }
    )


def rate(step: int, settings: TrainConfig) -> float:
    return learning_rate(
        step, peak=settings.learning_rate, warmup_steps=2, total_steps=STEPS, final_fraction=settings.final_lr_fraction
    )


def batch(step: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(step % 2)
    return torch.randint(SHAPE.vocab_size, (8, SHAPE.seq_length), generator=generator)


def plain(settings: TrainConfig) -> tuple[list[float], list[float], dict[str, torch.Tensor]]:
    """One process, no DeepSpeed, the whole batch at once."""
    model = build_model(SHAPE, settings.seed)
    optimizer = build_optimizer(model.parameters(), settings)
    losses, norms = [], []
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = rate(step, settings)
        optimizer.zero_grad()
        loss = model(batch(step), next_token_targets(batch(step)))
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip or 0.0)))
        optimizer.step()
        losses.append(loss.item())
    return losses, norms, {name: parameter.detach() for name, parameter in model.named_parameters()}


def zero(engine: Any, settings: TrainConfig, steps: range) -> tuple[list[float], list[float | None]]:
    losses, norms = [], []
    numbers = shard_batch(torch.arange(8).numpy(), ranks=settings.ranks, micro_batch=settings.micro_batch)
    for step in steps:
        set_learning_rate(engine, rate(step, settings))
        total = torch.zeros(())
        for rows in numbers[:, distributed.get_rank()]:
            ids = batch(step)[rows]
            loss = engine(ids, next_token_targets(ids))
            engine.backward(loss)
            engine.step()
            total += loss.detach() / len(numbers) / settings.ranks
        distributed.all_reduce(total)
        losses.append(total.item())
        norms.append(gradient_norm(engine))
    return losses, norms


def parity(stage: int, micro_batch: int, expected: tuple[list[float], list[float], dict[str, torch.Tensor]]) -> None:
    settings = config(stage, micro_batch)
    engine = build_engine(settings, SHAPE, torch.device("cpu"))
    losses, norms = zero(engine, settings, range(STEPS))
    weights = whole_weights(engine)
    tell(
        kind="parity",
        stage=stage,
        accumulation=settings.accumulation(),
        loss=farthest(losses, expected[0]),
        norm=farthest(norms, expected[1]) if None not in norms else None,
        weight=max((weights[name] - expected[2][name]).abs().max().item() for name in weights) if weights else 0.0,
        fell=losses[0] - losses[-1],
    )


def resume(stage: int, precision: str, folder: str) -> None:
    """Train on from a saved state in a new engine: the losses and weights must be the same to the last bit."""
    settings = config(stage, 2, precision)
    engine = build_engine(settings, SHAPE, torch.device("cpu"))
    zero(engine, settings, range(4))
    save_state(engine, f"{folder}/{stage}-{precision}", step=4)
    losses, _ = zero(engine, settings, range(4, STEPS))
    again = build_engine(settings.model_copy(update={"seed": 1}), SHAPE, torch.device("cpu"))
    load_state(again, f"{folder}/{stage}-{precision}", step=4)
    losses_again, _ = zero(again, settings, range(4, STEPS))
    weights, weights_again = whole_weights(engine), whole_weights(again)
    tell(
        kind="resume",
        stage=stage,
        precision=precision,
        losses=losses == losses_again,
        weights=all(torch.equal(weights[name], weights_again[name]) for name in weights),
    )


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
            parity(stage, micro_batch, expected)
        resume(stage, "fp32", folder)
        if stage:
            resume(stage, "bf16", folder)
    finish_distributed()
    return 0


if __name__ == "__main__":
    run_and_exit(lambda: main(sys.argv[1]))
