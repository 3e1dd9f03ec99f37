"""Kernels are compiled once, by one process, again when a source has changed, and wherever nothing can be written."""

import fcntl
import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from numba.core.errors import TypingError

from corpus.arrays import numba_cache
from corpus.arrays.kernel import kernel
from corpus.arrays.numba_cache import COMMAND, FOLDER, LOCK, choose_folder

PART = "from corpus.arrays.kernel import part\n\n@part\ndef added(x):\n    return x + {added}\n"
KERNEL = """
from corpus.arrays.kernel import kernel
from part import added

@kernel
def answer(x):
    return added(x)
"""
ASK = "from kernels import answer; print(answer(1), sum(answer.stats.cache_hits.values()))"

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path, repository: Path) -> Start:
    """Return a function that starts a process with a kernel of its own, whose caches are all below `tmp_path`."""
    (tmp_path / "kernels.py").write_text(KERNEL)
    (tmp_path / "part.py").write_text(PART.format(added=1))
    (tmp_path / "temporary").mkdir()

    def run(code: str = ASK, **environment: str) -> "subprocess.Popen[str]":
        caches = {FOLDER: str(tmp_path / "cache"), "XDG_CACHE_HOME": str(tmp_path / "caches")}
        own = {"TMPDIR": str(tmp_path / "temporary"), "PYTHONPATH": f"{tmp_path}:{repository}"}
        clean = {name: value for name, value in os.environ.items() if name != COMMAND}
        return subprocess.Popen(
            [sys.executable, "-c", code],
            env=clean | caches | own | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


def answered(process: "subprocess.Popen[str]", go: str = "") -> tuple[int, int, str]:
    """Return what the kernel gave, how often it came from the cache, and what was said."""
    out, err = process.communicate(go)
    assert process.returncode == 0, err
    value, hits = out.split()[-2:]
    return int(value), int(hits), err


@pytest.mark.slow
def test_an_edited_part_is_compiled_again(start: Start, tmp_path: Path) -> None:
    value, hits, said = answered(start())
    assert (value, hits) == (2, 0)
    assert said.startswith(f"compiling once on this machine, up to 20 s; kept in {tmp_path / 'cache'} (")
    assert "corpuscle doctor --compile" in said
    assert answered(start()) == (2, 1, "")
    before = (tmp_path / "part.py").stat()
    (tmp_path / "part.py").write_text(PART.format(added=10))
    os.utime(tmp_path / "part.py", ns=(before.st_atime_ns, before.st_mtime_ns))  # as of a copy, or an older archive
    assert answered(start())[:2] == (11, 0)
    assert answered(start()) == (11, 1, "")


@pytest.mark.slow
def test_a_damaged_cache_is_no_reason_to_stop(start: Start, tmp_path: Path) -> None:
    assert answered(start())[:2] == (2, 0)
    for path in (tmp_path / "cache").rglob("*.nb[ci]"):
        path.write_bytes(path.read_bytes()[:100])
    assert answered(start())[:2] == (2, 0)
    assert answered(start())[:2] == (2, 1)


@pytest.mark.slow
def test_of_two_processes_one_compiles_and_says_so(start: Start, tmp_path: Path) -> None:
    code = f"import kernels; print('ready', flush=True); input(); {ASK}"
    (tmp_path / "cache").mkdir()
    with open(tmp_path / "cache" / "compiling.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        both = [start(code, **{COMMAND: "7"}) for _ in range(2)]
        for process in both:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == "ready\n"
            process.stdin.write("\n")
            process.stdin.flush()
    found = [answered(process) for process in both]
    assert sorted(hits for _, hits, _ in found) == [0, 1]
    assert "".join(said for _, _, said in found).count("compiling once") == 1


@pytest.mark.slow
def test_where_nothing_can_be_written_it_is_compiled_each_time(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = str(tmp_path / "file" / "below")
    code = f"""
import tempfile
tempfile.tempdir = {nowhere!r}
from pathlib import Path
from corpus.arrays import cache_folder
usual = cache_folder.is_writable
cache_folder.is_writable = lambda folder: folder.name != "__pycache__" and usual(folder)  # a read-only installation
{ASK}
"""
    for _ in range(2):
        value, hits, said = answered(start(code, **{FOLDER: nowhere, "XDG_CACHE_HOME": nowhere}))
        assert (value, hits) == (2, 0)
        assert said.startswith("compiling at every start, up to 20 s")
        assert FOLDER in said


@pytest.mark.slow
def test_a_kernel_loads_no_package_of_others(start: Start) -> None:
    others = "{'awkward', 'apache_beam', 'torch', 'scipy.linalg'}"
    asked = f"import sys; assert not {others} & set(sys.modules), sys.modules.keys()"
    assert answered(start(f"{ASK}; {asked}"))[0] == 2


MATRICES = """
import numba, numpy as np, corpus.arrays.kernel
product = numba.njit(lambda a, b: np.dot(a, b))
print(product(np.eye(3), np.full((3, 3), 2.0)).sum())
"""


@pytest.mark.slow
def test_numba_still_multiplies_matrices_for_others() -> None:
    pytest.importorskip("scipy")
    done = subprocess.run([sys.executable, "-c", MATRICES], capture_output=True, text=True, check=True)
    assert done.stdout == "18.0\n"


def test_a_compilation_that_raises_lets_the_next_process_compile() -> None:
    @kernel
    def outer(x: int) -> int:
        return inner(x)

    @kernel
    def inner(x: int) -> int:
        return x.no_such_attribute  # type: ignore[attr-defined,no-any-return]

    collects = gc.isenabled()
    for _ in range(2):
        with pytest.raises(TypingError):
            outer(1)
        assert (LOCK._depth, LOCK._file) == (0, -1)
        assert gc.isenabled() == collects
    assert LOCK.folder is not None, "there was a lock to hold"


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba_cache, "_tell_numba", told := [].append)
    (tmp_path / "file").touch()
    nowhere = tmp_path / "file" / "below"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setattr(tempfile, "tempdir", str(nowhere))
    monkeypatch.setenv(FOLDER, str(tmp_path / "own"))
    assert choose_folder(tmp_path) == tmp_path / "own"
    monkeypatch.delenv(FOLDER)
    assert choose_folder(tmp_path) == tmp_path
    assert choose_folder(nowhere) == tmp_path / "caches" / "corpuscle" / "numba"
    monkeypatch.setenv(FOLDER, str(nowhere))
    assert choose_folder(nowhere) == tmp_path / "caches" / "corpuscle" / "numba"
    monkeypatch.setenv("XDG_CACHE_HOME", str(nowhere))
    assert choose_folder(nowhere) is None
    assert told.__self__ == [None, *[tmp_path / "caches" / "corpuscle" / "numba"] * 2, None]
