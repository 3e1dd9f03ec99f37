"""One variant of the GPU benchmark in a process of its own: python -m tests.benchmarks.gpu_variant SETTINGS.json

Trains a model on made-up tokens through the product's own engine, or transformers' GPT-2 through the same DeepSpeed
settings, and prints one line `RESULT {…}`: seconds a step without a profiler, then where a profiled step spends them.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import deepspeed
import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function
from transformers import GPT2Config, GPT2LMHeadModel

from train.config import ModelShape, TrainConfig
from train.data.prefetch import prefetch
from train.launch.processes import free_port
from train.loop.deepspeed_config import build_optimizer, deepspeed_config
from train.loop.device import choose_device
from train.loop.engine import build_engine, set_learning_rate, start_distributed
from train.model.attention import document_numbers
from train.model.gpt import next_token_targets

MATMULS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::linear", "aten::_addmm_activation", "mkldnn", "triton_tem")
LOSS = "loss"
OURS = ("ChunkedCrossEntropy",)
DATA = "data"
OPTIMIZER = "optimizer"


class Peer(nn.Module):
    """transformers' GPT-2 with its own loss, called as our model is."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        config = GPT2Config(
            vocab_size=shape.padded_vocab_size,
            n_positions=shape.seq_length,
            n_embd=shape.hidden,
            n_layer=shape.layers,
            n_head=shape.heads,
            scale_attn_by_inverse_layer_idx=shape.scale_attn_by_inverse_layer_idx,
            attn_implementation="sdpa",
            use_cache=False,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
        )
        self.model = GPT2LMHeadModel(config)

    def forward(self, ids_bt: Tensor, targets_bt: Tensor) -> Tensor:
        """Return the mean loss."""
        body = self.model.transformer(ids_bt).last_hidden_state
        with record_function(LOSS):
            logits = self.model.lm_head(body).float()
            return nn.functional.cross_entropy(logits.flatten(0, 1), targets_bt.flatten(), ignore_index=-1)


def main(file: str) -> None:
    """Measure the variant that the file describes and print the result."""
    asked = json.loads(Path(file).read_text(encoding="utf-8"))
    config, shape = TrainConfig.model_validate(asked["config"]), ModelShape(**asked["shape"])
    torch.manual_seed(0)
    os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
    os.environ["MASTER_PORT"] = str(free_port())
    device = choose_device()
    start_distributed(device)
    engine = (
        build_engine(config, shape, device) if asked["model"] == "corpuscle" else peer_engine(config, shape, device)
    )
    set_learning_rate(engine, 1e-5)
    steps, warm = asked["steps"], asked["warm_up"]
    batches = prefetch(lambda step: made_up(step, config, shape), range(warm + steps + 1))
    one = stepper(engine, config, shape, device, batches)
    began = time.monotonic()
    for _ in range(warm):
        loss = one()
    first = time.monotonic() - began
    seconds = []
    for _ in range(steps):
        began = time.monotonic()
        loss = one()
        synchronize(device)
        seconds.append(time.monotonic() - began)
    result = {
        "seconds": sorted(seconds)[len(seconds) // 2],
        "warm_up_seconds": first,
        "loss": float(loss),
        "peak_gb": peak_gb(device),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, one process",
        "parts": breakdown(one, device),
    }
    print("RESULT " + json.dumps(result), flush=True)
    os._exit(0)


def made_up(step: int, config: TrainConfig, shape: ModelShape) -> list[np.ndarray[Any, np.dtype[np.uint16]]]:
    """Return a step's micro-batches: random tokens, an end of text every 400 or so as abstracts have them."""
    random = np.random.default_rng(step)
    size = (config.accumulation(), config.micro_batch, shape.seq_length)
    tokens = random.integers(shape.vocab_size - 1, size=size, dtype=np.uint16)
    tokens[random.random(size) < 1 / 400] = shape.vocab_size - 1
    return [*tokens]


def peer_engine(config: TrainConfig, shape: ModelShape, device: torch.device) -> Any:
    """Return transformers' model in the same DeepSpeed settings and optimizer; compiled layer by layer where asked."""
    peer = Peer(shape).to(device)
    if config.compile:
        for block in peer.model.transformer.h:
            block.compile()
    settings = deepspeed_config(config)
    optimizer = build_optimizer(peer.parameters(), config)
    return deepspeed.initialize(model=peer, optimizer=optimizer, config=settings)[0]


def stepper(
    engine: Any, config: TrainConfig, shape: ModelShape, device: torch.device, batches: Iterator[list[Any]]
) -> Callable[[], Tensor]:
    """Return a function that does one optimizer step and returns the last loss."""

    def one() -> Tensor:
        with record_function(DATA):
            rows = next(batches)
        for batch in rows:
            with record_function(DATA):
                ids = torch.from_numpy(batch.astype(np.int64)).to(device, non_blocking=True)
            told = {"documents_BT": document_numbers(ids, shape.vocab_size - 1)} if config.document_mask else {}
            loss: Tensor = engine(ids, next_token_targets(ids), **told)
            engine.backward(loss)
            with record_function(OPTIMIZER):
                engine.step()
        return loss.detach()

    return one


def breakdown(one: Callable[[], Tensor], device: torch.device) -> dict[str, float]:
    """Return the seconds of one profiled step by part; on CUDA those of its kernels, which add up to the device's."""
    kinds = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
    with profile(activities=kinds) as found:
        one()
        synchronize(device)
    events = list(found.events() or ())
    if device.type == "cuda":
        parts, busy = kernel_parts(events), device_seconds(events)
        if abs(sum(parts.values()) - busy) > 0.02 * busy:
            print(f"the parts are {sum(parts.values()):.4f} s of the {busy:.4f} s that the device worked", flush=True)
        return parts
    parts = {}
    for event in events:
        if event.self_cpu_time_total:
            name = part_of(event)
            parts[name] = parts.get(name, 0.0) + event.self_cpu_time_total / 1e6
    return parts


def kernel_parts(events: Iterable[FunctionEvent]) -> dict[str, float]:
    """Return the seconds of kernels by part: each once, by the operation of the host that launched it.

    A profile holds kernels as events of their own too, and ranges of the host once more on the device.
    """
    parts: dict[str, float] = {}
    for event in events:
        for kernel in event.kernels:
            name = part_of(event)
            parts[name] = parts.get(name, 0.0) + kernel.duration / 1e6
    return parts


def device_seconds(events: Iterable[FunctionEvent]) -> float:
    """Return what the device worked, from its own events; ranges of the host that it repeats are no work."""
    work = [one for one in events if one.device_type != DeviceType.CPU and not one.is_user_annotation]
    return sum(one.time_range.elapsed_us() for one in work) / 1e6


def part_of(event: FunctionEvent) -> str:
    """Say which part of a step an operation belongs to, from its name and those of the operations around it."""
    names = []
    place: FunctionEvent | None = event
    while place is not None:
        names.append(str(place.name))
        place = place.cpu_parent
    if DATA in names:
        return "data"
    if any(name == LOSS or name.startswith(OURS) for name in names):
        return "loss"
    if any("attention" in name.lower() or "flex" in name.lower() for name in names):
        return "attention"
    if OPTIMIZER in names or any(name.startswith("Optimizer.") for name in names):
        return "optimizer"
    if any(name.startswith(MATMULS) for name in names):
        return "matmul"
    # transformers' loss runs its backward pass outside the range: the operations that only a loss has name it.
    if any("NllLoss" in name or "LogSoftmax" in name or "nll_loss" in name or "log_softmax" in name for name in names):
        return "loss"
    return "elementwise"


def synchronize(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_gb(device: torch.device) -> float | None:
    """Return the most memory that tensors held on the device; None on a CPU."""
    return torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else None


if __name__ == "__main__":
    main(sys.argv[1])
