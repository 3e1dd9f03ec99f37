"""`assemble` killed at named places, then run again: the same bytes, and nothing for a reader to see meanwhile.

A place is `WHAT:WHEN`, or `…@3` for the third time there: a file, by its name or its folder, when it is written and
synced or has its name for good; blocks that were spilled; a folder that is about to be cleaned.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from corpus.assemble.config import AssembleConfig
from corpus.errors import DiskError, UsageError
from corpus.stage.lock import LOCK
from corpus.stage.manifest import MANIFEST, read_manifest
from corpus.stage.withdraw import WITHDRAWN
from corpus.storage.files import walk_files
from corpus.synthetic.sample.write import write_sample
from pipelines.assemble.pipeline import assemble
from pipelines.beam.flags import WORKERS
from pipelines.inspection.verification import verify_directory
from tests.pipelines.assemble.test_determinism import extract, extract_config, hashes
from tests.support.forked_ranks import KILLER

pytestmark = pytest.mark.slow

NAMED = (MANIFEST, "outcome.npy", WITHDRAWN)  # other files go by the name of their folder
FILES = ("documents", "texts", "early", "buckets", "outcome.npy", "decisions", "train", "validation", "manifest.json")
PLACES = [f"{name}:{when}" for name in FILES for when in ("written", "renamed")]
PLACES += ["documents:renamed@3", "_receipts:written", "_receipts:renamed@9", "_receipts:written@14"]
PLACES += ["spill:flushed", "spill:flushed@5", "clean:_receipts", "clean:_work"]
PLACES += ["test:written", "test:renamed"]
BEFORE_THE_COMMIT = [f"{WITHDRAWN}:written", f"{WITHDRAWN}:renamed", "documents:renamed@2", "manifest.json:written"]
COMMITTED = ["manifest.json:renamed", "train:written@2", "train:renamed@2", "manifest.json:written@2"]
COMMITTED += ["manifest.json:renamed@2", "clean:_work"]
SOME = ("documents:renamed@3", "outcome.npy:renamed", "manifest.json:written")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills")
    sample = write_sample(str(folder / "raw"), seed=3, scale=0.06)
    extract(extract_config(sample), output=str(folder / "records"))
    assemble(AssembleConfig(), records=str(folder / "records"), output=str(folder / "expected"))
    return folder / "records"


def point_of(place: str) -> str:
    """Return the point of `tests.support.killer` that is a place."""
    what, _, rest = place.partition(":")
    when, _, number = rest.partition("@")
    number = number or "1"
    if what == "spill":
        return f"pipelines.beam.exchange:Spill._flush:after:{number}"
    if what == "clean":
        return f"corpus.stage.workspace:Workspace._clean_folder:before:{number}:{when}"
    path = f"*/{what}" if what in NAMED else f"*/{what}/*"
    return f"corpus.storage.files:publish:{'before' if when == 'written' else 'after'}:{number}:{path}"


def run_and_die(records: Path, output: Path, place: str, *arguments: str) -> int:
    """Run `assemble` in processes that kill themselves at a place; return its exit code."""
    command = [sys.executable, "-m", "pipelines.cli.process", "assemble"]
    command += ["--records", str(records), "--output", str(output), *arguments]
    path = os.pathsep.join(filter(None, [str(KILLER), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "CORPUSCLE_KILL_ANY": point_of(place)}
    return subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=False, timeout=300).returncode


def check_a_kill(records: Path, output: Path, place: str) -> None:
    config = AssembleConfig()
    expected = records.parent / "expected"
    assert run_and_die(records, output, place) == -signal.SIGKILL
    if place.startswith(("clean", "manifest.json:renamed")):
        assert read_manifest(str(output)) == read_manifest(str(expected))
    else:
        assert not (output / MANIFEST).exists()
        with pytest.raises(UsageError, match="no finished stage"):
            read_manifest(str(output))
    assemble(config, records=str(records), output=str(output))
    assert hashes(output) == hashes(expected)
    assert LOCK in walk_files(str(output))


@pytest.mark.parametrize("place", SOME)
def test_a_kill_is_made_good(records: Path, tmp_path: Path, place: str) -> None:
    check_a_kill(records, tmp_path / "corpus", place)


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", [place for place in PLACES if place not in SOME])
def test_every_kill_is_made_good(records: Path, tmp_path: Path, place: str) -> None:
    check_a_kill(records, tmp_path / "corpus", place)


@pytest.fixture(scope="module")
def updated(records: Path) -> Path:
    """The corpus of other records, which is to be brought up to date, and beside it what shall come of it."""
    folder = records.parent
    sample = write_sample(str(folder / "raw-before"), seed=4, scale=0.06)
    extract(extract_config(sample), output=str(folder / "records-before"))
    assemble(AssembleConfig(), records=str(folder / "records-before"), output=str(folder / "before"), update=True)
    assemble(AssembleConfig(), records=str(records), output=str(folder / "after"), update=True)
    return folder / "before"


def check_a_killed_update(records: Path, before: Path, output: Path, place: str) -> None:
    shutil.copytree(before, output)
    assert run_and_die(records, output, place, "--update") == -signal.SIGKILL
    after = before.parent / "after"
    old, new, found = (read_manifest(str(folder)).fingerprint for folder in (before, after, output))
    assert found == (new if place in COMMITTED else old)
    findings = verify_directory(str(output))
    assert (findings.num_stages, findings.num_wrong) == (1, 0), findings.lines
    assemble(AssembleConfig(), records=str(records), output=str(output), update=True)
    assert hashes(output) == hashes(after)


@pytest.mark.parametrize("place", ["train:written", "manifest.json:renamed"])
def test_the_old_result_stays_until_the_new_one_is_there(
    records: Path, updated: Path, tmp_path: Path, place: str
) -> None:
    check_a_killed_update(records, updated, tmp_path / "corpus", place)


@contextmanager
def small_disk(folder: Path, *, room_for: Path, spare_kb: int) -> Iterator[Callable[[], object]]:
    """Mount a disk that holds what is in `room_for` and little more; yield what makes it large."""
    folder.mkdir()
    size = sum(-(-os.lstat(room_for / name).st_size // 4096) * 4 for name in walk_files(str(room_for))) + spare_kb
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=100m", str(folder)], check=True)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_leaves_the_old_result(records: Path, updated: Path, tmp_path: Path) -> None:
    after, output = updated.parent / "after", tmp_path / "disk" / "corpus"
    with small_disk(tmp_path / "disk", room_for=updated, spare_kb=170) as enlarge:
        shutil.copytree(updated, output)
        assert run_and_die(records, output, "manifest.json:renamed@99", "--update") == DiskError.exit_code
        assert read_manifest(str(output)) == read_manifest(str(updated))
        assert verify_directory(str(output)).num_wrong == 0
        enlarge()
        assemble(AssembleConfig(), records=str(records), output=str(output), update=True)
        assert hashes(output) == hashes(after)


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", [*BEFORE_THE_COMMIT, *COMMITTED])
def test_a_kill_of_an_update_is_made_good(records: Path, updated: Path, tmp_path: Path, place: str) -> None:
    check_a_killed_update(records, updated, tmp_path / "corpus", place)


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", ["documents:renamed@2", "train:written"])
def test_a_killed_worker_ends_the_run_with_exit_75(records: Path, tmp_path: Path, place: str) -> None:
    assert run_and_die(records, tmp_path / "corpus", place, "--", f"{WORKERS}=2") == 75
    assemble(AssembleConfig(), records=str(records), output=str(tmp_path / "corpus"))
    assert (tmp_path / "corpus" / MANIFEST).exists()
