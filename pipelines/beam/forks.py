"""Fork server: a copy of the loaded command, made before it has a thread or a channel, that forks worker processes.

A worker that is forked has Beam, Arrow and the steps in memory already; a fresh interpreter imports them for 1.2 CPU
seconds. Forking is safe where only one thread exists: the server is forked of a command that has no other (`can_fork`
counts them, and what has a thread of its own here stops it meanwhile), never starts one, and each worker of it begins
with one. Where that cannot be, on macOS or in a process with threads, there is none, and workers are started afresh.

The command and its server speak through a socket: each worker is asked for by one descriptor, through which it reads
its environment, and through which the server tells how it ended. A server that is gone is read there as an end of file.
Linux ends a server with the command's main thread, and workers with their server; both look themselves, too.
"""

import ctypes
import json
import os
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Final, NoReturn

WORKER_NAME: Final = "beam-worker"  # as `ps -o comm` shows it
SERVER_NAME: Final = "fork-server"
TASKS: Final = "/proc/self/task"
# Threads that numpy's BLAS and Arrow's second allocator start as they are imported; no step of ours uses either.
NO_THREADS: Final = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
POLL_MILLISECONDS: Final = 500
PR_SET_PDEATHSIG: Final = 1  # of Linux's prctl
PR_SET_NAME: Final = 15
KILLED: Final = -signal.SIGKILL
# What stops a thread of this process while the block runs; of the command, which waits for signals in one.
paused_threads: list[Callable[[], AbstractContextManager[None]]] = []


@contextmanager
def imports_without_threads() -> Iterator[None]:
    """Import libraries in the block without the threads that they start by it, where the user did not ask for them."""
    ours = {name: value for name, value in NO_THREADS.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


def may_fork() -> bool:
    """Say whether `start_server` would fork now."""
    with _paused():
        return can_fork()


@contextmanager
def _paused() -> Iterator[None]:
    """Stop the threads of this process that can be, while the block runs."""
    with ExitStack() as stack:
        for paused in paused_threads:
            stack.enter_context(paused())
        yield


def can_fork() -> bool:
    """Say whether this process has one thread, whatever started others; it cannot be told without Linux's /proc."""
    try:
        return len(os.listdir(TASKS)) == 1
    except OSError:
        return False


def start_server(work: Callable[[], None], prepare: Callable[[], None]) -> "ForkServer | None":
    """Fork a server whose workers call `work`, once `prepare` has run in it; None where this process may not fork."""
    with _paused():
        if not can_fork():
            return None
        ours, theirs = socket.socketpair()
        for stream in (sys.stdout, sys.stderr):  # else what is written already would be written twice
            with suppress(OSError, AttributeError):
                stream.flush()
        before = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        owner = os.getpid()
        pid = os.fork()
        if pid == 0:
            _in_child(lambda: _serve(theirs, owner, before, prepare, work))
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return ForkServer(pid, ours)


class ForkServer:
    """The command's end of a server."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.name = str(pid).encode()
        self._pid = pid
        self.worker_died = threading.Event()  # one of them, by an exit code that is not 0
        self._connection = connection

    def run_worker(self, environment: dict[str, str]) -> int:
        """Have a worker forked, and wait for its end; returns its exit code, below 0 for a signal.

        Of a server that is gone its workers are killed.
        """
        ours, theirs = socket.socketpair()
        with ours:
            try:
                with theirs:
                    socket.send_fds(self._connection, [b"w"], [theirs.fileno()])
                told = json.dumps(environment).encode()
                ours.sendall(len(told).to_bytes(8, "little") + told)
                code = ours.recv(4, socket.MSG_WAITALL)
            except OSError:  # gone in the midst of it
                return KILLED
        return int.from_bytes(code, "little", signed=True) if len(code) == 4 else KILLED

    def close(self, *, kill: bool = False) -> None:
        """End the server, with `kill` its workers too and at once, and have their CPU seconds counted."""
        self._connection.close()
        if kill:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _in_child(main: Callable[[], None]) -> NoReturn:
    """Run what a forked process is there for, and end it without what its parent would do at its end."""
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as at the end of an interpreter
        with suppress(Exception):
            traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(code)


def _end_with(parent: int, name: str) -> None:
    """Name this process, and have Linux kill it when its parent ends."""
    with suppress(AttributeError, OSError):
        prctl = ctypes.CDLL(None).prctl
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        prctl(PR_SET_NAME, name.encode())
    if os.getppid() != parent:
        os._exit(1)


def _close_all_but(*kept: int) -> None:
    """Close every descriptor beyond the standard streams: a lock that a child holds is held after its parent's end."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2 and descriptor not in kept:
            with suppress(OSError):
                os.close(descriptor)


def _serve(
    connection: socket.socket, owner: int, mask: set[int], prepare: Callable[[], None], work: Callable[[], None]
) -> None:
    """Fork workers until the command is gone or needs no more, and tell how each ended."""
    signal.set_wakeup_fd(-1)
    _default_signals()
    _end_with(owner, SERVER_NAME)
    _close_all_but(connection.fileno())
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # wakes the poll
    signal.pthread_sigmask(signal.SIG_SETMASK, {*mask, signal.SIGINT})  # Ctrl-C is for the command alone
    prepare()
    told: dict[int, socket.socket] = {}
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    poll.register(wake, select.POLLIN)
    is_asked = True
    while (is_asked or told) and os.getppid() == owner:
        for descriptor, _ in poll.poll(POLL_MILLISECONDS):
            if descriptor == wake:
                os.read(wake, 4096)
                continue
            descriptors = socket.recv_fds(connection, 1, 1)[1]
            if not descriptors:
                is_asked = False
                poll.unregister(connection)
                continue
            mine = socket.socket(fileno=descriptors[0])
            told[_fork_worker(mine, work)] = mine
        _tell_ends(told)


def _tell_ends(told: dict[int, socket.socket]) -> None:
    """Tell of each worker that has ended by which code."""
    while told:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with told.pop(pid) as connection, suppress(OSError):
            connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "little", signed=True))


def _fork_worker(connection: socket.socket, work: Callable[[], None]) -> int:
    """Fork a worker, which reads its environment first; returns its process id."""
    server = os.getpid()
    if not can_fork():
        raise RuntimeError("the fork server has more than one thread")
    pid = os.fork()
    if pid == 0:
        _in_child(lambda: _work(connection, server, work))
    return pid


def _work(connection: socket.socket, server: int, work: Callable[[], None]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _end_with(server, WORKER_NAME)
    length = int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "little")
    environment = json.loads(connection.recv(length, socket.MSG_WAITALL))
    connection.detach()
    _close_all_but()
    os.environ.clear()
    os.environ.update(environment)
    work()


def _default_signals() -> None:
    """Give every signal that the command answers by a function of its own the answer of a fresh process."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)
