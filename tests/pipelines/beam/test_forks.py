"""Fork server: what a worker of it is, how its end is told, and that none is forked beside a thread."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.beam.forks import KILLED, NO_THREADS, SERVER_NAME, WORKER_NAME
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")


def run(code: str, cwd: Path) -> str:
    """Run a program that has `start_server` and prints what it found."""
    begun = f"""
import fcntl, os, signal, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
sys.path.insert(0, {str(REPOSITORY)!r})
from pipelines.beam import forks
from pipelines.beam.forks import start_server
"""
    command = [sys.executable, "-P", "-c", begun + code]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_a_worker_has_one_thread_its_own_environment_usual_signals_and_no_lock(tmp_path: Path) -> None:
    code = """
def work():
    handlers = {signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    name = Path("/proc/self/comm").read_text().strip()
    files = [one for one in os.listdir("/proc/self/fd") if int(one) > 2]
    threads = len(os.listdir(forks.TASKS))
    print(os.environ["WHICH"], os.environ.get("HOME"), threads, handlers, blocked, name, len(files))
lock = os.open("lock", os.O_CREAT | os.O_RDWR)
fcntl.flock(lock, fcntl.LOCK_EX)
signal.signal(signal.SIGTERM, lambda *_: print("the command's"))
signal.signal(signal.SIGHUP, signal.SIG_IGN)
print("written once")
server = start_server(work, lambda: print("prepared", Path("/proc/self/comm").read_text().strip()))
print(server.run_worker({"WHICH": "first"}), server.run_worker({"WHICH": "x" * 300_000}))
server.close()
"""
    said = run(code, tmp_path).split("\n")
    assert said[:2] == ["written once", f"prepared {SERVER_NAME}"]
    for line, which in zip(said[2:4], ("first", "x" * 300_000), strict=True):
        assert line.startswith(f"{which} None 1 "), line[-300:]
        assert line.endswith(f" {{<Signals.SIGINT: 2>}} {WORKER_NAME} 1"), line[-300:]
        assert ("SIG_DFL" in line, "SIG_IGN" in line, "function" in line) == (True, True, False), line[-300:]
    assert said[4:] == ["0 0", ""]


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("None", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('why')", 1),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -11),
        ("os.kill(os.getppid(), signal.SIGKILL), time.sleep(600)", KILLED),
    ],
)
def test_the_end_of_a_worker_is_told_by_its_code_and_that_of_the_server_is_a_kill(
    end: str, code: int, tmp_path: Path
) -> None:
    program = f"server = start_server(lambda: ({end}), lambda: None)\nprint(server.run_worker({{}}))\nserver.close()"
    assert run(program, tmp_path) == f"{code}\n"


def test_workers_run_side_by_side_and_their_seconds_are_counted(tmp_path: Path) -> None:
    code = """
def work():
    Path(os.environ["MINE"]).touch()
    while not Path(os.environ["OTHER"]).exists():
        time.sleep(0.01)
    while sum(os.times()[:2]) < 0.3:
        pass
server = start_server(work, lambda: None)
with ThreadPoolExecutor(2) as pool:
    print(list(pool.map(server.run_worker, [{"MINE": "a", "OTHER": "b"}, {"MINE": "b", "OTHER": "a"}])))
server.close()
print(os.times().children_user + os.times().children_system >= 0.6)
"""
    assert run(code, tmp_path) == "[0, 0]\nTrue\n"


def test_closed_by_force_it_takes_its_workers_along(tmp_path: Path) -> None:
    code = """
server = start_server(lambda: (Path("pid").write_text(str(os.getpid())), time.sleep(600)), lambda: None)
found = []
thread = threading.Thread(target=lambda: found.append(server.run_worker({})))
thread.start()
while not (Path("pid").exists() and Path("pid").read_text()):
    time.sleep(0.01)
server.close(kill=True)
thread.join()
pid = int(Path("pid").read_text())
while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
    time.sleep(0.01)
print(found)
"""
    assert run(code, tmp_path) == f"[{KILLED}]\n"


def test_none_is_forked_beside_a_thread_but_of_one_that_can_be_paused(tmp_path: Path) -> None:
    code = """
from contextlib import contextmanager
ends = threading.Event()
def begin():
    global thread
    ends.clear()
    thread = threading.Thread(target=ends.wait)
    thread.start()
begin()
print(start_server(print, print))
@contextmanager
def paused():
    ends.set()
    thread.join()
    while os.path.exists(f"{forks.TASKS}/{thread.native_id}"):
        time.sleep(0.001)
    yield
    begin()
forks.paused_threads.append(paused)
server = start_server(print, lambda: None)
print(server.run_worker({}), thread.is_alive())
server.close()
ends.set()
"""
    assert run(code, tmp_path) == "None\n\n0 True\n"


def test_a_thread_that_was_paused_is_gone_for_linux_too(tmp_path: Path) -> None:
    code = """
from pipelines.cli.signals import end_on_signals
with end_on_signals():
    print(sum(not forks.may_fork() for _ in range(1000)))
"""
    assert run(code, tmp_path) == "0\n"  # 80 where it is only joined


def test_libraries_are_imported_without_threads_unless_the_user_asks_for_some(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NO_THREADS:
        monkeypatch.delenv(name, raising=False)
    code = """
import os, sys
from pipelines.beam.forks import TASKS, can_fork, imports_without_threads
with imports_without_threads():
    import numpy, pyarrow
print(can_fork(), "OPENBLAS_NUM_THREADS" in os.environ)
"""
    for more, forks in (({}, True), ({"JE_ARROW_MALLOC_CONF": "background_thread:true"}, False)):
        for name, value in more.items():
            monkeypatch.setenv(name, value)
        done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
        assert done.stdout == f"{forks} False\n"
