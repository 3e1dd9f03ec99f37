"""What a start and a step cost beside their arithmetic, as it was before a GPU was thought of and as it is: counts.

    python -m tests.benchmarks.step_costs

Two CPU ranks (gloo), ZeRO-1 in bf16, four micro-steps, twelve layers. `before` puts back what was changed: attention
inside of compiled graphs, DeepSpeed's throughput timer, gradients summed in bf16 first, torch's own draw of weights.
Counts are the same on any machine; of seconds only those of the CPU are shown.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from tests.support.zero_memory import live_bytes

WAYS = ("before", "now")
LAYERS, MICRO_STEPS = 12, 4
COLLECTIVES = ("all_reduce", "reduce", "broadcast", "all_gather_into_tensor", "reduce_scatter_tensor")


def main() -> None:
    """Measure both ways, each in processes of its own, and print the table."""
    found = {way: measured(way) for way in WAYS}
    print("| | before | now |\n|---|---|---|")
    for name in found["now"]:
        print(f"| {name} | {found['before'][name]} | {found['now'][name]} |")


def measured(way: str) -> dict[str, str]:
    """Return the figures of one way."""
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", __spec__.name, way]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    figures: dict[str, str] = json.loads(line.removeprefix("RESULT "))
    return figures


def rank(way: str) -> int:
    """Measure as one of two ranks."""
    import torch
    from torch import distributed

    from train.loop.engine import finish_distributed, start_distributed

    start_distributed(torch.device("cpu"))
    with as_before() if way == "before" else ExitStack():
        of_a_step = step()
        figures = graphs() | of_a_step
    if distributed.get_rank() == 0:
        print("RESULT " + json.dumps(figures | start(way)), flush=True)
    finish_distributed()
    return 0


@contextmanager
def as_before() -> Iterator[None]:
    """Put back what was changed, for as long as the block runs."""
    from train.loop import engine
    from train.model import gpt

    config_now: Callable[..., dict[str, Any]] = engine.deepspeed_config

    def config_before(*arguments: Any, **named: Any) -> dict[str, Any]:
        settings = config_now(*arguments, **named)
        del settings["timers"]
        settings["bf16"].pop("immediate_grad_update")
        return settings

    inside = getattr(gpt.attend, "_torchdynamo_orig_callable")  # noqa: B009  what `disable` wraps
    with mock.patch.object(engine, "deepspeed_config", config_before), mock.patch.object(gpt, "attend", inside):
        yield


def graphs() -> dict[str, str]:
    """Count the graphs of all layers, and those layers that have one."""
    import torch
    from torch._dynamo.testing import CompileCounter

    from train.model.gpt import build_model

    counter, ids = CompileCounter(), torch.zeros(1, 16, dtype=torch.int64)
    model = build_model(_shape(), 0)
    for block in model.blocks:
        block.compile(backend=counter)
    model.hidden_states(ids)
    return {"graphs of twelve layers (more than eight a function are not compiled)": f"{counter.frame_count}"}


def step() -> dict[str, str]:
    """Count what the last of three steps sends, how often the host waits, and what all tensors take."""
    import torch

    from tests.support.zero_memory import config
    from train.loop.engine import build_engine
    from train.model.gpt import next_token_targets

    settings = config(1, "bf16").model_copy(update={"batch_rows": 2 * MICRO_STEPS})
    engine = build_engine(settings, _shape(), torch.device("cpu"))
    ids, most = torch.randint(200, (1, 16)), 0
    with counting() as counts:
        for micro in range(3 * MICRO_STEPS):
            if micro == 2 * MICRO_STEPS:
                counts.sent.clear()
                counts.waits = 0
            loss = engine(ids, next_token_targets(ids))
            engine.backward(loss)
            del loss
            most = max(most, live_bytes())
            engine.step()
    numbers = sum(parameter.numel() for parameter in engine.module.parameters())
    return {
        "collectives of a step, of them large": f"{len(counts.sent)}, {sum(size > numbers for size in counts.sent)}",
        "bytes sent of a step, a parameter": f"{sum(counts.sent) / numbers:.2f}",
        "waits for the device in a step": f"{counts.waits}",
        "bytes of all tensors of a rank, a parameter": f"{most / numbers:.2f}",
    }


@dataclass
class StepCounts:
    """Bytes of each collective, and how often the host waited for the device."""

    sent: list[int] = field(default_factory=list)
    waits: int = 0


@contextmanager
def counting() -> Iterator[StepCounts]:
    """Count collectives and DeepSpeed's waits for as long as the block runs."""
    from deepspeed.accelerator import get_accelerator
    from torch import distributed

    counts = StepCounts()

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(tensor: Any, *arguments: Any, **named: Any) -> Any:
            counts.sent.append(tensor.numel() * tensor.element_size())
            return real(tensor, *arguments, **named)

        return call

    def synchronize(*_: Any) -> None:
        counts.waits += 1

    with ExitStack() as stack:
        for name in COLLECTIVES:
            stack.enter_context(mock.patch.object(distributed, name, counted(getattr(distributed, name))))
        stack.enter_context(mock.patch.object(type(get_accelerator()), "synchronize", synchronize))
        yield counts


def start(way: str) -> dict[str, str]:
    """Draw the weights of a model for another device; return CPU seconds, and how much the host's memory grew."""
    import dataclasses
    import resource

    import torch

    from train.model.gpt import GPT, build_model

    shape = dataclasses.replace(_shape(), hidden=1024, heads=8, vocab_size=8192)
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = GPT(shape) if way == "before" else build_model(shape, 0, torch.device("meta"))
    if way == "before":
        for parameter in model.parameters():
            parameter.data.normal_()
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    numbers = sum(parameter.numel() for parameter in model.parameters())
    return {
        "CPU seconds to draw 10^9 weights": f"{(time.process_time() - began) / numbers * 1e9:.0f}",
        "host memory to draw a GPU's weights, bytes a parameter": f"{grown / numbers:.2f}",
    }


def _shape() -> Any:
    import dataclasses

    from tests.support.zero_memory import SHAPE

    return dataclasses.replace(SHAPE, layers=LAYERS, seq_length=16)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        from train.loop.rank import run_and_exit

        run_and_exit(lambda: rank(sys.argv[1]))
    main()
