"""Entry point: what a command says comes out whole, and its exit code is that of `main`."""

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


def test_a_closed_output_is_no_fault() -> None:
    done = subprocess.run(f"{' '.join(COMMAND)} --version >&-", shell=True, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stage_runs_whatever_streams_are_closed(closed: str, tmp_path: Path) -> None:
    text = "<PubmedArticle><MedlineCitation><PMID>1</PMID></MedlineCitation></PubmedArticle>"
    (tmp_path / "a.xml").write_text(f"<PubmedArticleSet>{text}</PubmedArticleSet>", encoding="utf-8")
    words = f"extract --pubmed {tmp_path}/a.xml --output {tmp_path}/out"
    done = subprocess.run(f"{' '.join(COMMAND)} {words} {closed}", shell=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert run("verify", str(tmp_path / "out")).returncode == 0


@pytest.mark.parametrize("number", ["0", "00", "-1", "abc", ""])
def test_a_number_of_threads_that_is_none_stops_no_kernel(number: str, tmp_path: Path) -> None:
    text = "<PubmedArticle><MedlineCitation><PMID>1</PMID></MedlineCitation></PubmedArticle>"
    (tmp_path / "a.xml").write_text(f"<PubmedArticleSet>{text}</PubmedArticleSet>", encoding="utf-8")
    own = {**os.environ, "NUMBA_NUM_THREADS": number}
    done = run("extract", "--pubmed", str(tmp_path / "a.xml"), "--output", str(tmp_path / "out"), env=own)
    assert done.returncode == 0, done.stderr
    assert "NUMBA" not in done.stderr


def test_no_file_gets_the_number_of_a_closed_stream() -> None:
    program = "import pipelines.cli.process as process, pipelines.cli.app as app, os; "
    program += "app.main = lambda: os.open(os.devnull, os.O_RDONLY) if os.get_inheritable(2) else 0; process.command()"
    command = f'{sys.executable} -c "{program}" <&- >&- 2>&-'
    assert subprocess.run(command, shell=True, check=False).returncode > 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_output_that_cannot_be_written_is_a_fault() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([*COMMAND, "--version"], stdout=full, stderr=subprocess.PIPE, check=False, timeout=120)
    assert done.returncode == 5
    assert b"No space left" in done.stderr


def test_functions_registered_for_the_exit_run() -> None:
    program = "import atexit, pipelines.cli.process as process; atexit.register(print, 'at the exit')"
    program += "; import pipelines.cli.app as app; app.main = lambda: print('a') or 7; process.command()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.returncode) == ("a\nat the exit\n", 7)


def test_cpu_seconds_that_are_used_up_are_said() -> None:
    program = "import resource, pipelines.cli.process as process, pipelines.cli.app as app; "
    program += "resource.setrlimit(resource.RLIMIT_CPU, (1, 60)); app.main = lambda: exec('while True: pass')"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; process.command()"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 75
    assert done.stderr == "error: stopped by SIGXCPU; the same command goes on from the finished parts\n"
