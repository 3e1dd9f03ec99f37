"""Roofline of a training step: operations and bytes of each part, and so the least time on a device.

Each part takes at least the longer of its floating-point operations over the peak and its bytes over the memory's
speed (Williams, Waterman and Patterson, "Roofline", CACM 2009); the parts run one after another. Counted is what this
code executes in bf16 with fp32 masters, without fusion beyond that of the kernels it calls: so `compile` can beat the
elementwise part, and nothing can beat the operations. C hidden, T row length, V vocabulary with padding rows, L layers;
a number is 2 bytes where not said otherwise. By token, and layer where it has one:

    matmul       72·C² operations; activations 48·C numbers in and out (forward once, backward twice); 12·C² weights
                 read twice and their gradients written once a micro-step
    attention    causal and fused: 2·T·C forward, 5·T·C backward, which computes the scores again; 12·C numbers
    elementwise  two LayerNorms 10·C, GELU 20·C, residual sums 12·C numbers
    loss         6·V·C operations; a block of logits is written, read and written again: 34·V bytes; a block's weight
                 gradient is added up in fp32: 12·V·C bytes a block; weights are read twice a block
    optimizer    sums of gradients in fp32 10 bytes a parameter and micro-step; norm, clip, zeroing 16, AdamW 30 a step
    data         tokens as int64 to the device, over a bus of 25 GB/s (PCIe 4.0 x16 in practice)

MFU's convention (6N + 12·L·d·T) counts whole attention, twelve T·C; a causal kernel executes seven.
"""

from dataclasses import dataclass

from train.config import ModelShape
from train.plan.memory import HEAD_BLOCK_LOGITS, padded_parameters

BUS_BYTES_A_SECOND = 25e9
NUMBER = 2  # bytes of a bf16 number
LOSS_BYTES_A_LOGIT = 34  # what `train.model.head` reads and writes for one logit, forward and backward together


@dataclass(frozen=True, kw_only=True, slots=True)
class StepPart:
    """Part of a step on one device: operations, bytes, and the least seconds by each."""

    name: str
    flops: float
    num_bytes: float
    compute_seconds: float
    memory_seconds: float

    @property
    def seconds(self) -> float:
        """Return the least time: the longer of computing and moving."""
        return max(self.compute_seconds, self.memory_seconds)

    @property
    def bound(self) -> str:
        """Say what the part waits for."""
        return "compute" if self.compute_seconds >= self.memory_seconds else "memory"


def step_parts(
    shape: ModelShape, *, micro_batch: int, accumulation: int, tflops: float, tb_s: float
) -> tuple[StepPart, ...]:
    """Return the parts of one optimizer step on one device, `accumulation` micro-steps of `micro_batch` rows.

    `tflops` is the device's dense bf16 peak, `tb_s` its memory's speed in 10^12 bytes a second.
    """
    c, t = shape.hidden, shape.seq_length
    v, layers = shape.padded_vocab_size, shape.layers
    tokens = micro_batch * t * accumulation
    n = padded_parameters(shape)
    blocks = -(-micro_batch * t // max(1, HEAD_BLOCK_LOGITS // v)) * accumulation
    counted = {
        "matmul": (72 * c * c * layers * tokens, NUMBER * layers * (48 * c * tokens + 3 * 12 * c * c * accumulation)),
        "attention": (7 * t * c * layers * tokens, NUMBER * 12 * c * layers * tokens),
        "elementwise": (0, NUMBER * 42 * c * layers * tokens),
        "loss": (6 * v * c * tokens, LOSS_BYTES_A_LOGIT * v * tokens + blocks * v * c * (12 + 2 * NUMBER)),
        "optimizer": (0, n * (10 * accumulation + 16 + 30)),
        "data": (0, 8 * tokens),
    }
    return tuple(
        StepPart(
            name=name,
            flops=float(flops),
            num_bytes=float(num_bytes),
            compute_seconds=flops / (tflops * 1e12),
            memory_seconds=num_bytes / (BUS_BYTES_A_SECOND if name == "data" else tb_s * 1e12),
        )
        for name, (flops, num_bytes) in counted.items()
    )


def best_tokens_per_second(parts: tuple[StepPart, ...], tokens: int) -> float:
    """Return the greatest throughput: every part of a step of so many tokens takes its least time."""
    return tokens / sum(part.seconds for part in parts)
