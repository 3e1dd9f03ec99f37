"""Run one Beam pipeline: the embedded FnApiRunner by default, any other runner by Beam flags after `--`.

Beam's own default would try to download another runner, so the embedded one is always given. With more than one local
worker there are processes, forked (`pipelines.beam.forked_workers`) where this one has no threads, else started
(`pipelines.beam.worker`). Beam waits for ever when one is killed (out of memory): a watch over them turns that into an
error with exit code 75 within seconds. However a command ends, they do.
"""

import logging
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

import apache_beam as beam
import psutil
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.transforms.environments import Environment, SubprocessSDKEnvironment

from corpus.errors import CorpuscleError, RetryError, UsageError
from pipelines.beam.engine_faults import own_error
from pipelines.beam.flags import NO_WAIT, WORKERS, given_workers, is_embedded, leaves_job
from pipelines.beam.forked_workers import ForkedEnvironment, forking
from pipelines.beam.lean_build import KeptOptions, signatures_kept
from pipelines.beam.metering import counters_of

WORKER = str(Path(__file__).with_name("worker.py"))
GRACE_SECONDS = 3.0
_DEATH = "Worker subprocess exited with return code"


def run_pipeline(
    build: Callable[[beam.Pipeline], None],
    *,
    workers: int,
    beam_args: Sequence[str],
    shown: AbstractContextManager[None] | None = None,
    num_done: Callable[[], int] | None = None,
) -> dict[str, int]:
    """Build and run a pipeline to its end, showing progress; returns the counters of our steps, by name.

    `num_done` counts the tasks that are done. Raises the CorpuscleError that a worker raised, RetryError when a worker
    process died, and what `run_on_engine` raises.
    """
    if is_embedded(beam_args):
        if leaves_job(beam_args):
            raise UsageError(f"{NO_WAIT}: the embedded runner ends with this command; name an engine, or leave it out")
        return _run_here(build, workers=workers, beam_args=beam_args, shown=shown)
    pipeline = _pipeline(None, PipelineOptions, beam_args)
    build(pipeline)
    with shown or nullcontext():
        from pipelines.beam.engine import run_on_engine

        return run_on_engine(pipeline, num_done=num_done)


def _run_here(
    build: Callable[[beam.Pipeline], None],
    *,
    workers: int,
    beam_args: Sequence[str],
    shown: AbstractContextManager[None] | None,
) -> dict[str, int]:
    """Build and run a pipeline on the embedded runner, with workers forked where this process may fork."""
    flags = list(beam_args)
    with forking() if workers > 1 else nullcontext() as server:  # before this process has a thread
        environment: Environment | None = None
        if workers > 1:
            environment = ForkedEnvironment(server.name) if server else _processes()
            flags += [f"{WORKERS}={workers}"] if given_workers(beam_args) is None else []
        pipeline = _pipeline(FnApiRunner(default_environment=environment), KeptOptions, flags)
        with signatures_kept():
            build(pipeline)
            with shown or nullcontext():
                died = server.worker_died if server else threading.Event()
                return _run_watched(pipeline, died, watch=workers > 1)


def _pipeline(runner: FnApiRunner | None, options: type[PipelineOptions], flags: Sequence[str]) -> beam.Pipeline:
    """Return an empty pipeline, for the runner that Beam's flags name without one; raises UsageError for flags."""
    # Beam logs a line for every stage and worker start at INFO; failures as tracebacks: they come as exceptions too.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    try:
        return beam.Pipeline(runner=runner, options=options(list(flags), save_main_session=False))
    except ValueError as error:
        raise UsageError(f"Beam refuses its flags: {error}; correct what follows `--`") from error


def _processes() -> SubprocessSDKEnvironment:
    """Return Beam's environment of a worker process of ours; Beam has a shell run the command, which it replaces."""
    command = shlex.join([sys.executable, "-P", WORKER, str(os.getpid())])
    return SubprocessSDKEnvironment.from_command_string(f"exec {command}")


def _run_watched(pipeline: beam.Pipeline, died: threading.Event, *, watch: bool) -> dict[str, int]:
    outcome: list[dict[str, int] | BaseException] = []
    done = threading.Event()

    def work() -> None:
        # Worker processes inherit this: Ctrl-C is for this process alone, which then ends them without a word.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            result = pipeline.run()
            result.wait_until_finish()
            outcome.append(counters_of(result))
        except BaseException as error:  # noqa: BLE001 - carried to the caller's thread
            outcome.append(error)
        finally:
            done.set()

    with _deaths_set(died):
        threading.Thread(target=work, daemon=True).start()
        try:
            while not done.wait(0.2) and not died.is_set():
                continue
        except (KeyboardInterrupt, SystemExit):  # SystemExit: a signal, see `pipelines.cli.process`
            _kill_workers()
            raise
        if watch and died.is_set():
            done.wait(GRACE_SECONDS)  # Beam may notice, and then stops the other workers itself
            _kill_workers()
            raise RetryError(
                "a worker process died, probably for lack of memory; finished parts are kept: run the same command "
                "again, with fewer --workers if it happens again"
            )
    if isinstance(outcome[0], BaseException):
        raise _translated(outcome[0])
    return outcome[0]


@contextmanager
def _deaths_set(died: threading.Event) -> Iterator[None]:
    """Set the event when a thread of Beam says that its worker process ended badly.

    What else Beam's threads die of is noise after that, or comes as the pipeline's own exception.
    """
    usual = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if _DEATH in str(args.exc_value):
            died.set()
        elif not args.exc_type.__module__.startswith("grpc"):
            usual(args)

    threading.excepthook, afterwards = hook, usual
    try:
        yield
    except (KeyboardInterrupt, SystemExit):  # on a loaded machine the threads of killed workers speak after this
        afterwards = hook
        raise
    finally:
        threading.excepthook = afterwards


def _translated(error: BaseException) -> BaseException:
    """Return the project's own error that a worker raised, if Beam's exception wraps one."""
    if isinstance(error, CorpuscleError):
        return type(error)(str(error).partition(" [while running")[0])  # the embedded runner adds its place
    return own_error(str(error)) or error


def _kill_workers() -> None:
    """Kill the Beam worker processes below this one."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if WORKER in process.cmdline():
                process.kill()
    time.sleep(0.1)
