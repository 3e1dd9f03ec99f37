"""Engines for tests: Beam's own Prism, its local job service, and its external pool of workers.

Prism is built by Go from Beam's module, at the version of Beam in use: the very program that Beam would download. So is
the boot program of Beam's images, which starts a worker there. Tests that need them skip without Go, and say so.
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
from typing import IO

import apache_beam
import pytest

from tests.conftest import REPOSITORY

PRISM = "github.com/apache/beam/sdks/v2/go/cmd/prism"
BOOT = "github.com/apache/beam/sdks/v2/python/container"
CACHE = Path(os.environ.get("CORPUSCLE_DEV_CACHE") or REPOSITORY / ".dev")


def prism_program() -> Path:
    """Return Beam's own engine."""
    return _program(PRISM)


def boot_program() -> Path:
    """Return what an image of Beam's runs first: it asks the engine what to do, and starts the worker."""
    return _program(BOOT)


def _program(module: str) -> Path:
    """Return a program, built once a checkout; skips where Go is missing or cannot fetch the module."""
    name = module.rpartition("/")[2]
    program = CACHE / f"{name}-{apache_beam.__version__}" / name
    if program.is_file():
        return program
    if shutil.which("go") is None:
        pytest.skip(f"Go is not installed: it builds Beam's {name} (https://go.dev/dl)")
    try:
        program.parent.mkdir(parents=True, exist_ok=True)
        lock = open(program.parent / ".lock", "w", encoding="utf-8")  # noqa: SIM115 - held while Go builds; other test processes wait
    except OSError as error:
        pytest.skip(f"Beam's {name} cannot be kept in {CACHE}: {error}")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.is_file():
            _build(module, program)
    return program


def _build(module: str, program: Path) -> None:
    made = program.with_name("made")
    words = ["go", "install", f"{module}@v{apache_beam.__version__}"]
    environment = {**os.environ, "GOBIN": str(made), "GOFLAGS": "-mod=mod"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"Go cannot build Beam's {program.name}: {(done.stderr.strip() or 'nothing').splitlines()[-1]}")
    os.replace(made / program.name, program)


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
def booted_pool(python: Path, folder: Path, variables: dict[str, str]) -> Iterator[int]:
    """Run the pool as an image's `boot --worker_pool` does: each worker is started by the boot program.

    `python` is that of the image's environment, `variables` those of its ENV lines. `folder` is where it runs, for
    Python can import what lies there, and where it leaves its `pool.log`.
    """
    port, boot = free_port(), boot_program()
    words = [str(python), "-m", "apache_beam.runners.worker.worker_pool_main"]
    words += [f"--service_port={port}", f"--container_executable={boot}"]
    variables = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", **variables}
    with (folder / "pool.log").open("wb") as log, _running(words, port, variables, log, folder):
        yield port


@contextmanager
def _running(
    words: list[str],
    port: int,
    changes: dict[str, str] | None = None,
    log: IO[bytes] | int = subprocess.DEVNULL,
    folder: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        words,
        cwd=folder,
        stdout=log,
        stderr=log,
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
