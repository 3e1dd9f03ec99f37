"""Forecast of `train`: steps to do, room for checkpoints and CPU time, found without a write."""

from corpus.stage.forecast import Forecast, free_note, last_run, look_ahead, why
from corpus.stage.manifest import has_manifest, read_manifest
from tokenizer.mixture import plan_mixture
from tokenizer.token_rows import TokenRows
from train.checkpoint import store
from train.config import TrainConfig
from train.launch.foreign_run import initial_input, run_shape
from train.launch.stage import REVISION, STAGE, run_inputs
from train.plan.memory import checkpoint_bytes


def forecast_train(config: TrainConfig, *, tokens: str, output: str, resume: bool = False) -> Forecast:
    """Return what `train` would do, from a run's last checkpoint if one is there; writes nothing, raises as it does."""
    rows = TokenRows(tokens, "train")
    shape = run_shape(config, rows, output)
    if config.epochs is not None:
        config = config.with_steps(plan_mixture(rows, config.source_weights).pass_rows)
    stored = config if not (resume and has_manifest(output)) else _stored(output)
    ahead = look_ahead(
        output,
        stage=STAGE,
        revision=REVISION,
        config=(stored if _gets_more_steps(stored, config) else config).identity(),
        inputs=run_inputs(rows, initial_input(config, output)),
        update=False,
    )
    entries = store.read_list(output) or ()
    done = stored.steps if ahead.state == "done" else entries[-1].step if entries else 0
    done = min(config.steps, done)
    last, left = last_run(output), config.steps - done
    each = checkpoint_bytes(shape, config.precision, config.zero_stage)
    disk = max(1, config.keep_checkpoints + 1 - len(entries)) * each if left else None
    if last and ahead.manifest and left:
        rows_left = config.batches.first(config.steps) - config.batches.first(done)
        by_last = last.cpu_seconds / stored.batches.first(ahead.manifest.summary["steps"]) * rows_left
    else:
        by_last = None
    more = f"goes on from step {done:,} with --resume" if 0 < done < config.steps else why(ahead)
    return Forecast(
        stage=STAGE,
        output=output,
        why=more,
        to_do=left,
        reused=done,
        unit="steps",
        bytes_in=sum(part.bytes for part in rows.manifest.parts if part.role == "train") if left else None,
        bytes_out=disk,
        disk_bytes=disk,
        cpu_seconds=by_last,
        notes=(*_time_note(by_last, left), *free_note(output, disk)),
    )


def _stored(output: str) -> TrainConfig:
    """Return the settings of a finished run."""
    return TrainConfig.model_validate(read_manifest(output, STAGE).config)


def _gets_more_steps(stored: TrainConfig, config: TrainConfig) -> bool:
    """Say whether a finished run is to get more steps, and differs in nothing else."""
    return stored.recipe() == config.recipe() and config.steps > stored.steps


def _time_note(seconds: float | None, left: int) -> tuple[str, ...]:
    return () if seconds or not left else ("`corpuscle plan` says how long so many steps take",)
