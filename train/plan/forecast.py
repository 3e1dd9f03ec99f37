"""Forecast of a training run for `plan`: time, cost, memory and disk, before a GPU is rented. Arithmetic, no torch.

Steps, tokens, FLOPs and passes over each source come from the preset and the tokens' manifest; days from a
stated MFU (6N + 12·L·d·T floating-point operations a token over the peak, as `corpuscle train` prints it).
"""

from dataclasses import dataclass

from corpus.errors import UsageError
from train.config import AnyShape, TrainConfig, load_preset
from train.energy import Energy
from train.foreign import ForeignShape
from train.plan.communication import NETWORK_GBPS, Network, Reach, step_traffic
from train.plan.gpus import Gpu, load_gpus
from train.plan.memory import RankMemory, head_bytes, model_memory, snapshot_bytes
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
    network_gbps: float = NETWORK_GBPS  # of a machine [10^9 bits a second]
    row_bytes: int | None = None  # activations of one row, of a model of transformers' library

    @property
    def trained_tokens(self) -> int:
        """Return the tokens read in all steps."""
        return self.config.batches.first(self.config.steps) * self.shape.seq_length

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
        return self.config.batches.first(self.config.steps) / rows if rows else None

    @property
    def micro_batch(self) -> int:
        """Return the rows of one forward pass on one GPU: as configured, but no more than there are for it."""
        return min(self.config.micro_batch, self.config.batches.start // self.gpus)

    def reach(self, gpus: int, *, stage: int | None = None) -> Reach | None:
        """Return what so many GPUs reach, at the stated MFU but for communication; None where a batch does not divide.

        `stage` is ZeRO's, the configured one by default.
        """
        if self.config.batches.start % gpus:
            return None
        config, tokens = self.config, self.config.batch_rows * self.shape.seq_length
        traffic = step_traffic(
            self.shape,
            stage=config.zero_stage if stage is None else stage,
            precision=config.precision,
            micro_steps=-(-config.batch_rows // gpus // config.micro_batch),
        )
        network = Network(link_gb_s=self.gpu.link_gb_s, machine_gbps=self.network_gbps)
        return Reach(
            gpus=gpus,
            computing=tokens * self.shape.flops_per_token / (gpus * self.gpu.bf16_tflops * 1e12 * self.mfu),
            communication=traffic.sent(gpus) / network.bytes_a_second(gpus),
            step_tokens=tokens,
        )

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
        share, room = self.config.batches.start // self.gpus, self.gpu.memory_gb * 1e9 * USABLE
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
    network_gbps: float | None = None,
) -> TrainingPlan:
    """Return the plan; `model` is `hf:DIR`, `network_gbps` of a machine of eight GPUs, all its cards together.

    Raises UsageError for an unknown GPU, preset or tokens, and for what cannot be laid out.
    """
    known = _checked_gpu(gpu, mfu_percent)
    config, found = load_preset(preset, model=model), read_tokens(tokens)
    _check_divides(config, gpus)
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
        network_gbps=network_gbps or NETWORK_GBPS,
    )


def _check_divides(config: TrainConfig, gpus: int) -> None:
    """Raise UsageError unless the smallest batch, and so each, divides on so many GPUs."""
    if (rows := config.batches.start) % gpus:
        divisors = [count for count in range(1, rows + 1) if rows % count == 0]
        near = min(divisors, key=lambda count: (abs(count - gpus), count))
        setting = "batch_rows" if config.batch_warmup_start is None else "batch_warmup_start"
        raise UsageError(f"{gpus} GPUs: {setting} {rows} is not a multiple; try --gpus {near}")


def _checked_gpu(gpu: str, mfu_percent: float) -> Gpu:
    """Return a GPU of the table; raises UsageError for another one, and for a share of its peak that cannot be."""
    known = load_gpus()
    if gpu not in known:
        raise UsageError(f"no GPU {gpu} in the table; it has {', '.join(known)}")
    if not 0 < mfu_percent <= 100:
        raise UsageError(f"--mfu {mfu_percent:g}: a percentage above 0 and up to 100; 23.0 is the paper's")
    return known[gpu]
