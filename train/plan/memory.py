"""Memory and disk of a training run, by formula: states and activations on each GPU, checkpoints, model files.

The model states were held against the tensors that live on a rank of real DeepSpeed runs
(`tests/support/zero_memory.py`, 0.19.8, two ranks): every stage and precision agrees to 0.1 %. N parameters with
padding rows, W ranks, w bytes of a computing weight (2 in bf16, 4 in fp32); master weights and moments 12 bytes,
summed gradients 4 (fp32):

    ZeRO-0   fp32 only: weights 4N, gradients 4N, moments 8N
    ZeRO-1   bf16: weights 2N, sums of gradients 4N (a gradient goes into its sum at once), states 12N / W; fp32: 4N,
             4N, 12N / W
    ZeRO-2   weights wN, sums of gradients 4N / W, states 12N / W
    ZeRO-3   weights wN / W and whole tensors of up to 100,000 numbers, sums 4N / W, states 12N / W

Reduction buckets (500 million numbers in fp32, DeepSpeed's default) come on top where it makes them.
Activations: 34·s·b·h bytes a layer in bf16 (Korthikanti et al., arXiv 2205.05198, with an attention that keeps no
s × s matrix), 66·s·b·h in fp32; the head holds a block of logits and its weight's gradient in fp32.
"""

from dataclasses import dataclass

from train.config import AnyShape, ModelShape
from train.foreign import ForeignShape

BUCKET_BYTES = 500_000_000 * 4
PERSISTENT = 100_000  # DeepSpeed's stage3_param_persistence_threshold, in numbers
HEAD_BLOCK_LOGITS = 1 << 25  # train.model.head.BLOCK_LOGITS on CUDA
HEAD_BLOCK_BYTES = 3 * HEAD_BLOCK_LOGITS * 4  # a block of logits in fp32, its gradient in bf16 and room to work
_ACTIVATION = {"bf16": 34, "fp32": 66}


@dataclass(frozen=True, kw_only=True, slots=True)
class RankMemory:
    """Memory of one rank at one ZeRO stage, in bytes, at its peak in a step."""

    stage: int
    weights: int
    gradients: int
    optimizer: int
    buckets: int
    activations: int

    @property
    def total(self) -> int:
        """Return the sum; the allocator's own losses, the CUDA context and NCCL's buffers are not in it."""
        return self.weights + self.gradients + self.optimizer + self.buckets + self.activations


def padded_parameters(shape: AnyShape) -> int:
    """Return the parameters with padding rows: what is really kept and trained."""
    if isinstance(shape, ForeignShape):
        return shape.num_parameters
    return shape.num_parameters + (shape.padded_vocab_size - shape.vocab_size) * shape.hidden


def model_memory(
    shape: AnyShape,
    *,
    stage: int,
    ranks: int,
    precision: str,
    micro_batch: int,
    recompute: bool = False,
    activations: int | None = None,
) -> RankMemory | None:
    """Return the memory of one rank; None where DeepSpeed refuses: ZeRO-0 in bf16 with fp32 sums of gradients.

    `recompute` is activation checkpointing of the layers. `activations` are bytes that are known otherwise: of a model
    of transformers' library there is no formula here.
    """
    n, w = padded_parameters(shape), 2 if precision == "bf16" else 4
    if activations is None:
        assert isinstance(shape, ModelShape), "activations of another model are counted, not computed"
        activations = activation_bytes(shape, rows=micro_batch, precision=precision, recompute=recompute)
    if stage == 0 and precision == "bf16":
        return None
    shared = {0: 1, 1: ranks, 2: ranks, 3: ranks}[stage]
    gradients = {0: 4 * n, 1: 4 * n, 2: 4 * n // ranks, 3: 4 * n // ranks}[stage]
    has_buckets = stage >= 2 or (stage == 1 and w == 4)
    return RankMemory(
        stage=stage,
        weights=w * n if stage < 3 else w * n // ranks + w * persistent_parameters(shape),
        gradients=gradients,
        optimizer=8 * n if stage == 0 else 12 * n // shared,
        buckets=BUCKET_BYTES if has_buckets else 0,
        activations=activations,
    )


def persistent_parameters(shape: AnyShape) -> int:
    """Return the parameters of tensors so small that ZeRO-3 keeps them whole on every rank."""
    if isinstance(shape, ForeignShape):
        return shape.persistent_parameters
    c = shape.hidden
    layer = {"qkv": 3 * c * c, "project": c * c, "up": 4 * c * c, "down": 4 * c * c}
    vectors = 13 * c  # four of LayerNorms, biases of 3C, C, 4C and C; each far below the threshold
    inside = shape.layers * (vectors + sum(size for size in layer.values() if size <= PERSISTENT))
    outside = (shape.padded_vocab_size * c, shape.seq_length * c)
    return inside + 2 * c + sum(size for size in outside if size <= PERSISTENT)


def activation_bytes(shape: ModelShape, *, rows: int, precision: str, recompute: bool = False) -> int:
    """Return the bytes of activations that forward keeps for backward, with the head's working memory.

    With `recompute` only each layer's input is kept, and one layer at a time in full.
    """
    numbers = shape.seq_length * rows * shape.hidden
    kept, width = _ACTIVATION[precision], 2 if precision == "bf16" else 4
    layers = numbers * (kept + width * shape.layers if recompute else kept * shape.layers)
    return layers + head_bytes(shape.padded_vocab_size, shape.hidden)


def head_bytes(rows: int, hidden: int) -> int:
    """Return the working memory of the head: a block of logits, and its weight's gradient in fp32."""
    return HEAD_BLOCK_BYTES + 4 * rows * hidden


def checkpoint_bytes(shape: AnyShape, precision: str, stage: int = 1) -> int:
    """Return the size of a training checkpoint: masters and moments, and the weights twice (DeepSpeed's and ours).

    16 bytes a parameter in bf16, 20 in fp32; 16 with ZeRO-0, whose weights are their own masters; with ZeRO-3, where
    DeepSpeed writes no weights beside the masters, 14 and 16.
    """
    n = padded_parameters(shape)
    return n * ((12 if stage else 8) + (1 if stage == 3 else 2) * (2 if precision == "bf16" else 4))


def snapshot_bytes(shape: AnyShape, *, precision: str, stage: int, ranks: int, ranks_here: int) -> int:
    """Return the host memory that the copy of an asynchronous save takes on a machine of so many ranks, rank 0's.

    It holds what each rank writes: its share of masters and moments (of ZeRO-0 all of them rank 0's), and of rank 0 the
    weights. Between saves it is free.
    """
    whole = checkpoint_bytes(shape, precision, stage)
    shared = 12 * padded_parameters(shape) if stage else 0
    return whole - shared + shared * ranks_here // ranks


def export_bytes(shape: AnyShape) -> dict[str, int]:
    """Return the size of the model file of each format, without headers, tokenizer and configuration."""
    n, c = shape.num_parameters, shape.hidden
    if isinstance(shape, ForeignShape):
        return {"safetensors float32": 4 * n, "safetensors bfloat16": 2 * n}
    matrices = shape.layers * 12 * c * c + shape.vocab_size * c
    positions = shape.seq_length * c
    vectors = n - matrices - positions
    rows = shape.layers * (3 + 1 + 4 + 1) * c + shape.vocab_size
    return {
        "safetensors float32": 4 * n,
        "safetensors bfloat16": 2 * n,
        "gguf-f16": 2 * matrices + 4 * (positions + vectors),
        "gguf-q8_0": matrices * 34 // 32 + 4 * (positions + vectors),
        "ct2-int8": matrices + 4 * (rows + positions + vectors),
        "ct2-float32": 4 * n,
    }
