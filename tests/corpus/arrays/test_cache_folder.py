"""Folders for caches: the user's where they can be written, a private one elsewhere, and no trust in anybody's link."""

import os
import pwd
import tempfile
from pathlib import Path

import pytest

from corpus.arrays.cache_folder import LIBRARIES, cache_folder, user_caches, without_home


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder beside a user whose caches cannot be written: they are below a file."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder / f"corpuscle-{os.getuid()}"


def test_the_users_caches_come_first(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder("numba") == tmp_path / "cache" / "corpuscle" / "numba"
    assert not temporary.exists()


def test_elsewhere_a_folder_is_private_and_found_again(temporary: Path) -> None:
    assert cache_folder("numba") == temporary / "numba"
    assert temporary.stat().st_mode & 0o777 == 0o700
    assert cache_folder("numba") == temporary / "numba"


def test_a_folder_that_others_may_have_made_is_not_used(tmp_path: Path, temporary: Path) -> None:
    temporary.mkdir()
    temporary.chmod(0o755)
    assert cache_folder("numba") is None
    temporary.rmdir()
    (tmp_path / "theirs").mkdir(mode=0o700)
    temporary.symlink_to(tmp_path / "theirs")
    assert cache_folder("numba") is None
    temporary.unlink()
    temporary.touch(mode=0o600)
    assert cache_folder("numba") is None


def test_a_user_that_no_list_knows_has_no_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    assert user_caches() == Path("/nonexistent/.cache")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what it does where neither HOME nor a list helps
    assert user_caches() is None


def test_libraries_are_kept_off_a_home_that_cannot_be_written(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USER", "somebody")
    assert without_home() == {variable: str(temporary / name) for variable, name in LIBRARIES.items()}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not yet" / "made"))
    assert without_home() == {}
    assert not (tmp_path / "not yet").exists()


def test_a_user_that_no_list_knows_gets_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    assert without_home() == {"USER": str(os.getuid())}
