"""Process of one rank: `python -m train.loop.rank OUTPUT`, with RANK, WORLD_SIZE, … in the environment.

`corpuscle train` starts one for each GPU of this machine; on many nodes any launcher that sets these
variables can, such as `torchrun --nnodes 4 --nproc_per_node 8 … -m train.loop.rank OUTPUT`. A signal makes all
ranks finish the step, save and exit 75; a launcher that went away counts as a signal.

A rank ends without the interpreter's teardown: of all runs so far two ended with SIGABRT after their last step. The
likely cause is that gloo's threads live until then, that Python ends a thread which asks for it too late by unwinding
its stack, and that C++ answers this with std::terminate; it could not be provoked.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

from corpus import storage
from corpus.errors import CorpuscleError, RetryError, UsageError
from tokenizer.mixture import plan_mixture
from tokenizer.token_rows import TokenRows
from train.data.tokens import validation_rows
from train.job import CONSOLE_FD, LOGS, Job, read_job, write_error
from train.loop.loss_watch import LossWatch
from train.loop.metrics import MetricsLog, read_metrics


def main(output: str) -> int:
    """Train as one rank; return the exit code."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` stays what it is
            signal.signal(number, lambda *_: stop.set())
    rank = int(os.environ["RANK"])
    try:
        finished = _train(read_job(output), rank, stop)
    except CorpuscleError as error:
        write_error(output, rank, error)
        print(error, file=sys.stderr, flush=True)
        return error.exit_code
    return 0 if finished else RetryError.exit_code


def _train(job: Job, rank: int, stop: threading.Event) -> bool:
    from train.loop.engine import build_engine, finish_distributed, start_distributed  # torch and DeepSpeed: 5 s
    from train.loop.rank_state import RankState
    from train.loop.train_steps import train_steps

    _check_ranks(job)
    parent = os.getppid()
    device = start_distributed()
    logs = storage.join(job.output, LOGS)
    rows = TokenRows(job.tokens, "train")
    if rows.fingerprint != job.tokens_fingerprint:
        raise UsageError(f"{job.tokens}: the tokens changed while training started; run the command again")
    losses = [line["loss"] for line in read_metrics(job.output, job.resume_step) if "loss" in line]
    state = RankState(
        job=job,
        engine=build_engine(job.config, job.shape, device, universal=job.universal, logs=logs),
        device=device,
        rank=rank,
        rows=rows,
        order=plan_mixture(rows, job.config.source_weights),
        watch=LossWatch.resumed(job.config, losses, skipped=0),
        validation=validation_rows(job.tokens),
        log=MetricsLog(job.output, job.resume_step, wandb_project=job.config.wandb_project) if rank == 0 else None,
        say=_console() if rank == 0 else lambda line: None,
        should_stop=lambda: stop.is_set() or os.getppid() != parent,
    )
    try:
        finished = train_steps(state)
    finally:
        if state.log is not None:
            state.log.close()
    finish_distributed()
    return finished


def _check_ranks(job: Job) -> None:
    if (world_size := int(os.environ["WORLD_SIZE"])) != job.config.ranks:
        raise UsageError(f"{world_size} ranks were started for a job of {job.config.ranks}; start that many")


def _console() -> Callable[[str], None]:
    """Return the function that prints a line for the user."""
    stream = os.fdopen(int(os.environ[CONSOLE_FD]), "w") if CONSOLE_FD in os.environ else sys.stderr

    def say(line: str) -> None:
        print(line, file=stream, flush=True)

    return say


def exit_now(code: int) -> NoReturn:
    """End this process at once; everything that was to be kept is written and closed."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run_and_exit(work: Callable[[], int]) -> NoReturn:
    """Run a rank and end its process; an error that is not ours is printed with its traceback, exit code 1."""
    try:
        code = work()
    except Exception:  # noqa: BLE001  whatever it is, the teardown must not hide it behind a signal of its own
        traceback.print_exc()
        code = 1
    exit_now(code)


if __name__ == "__main__":
    run_and_exit(lambda: main(sys.argv[1]))
