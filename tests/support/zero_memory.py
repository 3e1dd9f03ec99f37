"""Run under torchrun by test_train_plan: the bytes of all tensors on a rank, at one ZeRO stage and precision.

`python -m torch.distributed.run --nproc_per_node 2 -m tests.support.zero_memory STAGE PRECISION` prints a line of JSON.
"""

import gc
import json
import sys
from typing import Any

import torch
from torch import distributed

from train.config import ModelShape, TrainConfig
from train.loop.engine import build_engine, finish_distributed, start_distributed
from train.loop.rank import run_and_exit
from train.model.gpt import next_token_targets

SHAPE = ModelShape(
    layers=4, heads=4, hidden=128, seq_length=8, vocab_size=1000, dropout=0.0, scale_attn_by_inverse_layer_idx=True
)


def config(stage: int, precision: str) -> TrainConfig:
    fields: dict[str, Any] = {"layers": SHAPE.layers, "heads": SHAPE.heads, "hidden": SHAPE.hidden}
    return TrainConfig.model_validate(
        {
            "model": fields,
            "steps": 4,
            "batch_rows": 4,
            "learning_rate": 1e-3,
            "warmup_steps": 1,
            "zero_stage": stage,
            "precision": precision,
            "micro_batch": 1,
            "eval_every": 100,
            "eval_rows": 1,
            "ranks": distributed.get_world_size(),
        }
    )


def live_bytes() -> int:
    """Bytes of all distinct storages of tensors that Python can reach, gradients included."""
    gc.collect()
    found: dict[int, int] = {}
    for item in gc.get_objects():
        if isinstance(item, torch.Tensor) and item.layout == torch.strided:
            for tensor in (item, item.grad if item.is_leaf else None):
                if tensor is not None:
                    storage = tensor.untyped_storage()
                    found[storage.data_ptr()] = storage.nbytes()
    return sum(found.values())


def measure(stage: int, precision: str) -> None:
    engine = build_engine(config(stage, precision), SHAPE, torch.device("cpu"))
    ids = torch.randint(SHAPE.vocab_size, (1, SHAPE.seq_length))
    most = 0
    for _ in range(4):  # two steps of two micro-steps: the second step finds optimizer states and sums in place
        loss = engine(ids, next_token_targets(ids))
        engine.backward(loss)
        del loss
        most = max(most, live_bytes())
        engine.step()
    if distributed.get_rank() == 0:
        result = {"stage": stage, "precision": precision, "peak": most, "after": live_bytes()}
        print("RESULT " + json.dumps(result), flush=True)


def main(stage: str, precision: str) -> int:
    start_distributed(torch.device("cpu"))
    measure(int(stage), precision)
    finish_distributed()
    return 0


if __name__ == "__main__":
    run_and_exit(lambda: main(*sys.argv[1:]))
