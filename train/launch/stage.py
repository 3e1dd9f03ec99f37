"""Stage `train`: token shards to checkpoints; the part that needs no torch.

It checks configuration, tokens and checkpoints, writes the job, runs the ranks and commits the manifest.
`steps` is part of the stage's identity but not of a checkpoint's recipe: a finished run goes on with
`--resume` and more steps, its cosine then spans the new total. A stopped or killed run goes on with
`--resume` and gives the same bytes as one that was never stopped, at the same number of ranks and ZeRO stage;
at another it sees the same rows, and losses differ by rounding.
"""

import dataclasses
import functools
import os
from collections.abc import Callable
from pathlib import Path

from corpus import storage
from corpus.errors import CorpuscleError, CorruptError, UsageError
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Input, Manifest, has_manifest, read_manifest
from corpus.stage.progress import say
from corpus.stage.workspace import Receipt, Workspace, plan_stage
from tokenizer.mixture import plan_mixture
from tokenizer.token_rows import TokenRows
from train.checkpoint import store
from train.checkpoint.restart import check_same_run, needs_copy
from train.checkpoint.skipped import SKIPPED, batches_of, drop_outdated, read_skipped, rows_trained, skipped_books
from train.checkpoint.store import Checkpoint
from train.config import AnyShape, TrainConfig, checked, replaced
from train.data.tokens import check_sources, unigram_entropy, validation_rows
from train.energy import TIMING
from train.job import INITIAL, JOB, Job, RolledBackError, initial_path, read_job, write_job
from train.launch.foreign_run import initial_input, run_shape
from train.launch.launchers import launch_command, start
from train.launch.reopening import ask_to_resume, gets_more_steps, keep_all, lacks_parts, open_again
from train.launch.reshape import universal_copy
from train.launch.room_check import check_room_and_tokens
from train.launch.tokenizer_copy import copy_tokenizer, tokenizer_files
from train.loop.hold import check_no_ranks
from train.loop.metrics import EVENTS, METRICS, check_wandb, read_metrics

STAGE = "train"
REVISION = 1  # raise it when the same input gives other bytes


def train(
    config: TrainConfig,
    *,
    tokens: str,
    output: str,
    resume: bool = False,
    steps: int | None = None,
    ranks: int | None = None,
    trust: bool = False,
) -> Manifest:
    """Train on a tokens directory into `output` and return the committed manifest.

    `steps` and `ranks` replace the configuration's; `trust` is `train.checkpoint.trust`'s. Raises UsageError for what
    cannot work, CorruptError for damage, DataError for a loss not finite, RetryError for a signal or new tokens.
    """
    config = checked(config.model_dump() | replaced(steps=steps, ranks=ranks), "train")
    _check_options(config, output, resume=resume, trust=trust)
    rows = TokenRows(tokens, "train")
    shape = run_shape(config, rows, output)
    _check_rows(rows)
    pass_rows = plan_mixture(rows, config.source_weights).pass_rows
    config = _with_steps(config, pass_rows)
    with running_stage(output):
        check_no_ranks(output)
        check = functools.cache(lambda: check_room_and_tokens(config, shape, tokens=tokens, output=output))
        start_from = _start_of(config, output, check if trust else None)
        job = _new_job(config, shape, rows, output, start_from)
        make_ready = functools.cache(lambda: _made_ready(job, check, resume=resume))
        if resume:
            _open_again(config, output, run_inputs(rows, start_from), make_ready)
        workspace, manifest = _planned(config, rows, output, start_from, resume=resume)
        if manifest is not None:
            say(f"{output}: up to date, {config.steps:,} steps trained")
            return manifest
        started, checkpoint = make_ready()
        copy_tokenizer(tokens, output)  # it may be what is missing
        _describe(started, rows, pass_rows)
        if started.resume_step < config.steps:
            _run(started, checkpoint)
        return _commit(workspace, started, rows)


def _check_rows(rows: TokenRows) -> None:
    if not len(rows):
        raise UsageError(f"{rows.tokens}: the training split has no full row; give more text, or pack shorter rows")


def run_inputs(rows: TokenRows, start_from: Input | None) -> list[Input]:
    """Return the inputs of a run: its tokens, and the model that it starts from, if any."""
    return [Input(name="pack", fingerprint=rows.fingerprint), *([start_from] if start_from else [])]


def _planned(
    config: TrainConfig, rows: TokenRows, output: str, start_from: Input | None, *, resume: bool
) -> tuple[Workspace, Manifest | None]:
    return plan_stage(
        output,
        stage=STAGE,
        revision=REVISION,
        config=config.identity(),
        inputs=run_inputs(rows, start_from),
        sources={rows.tokens: rows.manifest},
        repair=keep_all if resume else ask_to_resume,
    )


def _with_steps(config: TrainConfig, pass_rows: int) -> TrainConfig:
    """Return the configuration with its epochs, if it states any, turned into steps."""
    if config.epochs is None:
        return config
    stepped = config.with_steps(pass_rows)
    say(f"{config.epochs:g} epochs of {pass_rows:,} rows are {stepped.steps:,} steps of {config.batch_rows:,}")
    return stepped


def _check_options(config: TrainConfig, output: str, *, resume: bool, trust: bool) -> None:
    """Raise UsageError for what cannot work whatever the tokens are."""
    config.accumulation()
    check_wandb(config.wandb_project)
    if config.launcher != "own":
        launch_command(output, config)  # raises for a hostfile that does not fit
    if storage.is_remote(output):
        raise UsageError(f"{output}: training writes to a local disk; copy the directory away afterwards")
    if trust and not resume:
        raise UsageError("--trust is about the checkpoints to resume from: add --resume, or leave it out")


def can_resume(output: str) -> bool:
    """Say whether a run is in `output` that has a checkpoint to go on from."""
    return bool(store.read_list(output))


def tokens_of(output: str) -> str | None:
    """Return the fingerprint of the tokens that a run in `output` began with; None where there is none."""
    if entries := store.read_list(output):
        return store.read_checkpoint(output, entries[-1].name).tokens_fingerprint
    if has_manifest(output):
        return next(item.fingerprint for item in read_manifest(output, STAGE).inputs if item.name == "pack")
    return None


def _start_of(config: TrainConfig, output: str, check: Callable[[], None] | None) -> Input | None:
    """Return the model that a run starts from, if any; checkpoints are adopted where `check` is given and passes."""
    if check is not None:
        from train.checkpoint.trust import adopt_unlisted  # torch reads the pickles: 2 s to import

        check()
        adopt_unlisted(output, say)
    return initial_input(config, output)


def _open_again(config: TrainConfig, output: str, inputs: list[Input], make_ready: Callable[[], object]) -> None:
    """Remove the manifest of a finished run that gets more steps, once nothing can refuse it any more.

    One with parts missing loses it as the stage is planned. Another recipe, tokens or model are refused there too.
    """
    more = gets_more_steps(output, config, inputs, stage=STAGE, revision=REVISION)
    if more or lacks_parts(output, config, inputs, stage=STAGE, revision=REVISION):
        make_ready()
    if more:
        open_again(output, config, stage=STAGE)


def _made_ready(job: Job, check: Callable[[], None], *, resume: bool) -> tuple[Job, Checkpoint | None]:
    """Return the job as it starts, and the checkpoint that it goes on from; raises for all that refuses the start."""
    check()
    return _resumed(job) if resume else (_begun(job), None)


def _new_job(config: TrainConfig, shape: AnyShape, rows: TokenRows, output: str, start_from: Input | None) -> Job:
    """Return the job from step 0 on."""
    return Job(
        config=config,
        shape=shape,
        tokens=os.path.abspath(rows.tokens),
        tokens_fingerprint=rows.fingerprint,
        output=output,
        resume=None,
        resume_step=0,
        init=start_from.fingerprint if start_from else None,
    )


def _resumed(job: Job) -> tuple[Job, Checkpoint]:
    """Return the job from its newest good checkpoint on, and that; raises UsageError when it is of another run."""
    drop_outdated(job.output)
    checkpoint = store.newest_good(job.output, say)
    job = dataclasses.replace(job, resume=checkpoint.name, resume_step=checkpoint.step)
    for line in check_same_run(checkpoint, job):
        say(line)
    return dataclasses.replace(job, universal=needs_copy(checkpoint, job.config)), checkpoint


def _begun(job: Job) -> Job:
    """Clear the directory for a job that begins at step 0, and put the weights there that it starts from, if any."""
    if entries := store.read_list(job.output):
        raise UsageError(
            f"{job.output}: holds an unfinished run, saved at step {entries[-1].step:,}; go on with --resume, "
            "choose another --output, or remove that directory"
        )
    if initial_path(job) is not None:
        from train.export.initial import write_start  # torch and transformers: 5 s to import

        write_start(storage.join(job.output, INITIAL), job, say)
    again = _began_before(job)
    store.start_list(job.output)
    for name in (METRICS, TIMING, EVENTS, *([] if again else [SKIPPED])):
        path = storage.join(job.output, name)
        storage.remove_tree(path) if os.path.isdir(path) else Path(path).unlink(missing_ok=True)
    return job


def _began_before(job: Job) -> bool:
    """Say whether the same run began here before and saved nothing: rows that it left out stay left out."""
    if not storage.exists(storage.join(job.output, JOB)):
        return False
    try:
        earlier = read_job(job.output)
    except CorruptError:
        return False
    return (earlier.recipe(), earlier.tokens_fingerprint) == (job.recipe(), job.tokens_fingerprint)


def _run(job: Job, checkpoint: Checkpoint | None) -> None:
    """Run the ranks; one that fails after the last checkpoint was published has lost nothing, and is only named."""
    try:
        _run_ranks(job, checkpoint)
    except CorpuscleError as error:
        entries = store.read_list(job.output)
        if not entries or entries[-1].step != job.config.steps or store.find_damage(job.output, entries[-1]):
            raise
        say(f"after the last step, with its checkpoint published and intact: {error}. Nothing is lost")


def _run_ranks(job: Job, checkpoint: Checkpoint | None) -> None:
    """Run the ranks, again from an earlier checkpoint after each rollback; they do no more than `max_rollbacks`."""
    while True:
        write_job(job)
        try:
            with universal_copy(job.output, checkpoint, job.config):
                return start(job.output, job.config)
        except RolledBackError as error:
            say(str(error))
        if store.read_list(job.output):
            job, checkpoint = _resumed(job)


def _describe(job: Job, rows: TokenRows, pass_rows: int) -> None:
    """Say what is about to be trained, and what is missing."""
    config, shape = job.config, job.shape
    epochs = config.batches.first(config.steps) / pass_rows
    begin = f", from step {job.resume_step:,}" if job.resume else ""
    say(
        f"training {shape.num_parameters:,} parameters for {config.steps:,} steps of {config.batch_rows:,} x "
        f"{shape.seq_length:,} tokens{_growing(config)}{begin}: {epochs:.2f} passes over {len(rows):,} rows, "
        f"{config.ranks} ranks, ZeRO-{config.zero_stage}, {config.precision}"
    )
    say(f"tokens: {check_sources(rows)}")
    validation = validation_rows(job.tokens)
    if validation is not None:
        check_sources(validation)
    else:
        say("no validation loss: the validation split has no full row; hold out more text, or pack shorter rows")


def _growing(config: TrainConfig) -> str:
    """Return the note on batches that grow; "" for those that do not."""
    if config.batch_warmup_start is None:
        return ""
    return f", from {config.batch_warmup_start:,} rows on over the first {config.batch_warmup_steps:,} steps"


def _commit(workspace: Workspace, job: Job, rows: TokenRows) -> Manifest:
    """Commit the manifest: the final checkpoint, the metrics and what they say."""
    folder = store.checkpoint_path(job.output, store.checkpoint_name(job.config.steps))
    names = [f"{store.FOLDER}/{os.path.basename(folder)}/{name}" for name in storage.walk_files(folder)]
    parts = [workspace.measure(name, role="checkpoint", rows=0) for name in names]
    metrics = read_metrics(job.output)
    parts.append(workspace.measure(METRICS, role="metrics", rows=len(metrics)))
    files = tokenizer_files(rows.separator)
    parts += [workspace.measure(name, role="tokenizer", rows=rows.vocab_size) for name in files]
    skipped = read_skipped(job.output)
    if skipped:
        parts.append(workspace.measure(SKIPPED, role="skipped", rows=sum(len(each.rows) for each in skipped)))
    losses = [line["loss"] for line in metrics if "loss" in line]
    validation = [line for line in metrics if "validation_loss" in line]
    last = {name: value for name, value in validation[-1].items() if name != "step"} if validation else {}
    trained = rows_trained(job.config.batches, job.config.steps, batches_of(skipped))
    summary = {
        "parameters": job.shape.num_parameters,
        "steps": job.config.steps,
        "tokens": trained * job.shape.seq_length,
        "epochs": trained / len(rows),
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "validation_loss": None,
        **last,
        "unigram_entropy": unigram_entropy(rows),
        **skipped_books(skipped),
    }
    manifest = workspace.commit([Receipt(task="train", parts=tuple(parts))], summary=summary)
    workspace.clean()
    return manifest
