"""Run one Beam pipeline: the embedded FnApiRunner by default, any other runner by Beam flags after `--`.

Beam's own default would try to download another runner, so the embedded one is always named. With more
than one local worker Beam starts processes and waits for ever when one is killed (out of memory): a watch
over them turns that into an error with exit code 75 within seconds.
"""

import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from corpus import errors
from corpus.errors import CorpuscleError, RetryError, UsageError

EMBEDDED = "FnApiRunner"
# Workers also leave one after another when a pipeline ends well; its result follows within this time.
GRACE_SECONDS = 5.0
_OWN_ERROR = re.compile(r"corpus\.errors\.(\w+): (.*?)(?: \[while running|\n\n|\Z)", re.DOTALL)


def is_embedded(beam_args: Sequence[str]) -> bool:
    """Say whether the pipeline runs in this process and its children, sharing the local disk."""
    return not any(arg == "--runner" or arg.startswith("--runner=") for arg in beam_args)


def is_dry_run(beam_args: Sequence[str]) -> bool:
    """Say whether the runner is only asked to build and validate the graph."""
    return any(arg.lower() in ("--dry_run", "--dry_run=true") for arg in beam_args)


def run_pipeline(
    build: Callable[[beam.Pipeline], None],
    *,
    workers: int,
    beam_args: Sequence[str],
    shown: AbstractContextManager[None] | None = None,
) -> None:
    """Build and run a pipeline to its end, showing progress.

    Raises the CorpuscleError that a worker raised, and RetryError when a worker process died.
    """
    args = list(beam_args)
    if is_embedded(beam_args):
        args += [f"--runner={EMBEDDED}"]
        if workers > 1:
            args += ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    # Beam logs a line for every stage and worker start at INFO; failures as tracebacks: they come as exceptions too.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    try:
        pipeline = beam.Pipeline(options=PipelineOptions(args, save_main_session=False))
    except ValueError as error:
        raise UsageError(f"Beam refuses its flags: {error}; correct what follows `--`") from error
    build(pipeline)
    with shown or nullcontext():
        _run_watched(pipeline, watch=is_embedded(beam_args) and workers > 1)


def _run_watched(pipeline: beam.Pipeline, *, watch: bool) -> None:
    outcome: list[BaseException | None] = []
    done = threading.Event()

    def work() -> None:
        try:
            result = pipeline.run()
            # A dry run returns no result: the graph was built and validated, nothing more.
            if result is not None:
                result.wait_until_finish()
            outcome.append(None)
        except BaseException as error:  # noqa: BLE001 - carried to the caller's thread
            outcome.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    seen: set[int] = set()
    while not done.wait(0.5):
        if not watch:
            continue
        alive = set(_worker_pids())
        if seen - alive and not done.wait(GRACE_SECONDS):
            _kill(_worker_pids())
            raise RetryError(
                f"a worker process (pid {min(seen - alive)}) died, probably for lack of memory; finished parts are "
                "kept: run the same command again, with fewer --workers if it happens again"
            )
        seen |= alive
    if outcome[0] is not None:
        raise _translated(outcome[0])


def _translated(error: BaseException) -> BaseException:
    """Return the project's own error that a worker raised, if Beam's exception wraps one."""
    if isinstance(error, CorpuscleError):
        return type(error)(str(error).partition(" [while running")[0])  # the embedded runner adds its place
    found = _OWN_ERROR.search(str(error))
    kind = getattr(errors, found[1], None) if found else None
    if found and isinstance(kind, type) and issubclass(kind, CorpuscleError):
        return kind(found[2].strip())
    return error


def _worker_pids() -> list[int]:
    """Return the ids of the living Beam worker processes started by this process (Linux; none elsewhere)."""
    pids = []
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as stat, open(f"/proc/{entry}/cmdline", "rb") as command:
                state, parent = stat.read().rsplit(b")", 1)[1].split()[:2]
                is_worker = b"sdk_worker_main" in command.read()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if is_worker and int(parent) == os.getpid() and state != b"Z":
            pids.append(int(entry))
    return pids


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    time.sleep(0.1)
