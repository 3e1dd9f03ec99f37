"""What the system refuses by number: no fault of ours, an exit code and something to do."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.stage.explain import explain
from corpus.storage.faults import system_fault

SMALL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, 3_000))
from pipelines.cli.app import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (errno.EMFILE, 75, "ulimit -n"),
        (errno.EFBIG, 5, "ulimit -f"),
        (errno.EIO, 5, "drive fails"),
        (errno.ESTALE, 5, "drive fails"),
        (errno.EROFS, 5, "choose another place"),
        (errno.EAGAIN, 75, "ulimit -u"),
        (errno.ENOMEM, 75, "fewer --workers"),
        (errno.ELOOP, 2, "check the path"),
        (errno.ENAMETOOLONG, 2, "check the path"),
        (errno.EPERM, 2, "lsattr"),
        (errno.EACCES, 2, "this user may not"),
        (errno.ENOLCK, 2, "a local disk"),
        (errno.EXDEV, 2, "a local disk"),
        (errno.EBUSY, 75, "holds it"),
        (errno.ETIMEDOUT, 5, "drive fails"),
    ],
)
def test_a_number_of_the_system_says_what_to_do(number: int, code: int, said: str) -> None:
    error = OSError(number, os.strerror(number), "some/file")
    own_path = isinstance(error, PermissionError)  # which says its path first
    for one in (
        *([] if own_path else [error]),
        RuntimeError(f"OSError: {error} [while running 'Extract']\nTraceback …"),
    ):  # a worker's comes as text
        message, found = explain(one)
        assert found == code
        assert message.startswith(f"{os.strerror(number)}: 'some/file'")
        assert said in message


def test_what_is_ours_stays_ours() -> None:
    assert system_fault("[Errno 22] Invalid argument") is None
    assert system_fault("KeyError: 24") is None
    assert "a fault of corpuscle's own" in explain(OSError(errno.EINVAL, "Invalid argument"))[0]
    assert explain(RuntimeError("can't start new thread"))[1] == 75


def test_a_library_that_finds_no_memory_to_be_loaded_into_is_named() -> None:
    for text in ("x.so: failed to map segment from shared object", "Could not find/load shared object file 'x.so'"):
        message, code = explain(OSError(text))
        assert (code, "ulimit -v" in message) == (75, True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limits of Linux")
def test_a_limit_of_the_shell_is_named_and_without_it_the_same_command_goes_on(
    tmp_path: Path, repository: Path
) -> None:
    text = "".join(
        f"<PubmedArticle><MedlineCitation><PMID>{n + 1}</PMID></MedlineCitation></PubmedArticle>" for n in range(9)
    )
    (tmp_path / "pubmed26n0001.xml").write_text(f"<PubmedArticleSet>{text}</PubmedArticleSet>", encoding="utf-8")
    words = ["extract", "--pubmed", str(tmp_path / "pubmed26n0001.xml"), "--output", str(tmp_path / "out")]
    command = [sys.executable, "-c", SMALL, *words]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert "`ulimit -f`" in done.stderr
    assert "a fault of corpuscle's own" not in done.stderr
    assert done.returncode == 5
    again = subprocess.run([sys.executable, "-m", "pipelines.cli.process", *words], cwd=repository, check=False)
    assert again.returncode == 0
