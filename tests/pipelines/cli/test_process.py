"""The process of a command: what it says comes out whole, its exit code is that of `main`, and it ends at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.stage.manifest import package_version

COMMAND = (sys.executable, "-m", "pipelines.cli.process")


def run(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, timeout=120, **more)  # type: ignore[call-overload, no-any-return]


def test_output_and_exit_code_are_those_of_the_front_door(tmp_path: Path) -> None:
    said = run("--version")
    assert (said.stdout, said.stderr, said.returncode) == (f"corpuscle {package_version()}\n", "", 0)
    refused = run("verify", str(tmp_path))
    assert (refused.stdout, refused.returncode) == ("", 2)
    assert refused.stderr.startswith("error: ")
    assert len(refused.stderr.splitlines()) == 1


def test_long_output_to_a_pipe_is_whole() -> None:
    schema = run("run", "--schema").stdout
    assert schema.startswith("{")
    assert schema.endswith("}\n")
    assert len(schema) > 1 << 14  # more than a buffer of a stream


def test_a_reader_that_has_gone_is_no_fault() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*COMMAND, "run", "--schema"], stdout=write, stderr=subprocess.PIPE, check=False, timeout=120)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_output_that_cannot_be_written_is_a_fault() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, "--version"], stdout=full, stderr=subprocess.PIPE, check=False, timeout=120)
    assert done.returncode != 0
    assert b"No space left" in done.stderr


def test_functions_registered_for_the_exit_run() -> None:
    program = "import atexit, pipelines.cli.process as process; atexit.register(print, 'at the exit'); print('a')"
    program += "; process.leave(7)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.returncode) == ("a\nat the exit\n", 7)


def test_pipelines_start_without_idle_threads_of_algebra() -> None:
    program = (
        "import os, sys; sys.argv = ['corpuscle', {verb!r}]; import pipelines.cli.process as process\n"
        "process.main = lambda: print(os.environ.get('OPENBLAS_NUM_THREADS')) or 0; process.command()"
    )
    said = {
        (verb, given): subprocess.run(
            [sys.executable, "-c", program.format(verb=verb)],
            env={**os.environ, **({"OPENBLAS_NUM_THREADS": given} if given else {})},
            capture_output=True, text=True, check=True, timeout=120,
        ).stdout.strip()
        for verb, given in (("assemble", ""), ("assemble", "3"), ("run", ""))
    }  # fmt: skip
    assert said == {("assemble", ""): "1", ("assemble", "3"): "3", ("run", ""): "None"}
