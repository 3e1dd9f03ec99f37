"""Forecast of a training run for `plan`: time, cost, memory and disk, before a GPU is rented. Arithmetic, no torch.

Steps, tokens, FLOPs and passes over each source come from the preset and the tokens' manifest; days from a
stated MFU (6N + 12·L·d·T floating-point operations a token over the peak, as `corpuscle train` prints it).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from corpus.errors import UsageError
from train.config import AnyShape, TrainConfig, load_preset
from train.energy import Energy
from train.foreign import ForeignShape
from train.plan.gpus import Gpu, load_gpus
from train.plan.memory import RankMemory, checkpoint_bytes, export_bytes, head_bytes, model_memory, snapshot_bytes
from train.plan.roofline import best_tokens_per_second, step_parts
from train.plan.sizes import Tokens, planned_model, read_tokens

USABLE = 0.92  # of a device's memory: the rest is the CUDA context, NCCL and what the allocator loses
SECONDS_A_DAY = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingPlan:
    """Plan of a training run on GPUs of one kind; `days` at the stated MFU."""

    config: TrainConfig
    shape: AnyShape
    tokens: Tokens | None
    gpu: Gpu
    gpus: int
    mfu: float
    price: float | None
    watts: float | None = None  # of one GPU; None: the most that its maker states
    grams_per_kwh: float | None = None  # CO2 equivalents, of the grid
    row_bytes: int | None = None  # activations of one row, of a model of transformers' library

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
    def energy(self) -> Energy:
        """Return the energy of the GPUs in that time."""
        watts = self.gpu.watts if self.watts is None else self.watts
        return Energy(devices=self.gpus, watts=watts, hours=24 * self.days, grams_per_kwh=self.grams_per_kwh)

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
            activations=self._activations(micro_batch),
        )

    def snapshot(self, *, first: bool) -> int:
        """Return the host memory of rank 0's copy of an asynchronous save, or of another rank's."""
        precision, stage = self.config.precision, self.config.zero_stage
        both = [
            snapshot_bytes(self.shape, precision=precision, stage=stage, ranks=self.gpus, ranks_here=here)
            for here in (1, 2)
        ]
        return both[0] if first else both[1] - both[0]

    def _activations(self, micro_batch: int) -> int | None:
        """Return the counted activations of a model of transformers' library; None of ours, which has a formula."""
        if self.row_bytes is None or not isinstance(self.shape, ForeignShape):
            return None
        return self.row_bytes * micro_batch + head_bytes(self.shape.rows, self.shape.hidden)

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


def make_plan(
    preset: str,
    *,
    tokens: str | None,
    gpu: str,
    gpus: int,
    mfu_percent: float,
    price: float | None,
    model: str | None = None,
    watts: float | None = None,
    grams_per_kwh: float | None = None,
) -> TrainingPlan:
    """Return the plan; `model` is `hf:DIR`.

    Raises UsageError for an unknown GPU, preset or tokens, and for what cannot be laid out.
    """
    known = _checked_gpu(gpu, mfu_percent)
    config, found = load_preset(preset, model=model), read_tokens(tokens)
    if config.batch_rows % gpus:
        divisors = [count for count in range(1, config.batch_rows + 1) if config.batch_rows % count == 0]
        near = min(divisors, key=lambda count: (abs(count - gpus), count))
        raise UsageError(f"{gpus} GPUs: batch_rows {config.batch_rows} is not a multiple; try --gpus {near}")
    shape, row_bytes = planned_model(preset, config, found)
    if config.epochs is not None:
        if found is None:
            raise UsageError(f"{preset}: states epochs, of which tokens? give --tokens, a directory or a number")
        config = config.with_steps(found.pass_rows(shape.seq_length, config.source_weights))
    return TrainingPlan(
        config=config,
        shape=shape,
        tokens=found,
        gpu=known,
        gpus=gpus,
        mfu=mfu_percent / 100,
        price=price,
        row_bytes=row_bytes,
        watts=watts,
        grams_per_kwh=grams_per_kwh,
    )


def _checked_gpu(gpu: str, mfu_percent: float) -> Gpu:
    """Return a GPU of the table; raises UsageError for another one, and for a share of its peak that cannot be."""
    known = load_gpus()
    if gpu not in known:
        raise UsageError(f"no GPU {gpu} in the table; it has {', '.join(known)}")
    if not 0 < mfu_percent <= 100:
        raise UsageError(f"--mfu {mfu_percent:g}: a percentage above 0 and up to 100; 23.0 is the paper's")
    return known[gpu]


def plan_text(plan: TrainingPlan) -> str:
    """Return the plan as text."""
    return "\n".join(
        [*_work_lines(plan), *_time_lines(plan), *_roofline_lines(plan), *_memory_lines(plan), *_disk_lines(plan)]
    )


def _work_lines(plan: TrainingPlan) -> Iterator[str]:
    config, shape = plan.config, plan.shape
    sizes = f"{shape.layers} layers of {shape.hidden:,}, {config.precision}"
    if isinstance(shape, ForeignShape):
        sizes = f"{shape.architecture} of {sizes}"
    yield f"model       {shape.num_parameters:,} parameters, {sizes}"
    stated = () if config.model is None else (config.model.vocab_size, config.model.seq_length)
    if (isinstance(shape, ForeignShape) or None in stated) and getattr(plan.tokens, "vocab_size", None) is None:
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
    else:
        yield f"time        {plan.days:,.1f} days on {plan.gpus} {gpu.name}, {hours / 24:,.1f} GPU-days{cost}"
    yield f"energy      {plan.energy.text()}, of the GPUs alone"


def _roofline_lines(plan: TrainingPlan) -> Iterator[str]:
    """Yield the least time of each part of a step, and the throughput that no setting can pass."""
    config, shape, gpu = plan.config, plan.shape, plan.gpu
    if config.precision != "bf16" or isinstance(shape, ForeignShape):  # the parts counted are those of our own model
        return
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
    if plan.config.save_async:
        first, other = (plan.snapshot(first=first) / 1e9 for first in (True, False))
        yield f"save_async  copies {first:,.1f} GB of rank 0 into host memory, {other:,.1f} of each other"
    exports = ", ".join(f"{name} {num_bytes / 1e9:,.2f} GB" for name, num_bytes in export_bytes(plan.shape).items())
    yield f"exports     {exports}"
