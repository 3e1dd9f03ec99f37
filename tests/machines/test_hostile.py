"""The modes of `python -m tests.machines.hostile` are what they say: a test that looks around finds it so."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.machines import hostile

FOUND = {
    "one-core": "import os; assert len(os.sched_getaffinity(0)) == 1",
    "odd-locale": (
        "import locale, time; assert locale.getpreferredencoding(False).replace('-', '') != 'UTF8'; "
        "assert time.localtime().tm_gmtoff % 3600 == 45 * 60"
    ),
    "avx2": (
        "import numpy._core._multiarray_umath as found; "
        "assert not [name for name, has in found.__cpu_features__.items() if has and name in ('X86_V4', 'AVX512_SKX')]"
    ),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the modes are of Linux")
@pytest.mark.parametrize("mode", FOUND)
def test_a_mode_is_what_it_says(mode: str, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "test_around.py").write_text(f"def test_around() -> None:\n    {FOUND[mode]}\n", encoding="utf-8")
    command = [sys.executable, "-m", "tests.machines.hostile", mode, str(tmp_path), "--rootdir", str(tmp_path)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"hostile: {mode}\n")
    assert "1 passed" in done.stdout


def test_every_mode_is_tested_but_the_one_that_wants_root_and_pip() -> None:
    assert {*hostile.MODES} == {*FOUND, "unprivileged"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the modes are of Linux")
def test_modes_can_be_joined(repository: Path, tmp_path: Path) -> None:
    text = "".join(f"def test_{name.replace('-', '_')}() -> None:\n    {found}\n\n\n" for name, found in FOUND.items())
    (tmp_path / "test_around.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "tests.machines.hostile", *FOUND, str(tmp_path), "--rootdir", str(tmp_path)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"hostile: {' '.join(FOUND)}\n")
    assert f"{len(FOUND)} passed" in done.stdout
