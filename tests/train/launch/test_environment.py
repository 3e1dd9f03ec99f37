"""Environment of the ranks: folders for compiled code that can be written, whoever the user is."""

import os
import tempfile
from pathlib import Path

import pytest

from corpus.arrays.cache_folder import LIBRARIES
from train.launch.processes import environment

EXTENSIONS = "TORCH_EXTENSIONS_DIR"


def test_a_user_without_a_home_trains_in_a_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in (EXTENSIONS, *LIBRARIES):
        monkeypatch.delenv(name, raising=False)
    private = tmp_path / f"corpuscle-{os.getuid()}"
    found = environment(1)
    assert found[EXTENSIONS] == str(private / "torch_extensions")
    assert found["TRITON_CACHE_DIR"] == str(private / "triton")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    assert EXTENSIONS not in environment(1)  # torch says what it thinks of that


def test_what_the_user_chose_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EXTENSIONS, "/chosen")
    monkeypatch.setenv("TRITON_CACHE_DIR", "/chosen too")
    found = environment(1)
    assert (found[EXTENSIONS], found["TRITON_CACHE_DIR"]) == ("/chosen", "/chosen too")
