"""Start of the ranks: at the newest good checkpoint that the list names, whoever starts them and however often.

`job.json` names the checkpoint that `corpuscle train` verified. A supervisor (restarts of torchrun, Slurm, Kubernetes)
or a person who gives the command of the ranks once more starts them from the same file, when later checkpoints may be
there: those count. Rank 0 looks, and all ranks do what it found. No torch here.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from corpus import storage
from corpus.errors import CorruptError, UsageError
from train.checkpoint.skipped import drop_outdated, read_skipped
from train.checkpoint.store import (
    FOLDER,
    LATEST,
    UNIVERSAL,
    Checkpoint,
    ListedCheckpoint,
    find_damage,
    read_checkpoint,
    read_list,
)
from train.config import TrainConfig
from train.job import Job, initial_path

# Settings that were added to recipes later, with the values that earlier checkpoints were trained with.
DEFAULTS = {
    "document_mask": False,
    "reset_positions": False,
    "source_weights": None,
    "init": None,
    "decay_steps": None,
    "batch_warmup_start": None,
    "batch_warmup_steps": None,
}
# What may change when a run that went wrong goes on: all that the message of a spike advises (`train.loop.loss_watch`).
REMEDIES = ("learning_rate", "clip", "precision")
_AGAIN_WHOLE = "give the `corpuscle train` command that made this job again"
_AGAIN = f"{_AGAIN_WHOLE}, with --resume"


@dataclass(frozen=True, kw_only=True, slots=True)
class StartPoint:
    """Where ranks begin; `passed_over` are later checkpoints that are damaged, which a save may replace."""

    resume: str | None  # name of the checkpoint to load; None: fresh weights
    step: int  # its step [steps]
    universal: bool  # load the universal copy made of it
    passed_over: tuple[ListedCheckpoint, ...]


def find_start(job: Job, say: Callable[[str], None]) -> StartPoint:
    """Return where the ranks of a job begin: at the newest good checkpoint behind the job's own, else at that.

    A later one is verified, every byte. Raises UsageError where the directory no longer fits the job, CorruptError when
    all that was saved since a fresh start is damaged: step 0 is never begun beside checkpoints.
    """
    if read_list(job.output) is None:
        raise UsageError(f"{job.output}: no {FOLDER}/{LATEST}, so what the ranks would save has no place; {_AGAIN}")
    if dropped := drop_outdated(job.output):
        say(f"{', '.join(dropped)}: of rows that are left out now")
    entries = read_list(job.output) or ()
    if entries and read_skipped(job.output) and job.resume not in [entry.name for entry in entries]:
        job = dataclasses.replace(job, resume=None, resume_step=0, universal=False)  # its own was of rows left out now
    passed_over: list[ListedCheckpoint] = []
    for entry in reversed([entry for entry in entries if entry.step > job.resume_step]):
        if (damage := find_damage(job.output, entry)) is not None:
            say(f"checkpoint {entry.name} is damaged ({damage}); falling back to the one before")
            passed_over.append(entry)
            continue
        _check_fits(read_checkpoint(job.output, entry.name), job)
        return StartPoint(resume=entry.name, step=entry.step, universal=False, passed_over=tuple(passed_over))
    if job.resume is None and passed_over:
        raise CorruptError(
            f"{job.output}: all {len(passed_over)} checkpoints are damaged; train again into another --output"
        )
    if job.resume is not None and job.resume not in [entry.name for entry in entries]:
        raise UsageError(f"{job.output}: its job goes on from {job.resume}, which is not listed any more; {_AGAIN}")
    if (initial := initial_path(job)) is not None and not os.path.exists(initial):
        raise UsageError(f"{job.output}: the weights that its first step starts from are gone; {_AGAIN_WHOLE}")
    if job.universal and not os.path.isdir(storage.join(job.output, UNIVERSAL)):
        raise UsageError(f"{job.output}: the copy of {job.resume} for {job.config.ranks} ranks is gone; {_AGAIN}")
    return StartPoint(resume=job.resume, step=job.resume_step, universal=job.universal, passed_over=tuple(passed_over))


def needs_copy(checkpoint: Checkpoint, config: TrainConfig) -> bool:
    """Return whether the checkpoint's shards do not fit the ranks, the stage and the precision of the configuration."""
    before, after = checkpoint.zero_stage, config.zero_stage
    sharded = after > 0 and checkpoint.ranks != config.ranks  # ZeRO-0 has all states in each rank
    return before != after or sharded or checkpoint.recipe.get("precision", config.precision) != config.precision


def check_same_run(checkpoint: Checkpoint, job: Job) -> list[str]:
    """Return a line for each of REMEDIES that the job changes in the checkpoint's run.

    Raises UsageError, with the differences, unless the job continues what the checkpoint is of in all else.
    """
    if checkpoint.tokens_fingerprint != job.tokens_fingerprint:
        raise UsageError(
            f"{job.tokens}: other tokens (corpus or tokenizer) than the checkpoint was trained on: "
            f"{job.tokens_fingerprint[:12]}, not {checkpoint.tokens_fingerprint[:12]}; give those, or another --output"
        )
    asked, stored = (_comparable(recipe) for recipe in (job.recipe(), {**DEFAULTS, **checkpoint.recipe}))
    changed = [name for name in sorted({*asked, *stored}) if stored.get(name) != asked.get(name)]
    lines = [
        f"  {name}: {stored.get(name)} in it, {asked.get(name)} asked for" for name in changed if name not in REMEDIES
    ]
    if lines:
        raise UsageError(
            "\n".join([f"{job.output}: the checkpoint is of another recipe:", *lines, "Choose another --output."])
        )
    if checkpoint.step > job.config.steps:
        raise UsageError(
            f"{job.output}: is at step {checkpoint.step:,} already, beyond {job.config.steps:,}; ask for more steps"
        )
    return [f"from step {checkpoint.step:,} on {name} is {asked[name]}, it was {stored.get(name)}" for name in changed]


def _comparable(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe as JSON has it; of a model of transformers' library without what its hash in `init` says already.

    A newer version of transformers writes keys into a configuration that an older one did not.
    """
    plain: dict[str, Any] = json.loads(json.dumps(recipe))
    plain["model"].pop("config", None)
    return plain


def _check_fits(checkpoint: Checkpoint, job: Job) -> None:
    """Raise UsageError unless the ranks of the job can load the checkpoint as it is."""
    check_same_run(checkpoint, job)
    if needs_copy(checkpoint, job.config):
        raise UsageError(
            f"{job.output}: {checkpoint.name} is of {checkpoint.ranks} ranks with ZeRO-{checkpoint.zero_stage} in "
            f"{checkpoint.recipe.get('precision')}, not of the {job.config.ranks} with ZeRO-{job.config.zero_stage} in "
            f"{job.config.precision} that were started; {_AGAIN}, which converts it"
        )
