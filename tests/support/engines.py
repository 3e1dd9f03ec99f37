"""Engines for tests: Beam's own Prism, its local job service, and its external pool of workers.

Prism is built by Go from Beam's module, at the version of Beam in use: the very program that Beam would download.
Tests that need it skip without Go, and say so.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apache_beam
import pytest

from tests.conftest import REPOSITORY

MODULE = "github.com/apache/beam/sdks/v2/go/cmd/prism"
CACHE = Path(os.environ.get("CORPUSCLE_DEV_CACHE") or REPOSITORY / ".dev")


def prism_program() -> Path:
    """Return the program, built once a checkout; skips where Go is missing or cannot fetch the module."""
    program = CACHE / f"prism-{apache_beam.__version__}" / "prism"
    if program.is_file():
        return program
    if shutil.which("go") is None:
        pytest.skip("Go is not installed: it builds Prism, Beam's own engine (https://go.dev/dl)")
    try:
        program.parent.mkdir(parents=True, exist_ok=True)
        lock = open(program.parent / ".lock", "w")  # noqa: SIM115 - held while Go builds; other test processes wait
    except OSError as error:
        pytest.skip(f"Prism cannot be kept in {CACHE}: {error}")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.is_file():
            _build(program)
    return program


def _build(program: Path) -> None:
    made = program.with_name("made")
    words = ["go", "install", f"{MODULE}@v{apache_beam.__version__}"]
    environment = {**os.environ, "GOBIN": str(made), "GOFLAGS": "-mod=mod"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"Go cannot build Prism: {(done.stderr.strip() or 'nothing said').splitlines()[-1]}")
    os.replace(made / "prism", program)


@contextmanager
def prism_server() -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run Prism on a free port until the block ends; yields its port and its process."""
    port, web = free_port(), free_port()
    words = [str(prism_program()), "-job_port", str(port), "-web_port", str(web), "-log_level", "warn"]
    with _running(words, port) as process:
        yield port, process


@contextmanager
def job_service() -> Iterator[int]:
    """Run Beam's local job service, in Python, on a free port until the block ends."""
    port = free_port()
    words = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main", f"--port={port}"]
    with _running(words, port):
        yield port


@contextmanager
def worker_pool(**variables: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run Beam's external pool of workers on a free port until the block ends; `variables`: of their environment."""
    port = free_port()
    words = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # the pool starts `python`
    with _running(words, port, {"PATH": path, **variables}) as process:
        yield port, process


@contextmanager
def _running(words: list[str], port: int, changes: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        words,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(changes or {})},
        start_new_session=True,
    )
    try:
        wait_for(port)
        yield process
    finally:
        kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a server with all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """Return a port of this machine on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, host: str = "localhost") -> None:
    """Wait until somebody listens on a port."""
    for _ in range(2400):
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")
