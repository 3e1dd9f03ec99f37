"""Launch commands: start the ranks by torchrun or DeepSpeed's launcher instead of our own; hostfiles.

Ours (`train.launch.processes`) is the better one on a single machine: it leaves ranks the time to save and knows
their exit codes. DeepSpeed's takes a hostfile (`name slots=8` a line) and reaches the machines by ssh or pdsh; the
output directory and the tokens must lie on a file system that they share. With `print` the ranks are somebody else's
to start, such as a batch system's.
"""

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from corpus import storage
from corpus.errors import NotYetError, RetryError, UsageError
from corpus.stage.progress import say
from train.config import TrainConfig
from train.job import LAUNCHER_LOG
from train.launch.processes import (
    environment,
    free_port,
    prepare,
    run_ranks,
    signals_to,
    wait_for_ranks,
)
from train.launch.rank_errors import rank_error
from train.loop.hold import ask_to_stop, this_launcher

MODULE = "train.loop.rank"
_PATIENT = ("env", "PET_SHUTDOWN_TIMEOUT=600")  # torchrun kills ranks 30 s after a signal; older versions do always


def start(output: str, config: TrainConfig) -> None:
    """Run all ranks of the job in `output` to their end by the configured launcher.

    Raises the rank's own error when one failed, RetryError when a signal stopped them, and with `print`
    NotYetError, which is the command.
    """
    if config.launcher == "own":
        return run_ranks(output, config.ranks)
    command = launch_command(output, config)
    if config.launcher == "print":
        raise NotYetError(
            f"{output}: the job is written; start its ranks with\n  {shlex.join([*_PATIENT, *command])}\n"
            "on every machine, and after the last step run this command again with --resume"
        )
    say(f"starting: {shlex.join(command)}")
    prepare(output, config.ranks)
    shared = environment(config.ranks)
    ours = {"RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
    env = {name: value for name, value in shared.items() if name not in ours}
    log = storage.join(output, LAUNCHER_LOG)
    own = this_launcher()
    with open(log, "wb") as sink:
        # In a session of its own: what a terminal sends to all would end the launcher, and it its ranks, unsaved.
        process = subprocess.Popen(
            [*command, own], env=env, stdin=subprocess.DEVNULL, stdout=sink, start_new_session=True
        )
        with signals_to([process], output, ask=lambda: ask_to_stop(output, own)) as asked:
            code = process.wait()
            wait_for_ranks(output)
    if code < 0 and not asked.is_set():
        name = signal.Signals(-code).name
        raise RetryError(f"{output}: the launcher was killed by {name}; the same command with --resume goes on")
    if code:
        raise rank_error(output, [code] * config.ranks, stopped=asked.is_set(), log=log)
    return None


def launch_command(output: str, config: TrainConfig) -> list[str]:
    """Return the command that starts all ranks; raises UsageError when the hostfile has not one slot for each."""
    if config.launcher == "deepspeed":
        if config.hostfile is None:
            machines = ["--num_accelerators", str(config.ranks), "--hostfile", "/dev/null"]
        else:
            check_hostfile(config.hostfile, config.ranks)
            machines = ["--hostfile", config.hostfile]
        options = [*machines, "--master_port", str(free_port()), "--no_local_rank", "--module"]
        return [sys.executable, "-m", "deepspeed.launcher.runner", *options, MODULE, output]
    if config.hostfile is not None:
        raise UsageError(f"hostfile: only launcher deepspeed reads one, launcher is {config.launcher}")
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    if config.launcher == "print":
        per_node = ["--nnodes=NODES", "--nproc-per-node=GPUS", "--rdzv-backend=c10d", "--rdzv-endpoint=HOST:PORT"]
        return [*torchrun, *per_node, "-m", MODULE, output]
    return [*torchrun, "--standalone", "--nproc-per-node", str(config.ranks), "-m", MODULE, output]


def check_hostfile(path: str, ranks: int) -> None:
    """Raise UsageError unless the hostfile's slots are as many as the ranks."""
    if not Path(path).is_file():
        raise UsageError(f"{path}: no hostfile is there; it has a line `NAME slots=GPUS` for each machine")
    lines = [line.split("#")[0].strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    found = [re.fullmatch(r"(\S+)\s+slots=(\d+)", line) for line in lines if line]
    if not found or None in found:
        raise UsageError(f"{path}: a line of a hostfile is `NAME slots=GPUS`, such as `worker-1 slots=8`")
    slots = sum(int(match[2]) for match in found if match)
    if slots != ranks:
        raise UsageError(f"{path}: {slots} slots for {ranks} ranks; give --ranks {slots}, or change the hostfile")
