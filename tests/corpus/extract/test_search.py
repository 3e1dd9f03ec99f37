"""Nothing that an input path stands for is passed over in silence: read, or named."""

import errno
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from corpus import storage
from corpus.errors import UsageError
from corpus.extract.inputs import find_inputs
from corpus.fetch.config import read_ids

NOBODY = 65534


def found(*pubmed: Path | str, pmc: tuple[Path, ...] = ()) -> list[str]:
    tasks = find_inputs(pubmed=[str(path) for path in pubmed], pmc=[str(path) for path in pmc], articles_per_part=500)
    return sorted(task.name for task in tasks)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Return an input folder with a PubMed file in each of two folders."""
    return with_files(tmp_path / "raw")


def with_files(raw: Path) -> Path:
    for name in ("baseline/a.xml", "updatefiles/b.xml"):
        (raw / name).parent.mkdir(parents=True)
        (raw / name).write_text(name)
    return raw


@contextmanager
def closed(name: str, permissions: int) -> Iterator[Path]:
    """Yield an input folder, one thing in it closed to a user whom permissions bind: root becomes nobody meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        raw = with_files(Path(folder) / "raw")
        os.chmod(folder, 0o755)
        (raw / name).chmod(permissions)
        user = os.geteuid()
        try:
            if user == 0:
                os.seteuid(NOBODY)
            yield raw
        finally:
            os.seteuid(user)
            (raw / name).chmod(0o700)


@pytest.mark.parametrize("permissions", [0o000, 0o444], ids=["cannot be listed", "cannot be entered"])
@pytest.mark.parametrize("argument", ["", "*", "*/*.xml", "**/*.xml"])
def test_a_folder_that_is_closed_to_the_user_is_an_error_that_names_it(permissions: int, argument: str) -> None:
    message = r"updatefiles: Permission denied"
    with closed("updatefiles", permissions) as raw, pytest.raises(UsageError, match=message):
        found(raw / argument)


def test_a_file_that_is_closed_to_the_user_is_an_error_that_names_it() -> None:
    message = r"updatefiles/b\.xml: Permission denied"
    with closed("updatefiles/b.xml", 0o000) as raw, pytest.raises(UsageError, match=message):
        found(raw)


def test_every_closed_folder_is_named_at_once(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def failing(path: str) -> Any:
        if path != str(raw):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return real(path)

    monkeypatch.setattr("os.scandir", failing)
    with pytest.raises(UsageError) as failure:
        found(raw, raw)
    assert str(failure.value).count("Input/output error") == 2


def test_files_that_no_reader_takes_are_counted_and_named(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.xml.bz2", "b.xml.zip", "c.tar.gz", "d.xml.part", "e"):
        (raw / name).write_text("x")
    assert found(raw) == ["a", "b"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"5 files are not understood and not read: {raw}/a.xml.bz2, {raw}/b.xml.zip, {raw}/c.tar.gz, …"
    assert found(raw / "baseline", raw / "e") == ["a"]
    assert capsys.readouterr().err == f"1 file is not understood and not read: {raw}/e\n"
    assert found(raw / "baseline", pmc=(raw / "c.tar.gz",)) == ["a", "c"]
    assert capsys.readouterr().err == ""
    assert found(raw / "baseline", raw / "c.tar.gz", pmc=(raw / "c.tar.gz",)) == ["a", "c"]
    assert capsys.readouterr().err == "", "one of the readers takes it"


def test_companions_and_hidden_files_are_no_news(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (raw / ".git").mkdir()
    names = ("a.xml.gz.md5", "oa_file_list.txt", "l.filelist.csv", "PMC1.1.json", "README", "README.pdf", "s.html")
    for name in (*names, ".DS_Store", "._a.xml", ".git/x.zip"):
        (raw / name).write_text("x")
    (raw / "gone.md5").symlink_to("nowhere")
    assert found(raw) == ["a", "b"]
    assert capsys.readouterr().err == ""


def test_folders_behind_links_are_searched_each_file_once(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "disk/inner").mkdir(parents=True)
    (tmp_path / "disk/inner/c.xml").write_text("c")
    (raw / "0-more").symlink_to("../disk")
    (tmp_path / "disk/loop").symlink_to(raw)
    (raw / "0-same").symlink_to("baseline")
    (raw / "self").symlink_to(".")
    (raw / "file.xml").symlink_to("baseline/a.xml")
    tasks = find_inputs(pubmed=[str(raw)], pmc=[], articles_per_part=1)
    assert sorted(os.path.relpath(task.paths[0], raw) for task in tasks) == [
        *("0-more/inner/c.xml", "baseline/a.xml", "updatefiles/b.xml"),
    ], "a folder's own place comes before a link to it"


@pytest.mark.parametrize("target", ["nowhere", "knot"])
def test_a_link_that_leads_nowhere_is_an_error_that_names_it(raw: Path, target: str) -> None:
    (raw / "knot").symlink_to(target)
    with pytest.raises(UsageError, match=rf"knot: .*\(a link to {target}\)"):
        found(raw)


def special(path: Path, kind: str) -> Path:
    """Make a file of a kind that is not regular; a device is reached by a link."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as made, tempfile.TemporaryDirectory() as short:
            made.bind(f"{short}/s")
            os.rename(f"{short}/s", path)
    assert not stat.S_ISREG(path.stat().st_mode)
    return path


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_what_is_no_regular_file_is_refused_by_name(raw: Path, tmp_path: Path, kind: str) -> None:
    place = special(raw / "odd.xml", kind)
    (tmp_path / "link.xml").symlink_to(place)
    for argument in (raw, place, raw / "*.xml", tmp_path / "link.xml"):
        with pytest.raises(UsageError, match=rf"(odd|link)\.xml: a {kind}, not a regular file"):
            found(argument)
    special(raw / "odd", kind)
    with pytest.raises(UsageError, match=rf"odd: a {kind}, not a regular file"):
        found(raw / "baseline", raw / "odd")


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_no_reading_waits_for_a_pipe_or_never_ends(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UsageError, match=f"odd: a {kind}, not a regular file"):
        storage.open_read(str(special(tmp_path / "odd", kind)))
    with pytest.raises(IsADirectoryError):
        storage.open_read(str(tmp_path))


def test_a_list_of_ids_that_is_no_regular_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ids: a pipe, not a regular file"):
        read_ids(str(special(tmp_path / "ids", "pipe")))
    (tmp_path / "list").write_text("PMC12  # ä\n7.2\n", encoding="utf-8")
    assert read_ids(str(tmp_path / "list")) == ("12", "7.2")
