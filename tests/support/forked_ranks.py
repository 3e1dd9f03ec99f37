"""Ranks forked from a process that has torch and DeepSpeed loaded: a start costs a quarter of its CPU time.

They are processes like all others: killed by SIGKILL they leave what a killed rank leaves. Only what precedes
`train.loop.rank.main` differs from `python -m train.loop.rank`, and that is where tests with hundreds of starts lose
their time.
"""

import contextlib
import multiprocessing
import os
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from train.job import CONSOLE_FD
from train.launch import processes

KILLER = Path(__file__).parent / "killer"
# All that a rank imports by the time of its first step; DeepSpeed decorates with torch.compile, which loads inductor.
PRELOAD = [
    "train.loop.train_steps",
    "train.loop.rank",
    "torch._dynamo",
    "torch.utils.tensorboard",
    "deepspeed.runtime.zero.muon.original_muon",
    "deepspeed.runtime.zero.stage3",
    "deepspeed.runtime.zero.stage_1_and_2",
]


class ForkedRank:
    """A rank, with the part of subprocess.Popen's surface that `train.launch.processes` uses."""

    def __init__(self, output: str, env: dict[str, str], log: IO[bytes]) -> None:
        context = multiprocessing.get_context("forkserver")
        self._process = context.Process(target=_rank, args=(output, env, log.name))
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, number: int) -> None:
        assert self._process.pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)


def start_server() -> None:
    """Start the server that all forks of a test process come from, unless it runs: a process has one."""
    with pytest.MonkeyPatch.context() as first:  # the server reads these once, when it starts
        first.setenv("PYTHONPATH", os.pathsep.join([str(KILLER.parent.parent), str(KILLER)]))
        first.setenv("DS_ACCELERATOR", "cpu")
        first.setenv("OMP_NUM_THREADS", "1")
        first.setenv("OMP_WAIT_POLICY", "PASSIVE")
        multiprocessing.set_forkserver_preload(PRELOAD)
        from multiprocessing.forkserver import ensure_running

        ensure_running()


def fork_ranks(patch: pytest.MonkeyPatch) -> None:
    """Have `train.launch.processes` fork its ranks while the patch holds."""
    start_server()

    def start(output: str, env: dict[str, str], log: IO[bytes], console: int, module: str) -> Any:
        return ForkedRank(output, env, log)

    patch.setattr(processes, "_start", start)


def _rank(output: str, env: dict[str, str], log: str) -> None:
    """Be a rank, in a process just forked."""
    os.environ.clear()
    os.environ.update({name: value for name, value in env.items() if name != CONSOLE_FD})
    sink = os.open(log, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    import sitecustomize  # type: ignore[import-not-found,unused-ignore]

    from train.loop.rank import main, run_and_exit

    sitecustomize.arm_as_asked()
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    run_and_exit(lambda: main(output))
