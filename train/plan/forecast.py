"""Forecast of a training run for `plan`: time, cost, memory and disk, before a GPU is rented. Arithmetic, no torch.

Steps, tokens, FLOPs and passes over each source come from the preset and the tokens' manifest; days from a
stated MFU (6N + 12·L·d·T floating-point operations a token over the peak, as `corpuscle train` prints it).
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from corpus.errors import UsageError
from corpus.stage.manifest import read_manifest
from tokenizer.config import PackConfig, TokenizerConfig
from train.config import ModelConfig, ModelShape, TrainConfig, load_preset
from train.plan.gpus import Gpu, load_gpus
from train.plan.memory import RankMemory, checkpoint_bytes, export_bytes, model_memory
from train.plan.roofline import best_tokens_per_second, step_parts

USABLE = 0.92  # of a device's memory: the rest is the CUDA context, NCCL and what the allocator loses
SECONDS_A_DAY = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """Tokens of the training split, by source where a manifest says so."""

    total: int
    by_source: Mapping[str, int]
    seq_length: int | None
    vocab_size: int | None

    def pass_rows(self, seq_length: int, weights: Mapping[str, float] | None) -> int:
        """Return the rows of one pass, each source counted as often as its weight says."""
        if not weights or not self.by_source:
            return self.total // seq_length
        return int(sum(weights.get(name, 1.0) * count for name, count in self.by_source.items())) // seq_length


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingPlan:
    """Plan of a training run on GPUs of one kind; `days` at the stated MFU."""

    config: TrainConfig
    shape: ModelShape
    tokens: Tokens | None
    gpu: Gpu
    gpus: int
    mfu: float
    price: float | None

    @property
    def trained_tokens(self) -> int:
        """Return the tokens read in all steps."""
        return self.config.steps * self.config.batch_rows * self.shape.seq_length

    @property
    def flops(self) -> int:
        """Return the floating-point operations of the whole run."""
        return self.trained_tokens * self.shape.flops_per_token

    @property
    def tokens_per_second(self) -> float:
        """Return the throughput of all GPUs at the stated MFU."""
        return self.gpus * self.gpu.bf16_tflops * 1e12 * self.mfu / self.shape.flops_per_token

    @property
    def days(self) -> float:
        """Return the days of training alone; saving and evaluating come on top."""
        return self.trained_tokens / self.tokens_per_second / SECONDS_A_DAY

    @property
    def epochs(self) -> float | None:
        """Return the passes over the rows of the training split."""
        if self.tokens is None:
            return None
        rows = self.tokens.pass_rows(self.shape.seq_length, self.config.source_weights)
        return self.config.steps * self.config.batch_rows / rows if rows else None

    def memory(self, stage: int, micro_batch: int) -> RankMemory | None:
        """Return the memory of one GPU at a ZeRO stage; None where DeepSpeed refuses it."""
        return model_memory(
            self.shape,
            stage=stage,
            ranks=self.gpus,
            precision=self.config.precision,
            micro_batch=micro_batch,
            recompute=self.config.activation_checkpointing,
        )

    def read_by_source(self) -> dict[str, float]:
        """Return the tokens read of each source in all steps; `source_weights` say how often a pass has each."""
        assert self.tokens is not None
        weights = self.config.source_weights or {}
        shares = {name: weights.get(name, 1.0) * count for name, count in sorted(self.tokens.by_source.items())}
        return {name: self.trained_tokens * share / sum(shares.values()) for name, share in shares.items() if share}

    def largest_micro_batch(self, stage: int) -> int:
        """Return the most rows that fit, of those that divide the batch on these GPUs; 0 when none does."""
        share, room = self.config.batch_rows // self.gpus, self.gpu.memory_gb * 1e9 * USABLE
        fitting = [0]
        for rows in range(1, share + 1):
            memory = self.memory(stage, rows)
            if share % rows or memory is None:
                continue
            elsewhere = memory.optimizer if self.config.offload_optimizer else 0
            if memory.total - elsewhere <= room:
                fitting.append(rows)
        return max(fitting)


def read_tokens(tokens: str | None) -> Tokens | None:
    """Return the tokens of a finished `pack`, or a plain number of them (34.6e9); raises UsageError, for none too."""
    if tokens is None:
        return None
    if not os.path.isdir(tokens):
        try:
            total = int(float(tokens.replace(",", "").replace("_", "")))
        except (ValueError, OverflowError):
            raise UsageError(f"{tokens}: neither a tokens directory nor a number such as 34.6e9") from None
        if total < 1:
            raise UsageError(f"{tokens}: the number of tokens must be positive")
        return Tokens(total=total, by_source={}, seq_length=None, vocab_size=None)
    summary = read_manifest(tokens, "pack").summary
    split = summary["splits"].get("train", {"tokens": 0})
    if not split["tokens"]:
        raise UsageError(f"{tokens}: no training token; pack a corpus that has training documents")
    return Tokens(
        total=split["tokens"],
        by_source=dict(split.get("tokens_by_source", {})),
        seq_length=int(summary["seq_length"]),
        vocab_size=int(summary["vocab_size"]),
    )


def make_plan(
    preset: str, *, tokens: str | None, gpu: str, gpus: int, mfu_percent: float, price: float | None
) -> TrainingPlan:
    """Return the plan; raises UsageError for an unknown GPU, preset or tokens, and for what cannot be laid out."""
    known = load_gpus()
    if gpu not in known:
        raise UsageError(f"no GPU {gpu} in the table; it has {', '.join(known)}")
    if not 0 < mfu_percent <= 100:
        raise UsageError(f"--mfu {mfu_percent:g}: a percentage above 0 and up to 100; 23.0 is the paper's")
    config, found = load_preset(preset), read_tokens(tokens)
    if config.batch_rows % gpus:
        near = min(
            (count for count in range(1, config.batch_rows + 1) if config.batch_rows % count == 0),
            key=lambda count: (abs(count - gpus), count),
        )
        raise UsageError(f"{gpus} GPUs: batch_rows {config.batch_rows} is not a multiple; try --gpus {near}")
    shape = planned_shape(preset, config.model, found)
    if config.epochs is not None:
        if found is None:
            raise UsageError(f"{preset}: states epochs, of which tokens? give --tokens, a directory or a number")
        config = config.with_steps(found.pass_rows(shape.seq_length, config.source_weights))
    return TrainingPlan(
        config=config,
        shape=shape,
        tokens=found,
        gpu=known[gpu],
        gpus=gpus,
        mfu=mfu_percent / 100,
        price=price,
    )


def planned_shape(preset: str, model: ModelConfig, tokens: Tokens | None) -> ModelShape:
    """Return the sizes of a model on tokens; on a mere number of them, those that `pack` and `tokenizer` have unasked.

    Raises UsageError when neither configuration nor tokens say them.
    """
    if tokens is None and None in (model.seq_length, model.vocab_size):
        raise UsageError(
            f"{preset}: its row length and vocabulary follow the tokens; give --tokens, a directory or a number"
        )
    unasked = {"seq_length": PackConfig().seq_length, "vocab_size": TokenizerConfig().vocab_size}
    sizes = {name: getattr(tokens, name, None) or getattr(model, name) or size for name, size in unasked.items()}
    return model.shape(**sizes)


def plan_text(plan: TrainingPlan) -> str:
    """Return the plan as text."""
    return "\n".join(
        [*_work_lines(plan), *_time_lines(plan), *_roofline_lines(plan), *_memory_lines(plan), *_disk_lines(plan)]
    )


def _work_lines(plan: TrainingPlan) -> Iterator[str]:
    config, shape = plan.config, plan.shape
    sizes = f"{shape.layers} layers of {shape.hidden:,}, {config.precision}"
    yield f"model       {shape.num_parameters:,} parameters, {sizes}"
    if None in (config.model.vocab_size, config.model.seq_length) and getattr(plan.tokens, "vocab_size", None) is None:
        yield (
            f"            with {shape.vocab_size:,} entries and rows of {shape.seq_length:,}, for no --tokens DIR says "
            "others"
        )
    step = config.batch_rows * shape.seq_length
    yield f"training    {config.steps:,} steps of {config.batch_rows:,} x {shape.seq_length:,} = {step:,} tokens"
    yield f"tokens      {plan.trained_tokens:,}; {shape.flops_per_token / 1e9:.3f} GFLOP a token, {plan.flops:.3e} FLOP"
    if plan.tokens is None:
        yield "epochs      unknown; give --tokens, a directory or a number"
        return
    yield f"epochs      {plan.epochs or 0:.2f} passes over {plan.tokens.total:,} tokens"
    for source, read in plan.read_by_source().items():
        count = plan.tokens.by_source[source]
        yield f"            {source}: {read / count:.2f} passes over {count:,} tokens, {read:,.0f} read"


def _time_lines(plan: TrainingPlan) -> Iterator[str]:
    gpu = plan.gpu
    slow = "" if plan.config.precision == "bf16" else "; that is the peak in bf16, fp32 is far below it"
    peak = f"{plan.gpus} x {gpu.bf16_tflops:,} TFLOP/s"
    yield f"speed       {plan.mfu:.1%} of {peak}: {plan.tokens_per_second:,.0f} tokens/s{slow}"
    hours = plan.days * plan.gpus * 24
    cost = "" if plan.price is None else f", cost {hours * plan.price:,.0f} at {plan.price:g} a GPU-hour"
    if plan.days < 1:  # of a small model
        yield f"time        {24 * plan.days:,.1f} hours on {plan.gpus} {gpu.name}, {hours:,.1f} GPU-hours{cost}"
        return
    yield f"time        {plan.days:,.1f} days on {plan.gpus} {gpu.name}, {hours / 24:,.1f} GPU-days{cost}"


def _roofline_lines(plan: TrainingPlan) -> Iterator[str]:
    """Yield the least time of each part of a step, and the throughput that no setting can pass."""
    if plan.config.precision != "bf16":
        return
    config, shape, gpu = plan.config, plan.shape, plan.gpu
    rows = min(config.micro_batch, config.batch_rows // plan.gpus)
    accumulation = config.batch_rows // plan.gpus // rows
    parts = step_parts(shape, micro_batch=rows, accumulation=accumulation, tflops=gpu.bf16_tflops, tb_s=gpu.memory_tb_s)
    times = ", ".join(f"{part.name} {part.seconds:,.3f} s ({part.bound})" for part in parts)
    best = best_tokens_per_second(parts, rows * accumulation * shape.seq_length)
    mfu = best * shape.flops_per_token / (gpu.bf16_tflops * 1e12)
    yield f"at least    {times}"
    yield f"at best     {best:,.0f} tokens/s on each GPU, {mfu:.1%} MFU, if every part ran at its roofline"


def _memory_lines(plan: TrainingPlan) -> Iterator[str]:
    config = plan.config
    rows = min(config.micro_batch, config.batch_rows // plan.gpus)
    room = f"{plan.gpu.memory_gb:g} GB, {USABLE:.0%} of it usable"
    how = "with" if config.activation_checkpointing else "without"
    yield f"memory      GB on each GPU with micro_batch {rows}, {how} activation checkpointing ({room})"
    if config.offload_optimizer:
        yield "            the optimizer's column lies in CPU memory: offload_optimizer is on"
    yield "            ZeRO  weights  gradients  optimizer  buckets  activations   total  largest micro_batch"
    for stage in range(4):
        memory = plan.memory(stage, rows)
        if memory is None:
            yield f"            {stage:<4}  DeepSpeed has no bf16 with fp32 sums of gradients at this stage"
            continue
        values = [memory.weights, memory.gradients, memory.optimizer, memory.buckets, memory.activations, memory.total]
        texts = [f"{value / 1e9:{width}.1f}" for value, width in zip(values, (7, 9, 9, 7, 11, 6), strict=True)]
        most = plan.largest_micro_batch(stage)
        mark = "*" if stage == config.zero_stage else " "
        yield f"            {stage}{mark}    {'  '.join(texts)}  {most or 'none fits'}"


def _disk_lines(plan: TrainingPlan) -> Iterator[str]:
    size = checkpoint_bytes(plan.shape, plan.config.precision, plan.config.zero_stage)
    kept = plan.config.keep_checkpoints
    room = f"{(kept + 1) * size / 1e9:,.1f} GB for {kept} kept and one being written"
    yield f"checkpoints {size / 1e9:,.2f} GB each, {room}"
    exports = ", ".join(f"{name} {num_bytes / 1e9:,.2f} GB" for name, num_bytes in export_bytes(plan.shape).items())
    yield f"exports     {exports}"
