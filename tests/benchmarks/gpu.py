"""Training speed on one GPU beside transformers' GPT-2 with DeepSpeed, and where a step's time goes, in one command.

    python -m tests.benchmarks.gpu --out gpu.md                              (125M and 2.7B, all variants: half an hour)
    python -m tests.benchmarks.gpu --presets tiny --steps 3 --out tiny.md    (on a CPU: proves the way, not the speed)

Each variant is a process of its own: eager and compiled, document masks off and on, the peer eager and compiled.
A micro-batch that does not fit is halved. Tokens are random, dropout is off (as in llm-foundry's table), weights are
fresh, one device holds everything (ZeRO-1). MFU is 6N + 12·L·d·T operations a token over the dense bf16 peak. The
parts of a step stand beside the least time that `train.plan.roofline` counts for them: on this GPU, or an H100 and
H200.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.config import ModelShape, TrainConfig, load_preset
from train.launch.processes import environment
from train.plan.gpus import Gpu, known_gpu, load_gpus
from train.plan.memory import activation_bytes, model_memory
from train.plan.roofline import StepPart, best_tokens_per_second, step_parts

VOCAB, TINY_VOCAB, TINY_ROW = 28_896, 4_096, 128
PARTS = ("matmul", "attention", "elementwise", "loss", "optimizer", "data")
USABLE = 0.9
VARIANTS: dict[str, dict[str, Any]] = {
    "corpuscle": {},
    "corpuscle, compiled": {"compile": True},
    "corpuscle, document masks": {"document_mask": True},
    "corpuscle, document masks, compiled": {"document_mask": True, "compile": True},
    "transformers + DeepSpeed": {"peer": True},
    "transformers + DeepSpeed, compiled": {"peer": True, "compile": True},
}
FAILED = "**failed**"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a variant gave: its figures, or the last line of its log."""

    name: str
    micro_batch: int
    result: dict[str, Any] | None
    error: str = ""


def main() -> None:
    """Measure all that is asked for, print as it comes, and write the Markdown file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["125m", "biomedlm-2.7b"])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--steps", type=int, default=10, help="timed steps; their median counts")
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--micro-batch", type=int, help="rows; default: the most that memory should hold")
    parser.add_argument("--accumulation", type=int, default=4, help="micro-steps of an optimizer step")
    parser.add_argument("--timeout", type=float, default=1200, help="seconds for one variant")
    parser.add_argument("--count-only", action="store_true", help="operations and bytes alone; nothing is run")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    arguments = parser.parse_args()
    lines: list[str] = []
    for line in report(arguments):
        print(line, flush=True)
        lines.append(line)
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def report(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of the report, a preset after the other."""
    gpu = this_gpu()
    for preset in arguments.presets:
        config, shape = settings_of(preset)
        micro_batch = arguments.micro_batch or fitting_rows(shape, gpu, config.micro_batch)
        yield f"## {preset}: {shape.num_parameters:,} parameters, rows of {shape.seq_length:,}"
        variants = [] if arguments.count_only else arguments.variants
        outcomes = [measure(name, config, shape, micro_batch, arguments) for name in variants]
        measured = next((one for one in outcomes if one.result is not None), None)
        if outcomes:
            device = measured.result["device"] if measured and measured.result else "no variant ran"
            yield f"On: {device}; {arguments.accumulation} micro-steps a step, {config.precision}, ZeRO-1, no dropout."
            yield from speed_table(outcomes, shape, arguments.accumulation, gpu)
            yield from part_table(outcomes)
        for other in [gpu] if gpu else [load_gpus()["H100"], load_gpus()["H200"]]:
            rows = measured.micro_batch if gpu and measured else fitting_rows(shape, other, config.micro_batch)
            yield from bound_table(shape, other, rows, arguments.accumulation)


def settings_of(preset: str) -> tuple[TrainConfig, ModelShape]:
    """Return a preset without dropout, in bf16 with ZeRO-1, and its sizes with BioMedLM's vocabulary."""
    config = load_preset(preset)
    model = config.model.model_copy(update={"dropout": 0.0})
    small = config.model.seq_length is None
    shape = model.shape(
        seq_length=config.model.seq_length or TINY_ROW,
        vocab_size=config.model.vocab_size or (TINY_VOCAB if small else VOCAB),
    )
    return config.model_copy(update={"model": model, "precision": "bf16", "zero_stage": 1, "ranks": 1}), shape


def this_gpu() -> Gpu | None:
    """Return the device of this machine as the table has it; None without one, or with one it does not know."""
    try:
        found = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    name, _, megabytes = found.splitlines()[0].partition(",")
    return known_gpu(name.strip(), float(megabytes) / 1e3)


def fitting_rows(shape: ModelShape, gpu: Gpu | None, otherwise: int) -> int:
    """Return the largest power of two of rows that the device's memory should hold, up to 64."""
    if gpu is None:
        return otherwise
    for rows in (64, 32, 16, 8, 4, 2):
        memory = model_memory(shape, stage=1, ranks=1, precision="bf16", micro_batch=rows)
        assert memory is not None
        peer_logits = 8 * rows * shape.seq_length * shape.padded_vocab_size  # transformers holds them whole, in fp32
        if memory.total + peer_logits <= USABLE * gpu.memory_gb * 1e9:
            return rows
    return 1


def measure(
    name: str, config: TrainConfig, shape: ModelShape, micro_batch: int, arguments: argparse.Namespace
) -> Outcome:
    """Run a variant, with half the rows as long as memory does not hold them."""
    chosen = dict(VARIANTS[name])
    model = "transformers" if chosen.pop("peer", False) else "corpuscle"
    while True:
        changed = config.model_copy(
            update={**chosen, "micro_batch": micro_batch, "batch_rows": micro_batch * arguments.accumulation}
        )
        asked = {
            "model": model,
            "config": changed.model_dump(mode="json"),
            "shape": dataclasses.asdict(shape),
            "steps": arguments.steps,
            "warm_up": arguments.warm_up,
        }
        outcome = run_variant(name, asked, micro_batch, arguments.timeout)
        if "out of memory" not in outcome.error or micro_batch == 1:
            print(f"  {name}: {outcome.error or outcome.result}", file=sys.stderr, flush=True)
            return outcome
        micro_batch //= 2


def run_variant(name: str, asked: dict[str, Any], micro_batch: int, timeout: float) -> Outcome:
    """Run one process and return what it printed."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".json") as file:
        json.dump(asked, file)
        file.flush()
        command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.gpu_variant", file.name]
        env = environment(1) | ({"CUDA_VISIBLE_DEVICES": "0"} if "CUDA_VISIBLE_DEVICES" not in os.environ else {})
        try:
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            return Outcome(name=name, micro_batch=micro_batch, result=None, error=f"not done after {timeout:,.0f} s")
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return Outcome(name=name, micro_batch=micro_batch, result=json.loads(line[7:]))
    memory = "out of memory: " if "out of memory" in done.stderr else ""
    last = [line.strip() for line in done.stderr.splitlines() if line.strip()][-1:]
    return Outcome(name=name, micro_batch=micro_batch, result=None, error=memory + "".join(last)[:160])


def speed_table(outcomes: list[Outcome], shape: ModelShape, accumulation: int, gpu: Gpu | None) -> Iterator[str]:
    """Yield tokens a second, MFU and memory of each variant."""
    yield ""
    yield "| variant | rows a micro-step | ms a step | tokens/s | MFU | beside the peer | peak GB | warm-up s |"
    yield "|---|---|---|---|---|---|---|---|"
    rates = {
        one.name: one.micro_batch * accumulation * shape.seq_length / one.result["seconds"]
        for one in outcomes
        if one.result is not None
    }
    peer = rates.get("transformers + DeepSpeed")
    for one in outcomes:
        if one.result is None:
            yield f"| {one.name} | {one.micro_batch} | {FAILED}: {one.error.replace('|', '/')} | | | | | |"
            continue
        rate = rates[one.name]
        mfu = f"{rate * shape.flops_per_token / gpu.bf16_tflops / 1e12:.1%}" if gpu else "–"
        ratio = f"{rate / peer:.2f}" if peer else "–"
        memory = "–" if one.result["peak_gb"] is None else f"{one.result['peak_gb']:.1f}"
        times = f"{one.result['seconds'] * 1e3:,.0f} | {rate:,.0f}"
        warm = f"{one.result['warm_up_seconds']:,.0f}"
        yield f"| {one.name} | {one.micro_batch} | {times} | {mfu} | {ratio} | {memory} | {warm} |"


def part_table(outcomes: list[Outcome]) -> Iterator[str]:
    """Yield where each variant's profiled step spends its time."""
    yield ""
    yield "Milliseconds of one profiled step (the peer's head multiplies under matmul, ours under loss):"
    yield ""
    yield "| variant | " + " | ".join(PARTS) + " |"
    yield "|---" * (len(PARTS) + 1) + "|"
    for one in outcomes:
        if one.result is not None:
            parts = one.result["parts"]
            yield f"| {one.name} | " + " | ".join(f"{parts.get(name, 0.0) * 1e3:,.1f}" for name in PARTS) + " |"


def bound_table(shape: ModelShape, gpu: Gpu, micro_batch: int, accumulation: int) -> Iterator[str]:
    """Yield the operations and bytes of each part of a step, and the least time they take on a device."""
    sizes = {"micro_batch": micro_batch, "accumulation": accumulation}
    parts = step_parts(shape, **sizes, tflops=gpu.bf16_tflops, tb_s=gpu.memory_tb_s)
    tokens = micro_batch * accumulation * shape.seq_length
    best = best_tokens_per_second(parts, tokens)
    mfu = best * shape.flops_per_token / (gpu.bf16_tflops * 1e12)
    activations = activation_bytes(shape, rows=micro_batch, precision="bf16") / 1e9
    yield ""
    yield (
        f"At least, on {gpu.name} ({gpu.bf16_tflops:,} TFLOP/s, {gpu.memory_tb_s:g} TB/s; {gpu.source}), "
        f"{accumulation} micro-steps of {micro_batch} rows ({activations:.1f} GB of activations):"
    )
    yield ""
    yield "| part | TFLOP | GB | FLOP/byte | ms | held back by |"
    yield "|---|---|---|---|---|---|"
    yield from (bound_row(part) for part in parts)
    total = sum(part.seconds for part in parts)
    yield f"| all, one after another | | | | {total * 1e3:,.1f} | {best:,.0f} tokens/s, {mfu:.1%} MFU at best |"
    yield ""


def bound_row(part: StepPart) -> str:
    """Return the row of one part."""
    intensity = part.flops / part.num_bytes
    figures = f"{part.flops / 1e12:,.2f} | {part.num_bytes / 1e9:,.2f} | {intensity:,.0f} | {part.seconds * 1e3:,.2f}"
    bound = "bus" if part.name == "data" else part.bound
    return f"| {part.name} | {figures} | {bound} |"


if __name__ == "__main__":
    main()
