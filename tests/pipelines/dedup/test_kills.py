"""`dedup` killed at named places, then run again: the same bytes, and nothing for a reader to see meanwhile."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.foreign.config import DedupConfig
from pipelines.dedup.pipeline import dedup
from pipelines.inspection.verification import verify_directory
from tests.pipelines.dedup.test_truth import hashes
from tests.support.foreign_corpus import write_corpus_files, write_rows
from tests.support.forked_ranks import KILLER
from tests.support.small_corpus import sentences

pytestmark = pytest.mark.slow
PLACES = (
    *("before:1:*/signed/*", "after:2:*/listed/*", "after:1:*/rejects/*", "before:1:*/outcome.npy"),
    *("after:1:*/names.parquet", "before:1:*/data/*", "after:3:*/data/*", "after:1:*/decisions/*"),
    *("before:3:*/_receipts/*", "after:7:*/_receipts/*", "before:1:*/manifest.json", "after:1:*/manifest.json"),
)
OTHERS = (
    "pipelines.beam.exchange:Spill._flush:after:2",
    "corpus.stage.workspace:Workspace._clean_folder:before:1:_work",
)
POINTS = [*(f"corpus.storage.files:publish:{place}" for place in PLACES), *OTHERS]
ARGUMENTS = ("--max-reject-rate", "1", "--duplicates", "tag")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `in`, in all forms, with copies, a bad line and a repeated id, and `expected`."""
    base = tmp_path_factory.mktemp("kills")
    texts = [" ".join(sentences(number, 8)) for number in range(60)]
    write_corpus_files(base / "in", texts + [f"{text} moreover" for text in texts[:20]])
    write_rows(base / "in" / "f.jsonl", [{"id": "d1", "text": texts[0]}, {"text": 5}])
    config = DedupConfig(max_reject_rate=1.0, duplicates="tag")
    dedup(config, given=[str(base / "in")], output=str(base / "expected"))
    return base


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_run_goes_on_and_gives_the_same_bytes(base: Path, point: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipelines.cli.process", "dedup", str(base / "in"), "-o", str(tmp_path / "out")]
    path = os.pathsep.join(filter(None, [str(KILLER), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "CORPUSCLE_KILL_ANY": point}
    done = subprocess.run([*command, *ARGUMENTS], env=environment, stderr=subprocess.DEVNULL, check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL
    committed = (tmp_path / "out" / "manifest.json").exists()
    assert committed == ("after:1:*/manifest.json" in point or "_clean_folder" in point)
    config = DedupConfig(max_reject_rate=1.0, duplicates="tag")
    dedup(config, given=[str(base / "in")], output=str(tmp_path / "out"))
    assert hashes(tmp_path / "out") == hashes(base / "expected")
    assert verify_directory(str(tmp_path / "out")).num_wrong == 0


def test_what_was_read_before_a_kill_is_not_read_again(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "pipelines.cli.process", "dedup", str(base / "in"), "-o", str(tmp_path / "out")]
    path = os.pathsep.join(filter(None, [str(KILLER), os.environ.get("PYTHONPATH")]))
    point = "corpus.storage.files:publish:before:1:*/outcome.npy"
    environment = {**os.environ, "PYTHONPATH": path, "CORPUSCLE_KILL_ANY": point}
    subprocess.run([*command, *ARGUMENTS], env=environment, stderr=subprocess.DEVNULL, check=False, timeout=300)
    signed = sorted((tmp_path / "out" / "_work" / "signed").iterdir())
    assert len(signed) == 6
    before = {path: path.stat().st_mtime_ns for path in signed}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("corpus.stage.workspace.Workspace.clean", lambda *_, **__: None)
        config = DedupConfig(max_reject_rate=1.0, duplicates="tag")
        dedup(config, given=[str(base / "in")], output=str(tmp_path / "out"))
    assert {path: path.stat().st_mtime_ns for path in signed} == before
    assert "an earlier run finished 6 of 12 tasks" in capsys.readouterr().err
