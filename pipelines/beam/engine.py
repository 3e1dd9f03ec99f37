"""Run a pipeline on an engine: any of Beam's runners but the embedded one.

The submission stays on the main thread, for runners that start a job server of their own set a handler for Ctrl-C, and
only the main thread may. Then a thread waits for the job's end, so that a signal finds the main thread awake: it
cancels the job on the engine. A job of which no task ends in time is cancelled too: it has no workers, or none that
can do anything.
"""

import argparse
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions, StandardOptions

from corpus.errors import RetryError, UsageError
from corpus.stage.progress import say
from pipelines.beam.engine_faults import translated
from pipelines.beam.flags import NO_WAIT
from pipelines.beam.metering import counters_of

KNOCK_SECONDS: Final = 10.0
CANCEL_SECONDS: Final = 20.0  # an engine that does not answer meanwhile is left to its console
POLL_SECONDS: Final = 0.2
FIRST_TASK_MINUTES: Final = 30.0  # Dataflow starts its workers within five, a first task takes minutes at most


class JobOptions(PipelineOptions):
    """What is asked of an engine beside Beam's own flags; parsed with them, after `--`."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--first_task_minutes",
            type=float,
            default=FIRST_TASK_MINUTES,
            help="A job of which no task has ended by then is cancelled: no worker has started, or none can work.",
        )


def run_on_engine(pipeline: beam.Pipeline, *, num_done: Callable[[], int] | None = None) -> dict[str, int]:
    """Submit a pipeline and wait for its end, unless told not to; must be called on the main thread.

    `num_done` counts the tasks that are done, on whatever machine. Returns the counters of our steps, as far as the
    engine tells them; a dry run only builds the graph. Raises what a worker raised of our own errors, UsageError where
    the engine refuses the job or a worker lacks something, and RetryError where the engine, a worker or the job went
    away.
    """
    options = pipeline.options
    engine = engine_name(options)
    leaves = options.view_as(StandardOptions).no_wait_until_finish
    if leaves:
        _check_can_leave(options, engine)
    logging.getLogger("PrismJobServer").disabled = True  # a line for each step of a job; its faults come as exceptions
    knock(options.view_as(PortableOptions).job_endpoint, engine)
    try:
        result = pipeline.run()
    except Exception as error:
        raise translated(error, engine) from error
    if result is None:  # of a dry run
        return {}
    if leaves:
        say(_submitted(result, engine))
        return {}
    with _quiet():
        failed = _watch(result, engine, num_done, options.view_as(JobOptions).first_task_minutes)
    if failed is not None:
        raise translated(failed, engine) from failed
    return _counters(result)


def _check_can_leave(options: PipelineOptions, engine: str) -> None:
    """Raise UsageError where a job cannot outlive this command: its workers or its job server are of this process."""
    portable = options.view_as(PortableOptions)
    alone = portable.job_endpoint and portable.environment_type != "LOOPBACK"
    if not alone and not engine.startswith("DataflowRunner"):
        raise UsageError(
            f"{engine}: {NO_WAIT} leaves the job to the engine, and this one ends with the command; leave it "
            "out, or give the --job_endpoint of an engine that runs by itself, with workers of its own"
        )


def _submitted(result: Any, engine: str) -> str:
    """Say which job nobody waits for, and how its end is seen."""
    told = f"the same command without {NO_WAIT} says `up to date` once its last step has committed the result"
    if not getattr(result, "has_job", True):
        return f"{engine}: the job's description is written, for the launcher of a template to submit; {told}"
    name = result.job_id() if callable(getattr(result, "job_id", None)) else getattr(result, "_job_id", "")
    return f"{engine}: job {name} is submitted and left to the engine; {told}"


def _counters(result: Any) -> dict[str, int]:
    """Return the counters of a job that ended well; an engine that keeps none is no fault of the job."""
    try:
        return counters_of(result)
    except Exception:  # noqa: BLE001 - whatever the engine's client raises, the job is done
        return {}


def _watch(result: Any, engine: str, num_done: Callable[[], int] | None, minutes: float) -> BaseException | None:
    """Wait until the job ends, and return what it ended of; cancels it on a signal, and when no task ends in time."""
    outcome: list[BaseException] = []
    waiting = threading.Thread(target=_wait, args=(result, outcome), daemon=True)
    waiting.start()
    before = _asked(num_done) if num_done else 0
    deadline = time.monotonic() + 60 * minutes
    try:
        while waiting.is_alive():
            waiting.join(POLL_SECONDS)
            if num_done and time.monotonic() > deadline and waiting.is_alive():
                now = _asked(num_done)
                if now is not None and now <= (before or 0):
                    raise RetryError(_idle(engine, minutes))
                num_done = None  # it works, or cannot be asked: no more to be said
    except BaseException:  # KeyboardInterrupt, SystemExit of another signal, or no worker
        _cancel(result, engine)
        raise
    return outcome[0] if outcome else None


def _asked(num_done: Callable[[], int]) -> int | None:
    """Return how many tasks are done, None where the store does not say: no reason to cancel a job at work."""
    try:
        return num_done()
    except Exception:  # noqa: BLE001 - whatever the store's client raises
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Beam's log of the job away, and tracebacks of its threads: what they tell comes as the job's own end."""
    usual, root = threading.excepthook, logging.getLogger()
    level = root.level

    def hook(args: threading.ExceptHookArgs) -> None:
        if not args.exc_type.__module__.startswith("grpc"):
            usual(args)

    threading.excepthook = hook
    root.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        threading.excepthook = usual
        root.setLevel(level)


def engine_name(options: PipelineOptions) -> str:
    """Return what to call the engine: the runner's name, and where it listens if that is known."""
    runner = str(options.view_as(StandardOptions).runner or "engine").rpartition(".")[2]
    endpoint = options.view_as(PortableOptions).job_endpoint
    return f"{runner} at {endpoint}" if endpoint else runner


def knock(endpoint: str | None, engine: str) -> None:
    """Raise RetryError where nobody listens: Beam would wait for minutes, and then name no address."""
    host, colon, port = (endpoint or "").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_SECONDS).close()
    except OSError as error:
        why = error.strerror or str(error)
        raise RetryError(
            f"{engine}: nobody answers ({why}); start the engine's job server there or correct --job_endpoint, "
            "then run the same command again"
        ) from error


def _wait(result: Any, outcome: list[BaseException]) -> None:
    try:
        result.wait_until_finish()
    except BaseException as error:  # noqa: BLE001 - carried to the caller's thread
        outcome.append(error)


def _idle(engine: str, minutes: float) -> str:
    return (
        f"{engine}: no task has ended in {minutes:g} minutes, so probably no worker has started; look at the job in "
        "the engine's console and at the log of a worker (its image or --environment_config may be wrong), then run "
        "the same command again, with a larger --first_task_minutes after `--` if it only needs longer"
    )


def _cancel(result: Any, engine: str) -> None:
    """Cancel the job on the engine, and say how that went."""
    failed: list[BaseException] = []

    def cancel() -> None:
        try:
            result.cancel()
        except BaseException as error:  # noqa: BLE001 - said below
            failed.append(error)

    say(f"{engine}: cancelling the job")
    thread = threading.Thread(target=cancel, daemon=True)
    thread.start()
    with suppress(KeyboardInterrupt):  # asked twice
        thread.join(CANCEL_SECONDS)
    if thread.is_alive():
        say(f"{engine}: does not answer; cancel the job in its console")
    elif failed and not _is_gone(failed[0]):
        say(f"{engine}: could not be asked to ({failed[0]}); look in its console whether the job still runs")
    else:
        say(f"{engine}: the job is cancelled")


def _is_gone(error: BaseException) -> bool:
    """Say whether the engine itself has ended, as one that this command started does with it."""
    return "UNAVAILABLE" in str(error) or "Connection refused" in str(error)
