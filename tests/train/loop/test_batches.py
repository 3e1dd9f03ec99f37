"""Rows on the way to a device: the same numbers whatever their type on disk, few bytes read for rows far apart."""

import gc
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.support.small_tokens import made_up_texts, write_tokens
from tokenizer.token_rows import TokenRows
from train.loop.rank_state import to_device
from train.loop.train_steps import _collected_by_step

CPU: Any = SimpleNamespace(device=torch.device("cpu"))
FAR = 100  # rows of 2 KB: beyond what is read around one of them


@given(st.sampled_from([np.uint16, np.uint32]).flatmap(lambda kind: arrays.arrays(kind, (3, 5))))
def test_every_id_comes_out_as_it_was(ids: Any) -> None:
    """Those beyond the largest signed number too: a vocabulary may have 65,536 entries."""
    found = to_device(CPU, ids)
    assert found.dtype == torch.int64
    assert found.tolist() == ids.tolist()


def bytes_read(rows: TokenRows, path: Path, chosen: list[int]) -> int:
    """Return what the system reads from the disk for some rows of a file that is in nobody's memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def so_far() -> int:
        lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
        return int(dict(line.split(": ") for line in lines)["read_bytes"])

    before = so_far()
    for row in chosen:
        rows.row(row)
    return so_far() - before


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="no count of the bytes that a process reads here")
def test_rows_far_apart_read_their_own_pages_alone(tmp_path: Path) -> None:
    tokens = write_tokens(
        tmp_path / "tokens", made_up_texts(4_000, seed=1, words=150), vocab_size=300, seq_length=1_024
    )
    chosen = [*range(0, len(TokenRows(str(tokens), "train")), FAR)]
    assert len(chosen) > 10
    around = bytes_read(TokenRows(str(tokens), "train"), tokens / "train-00000.bin", chosen)
    if around < len(chosen) * 4096:
        pytest.skip("this file system counts no bytes, or keeps them in memory")
    alone = bytes_read(TokenRows(str(tokens), "train", scattered=True), tokens / "train-00000.bin", chosen)
    assert alone <= len(chosen) * 2 * 4096  # a row of 2 KB lies in one page or two
    assert around > 4 * alone


def test_a_rank_imports_nothing_that_only_learning_a_tokenizer_needs() -> None:
    """A machine that trains needs neither of these wheels, nor the second that they take to import."""
    said = subprocess.run(
        [sys.executable, "-c", "import train.loop.rank, train.loop.train_steps, sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True, env=os.environ | {"DS_ACCELERATOR": "cpu"},
    ).stdout.split()  # fmt: skip
    assert "deepspeed" in said
    assert {"awkward", "gigatoken", "apache_beam", "lxml", "isal", "rich"} & {*said} == set()


def test_pythons_collector_runs_when_the_steps_say_so_alone() -> None:
    assert gc.isenabled()
    with _collected_by_step():
        assert not gc.isenabled()
        assert gc.get_freeze_count() > 0  # what is there since the start is not looked at again
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
