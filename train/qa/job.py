"""Job of one fine-tuning run: what its ranks read, and the options of the engine that it trains with. No torch here."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from corpus import storage
from corpus.errors import CorruptError
from corpus.storage.json_files import read_json
from train.qa.config import FinetuneConfig, Setting

JOB = "finetune.json"
METRICS = "metrics.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class FinetuneJob:
    """One run of a fine-tuning: a setting of a configuration, and where everything lies."""

    config: FinetuneConfig
    setting: Setting
    model: str  # the base model
    questions: str  # result of `qa questions`
    folder: str  # where the result goes
    work: str  # where checkpoints and this job lie meanwhile


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of the engine for one run."""

    batch_rows: int
    micro_batch: int
    micro_steps: int
    clip: float | None
    zero_stage: int
    precision: str
    learning_rate: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    offload_optimizer: bool = False
    log_every: int = 1
    wall_clock_breakdown: bool = False
    flops_profile_step: int | None = None

    def accumulation(self) -> int:
        """Return the micro-steps of one step."""
        return self.micro_steps


def run_options(job: FinetuneJob) -> RunOptions:
    """Return the engine's options of a job; a batch is counted in questions."""
    config = job.config
    return RunOptions(
        batch_rows=config.batch_questions,
        micro_batch=config.micro_batch,
        micro_steps=config.accumulation(),
        clip=config.clip,
        zero_stage=config.zero_stage,
        precision=config.precision,
        learning_rate=job.setting.learning_rate,
        betas=config.betas,
        eps=config.eps,
        weight_decay=config.weight_decay,
    )


def learning_rate(step: int, *, peak: float, warmup_steps: int, total_steps: int) -> float:
    """Return the rate of a step, counted from 0: up from 0 in `warmup_steps`, then down to 0, both linear.

    transformers' `get_linear_schedule_with_warmup`, with which the paper's models were fine-tuned.
    """
    if step < warmup_steps:
        return peak * step / max(1, warmup_steps)
    return peak * max(0.0, (total_steps - step) / max(1, total_steps - warmup_steps))


def write_job(job: FinetuneJob) -> None:
    """Write a job into its work folder."""
    content = asdict(job) | {"config": job.config.model_dump(mode="json"), "setting": job.setting.model_dump()}
    with storage.write_atomic(storage.join(job.work, JOB)) as sink:
        sink.write(json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")


def read_job(work: str) -> FinetuneJob:
    """Read the job of a work folder; raises CorruptError for what is none."""
    path = storage.join(work, JOB)
    content: Any = read_json(path, "run the same command again", paths=True)
    try:
        config, setting = FinetuneConfig(**content.pop("config")), Setting(**content.pop("setting"))
        return FinetuneJob(config=config, setting=setting, **content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CorruptError(f"{path}: not a job of this version; run the same command again") from error
