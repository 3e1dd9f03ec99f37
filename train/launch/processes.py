"""Processes of the ranks on this machine: start them, watch them, and end them together.

Each rank is `python -m train.loop.rank OUTPUT` with the environment any distributed launcher sets. Started here
rather than by torchrun so that a signal leaves the ranks the time to save (torchrun kills after 30 s), exit
codes and messages come back as they are, and no further process has to import torch. Ranks print into
`logs/rank-N.log`; the lines for the user come through an own file descriptor. A rank that dies ends all.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from corpus import storage
from corpus.arrays.cache_folder import cache_folder, without_home
from corpus.errors import UsageError
from corpus.stage.machine import usable_cores
from corpus.stage.progress import say
from train.job import CONSOLE_FD, LOGS, error_path, log_path
from train.launch.rank_errors import rank_error
from train.loop.heartbeat import FOLDER as BEATS
from train.loop.hold import STOP, ask_to_save, end_holder, ranks_hold, this_launcher
from train.loop.stop import SignalFlag

POLL_SECONDS = 0.1
GRACE_SECONDS = 4.0  # for the other ranks, once one has died
STOP_SECONDS = 120.0  # for ranks that were asked to stop and write nothing: a slow step, or the hash of a checkpoint
STALE_LOCK_SECONDS = 1800.0


def run_ranks(output: str, ranks: int, *, module: str = "train.loop.rank") -> None:
    """Run all ranks of the job in `output` to their end; `module` is what each of them is.

    Raises the rank's own error when one failed, RetryError when a signal stopped them or one was killed.
    """
    prepare(output, ranks)
    with _children(output, ranks, module) as children, signals_to(children, output) as asked:
        codes = _wait(children)
    if any(codes):
        raise rank_error(output, codes, stopped=asked.is_set())


def prepare(output: str, ranks: int) -> None:
    """Remove what an earlier start left, errors and a request to stop, and make the folder of logs.

    Raises UsageError when the current folder is gone, without which oneMKL ends a process that looks for its libraries.
    """
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise UsageError(
            "the current folder was removed; cd to one that is there, and run the command again"
        ) from error
    storage.remove_file(storage.join(output, STOP))
    for rank in range(ranks):
        Path(error_path(output, rank)).unlink(missing_ok=True)
    os.makedirs(storage.join(output, LOGS), exist_ok=True)


@contextmanager
def _children(output: str, ranks: int, module: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start the ranks; whatever happens, none is left when the block ends."""
    common = environment(ranks)
    console = os.dup(2)
    children: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack:
        stack.callback(os.close, console)
        stack.callback(_end, children)
        for rank in range(ranks):
            log = stack.enter_context(open(log_path(output, rank), "wb"))
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank)} | ({CONSOLE_FD: str(console)} if rank == 0 else {})
            children.append(_start(output, common | own, log, console, module))
        yield children


def _start(output: str, env: dict[str, str], log: IO[bytes], console: int, module: str) -> subprocess.Popen[bytes]:
    """Start one rank; `console` is the file descriptor that rank 0 prints the user's lines to."""
    return subprocess.Popen(
        [sys.executable, "-m", module, output, this_launcher()],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        pass_fds=(console,) if CONSOLE_FD in env else (),
    )


def environment(ranks: int) -> dict[str, str]:
    """Return the environment variables that all ranks share."""
    given = without_home() | os.environ
    if "TORCH_EXTENSIONS_DIR" not in os.environ and (extensions := cache_folder("torch_extensions")) is not None:
        _clear_stale_locks(extensions)
        given["TORCH_EXTENSIONS_DIR"] = str(extensions)
    cores = usable_cores()
    package_root = str(Path(__file__).resolve().parents[2])
    added = {
        "WORLD_SIZE": str(ranks),
        "LOCAL_WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": str(max(1, cores // ranks)),
        "PYTHONPATH": os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")])),
        "PET_SHUTDOWN_TIMEOUT": "600",  # seconds that torchrun leaves ranks to save; 30 by itself
        "PYTHONSAFEPATH": "1",  # a user's `train.py` in the current folder is not the package
    }
    if "error" in os.environ.get("PYTHONWARNINGS", ""):  # which a user may want of code of his own, not of libraries
        added["PYTHONWARNINGS"] = "default"
    # Threads that spin while they wait for a core make a step 30 times slower on a busy machine.
    return {"OMP_WAIT_POLICY": "PASSIVE", **given, **added}


def _wait(children: list[subprocess.Popen[bytes]]) -> list[int]:
    """Wait until all ranks ended well or one did not; the rest then get a moment to fail by themselves."""
    while True:
        codes = [child.poll() for child in children]
        if all(code == 0 for code in codes):
            return [0] * len(codes)
        if any(codes):
            deadline = time.monotonic() + GRACE_SECONDS
            while any(child.poll() is None for child in children) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
            failed = [child.poll() or 0 for child in children]  # of those that are ended now none failed by itself
            _end(children)
            return failed
        time.sleep(POLL_SECONDS)


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.kill()
    for child in children:
        child.wait()


@contextmanager
def signals_to(
    children: list[subprocess.Popen[bytes]], output: str, *, ask: Callable[[], None] | None = None
) -> Iterator[SignalFlag]:
    """Pass SIGTERM, SIGINT and SIGHUP on to the ranks, which save and exit; a second one ends them at once.

    Not a second SIGHUP: of a terminal that closes come two. Ranks that hang are ended after STOP_SECONDS. SIGUSR1 asks
    for a checkpoint. `ask` is another way to ask them to stop, for children that are launchers and would end their
    ranks too early.
    """
    asked = SignalFlag()

    def pass_on(number: int, frame: object) -> None:
        if asked.is_set() and number != signal.SIGHUP:
            _end_all(children)
            return
        if ask is not None:
            ask()
        for child in children if ask is None else ():
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        if not asked.is_set():
            asked.set()
            threading.Thread(target=_end_if_still, args=(children, output), daemon=True).start()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup` stays what it is
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, pass_on) for number in numbers}
    before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, lambda *_: ask_to_save(output))
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_if_still(children: list[subprocess.Popen[bytes]], output: str) -> None:
    """End the ranks, and say so, once nothing below `output` has changed for STOP_SECONDS; return when they ended."""
    seen, since = _seen(output), time.monotonic()
    while any(child.poll() is None for child in children):
        if (now := _seen(output)) != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > STOP_SECONDS:
            say(f"{output}: the ranks were asked to stop and have written nothing for {STOP_SECONDS:,.0f} s: ended")
            _end_all(children)
            return
        time.sleep(POLL_SECONDS)


def wait_for_ranks(output: str) -> None:
    """Wait until the ranks of a launcher that ended have ended too: they save first; those that hang are ended."""
    seen, since = _seen(output), time.monotonic()
    while ranks_hold(output):
        if (now := _seen(output)) != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > STOP_SECONDS:
            say(
                f"{output}: the ranks outlived their launcher and have written nothing for {STOP_SECONDS:,.0f} s: ended"
            )
            end_holder(output)
            since = time.monotonic()
        time.sleep(POLL_SECONDS)


def _seen(output: str) -> int:
    """Return a number for what lies below `output`, another one after any change; what vanishes meanwhile is left out.

    Not the newest time: a clock that was set back gives what is written then older ones. Nor signs of life, which ranks
    give while they wait for one that hangs.
    """
    found = []
    for folder, _, names in os.walk(output):
        if os.path.relpath(folder, output) == BEATS:
            continue
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            with suppress(FileNotFoundError):
                about = os.stat(path)
                found.append((path, about.st_mtime_ns, about.st_size))
    return hash(tuple(found))


def _end_all(children: list[subprocess.Popen[bytes]]) -> None:
    """Kill the processes and what they started: ranks below a launcher only see between steps that it is gone."""
    for child in children:
        with suppress(psutil.NoSuchProcess):
            for below in psutil.Process(child.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    below.kill()
        if child.poll() is None:
            child.kill()


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _clear_stale_locks(cache: Path) -> None:
    """Remove the locks that killed builds of extensions left: torch would wait for them for ever."""
    for lock in sorted(cache.glob("**/lock")):
        if abs(time.time() - lock.stat().st_mtime) > STALE_LOCK_SECONDS:  # or of a clock that was set back since
            lock.unlink(missing_ok=True)
