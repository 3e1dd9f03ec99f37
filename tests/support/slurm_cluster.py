"""Slurm cluster of two nodes on this machine: the real programs, for as long as a test runs.

Debian's `slurm-wlm` and `munge` (`apt-get install --no-install-recommends slurm-wlm munge`) take several slurmd on one
machine. Tests that need it skip, with the reason, where it is not installed or the user is not root.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support.engines import free_port

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
NODES = ("node1", "node2")
END_SECONDS = 20  # for a daemon that was asked to end
CONF = """\
ClusterName=test
SlurmctldHost=localhost
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={socket},cred_expire={hold}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdTimeout=20
SchedulerParameters=sched_interval=2,bf_interval=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/d-%n.pid
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/d-%n.log
{nodes}
PartitionName=all Nodes={names} Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True, kw_only=True)
class SlurmCluster:
    """Where the cluster keeps its files, and the environment in which sbatch, srun and squeue find it."""

    folder: Path
    environment: dict[str, str]
    daemons: "dict[str, subprocess.Popen[bytes]]"  # slurmctld, and a slurmd by the name of its node

    def run(self, *words: str, **changes: str) -> str:
        """Run a command against the cluster and return what it printed."""
        done = subprocess.run(
            words, env={**self.environment, **changes}, capture_output=True, text=True, check=False, timeout=900
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def wait(self) -> None:
        """Wait until no job is queued or runs."""
        while self.run("squeue", "--noheader"):
            time.sleep(0.5)

    def state(self, job: str) -> dict[str, str]:
        """Return what Slurm says of a job: JobState, ExitCode, Restarts and more."""
        words = self.run("scontrol", "show", "job", job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def start_node(self, name: str) -> None:
        """Start a node's slurmd, again where it was killed."""
        words = ["slurmd", "-D", "-N", name, "-f", str(self.folder / "slurm.conf")]
        self.daemons[name] = _started(words, self.environment)


@contextmanager
def slurm_cluster(folder: Path, *, hold: int = 60) -> Iterator[SlurmCluster]:
    """Run a cluster until the block ends; all of it goes with the folder.

    A job that is queued again waits `hold` seconds and one more: the lifetime of a credential (Slurm's default is 120).
    """
    if absent := [name for name in PROGRAMS if shutil.which(name) is None]:
        pytest.skip(f"{', '.join(absent)} not installed: apt-get install --no-install-recommends slurm-wlm munge")
    if os.getuid():
        pytest.skip("a Slurm cluster of a test wants root")
    cores = len(os.sched_getaffinity(0))
    ports = [free_port() for _ in range(1 + len(NODES))]
    lines = [
        f"NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs={cores} State=UNKNOWN"
        for name, port in zip(NODES, ports[1:], strict=True)
    ]
    conf, socket = folder / "slurm.conf", folder / "munge" / "socket"
    (folder / "state").mkdir()
    conf.write_text(
        CONF.format(
            port=ports[0], folder=folder, socket=socket, hold=hold, nodes="\n".join(lines), names=",".join(NODES)
        )
    )
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    cluster = SlurmCluster(folder=folder, environment=environment, daemons={})
    try:
        cluster.daemons["munged"] = _munged(folder, socket)
        cluster.daemons["slurmctld"] = _started(["slurmctld", "-D", "-f", str(conf)], environment)
        for name in NODES:
            cluster.start_node(name)
        _wait_idle(cluster)
        yield cluster
    finally:
        for process in reversed(cluster.daemons.values()):
            process.terminate()
        for process in cluster.daemons.values():
            _ended(process)
        _end_steps(folder)


def _ended(process: "subprocess.Popen[bytes]") -> None:
    """Wait for a daemon; slurmd waits for its steps' own processes, which at times stay when the step is over."""
    try:
        process.wait(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end_steps(folder: Path) -> None:
    """End what slurmd started for steps and left behind; each works in the cluster's folder."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name().startswith("slurmstepd") and Path(process.cwd()).is_relative_to(folder):
                process.kill()


def _munged(folder: Path, socket: Path) -> "subprocess.Popen[bytes]":
    """Start an authentication service of its own, with a key that nobody else has."""
    socket.parent.mkdir(mode=0o755)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    words = ["munged", "--foreground", "--force", f"--socket={socket}", f"--key-file={key}"]
    words += [f"--{name}-file={folder}/munge.{name}" for name in ("log", "pid", "seed")]
    process = _started(words, dict(os.environ))
    while not socket.exists():
        if process.poll() is not None:
            pytest.skip(f"munged does not run here: {_tail(folder / 'munge.log')}")
        time.sleep(0.1)
    return process


def _started(words: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_idle(cluster: SlurmCluster) -> None:
    for _ in range(1_500):
        done = subprocess.run(
            ["sinfo", "--noheader", "--format=%T %D"],
            env=cluster.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.stdout.strip() == f"idle {len(NODES)}":
            return
        if cluster.daemons["slurmctld"].poll() is not None:
            break
        time.sleep(0.2)
    pytest.skip(f"the nodes of a Slurm cluster do not come up here: {_tail(cluster.folder / 'ctld.log')}")


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8")[-500:] if log.is_file() else "no log"
