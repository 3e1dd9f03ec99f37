"""Forecast of a fine-tuning for `plan --finetune`: memory of full and LoRA training, time, cost. Arithmetic, no torch.

Bytes on one GPU, of N frozen and n trained parameters (full: all of them; LoRA: adapters, new tokens, head):

    fp32, ZeRO-0   weights 4 (N + n), gradients 4 n, moments 8 n
    bf16, ZeRO-1   weights 2 (N + n), gradients 2 n and their fp32 sums 4 n, master weights and moments 12 n

Both were held against the tensors of torch (`tests/train/qa/test_forecast.py`), the second against those of real
DeepSpeed runs too (`train/plan/memory`). Activations are those that transformers' GPT-2 keeps for backward, measured:
124 bytes a token and number of the width in each layer in fp32 (its gelu_new alone keeps three maps of four widths),
and 12 bytes a head and pair of tokens where attention is scaled by layers or drops out; in bf16 half of it. A token
costs 6 operations a parameter, with LoRA 4: no gradient of frozen weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from corpus.errors import UsageError
from corpus.qa.published import published_counts
from corpus.qa.store import read_questions
from corpus.stage.manifest import has_manifest
from train.config import ModelShape, load_preset
from train.plan.forecast import USABLE
from train.plan.gpus import Gpu, load_gpus
from train.plan.sizes import planned_shape, read_tokens
from train.qa.config import FinetuneConfig, finetune_config, preset_names

Mode = Literal["full", "lora"]
SIZES_GB = (24, 40, 80)  # of the GPUs that people have
LORA_RANK = 16  # where the settings have none
NEW_TOKENS = {True: 3, False: 1}  # of format paper, by whether it is a class task
OPTIONS = 4  # of the paper's choices
_ACTIVATION = {"fp32": 124, "bf16": 62}  # bytes a token and number of the width, a layer
_PAIR = {"fp32": 12, "bf16": 6}  # bytes a head and pair of tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class FinetuneMemory:
    """Memory of one GPU in a step of fine-tuning, in bytes."""

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """Return the sum; the allocator's own losses and the CUDA context are not in it."""
        return self.weights + self.gradients + self.optimizer + self.activations


@dataclass(frozen=True, kw_only=True, slots=True)
class FinetunePlan:
    """Plan of a fine-tuning on one GPU at a time."""

    config: FinetuneConfig
    shape: ModelShape
    questions: int  # trained on
    rows: int  # of a question: its options, or 1 for labels
    labels: int  # of the head
    row_tokens: int
    gpu: Gpu
    gpus: int
    mfu: float
    price: float | None

    @property
    def tokens(self) -> int:
        """Return the tokens read in one run of the sweep."""
        return int(self.questions * self.config.epochs) * self.rows * self.row_tokens

    @property
    def runs(self) -> int:
        """Return the runs of the sweep."""
        return len(self.config.settings())

    def hours(self, mode: Mode) -> float:
        """Return the hours of all runs, training alone."""
        weights = self.shape.num_parameters - self.shape.seq_length * self.shape.hidden
        pairs = 12 * self.shape.layers * self.shape.hidden * self.row_tokens
        operations = (6 if mode == "full" else 4) * (weights + pairs // 6)
        return self.runs * self.tokens * operations / (self.gpus * self.gpu.bf16_tflops * 1e12 * self.mfu) / 3600

    def memory(self, mode: Mode, precision: Literal["fp32", "bf16"], micro_batch: int) -> FinetuneMemory:
        """Return the memory of one GPU that holds the whole model, with a micro-batch of so many questions."""
        trained = trained_parameters(self.shape, mode, rank=self.config.lora or LORA_RANK, labels=self.labels)
        new = NEW_TOKENS[self.labels > 1] * self.shape.hidden  # whose first rows stay, beside what is trained of them
        frozen = 0 if mode == "full" else self.shape.num_parameters + new
        width = 4 if precision == "fp32" else 2
        length = min(self.config.max_tokens, self.shape.seq_length)
        numbers = micro_batch * self.rows * length
        kept = numbers * self.shape.hidden * _ACTIVATION[precision]
        if self.shape.scale_attn_by_inverse_layer_idx or self.shape.dropout:
            kept += numbers * length * self.shape.heads * _PAIR[precision]
        return FinetuneMemory(
            weights=width * (frozen + trained),
            gradients=(4 if width == 4 else 6) * trained,
            optimizer=(8 if width == 4 else 12) * trained,
            activations=self.shape.layers * kept,
        )

    def largest_micro_batch(self, mode: Mode, precision: Literal["fp32", "bf16"], memory_gb: float) -> int:
        """Return the most questions a micro-batch that fit and divide the batch; 0 when none does."""
        batch, room = self.config.batch_questions, memory_gb * 1e9 * USABLE
        fitting = [size for size in range(1, batch + 1) if batch % size == 0]
        return max((size for size in fitting if self.memory(mode, precision, size).total <= room), default=0)


def trained_parameters(shape: ModelShape, mode: Mode, *, rank: int, labels: int) -> int:
    """Return the parameters that are trained: of the whole model or of adapters, with new tokens and head.

    labels: of the head; 1 is a choice, whose head has a bias. An adapter of an a x b map has rank (a + b) numbers:
    those of a layer's four maps have 16 rank times the width.
    """
    c = shape.hidden
    new = NEW_TOKENS[labels > 1] * c
    head = labels * c + (labels == 1)
    return new + head + (shape.num_parameters if mode == "full" else shape.layers * 16 * rank * c)


def plan_finetune(
    model: str,
    *,
    settings: str,
    questions: str | None,
    row_tokens: int | None,
    tokens: str | None,
    gpu: str,
    gpus: int,
    mfu_percent: float,
    price: float | None,
) -> FinetunePlan:
    """Return the plan; model and settings are presets or files, questions a result of `qa questions` or a number.

    Raises UsageError for an unknown preset or GPU, and where sizes or the number of questions are not known.
    """
    known = load_gpus()
    if gpu not in known:
        raise UsageError(f"no GPU {gpu} in the table; it has {', '.join(known)}")
    if not 0 < mfu_percent <= 100:
        raise UsageError(f"--mfu {mfu_percent:g}: a percentage above 0 and up to 100")
    preset, found = load_preset(model), read_tokens(tokens)
    config = finetune_config(settings, {"task": settings} if settings in preset_names() else {})
    if preset.model is None:
        raise UsageError(f"{model}: plan --finetune knows sizes of our own models alone; give one that names `model`")
    shape = planned_shape(model, preset.model, found)
    count, labels = _asked(config, questions)
    return FinetunePlan(
        config=config,
        shape=shape,
        questions=count,
        rows=OPTIONS if labels == 1 else 1,
        labels=labels,
        row_tokens=min(row_tokens or config.max_tokens, config.max_tokens, shape.seq_length),
        gpu=known[gpu],
        gpus=gpus,
        mfu=mfu_percent / 100,
        price=price,
    )


def _asked(config: FinetuneConfig, questions: str | None) -> tuple[int, int]:
    """Return the questions that are trained on, and the labels of the head, 1 for a choice."""
    labels = {"pubmedqa": 3, "bioasq": 2}.get(config.train_tasks[0], 1)
    if questions is not None and has_manifest(questions):
        found = [one for task in config.train_tasks for one in read_questions(questions, task=task, split="train")]
        options = {one.options for one in found}
        return len(found), len(next(iter(options))) if len(options) == 1 else 1
    if questions is not None:
        try:
            return int(float(questions.replace(",", ""))), labels
        except (ValueError, OverflowError):
            raise UsageError(f"{questions}: neither a result of `corpuscle qa questions` nor a number") from None
    known = [published_counts().get(task, {}).get("splits", {}).get("train") for task in config.train_tasks]
    if None in known:
        raise UsageError(f"{config.task}: how many questions? Give --questions, a directory or a number")
    return sum(known), labels


def finetune_text(plan: FinetunePlan) -> str:
    """Return the plan as text."""
    return "\n".join([*_finetune_lines(plan), *_fit_lines(plan)])


def _finetune_lines(plan: FinetunePlan) -> Iterator[str]:
    config, shape = plan.config, plan.shape
    yield f"model       {shape.num_parameters:,} parameters, {shape.layers} layers of {shape.hidden:,}"
    what = "rows, one an option" if plan.rows > 1 else "row"
    tasks = " and ".join(config.train_tasks)
    yield f"questions   {plan.questions:,} of {tasks}, {plan.rows} {what}, {plan.row_tokens:,} tokens each"
    yield (
        f"runs        {plan.runs}, of {config.epochs:g} passes by {config.batch_questions} questions: {plan.tokens:,} "
        "tokens each"
    )
    rank = config.lora or LORA_RANK
    modes: dict[Mode, str] = {"full": "full", "lora": f"LoRA {rank}"}
    for mode, name in modes.items():
        trained, hours = trained_parameters(shape, mode, rank=rank, labels=plan.labels), plan.hours(mode)
        cost = (
            "" if plan.price is None else f", cost {hours * plan.gpus * plan.price:,.2f} at {plan.price:g} a GPU-hour"
        )
        where = f"{plan.gpus} {plan.gpu.name} at {plan.mfu:.0%} of the peak"
        yield f"{name:<12}{trained:,} trained parameters, {hours:,.2f} hours for all runs on {where}{cost}"


def _fit_lines(plan: FinetunePlan) -> Iterator[str]:
    """Yield a line for each way to train: its memory, and the micro-batch that fits on GPUs of each size."""
    yield f"memory      GB on each GPU with a micro-batch of 1 question; then the most that fit ({USABLE:.0%} usable)"
    sizes = "  ".join(f"{size:>4} GB" for size in SIZES_GB)
    yield f"            {'':<20} weights  gradients  optimizer  activations   total  {sizes}"
    ways: tuple[tuple[Mode, Literal["fp32", "bf16"], str], ...] = (
        ("full", "fp32", "full, fp32"),
        ("full", "bf16", "full, bf16 ZeRO-1"),
        ("lora", "fp32", "LoRA, fp32"),
        ("lora", "bf16", "LoRA, bf16 ZeRO-1"),
    )
    for mode, precision, name in ways:
        one = plan.memory(mode, precision, 1)
        values = (one.weights, one.gradients, one.optimizer, one.activations, one.total)
        texts = [f"{value / 1e9:{width}.1f}" for value, width in zip(values, (7, 9, 9, 11, 6), strict=True)]
        fits = [plan.largest_micro_batch(mode, precision, size) for size in SIZES_GB]
        yield f"            {name:<20} {'  '.join(texts)}  {'  '.join(f'{fit or chr(8211):>7}' for fit in fits)}"
