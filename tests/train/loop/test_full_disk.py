"""A disk that fills up while a run trains: it goes on, tries again, and names what is safe when it cannot."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from corpus.errors import CorruptError, DiskError
from corpus.stage.manifest import read_manifest
from tests.support.forked_ranks import fork_ranks
from tests.support.small_tokens import made_up_texts, write_tokens
from train.checkpoint.store import checkpoint_path, newest_good, start_list
from train.config import TrainConfig
from train.job import JOB
from train.launch.rank_errors import rank_error
from train.launch.stage import train
from train.loop.hold import ranks_hold
from train.loop.metrics import _Lines
from train.loop.rank import main
from train.loop.rank_files import RankFiles, raise_failures
from train.plan.memory import checkpoint_bytes

SETTINGS = {
    "model": {"layers": 2, "heads": 2, "hidden": 128},
    "steps": 8,
    "batch_rows": 4,
    "micro_batch": 2,
    "learning_rate": 1e-3,
    "warmup_steps": 2,
    "eval_every": 100,
    "eval_rows": 2,
    "sample_tokens": 0,
    "save_every": 2,
    "keep_checkpoints": 2,
    "log_every": 1,
}
FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "tokens"
    return str(write_tokens(folder, made_up_texts(40, seed=1), vocab_size=300, seq_length=32))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB; a checkpoint of these settings takes 9."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small file system to fill")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")
def test_lines_wait_for_room_on_a_full_disk(tmp_path: Path) -> None:
    lines = _Lines(str(FULL))
    lines.add(b"one\n")
    with pytest.raises(DiskError, match="/dev/full: cannot be written: no space left"):
        lines.sync()
    lines._file = open(tmp_path / "lines", "ab", buffering=0)  # noqa: SIM115
    lines.add(b"two\n")
    lines.sync()
    assert (tmp_path / "lines").read_bytes() == b"one\ntwo\n"


@pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("write", ["torch", "safetensors"])
@pytest.mark.parametrize("later", [False, True])
def test_what_cannot_be_written_is_noted_on_all_ranks_not_raised_on_one(
    tmp_path: Path, write: str, later: bool
) -> None:
    files = RankFiles(str(tmp_path / "step"), later=later)
    tensors = {"a": torch.zeros(9)}
    if write == "torch":
        files.save(tensors, str(FULL), torch.save)
    else:
        files.do(lambda: save_file(tensors, str(tmp_path / "none" / "file")), str(tmp_path / "step" / "file"))
    files.start() if later else files.finish()
    files.wait()
    assert len(files.failures) == 1
    assert files.failures[0].startswith(f"{tmp_path}/step: cannot be written: ")
    with pytest.raises(DiskError, match="cannot be written"):
        raise_failures([[], files.failures])


@pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")
def test_a_rank_whose_log_takes_no_line_keeps_its_exit_code(tmp_path: Path) -> None:
    """Of the error that a full disk is, nothing may fit: 1 would be a fault of ours."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / JOB).write_text("{")
    command, own = [sys.executable, "-m", "train.loop.rank", str(tmp_path / "run")], {**os.environ, "RANK": "0"}
    told = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert told.returncode == CorruptError.exit_code, told.stderr
    with FULL.open("wb") as log:
        assert subprocess.run(command, env=own, stderr=log, check=False).returncode == told.returncode


@pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")
def test_a_system_that_says_the_disk_is_full_is_exit_code_5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run" / "_work").mkdir(parents=True)

    def write_where_nothing_fits(*_: object) -> bool:
        with FULL.open("wb") as sink:
            sink.write(b"x")
        return True

    monkeypatch.setenv("RANK", "0")
    monkeypatch.setattr("train.loop.rank.read_job", write_where_nothing_fits)
    assert main(str(tmp_path / "run")) == DiskError.exit_code
    assert "No space left on device; and nothing was saved before; free space" in capsys.readouterr().err


def test_a_disk_without_room_for_the_error_is_told_with_what_helps(tmp_path: Path) -> None:
    start_list(str(tmp_path))
    log = tmp_path / "log"
    log.write_text("OSError: [Errno 28] No space left on device\n")
    found = rank_error(str(tmp_path), [DiskError.exit_code], stopped=False, log=str(log))
    assert isinstance(found, DiskError)
    assert str(found).endswith("nothing was saved before; free space, then run the same command again")


def fill(place: Path, run: Path) -> None:
    """Take what room there is once the second checkpoint is being written, as another job would."""
    while not (run / "checkpoints/.tmp-step-00000004").exists():
        threading.Event().wait(0.002)
    with open(place / "other-job", "wb", 0) as sink:
        try:
            while sink.write(b"x" * (1 << 20)):
                pass
        except OSError:
            return


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ranks", "stage", "later"),
    [(1, 1, False), (2, 2, True), pytest.param(2, 2, False, marks=pytest.mark.exhaustive)],
)
def test_a_disk_that_fills_up_while_saving_ends_in_exit_code_5_and_loses_nothing(
    ranks: int, stage: int, later: bool, tokens: str, tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, whole = small_disk / "run", tmp_path / "whole"
    settings = TrainConfig.model_validate(SETTINGS | {"ranks": ranks, "zero_stage": stage, "save_async": later})
    fork_ranks(monkeypatch)
    threading.Thread(target=fill, args=(small_disk, run), daemon=True).start()
    with pytest.raises(
        DiskError, match=r"(Step 8 is lost,|either;) step-0000000\d is the last good checkpoint; free"
    ) as caught:
        train(settings, tokens=tokens, output=str(run))
    saved = newest_good(str(run), pytest.fail)  # training went on behind it, to the last step
    assert 2 <= saved.step < 8
    assert saved.name in str(caught.value)
    assert not ranks_hold(str(run))
    assert {path.name for path in (run / "checkpoints").iterdir()} <= {"latest.json", "step-00000002", saved.name}
    os.unlink(small_disk / "other-job")
    train(settings, tokens=tokens, output=str(run), resume=True)
    train(settings, tokens=tokens, output=str(whole))
    assert (run / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert read_manifest(str(run)) == read_manifest(str(whole))


@pytest.mark.slow
def test_a_disk_with_room_again_costs_two_ranks_one_save(
    tokens: str, tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, whole = small_disk / "run", tmp_path / "whole"
    settings = TrainConfig.model_validate(SETTINGS | {"ranks": 2, "steps": 12})
    fork_ranks(monkeypatch)

    def fill_for_a_while() -> None:
        fill(small_disk, run)
        while (run / "checkpoints/.tmp-step-00000004").exists():
            threading.Event().wait(0.002)
        os.unlink(small_disk / "other-job")

    threading.Thread(target=fill_for_a_while, daemon=True).start()
    train(settings, tokens=tokens, output=str(run))
    train(settings, tokens=tokens, output=str(whole))
    assert (run / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert read_manifest(str(run)) == read_manifest(str(whole))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "stage"), [("fp32", 0), ("fp32", 1), ("fp32", 2), ("bf16", 1), ("bf16", 2), ("bf16", 3)]
)
def test_a_checkpoint_has_the_size_that_is_asked_of_the_disk(
    tokens: str, tmp_path: Path, precision: str, stage: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork_ranks(monkeypatch)
    changes: dict[str, Any] = {"steps": 1, "precision": precision, "zero_stage": stage}
    config = TrainConfig.model_validate(SETTINGS | changes)
    train(config, tokens=tokens, output=str(tmp_path / "run"))
    folder = Path(checkpoint_path(str(tmp_path / "run"), "step-00000001"))
    found = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    stated = checkpoint_bytes(config.model.shape(seq_length=32, vocab_size=300), precision, stage)
    assert stated <= found <= 1.06 * stated + 100_000  # descriptions, and DeepSpeed's scripts
