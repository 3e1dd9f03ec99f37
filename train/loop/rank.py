"""Process of one rank: `python -m train.loop.rank OUTPUT`, with RANK, WORLD_SIZE, … in the environment.

`corpuscle train` starts one for each GPU of this machine; on many nodes any launcher that sets these
variables can, such as `torchrun --nnodes 4 --nproc_per_node 8 … -m train.loop.rank OUTPUT`. A signal makes all
ranks finish the step, save and exit 75 (`train.loop.stop`). Started again, by whomever, they
go on from the newest good checkpoint (`train.checkpoint.restart`).

A rank ends without the interpreter's teardown: of all runs so far two ended with SIGABRT after their last step. The
likely cause is that gloo's threads live until then, that Python ends a thread which asks for it too late by unwinding
its stack, and that C++ answers this with std::terminate; it could not be provoked.
"""

import dataclasses
import errno
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, NoReturn

from corpus import storage
from corpus.errors import CorpuscleError, DiskError, RetryError, UsageError
from tokenizer.blocks import check_tokens
from tokenizer.mixture import plan_mixture
from tokenizer.token_rows import TokenRows
from train.checkpoint import store
from train.checkpoint.restart import StartPoint, find_start
from train.checkpoint.skipped import batches_of, read_skipped
from train.data.tokens import validation_rows
from train.job import CONSOLE_FD, LOGS, Job, initial_path, read_job, write_error
from train.loop.attention_kernel import attention_lines
from train.loop.device import choose_device, set_defaults
from train.loop.heartbeat import Heartbeat
from train.loop.hold import RanksBusyError, hold_ranks
from train.loop.loss_watch import LossWatch
from train.loop.metrics import MetricsLog, read_metrics
from train.loop.network import SLOW_ADVICE, ask_nccl, is_slow, network_used
from train.loop.stop import StopRequest

if TYPE_CHECKING:
    from train.loop.rank_state import RankState


def main(output: str, launcher: str | None = None) -> int:
    """Train as one rank and return the exit code; `launcher` is the word of a `corpuscle train` that started it."""
    rank = int(os.environ["RANK"])
    stop = StopRequest(output=output, rank=rank, launcher=launcher)
    stop.arm()
    try:
        finished = _train(read_job(output), rank, stop)
    except RanksBusyError as error:  # what it leaves in this directory is for those who hold it
        print(error, file=sys.stderr, flush=True)
        return error.exit_code
    except CorpuscleError as error:
        return _told(output, rank, error)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return _told(output, rank, DiskError(f"{error}; {store.what_is_left(output)}"))
    return 0 if finished else RetryError.exit_code


def _told(output: str, rank: int, error: CorpuscleError) -> int:
    """Leave an error to the launcher and the log, and return its exit code, which must do on a full disk."""
    with suppress(OSError, DiskError):
        write_error(output, rank, error)
    try:
        print(error, file=sys.stderr, flush=True)
    except OSError:  # what could not be written is written again as Python ends, which then exits with 120
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    return error.exit_code


def _train(job: Job, rank: int, stop: StopRequest) -> bool:
    set_defaults(job.output, deterministic=job.config.deterministic)
    device = choose_device(job.config.device)  # before DeepSpeed is imported
    from train.loop.engine import decided_by_first, finish_distributed, start_distributed  # torch and DeepSpeed: 5 s
    from train.loop.train_steps import train_steps

    _check_ranks(job)
    console = _console()
    if device.type == "cuda":
        ask_nccl(storage.join(job.output, LOGS))
    start_distributed(device, console)
    say = console if rank == 0 else lambda line: None
    begin = decided_by_first(lambda: _held_start(job, say, prove=stop.launcher is None))
    _say_network(say)
    for line in attention_lines(job.config, job.shape, device) if rank == 0 else ():
        say(line)
    job = _started_at(job, begin, say)
    finished = True
    if job.resume_step < job.config.steps:
        state = _state(
            job,
            device,
            rank,
            say=say,
            should_stop=stop.wanted,
            should_save=stop.save_wanted,
            passed_over=begin.passed_over,
        )
        stop.training.set()
        try:
            finished = train_steps(state)
        finally:
            if state.log is not None:
                state.log.close()
    finish_distributed()
    return finished


def _say_network(say: Callable[[str], None]) -> None:
    """Say what NCCL goes through between machines, behind its first use; a warning where that is sockets."""
    many = int(os.environ["WORLD_SIZE"]) > int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if used := network_used():
        say(f"network: {', '.join(used)}")
    if many and is_slow(used):
        say(f"warning: NCCL goes through TCP sockets between the machines; {SLOW_ADVICE}")


def _state(job: Job, device: Any, rank: int, **fields: Any) -> "RankState":
    """Return the state of a rank before its first step, its engine with fresh weights."""
    from train.loop.engine import ask_for_same_bits, build_engine
    from train.loop.rank_state import RankState

    if job.config.deterministic:
        ask_for_same_bits()
    rows = TokenRows(job.tokens, "train", scattered=True)
    if rows.fingerprint != job.tokens_fingerprint:
        raise UsageError(f"{job.tokens}: the tokens changed while training started; run the command again")
    losses = [line["loss"] for line in read_metrics(job.output, job.resume_step) if "loss" in line]
    logs = storage.join(job.output, LOGS)
    return RankState(
        job=job,
        engine=build_engine(
            job.config, job.shape, device, universal=job.universal, initial=initial_path(job), logs=logs
        ),
        device=device,
        rank=rank,
        rows=rows,
        order=plan_mixture(rows, job.config.source_weights),
        watch=LossWatch.resumed(job.config, losses, skipped=0),
        validation=validation_rows(job.tokens),
        left_out=batches_of(read_skipped(job.output)),
        log=MetricsLog(job.output, job.resume_step, wandb_project=job.config.wandb_project) if rank == 0 else None,
        heartbeat=Heartbeat(
            output=job.output,
            rank=rank,
            ranks=job.config.ranks,
            stall_seconds=job.config.stall_seconds,
            say=fields["say"],
        ),
        **fields,
    )


def _held_start(job: Job, say: Callable[[str], None], *, prove: bool) -> StartPoint:
    """Return where the ranks begin, once rank 0 holds the directory; its descriptor stays open until the end.

    With `prove` the tokens are checked as `corpuscle train` does before it starts ranks.
    """
    hold_ranks(job.output)
    if prove:
        check_tokens(job.tokens, ("train", "validation"), whole=job.config.verify_tokens)
    return find_start(job, say)


def _started_at(job: Job, begin: StartPoint, say: Callable[[str], None]) -> Job:
    """Return the job with the checkpoint that it really begins from, which is said when it is not its own."""
    steps = job.config.steps
    if begin.step == steps:
        say(f"{job.output}: all {steps:,} steps are done; `corpuscle train … --resume` commits them")
    elif begin.step != job.resume_step:
        say(f"{job.output}: going on from {begin.resume}, saved since this job was written")
    return dataclasses.replace(job, resume=begin.resume, resume_step=begin.step, universal=begin.universal)


def _check_ranks(job: Job) -> None:
    if (world_size := int(os.environ["WORLD_SIZE"])) != job.config.ranks:
        raise UsageError(f"{world_size} ranks were started for a job of {job.config.ranks}; start that many")


def _console() -> Callable[[str], None]:
    """Return the function that prints a line for the user."""
    stream: IO[str] = sys.stderr
    if CONSOLE_FD in os.environ:  # as standard error is: what the locale's encoding has not is escaped
        stream = os.fdopen(int(os.environ[CONSOLE_FD]), "w", errors="backslashreplace")

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
    run_and_exit(lambda: main(*sys.argv[1:3]))
