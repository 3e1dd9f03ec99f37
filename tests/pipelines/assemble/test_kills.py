"""`assemble` killed at named places, then run again: the same bytes, and nothing for a reader to see meanwhile.

A place is `WHAT:WHEN`, or `…@3` for the third time there: a file, by its name or its folder, when it is written and
synced or has its name for good; blocks that were spilled; a folder that is about to be cleaned.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corpus.assemble.config import AssembleConfig
from corpus.errors import UsageError
from corpus.stage.lock import LOCK
from corpus.stage.manifest import MANIFEST, read_manifest
from corpus.stage.withdraw import WITHDRAWN
from corpus.storage.files import walk_files
from corpus.synthetic.sample.write import write_sample
from pipelines.assemble.pipeline import assemble
from tests.pipelines.assemble.test_determinism import extract, extract_config, hashes
from tests.support.forked_ranks import KILLER

pytestmark = pytest.mark.slow

NAMED = (MANIFEST, "outcome.npy", WITHDRAWN)  # other files go by the name of their folder
FILES = ("documents", "texts", "early", "buckets", "outcome.npy", "decisions", "train", "validation", "manifest.json")
PLACES = [f"{name}:{when}" for name in FILES for when in ("written", "renamed")]
PLACES += ["documents:renamed@3", "_receipts:written", "_receipts:renamed@9", "_receipts:written@14"]
PLACES += ["spill:flushed", "spill:flushed@5", "clean:_receipts", "clean:_work"]
PLACES += ["test:written", "test:renamed"]
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


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "place", [f"{WITHDRAWN}:written", f"{WITHDRAWN}:renamed", "documents:renamed@2", "clean:_work"]
)
def test_a_kill_of_an_update_is_made_good(records: Path, tmp_path: Path, place: str) -> None:
    output, other = tmp_path / "corpus", tmp_path / "other"
    sample = write_sample(str(tmp_path / "raw"), seed=4, scale=0.06)
    extract(extract_config(sample), output=str(other))
    assemble(AssembleConfig(), records=str(other), output=str(output), update=True)
    assemble(AssembleConfig(), records=str(records), output=str(tmp_path / "expected"), update=True)
    assert run_and_die(records, output, place, "--update") == -signal.SIGKILL
    assemble(AssembleConfig(), records=str(records), output=str(output), update=True)
    assert hashes(output) == hashes(tmp_path / "expected")


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", ["documents:renamed@2", "train:written"])
def test_a_killed_worker_ends_the_run_with_exit_75(records: Path, tmp_path: Path, place: str) -> None:
    start = time.monotonic()
    assert run_and_die(records, tmp_path / "corpus", place, "--workers", "2") == 75
    assert time.monotonic() - start < 120
    assemble(AssembleConfig(), records=str(records), output=str(tmp_path / "corpus"))
    assert (tmp_path / "corpus" / MANIFEST).exists()
