"""A kernel is compiled again when a file that it was compiled from has changed, in whatever file of the folder."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corpus.arrays import numba_cache
from corpus.arrays.numba_cache import forget_outdated

PART = "from numba import njit\n\n@njit\ndef part(x):\n    return x + {added}\n"
KERNEL = """
from pathlib import Path
from numba import njit
from corpus.arrays.numba_cache import forget_outdated
forget_outdated(Path(__file__).parent)
from part import part

@njit(cache=True)
def kernel(x):
    return part(x)
"""


def result(folder: Path, repository: Path) -> tuple[int, int]:
    """Return what the kernel gives, and how often it came from the cache."""
    code = "from kernel import kernel; print(kernel(1), sum(kernel.stats.cache_hits.values()))"
    environment = os.environ | {"PYTHONPATH": f"{folder}:{repository}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    value, hits = done.stdout.split()
    return int(value), int(hits)


@pytest.mark.slow
def test_an_edited_part_is_compiled_again(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "kernel.py").write_text(KERNEL)
    (tmp_path / "part.py").write_text(PART.format(added=1))
    assert result(tmp_path, repository) == (2, 0)
    assert result(tmp_path, repository) == (2, 1)
    (tmp_path / "part.py").write_text(PART.format(added=10))
    assert result(tmp_path, repository) == (11, 0)
    assert result(tmp_path, repository) == (11, 1)


def test_only_what_is_older_than_a_source_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setattr(numba_cache, "_SHARED", shared)
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    now = time.time()
    for name, age in (("a.py", 50), ("b.py", 100), ("__pycache__/old.nbi", 60), ("__pycache__/new.nbi", 40)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (now - age, now - age))
    assert forget_outdated(tmp_path) == 1
    assert [path.name for path in cache.iterdir()] == ["new.nbi"]
    assert forget_outdated(tmp_path / "nowhere") == 0
    (shared / "hashing.py").touch()
    assert forget_outdated(tmp_path) == 1
    assert not [*cache.iterdir()]
