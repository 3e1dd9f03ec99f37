"""Text of a training plan, a line for each thing that one asks before a GPU is rented."""

from collections.abc import Iterator

from train.foreign import ForeignShape
from train.plan.communication import LARGE_SHARE, MACHINE_GPUS, REACHES
from train.plan.forecast import USABLE, TrainingPlan
from train.plan.memory import checkpoint_bytes, export_bytes
from train.plan.roofline import best_tokens_per_second, step_parts


def plan_text(plan: TrainingPlan) -> str:
    """Return the plan as text."""
    return "\n".join(
        [
            *_work_lines(plan),
            *_time_lines(plan),
            *_roofline_lines(plan),
            *_scaling_lines(plan),
            *_memory_lines(plan),
            *_disk_lines(plan),
        ]
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
    if config.batch_warmup_start is not None:
        start, steps = config.batch_warmup_start, config.batch_warmup_steps
        yield f"            from {start:,} rows on over the first {steps:,} steps"
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
    rows = plan.micro_batch
    accumulation = config.batch_rows // plan.gpus // rows
    parts = step_parts(shape, micro_batch=rows, accumulation=accumulation, tflops=gpu.bf16_tflops, tb_s=gpu.memory_tb_s)
    times = ", ".join(f"{part.name} {part.seconds:,.3f} s ({part.bound})" for part in parts)
    reached = plan.reach(plan.gpus)
    assert reached is not None, "the batch divides: make_plan saw to it"
    sending = reached.communication
    if sending:
        times += f", communication {sending:,.3f} s (network)"
    tokens = rows * accumulation * shape.seq_length
    best = tokens / (tokens / best_tokens_per_second(parts, tokens) + sending)
    mfu = best * shape.flops_per_token / (gpu.bf16_tflops * 1e12)
    yield f"at least    {times}"
    yield f"at best     {best:,.0f} tokens/s on each GPU, {mfu:.1%} MFU, if every part ran at its roofline"


def _scaling_lines(plan: TrainingPlan) -> Iterator[str]:
    """Yield what more GPUs reach, and what is lost to communication."""
    reached = [one for gpus in REACHES if (one := plan.reach(gpus)) is not None]
    if not reached:
        return
    stage, link = plan.config.zero_stage, plan.gpu.link_gb_s
    network = f"{link:g} GB/s between GPUs, {plan.network_gbps:,g} Gbit/s between machines of {MACHINE_GPUS}"
    yield f"scaling     ZeRO-{stage}, {plan.mfu:.1%} MFU but for communication, with {network}"
    for one in reached:
        yield (
            f"{f'on {one.gpus} GPUs':<12}{one.tokens_per_second:,.0f} tokens/s at most, {1 - one.share:.1%} of linear: "
            f"a step computes {one.computing:,.3f} s and sends {one.communication:,.3f} s"
        )
    seconds = [one.communication for stage in (1, 2) if (one := plan.reach(reached[0].gpus, stage=stage)) is not None]
    yield (
        f"ZeRO-2      sends the sums in every micro-step: {seconds[1]:,.3f} s a step on {reached[0].gpus} GPUs, "
        f"{seconds[0]:,.3f} s with ZeRO-1"
    )
    large = [one for one in reached if one.share > LARGE_SHARE]
    if large:
        yield (
            f"warning     on {large[0].gpus} GPUs communication is {large[0].share:.2%} of a step, above "
            f"{LARGE_SHARE:.0%}, for none of it is done beside computing; a faster network or larger batches lower it"
        )


def _memory_lines(plan: TrainingPlan) -> Iterator[str]:
    config = plan.config
    rows = plan.micro_batch
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
