"""What cannot fit is refused before it starts: ranks in this machine's memory, checkpoints on its disk."""

from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from corpus.errors import CorruptError, DiskError, UsageError
from corpus.stage import machine
from corpus.stage.lock import LOCK
from tests.support.small_tokens import made_up_texts, write_tokens
from train.config import ModelShape, TrainConfig, load_preset
from train.launch import room_check
from train.launch.room_check import check_disk, check_memory
from train.launch.stage import train

SHAPE = load_preset("biomedlm-2.7b").model.shape(seq_length=1024, vocab_size=28896)


def asked(**changes: Any) -> TrainConfig:
    return TrainConfig.model_validate(
        load_preset("biomedlm-2.7b").model_dump() | {"ranks": 8, "save_async": False} | changes
    )


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine of 25 GB without a GPU."""
    monkeypatch.setattr(room_check, "has_driver", lambda: False)
    monkeypatch.setattr(room_check, "memory_bytes", lambda: 25_000_000_000)
    return monkeypatch


def test_the_memory_is_what_psutil_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "LIMITS", ())
    assert machine.memory_bytes() == psutil.virtual_memory().total
    limits = tuple(tmp_path / name for name in ("absent", "none", "small"))
    limits[1].write_text("max\n")
    limits[2].write_text("1000000\n")
    monkeypatch.setattr(machine, "LIMITS", limits[:2])
    assert machine.memory_bytes() == psutil.virtual_memory().total
    monkeypatch.setattr(machine, "LIMITS", limits)
    assert machine.memory_bytes() == 1_000_000


def test_the_large_model_is_refused_on_a_laptop(laptop: pytest.MonkeyPatch) -> None:
    # 2.59 billion parameters, bf16: 2 + 4 bytes each and 12 / 8 of states, and eight ranks hold them.
    with pytest.raises(UsageError, match=r"8 CPU ranks need 8 x 19\.\d GB .* ZeRO-1; this machine has 25\.0 GB"):
        check_memory(asked(), SHAPE)
    with pytest.raises(UsageError, match="no GPU is found here"):
        check_memory(asked(launcher="torchrun"), SHAPE)


@pytest.mark.parametrize("elsewhere", [{"launcher": "print"}, {"launcher": "deepspeed", "hostfile": "hosts"}])
def test_other_machines_are_not_judged(laptop: pytest.MonkeyPatch, elsewhere: dict[str, str]) -> None:
    check_memory(asked(**elsewhere), SHAPE)


def test_gpus_and_machines_that_do_not_say_are_not_judged(laptop: pytest.MonkeyPatch) -> None:
    laptop.setattr(room_check, "memory_bytes", lambda: None)
    check_memory(asked(), SHAPE)
    laptop.setattr(room_check, "memory_bytes", lambda: 1)
    laptop.setattr(room_check, "has_driver", lambda: True)
    check_memory(asked(), SHAPE)


def test_the_copy_of_an_asynchronous_save_counts(laptop: pytest.MonkeyPatch) -> None:
    """At ZeRO-3 eight ranks hold 46.8 GB, and a save copies 36.3 more: masters, moments and the weights once."""
    laptop.setattr(room_check, "memory_bytes", lambda: 90_000_000_000)
    check_memory(asked(zero_stage=3, save_async=True), SHAPE)
    laptop.setattr(room_check, "memory_bytes", lambda: 80_000_000_000)
    with pytest.raises(UsageError, match=r"copies 36\.3 GB .* beside 46\.\d GB of the 8 CPU ranks.*save_async=false"):
        check_memory(asked(zero_stage=3, save_async=True), SHAPE)
    check_memory(asked(zero_stage=3, save_async=False), SHAPE)  # as the message advises
    laptop.setattr(room_check, "has_driver", lambda: True)
    check_memory(asked(save_async=True), SHAPE)  # the states are in the GPUs' memory
    laptop.setattr(room_check, "memory_bytes", lambda: 40_000_000_000)
    with pytest.raises(UsageError, match=r"save_async copies 41\.5 GB .* at each save, and it has 40\.0 GB"):
        check_memory(asked(save_async=True), SHAPE)


def test_states_shared_by_ranks_count_once(laptop: pytest.MonkeyPatch) -> None:
    """At ZeRO-3 all ranks together hold a model's states about once: 18 bytes a parameter, 46.7 GB."""
    laptop.setattr(room_check, "memory_bytes", lambda: 50_000_000_000)
    check_memory(asked(zero_stage=3), SHAPE)
    laptop.setattr(room_check, "memory_bytes", lambda: 46_000_000_000)
    with pytest.raises(UsageError, match="ZeRO-3"):
        check_memory(asked(zero_stage=3), SHAPE)


def test_nothing_is_written_for_a_run_that_is_refused(laptop: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tokens = write_tokens(tmp_path / "tokens", made_up_texts(30, seed=1), vocab_size=300, seq_length=16)
    small = {"model": {"layers": 1, "heads": 2, "hidden": 32}, "batch_rows": 2, "micro_batch": 1, "steps": 2}
    laptop.setattr(room_check, "memory_bytes", lambda: 1000)
    with pytest.raises(UsageError, match="2 CPU ranks need"):
        train(asked(**small, ranks=2), tokens=str(tokens), output=str(tmp_path / "run"))
    assert [path.name for path in (tmp_path / "run").rglob("*")] == [LOCK]


def test_the_small_model_fits_on_a_laptop(laptop: pytest.MonkeyPatch) -> None:
    shape: ModelShape = load_preset("125m").model.shape(seq_length=1024, vocab_size=28896)
    check_memory(TrainConfig.model_validate(load_preset("125m").model_dump() | {"ranks": 2}), shape)


@pytest.mark.parametrize(
    ("changes", "gigabytes"),
    [({}, 41.51), ({"precision": "fp32"}, 51.89), ({"precision": "fp32", "zero_stage": 0}, 41.51)],
)
def test_a_disk_that_cannot_hold_one_checkpoint_is_refused(
    laptop: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    gigabytes: float,
) -> None:
    def with_free(size: float) -> None:
        laptop.setattr(room_check.shutil, "disk_usage", lambda path: type("Usage", (), {"free": size * 1e9})())

    with_free(gigabytes - 0.1)
    with pytest.raises(DiskError, match=rf"takes {gigabytes} GB, and {gigabytes - 0.1:.2f} GB are free: the first"):
        check_disk(str(tmp_path), asked(**changes), SHAPE)
    assert capsys.readouterr().err == ""
    with_free(gigabytes + 0.1)
    check_disk(str(tmp_path), asked(**changes, keep_checkpoints=3), SHAPE)
    assert "3 are kept while one is written, which takes up to " in capsys.readouterr().err
    with_free(4 * gigabytes + 0.4)
    check_disk(str(tmp_path), asked(**changes, keep_checkpoints=3), SHAPE)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("what", ["disk", "tokens"])
def test_a_run_that_would_fail_later_is_refused_at_once(laptop: pytest.MonkeyPatch, tmp_path: Path, what: str) -> None:
    tokens = write_tokens(tmp_path / "tokens", made_up_texts(30, seed=1), vocab_size=300, seq_length=16)
    small = {
        "model": {"layers": 1, "heads": 2, "hidden": 32},
        "batch_rows": 2,
        "micro_batch": 1,
        "steps": 2,
        "ranks": 1,
    }
    error: type[Exception] = CorruptError
    if what == "disk":
        laptop.setattr(room_check.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
        error = DiskError
    else:
        ids = np.fromfile(tokens / "train-00000.bin", "<u2")
        (299 - ids).astype("<u2").tofile(tokens / "train-00000.bin")
    with pytest.raises(error, match=r"train-00000\.bin: not the tokens that were packed|the first could not be saved"):
        train(asked(**small), tokens=str(tokens), output=str(tmp_path / "run"))
    assert {path.name for path in (tmp_path / "run").rglob("*")} == {LOCK, "events.jsonl"}  # which says why


def test_a_shell_that_gives_a_rank_too_few_addresses_is_warned_of(
    laptop: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small: ModelShape = load_preset("125m").model.shape(seq_length=1024, vocab_size=28896)
    config = TrainConfig.model_validate(load_preset("125m").model_dump() | {"ranks": 1})
    check_memory(config, small)
    assert capsys.readouterr().err == ""
    laptop.setattr(machine.resource, "getrlimit", lambda which: (4_096_000_000, machine.resource.RLIM_INFINITY))
    check_memory(config, small)
    assert "`ulimit -v` allows each process 4.1 GB of addresses, and a rank takes some 6.5" in capsys.readouterr().err
