"""Run under torchrun by test_communication: what one optimizer step of each ZeRO stage hands to the other ranks.

`python -m torch.distributed.run --nproc_per_node 2 -m tests.support.zero_traffic` prints a line of JSON a stage.
Counted are torch's own operations between ranks (c10d), as its dispatcher sees them, whoever calls them.
"""

import json
from typing import Any

import torch
from torch import distributed
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.support.zero_memory import SHAPE, config
from train.loop.engine import begin_micro_step, begin_step, build_engine, finish_distributed, start_distributed
from train.loop.rank import run_and_exit
from train.model.gpt import next_token_targets

MICRO_STEPS = 3
KINDS = {"allreduce_": "all_reduced", "_allgather_base_": "gathered", "_reduce_scatter_base_": "scattered"}
OTHER = "other"  # ZeRO-3 broadcasts in its first step


class CountedTraffic(TorchDispatchMode):
    """Bytes of the larger side of each operation between ranks: what is reduced, gathered whole, or scattered."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "c10d" and (name := func.__name__.split(".")[0]) != "barrier":
            sizes = [sum(_bytes(leaf) for leaf in tree_leaves(argument)) for argument in args[:2]]
            self.sent.append((KINDS.get(name, OTHER), max(sizes)))
        return func(*args, **(kwargs or {}))


def _bytes(leaf: Any) -> int:
    return leaf.numel() * leaf.element_size() if isinstance(leaf, torch.Tensor) else 0


def measure(stage: int, precision: str) -> None:
    """Count in the last of two steps; the first makes states and buffers."""
    ranks = distributed.get_world_size()
    settings = config(stage, precision).model_copy(update={"batch_rows": ranks * MICRO_STEPS})
    engine = build_engine(settings, SHAPE, torch.device("cpu"))
    ids = torch.randint(SHAPE.vocab_size, (1, SHAPE.seq_length))
    with CountedTraffic() as counted:
        for _ in range(2):
            counted.sent.clear()
            begin_step(engine, MICRO_STEPS)
            for micro in range(MICRO_STEPS):
                begin_micro_step(engine, last=micro + 1 == MICRO_STEPS)
                loss = engine(ids, next_token_targets(ids))
                engine.backward(loss)
                engine.step()
    if distributed.get_rank() == 0:
        sums = {kind: sum(size for name, size in counted.sent if name == kind) for kind in (*KINDS.values(), OTHER)}
        large = sum(size > 1000 for _, size in counted.sent)
        print("RESULT " + json.dumps({"stage": stage, "precision": precision, "large": large, **sums}), flush=True)


def main() -> int:
    start_distributed(torch.device("cpu"))
    for stage in range(4):
        for precision in ("fp32", "bf16") if stage else ("fp32",):
            measure(stage, precision)
    finish_distributed()
    return 0


if __name__ == "__main__":
    run_and_exit(main)
