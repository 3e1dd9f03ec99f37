"""A run goes on at another number of ranks and another ZeRO stage: the same batches, and losses that differ by
rounding alone.

Everything here is fp32 without dropout and with a constant rate, so that the whole run in one piece is the oracle.
Sums over ranks are added in another order: TOLERANCE is for that, 100 times below what one wrong row changes.
"""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from corpus.errors import CorruptError, DiskError, RetryError
from corpus.stage.manifest import read_manifest
from tests.support.forked_ranks import fork_ranks
from tests.support.small_tokens import made_up_texts, write_tokens
from tokenizer.token_rows import TokenRows
from train.checkpoint.store import (
    TAG,
    UNIVERSAL,
    Checkpoint,
    checkpoint_path,
    newest_good,
    read_checkpoint,
    read_list,
)
from train.checkpoint.universal import make_universal
from train.config import TrainConfig
from train.launch import reshape
from train.launch.stage import train
from train.loop.metrics import read_metrics

TOLERANCE = 2e-5
STEPS = (3, 6, 9)
SETTINGS = {
    "model": {"layers": 2, "heads": 2, "hidden": 32},
    "steps": 9,
    "batch_rows": 4,
    "micro_batch": 2,
    "learning_rate": 3e-3,
    "warmup_steps": 0,
    "final_lr_fraction": 1.0,
    "eval_every": 3,
    "eval_rows": 4,
    "sample_tokens": 0,
    "save_every": 3,
    "log_every": 100,
}


def config(**changes: Any) -> TrainConfig:
    return TrainConfig.model_validate(SETTINGS | changes)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "tokens"
    return str(write_tokens(folder, made_up_texts(40, seed=1), vocab_size=300, seq_length=64))


@pytest.fixture(scope="module")
def whole(tokens: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One rank, one piece."""
    output = tmp_path_factory.mktemp("runs") / "whole"
    train(config(), tokens=tokens, output=str(output))
    return output


def in_pieces(tokens: str, output: Path, layouts: tuple[tuple[int, int], ...], **changes: Any) -> None:
    """Train piece by piece, each as (ranks, stage)."""
    for number, (until, (ranks, stage)) in enumerate(zip(STEPS, layouts, strict=True)):
        settings = config(steps=until, ranks=ranks, zero_stage=stage, **changes)
        train(settings, tokens=tokens, output=str(output), resume=number > 0)


def assert_same(run: Path, whole: Path, tolerance: float = TOLERANCE) -> None:
    ours, theirs = read_metrics(str(run)), read_metrics(str(whole))
    for mine, other in zip(ours, theirs, strict=True):
        for name in ("step", "loss", "validation_loss", "validation_bits_per_byte"):
            assert mine.get(name) == pytest.approx(other.get(name), abs=tolerance), (mine, other)


@pytest.mark.slow
def test_one_two_and_one_rank_again_over_two_stages(
    tokens: str, whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    in_pieces(tokens, tmp_path / "run", ((1, 1), (2, 2), (1, 1)))
    said = capfd.readouterr().err
    assert "step-00000003 was written by 1 ranks with ZeRO-1: converting it for 2 with ZeRO-2" in said
    assert "step-00000006 was written by 2 ranks with ZeRO-2: converting it for 1 with ZeRO-1" in said
    assert said.count("converted, and equal to its weights") == 2
    assert_same(tmp_path / "run", whole)
    assert not (tmp_path / "run" / UNIVERSAL).exists()


@pytest.mark.slow
def test_batches_grow_on_whatever_the_ranks_are(tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of 4, 4, 4, 8, 8 and from then on 12 rows, on one rank, on two and on one again."""
    fork_ranks(monkeypatch)
    growing = {"batch_rows": 12, "batch_warmup_start": 4, "batch_warmup_steps": 5}
    train(config(**growing), tokens=tokens, output=str(tmp_path / "whole"))
    in_pieces(tokens, tmp_path / "run", ((1, 1), (2, 2), (1, 0)), **growing)
    assert_same(tmp_path / "run", tmp_path / "whole")
    told = [line["tokens"] for line in read_metrics(str(tmp_path / "run")) if "loss" in line]
    assert told == [64 * rows for rows in (4, 8, 12, 20, 28, 40, 52, 64, 76)]
    entry = (read_list(str(tmp_path / "run")) or ())[0]
    assert read_checkpoint(str(tmp_path / "run"), entry.name).tokens == told[entry.step - 1]
    summary = read_manifest(str(tmp_path / "run")).summary
    assert (summary["steps"], summary["tokens"]) == (9, told[-1])
    assert summary["epochs"] == 76 / len(TokenRows(tokens, "train"))


LAYOUTS = [((1, stage), (2, stage), (1, stage)) for stage in (0, 1, 2, 3)]
CHANGES = [((2, a), (2, b), (1, a)) for a, b in product(range(4), repeat=2) if a < b]


@pytest.mark.exhaustive
@pytest.mark.parametrize("layouts", [*LAYOUTS, *CHANGES], ids=str)
def test_every_stage_and_every_change_of_stage(
    tokens: str, whole: Path, tmp_path: Path, layouts: tuple[tuple[int, int], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    fork_ranks(monkeypatch)
    in_pieces(tokens, tmp_path / "run", layouts)
    assert_same(tmp_path / "run", whole)


@pytest.mark.exhaustive
@pytest.mark.parametrize("layouts", [((1, 1), (2, 1), (1, 1)), ((1, 1), (2, 2), (1, 3))], ids=str)
def test_bf16_stays_within_its_noise(
    tokens: str, tmp_path: Path, layouts: tuple[tuple[int, int], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    fork_ranks(monkeypatch)
    train(config(precision="bf16"), tokens=tokens, output=str(tmp_path / "whole"))
    in_pieces(tokens, tmp_path / "run", layouts, precision="bf16")
    assert_same(tmp_path / "run", tmp_path / "whole", tolerance=5e-3)


@pytest.mark.slow
def test_a_copy_that_differs_is_refused(whole: Path) -> None:
    """The shards are changed behind the guard's back; the converted weights then differ from the hashed ones."""
    checkpoint = newest_good(str(whole), print)
    shard = next(Path(checkpoint_path(str(whole), checkpoint.name), TAG).glob("*optim_states.pt"))
    intact = shard.read_bytes()
    state = torch.load(shard, weights_only=False)
    state["optimizer_state_dict"]["single_partition_of_fp32_groups"][0].data[5] += 0.5
    torch.save(state, shard)
    try:
        with pytest.raises(CorruptError, match=r"differs from model\.safetensors"):
            make_universal(str(whole), checkpoint.name)
        assert not (whole / UNIVERSAL).exists()
    finally:
        shard.write_bytes(intact)


def test_a_copy_that_does_not_fit_the_disk_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Checkpoint(step=3, tokens=1, ranks=2, zero_stage=1, tokens_fingerprint="f", recipe={}, files={})
    monkeypatch.setattr(reshape.shutil, "disk_usage", lambda path: type("Usage", (), {"free": -1})())
    with (
        pytest.raises(DiskError, match=r"needs about 0\.00 GB beside it.*--ranks 2 and zero_stage 1"),
        reshape.universal_copy(str(tmp_path), checkpoint, config()),
    ):
        raise AssertionError("the ranks were started")


@pytest.mark.parametrize(("launcher", "stays"), [("own", False), ("print", True)])
def test_the_copy_stays_for_ranks_that_others_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launcher: str, stays: bool
) -> None:
    checkpoint = Checkpoint(step=3, tokens=1, ranks=2, zero_stage=1, tokens_fingerprint="f", recipe={}, files={})
    monkeypatch.setattr(reshape, "_make", lambda *arguments: (tmp_path / UNIVERSAL).mkdir(parents=True))
    with pytest.raises(RetryError), reshape.universal_copy(str(tmp_path), checkpoint, config(launcher=launcher)):
        raise RetryError("the job is written")
    assert (tmp_path / UNIVERSAL).exists() == stays
    with reshape.universal_copy(str(tmp_path), None, config()):
        assert not (tmp_path / UNIVERSAL).exists()
