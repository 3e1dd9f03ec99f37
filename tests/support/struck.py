"""Commands struck by a signal: what they say, how they end, and which processes are left of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import psutil

from pipelines.beam.forks import SERVER_NAME, WORKER_NAME
from pipelines.beam.runner import WORKER

COMMAND = (sys.executable, "-m", "pipelines.cli.process")
RANK = "train.loop.rank"
PATIENCE = 300.0  # seconds: of a loaded machine; an idle one takes 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Blow:
    """A signal and whom it hits: the command, its group (as a terminal does), a worker, or what forks workers."""

    number: signal.Signals
    victim: str = "command"  # or: group, worker, server

    def __str__(self) -> str:
        whom = {"command": "", "group": " to the group", "worker": " of one worker", "server": " of the fork server"}
        return self.number.name + whom[self.victim]

    def fall(self, pid: int) -> bool:
        """Send the signal, and say whether there was somebody to hit."""
        if self.victim == "worker":
            victims = [one.pid for one in workers_of(pid)[:1]]
        elif self.victim == "server":
            victims = [one.pid for one in psutil.Process(pid).children() if one.name() == SERVER_NAME]
        else:
            victims = [pid]
        for victim in victims:
            (os.killpg if self.victim == "group" else os.kill)(victim, self.number)
        return bool(victims)


@dataclass(frozen=True, kw_only=True, slots=True)
class Aftermath:
    """What a blow came to."""

    code: int  # as Python has it: below 0 for a signal
    output: str
    said: str  # on standard error
    seconds: float  # until none of its processes was left, PATIENCE at most
    left: tuple[str, ...]  # command lines of those that are left then


def workers_of(pid: int) -> list[psutil.Process]:
    """Return the Beam workers and ranks below a command."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if {WORKER, RANK} & {*child.cmdline()} or child.name() == WORKER_NAME:
                    found.append(child)
    return found


def session(pid: int) -> list[psutil.Process]:
    """Return the processes of the session that a command leads or led, but for those that wait to be buried."""
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@contextmanager
def heeded() -> Iterator[None]:
    """Let what is started in the block heed SIGHUP and SIGINT, below `nohup` and as a shell's background job too."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT)}
    ignored = [number for number, handler in before.items() if handler == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


def strike(words: Sequence[str], blow: Blow, when: Callable[[int], bool], cwd: Path | None = None) -> Aftermath | None:
    """Start a command in a session of its own, and let the blow fall once `when(pid)`; None if that is too late."""
    with TemporaryFile() as output, TemporaryFile() as said:
        with heeded():
            process = subprocess.Popen(words, stdout=output, stderr=said, cwd=cwd, start_new_session=True)
        try:
            while not _falls(blow, process.pid, when):
                if process.poll() is not None:
                    return None
                time.sleep(0.02)
            begun, left = time.monotonic(), session(process.pid)
            while left and time.monotonic() - begun < PATIENCE:
                process.poll()
                time.sleep(0.02)
                left = session(process.pid)
            seconds = time.monotonic() - begun
        finally:
            for one in session(process.pid):
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            process.wait()
        texts = [(stream.seek(0), stream.read().decode())[1] for stream in (output, said)]
        lines = tuple(" ".join(_cmdline(one)) for one in left)
        return Aftermath(code=process.returncode, output=texts[0], said=texts[1], seconds=seconds, left=lines)


def _falls(blow: Blow, pid: int, when: Callable[[int], bool]) -> bool:
    """Let the blow fall if the time has come, on a command that stands still: on a loaded machine it could be done."""
    if not when(pid):
        return False
    os.kill(pid, signal.SIGSTOP)
    try:
        while psutil.Process(pid).status() not in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}:
            time.sleep(0.001)
        return when(pid) and blow.fall(pid)
    finally:
        os.kill(pid, signal.SIGCONT)


def _cmdline(process: psutil.Process) -> list[str]:
    with suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []
