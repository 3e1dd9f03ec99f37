"""Environment of the ranks: folders for compiled code that can be written, whoever the user is."""

import os
import tempfile
from pathlib import Path

import pytest

from corpus.arrays.cache_folder import LIBRARIES
from corpus.errors import UsageError
from train.launch import processes
from train.launch.processes import environment, prepare

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


@pytest.mark.parametrize(
    ("given", "found"), [("error", "default"), ("error::UserWarning,ignore", "default"), ("ignore", "ignore")]
)
def test_a_warning_of_a_library_is_no_error_of_a_rank(given: str, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", given)
    assert environment(1)["PYTHONWARNINGS"] == found


def test_a_current_folder_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UsageError, match="the current folder was removed; cd to one that is there"):
        prepare(str(tmp_path / "run"), 1)
    monkeypatch.chdir(tmp_path)
    prepare(str(tmp_path / "run"), 1)
    assert (tmp_path / "run" / "logs").is_dir()


def test_what_ranks_write_is_seen_though_the_clock_was_set_back(tmp_path: Path) -> None:
    (tmp_path / "ahead").touch()
    os.utime(tmp_path / "ahead", (4e9, 4e9))
    (tmp_path / "metrics").write_text("1")
    seen = processes._seen(str(tmp_path))
    assert processes._seen(str(tmp_path)) == seen
    (tmp_path / "metrics").write_text("2")
    os.utime(tmp_path / "metrics", (1e9, 1e9))
    again = processes._seen(str(tmp_path))
    assert again != seen
    (tmp_path / "_work/beats").mkdir(parents=True)
    with_folder = processes._seen(str(tmp_path))
    (tmp_path / "_work/beats/rank-0.json").touch()
    assert processes._seen(f"{tmp_path}/") != again
    assert processes._seen(str(tmp_path)) == with_folder
