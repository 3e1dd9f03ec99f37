"""Stage on Beam: what each does around its pipeline, from up to date or reused to progress, dry run and clean-up."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

import apache_beam as beam

from corpus import storage
from corpus.errors import CorpuscleError, RetryError, UsageError
from corpus.stage import task_progress
from corpus.stage.lock import WorkDone
from corpus.stage.manifest import Manifest, has_manifest, read_manifest
from corpus.stage.progress import say, watched
from corpus.stage.workspace import Receipt, Workspace
from pipelines.beam.exchange import SHUFFLED
from pipelines.beam.flags import is_dry_run, is_embedded, leaves_job
from pipelines.beam.runner import run_pipeline
from pipelines.beam.workers import workers_for

ASK_SECONDS: Final = 20.0  # between two looks into a store for what is done; a line of progress comes every 30


def run_stage(
    build: Callable[[beam.Pipeline], None],
    *,
    workspace: Workspace,
    finished: Manifest | None,
    num_tasks: int,
    workers: int,
    seconds: float,
    beam_args: Sequence[str],
    keep: Callable[[], Iterable[Receipt]] = tuple,
    work: WorkDone | None = None,
) -> Manifest | None:
    """Run a stage whose pipeline ends with the commit; returns the manifest.

    `finished` is the manifest that `plan_stage` found, and then nothing runs. Returns None after a dry run, which
    builds and validates the graph only, and when the job is left to its engine. `seconds` is an estimate of the CPU
    seconds of all tasks: no more workers are started than pay on it. `keep` returns the receipts of tasks whose files
    stay when the stage is finished, for a later update. What was shuffled goes into `work`, for `run.json`.
    """
    if finished is not None:
        workspace.clean(keep=keep())  # a kill between commit and clean leaves files behind
        say(f"{workspace.output}: up to date ({workspace.stage}, {finished.fingerprint[:12]})")
        return finished
    counters = run_tasks(
        build, workspace=workspace, num_tasks=num_tasks, workers=workers, seconds=seconds, beam_args=beam_args
    )
    if work:
        work.measured["bytes_shuffled"] = counters.get(SHUFFLED, 0)
    if is_dry_run(beam_args) or leaves_job(beam_args):
        return None
    if not has_manifest(workspace.output):
        raise _nothing_committed(workspace.output)
    workspace.clean(keep=keep())
    return read_manifest(workspace.output, workspace.stage)  # committed by a worker, which may be on another machine


def _nothing_committed(output: str) -> CorpuscleError:
    said = f"{output}: the job ended well, yet no manifest is here"
    if storage.is_remote(output):
        return RetryError(
            f"{said}: its last step did not run, or wrote elsewhere; look at the step Commit in the engine's console "
            "and at what the workers take for this address (endpoint, project), then run the same command again"
        )
    return UsageError(
        f"{said}: its workers wrote to disks of their own. Give an --output that they share with this machine, "
        "as s3://… or gs://…"
    )


def run_tasks(
    build: Callable[[beam.Pipeline], None],
    *,
    workspace: Workspace,
    num_tasks: int,
    workers: int,
    seconds: float,
    beam_args: Sequence[str],
) -> dict[str, int]:
    """Run a stage's pipeline, showing how many of its tasks are done; returns the pipeline's counters."""
    reused = workspace.num_finished()
    if reused and not workspace.beside:  # an update says itself what it reuses, and counts what it left receipts of
        say(f"{workspace.output}: an earlier run finished {reused} of {num_tasks} tasks; those intact are reused")
    if is_embedded(beam_args):
        left = seconds * max(0.0, 1 - reused / num_tasks)
        workers = workers_for(workers, seconds=left, stage=workspace.stage, beam_args=beam_args)
    task_progress.reset(workspace.output)
    shown = watched(
        workspace.stage, num_tasks, _num_shown(workspace), "tasks", lambda: task_progress.summary(workspace.output)
    )
    return run_pipeline(build, workers=workers, beam_args=beam_args, shown=shown, num_done=workspace.num_finished)


def _num_shown(workspace: Workspace) -> Callable[[], int]:
    """Return a count of the tasks done that may be asked often: a store is listed now and then, and may fail to."""
    if not storage.is_remote(workspace.output):
        return workspace.num_finished
    asked, known = time.monotonic(), 0

    def count() -> int:
        nonlocal asked, known
        if time.monotonic() - asked >= ASK_SECONDS:
            with suppress(Exception):  # the work itself tells what is wrong with a store
                known = workspace.num_finished()
            asked = time.monotonic()
        return known

    return count
