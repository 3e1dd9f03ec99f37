"""Asynchronous saves: the bytes of synchronous ones, of the step they are of, published whole, waited for at an end."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import DataError
from corpus.stage.manifest import read_manifest
from tests.support.forked_ranks import fork_ranks
from tests.support.small_tokens import made_up_texts, write_tokens
from train.checkpoint.store import FOLDER, find_damage, read_checkpoint, read_list
from train.config import TrainConfig, load_preset
from train.launch.stage import train
from train.loop.rank_files import RankFiles, record, write_records
from train.plan.memory import snapshot_bytes

SETTINGS: dict[str, Any] = {
    "model": {"layers": 2, "heads": 2, "hidden": 32, "dropout": 0.1},
    "steps": 7,
    "batch_rows": 4,
    "micro_batch": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 2,
    "eval_every": 4,
    "eval_rows": 4,
    "sample_tokens": 0,
    "save_every": 2,
    "keep_checkpoints": 9,
    "log_every": 100,
}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "tokens"
    return str(write_tokens(folder, made_up_texts(40, seed=1), vocab_size=300, seq_length=64))


def contents(run: Path) -> dict[str, bytes]:
    """Return every file of every checkpoint, and the list."""
    return {str(path.relative_to(run)): path.read_bytes() for path in (run / FOLDER).rglob("*") if path.is_file()}


def check_copy(files: dict[str, bytes], config: TrainConfig) -> None:
    """Hold the memory that is planned for the copy of a save against what each rank wrote."""
    assert config.model is not None
    shape, ranks = config.model.shape(seq_length=64, vocab_size=300), config.ranks
    last = {name: len(content) for name, content in files.items() if "/step-00000007/" in name or "/step-7/" in name}
    assert last
    others = sum(size for name, size in last.items() if "zero_pp_rank_1_" in name and "optim_states" in name)
    planned = [
        snapshot_bytes(shape, precision=config.precision, stage=config.zero_stage, ranks=ranks, ranks_here=here)
        for here in (1, ranks)
    ]
    assert sum(last.values()) == pytest.approx(planned[1], rel=0.1)
    assert others == pytest.approx(planned[1] - planned[0], rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ranks", "stage", "precision"),
    [
        (2, 1, "bf16"),
        *(
            pytest.param(ranks, stage, precision, marks=pytest.mark.exhaustive)
            for ranks in (1, 2)
            for stage in range(4)
            for precision in ("fp32", "bf16")
            if (stage or precision == "fp32") and (ranks, stage, precision) != (2, 1, "bf16")
        ),
    ],
)
def test_every_byte_is_that_of_a_synchronous_save(
    ranks: int, stage: int, precision: str, tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork_ranks(monkeypatch)
    base = SETTINGS | {"ranks": ranks, "zero_stage": stage, "precision": precision}
    for name, later in (("now", False), ("later", True)):
        config = TrainConfig.model_validate(base | {"save_async": later})
        train(config, tokens=tokens, output=str(tmp_path / name))
    now, later = contents(tmp_path / "now"), contents(tmp_path / "later")
    assert now
    assert {*now} == {*later}
    assert [name for name in now if now[name] != later[name]] == []
    assert (tmp_path / "now/metrics.jsonl").read_bytes() == (tmp_path / "later/metrics.jsonl").read_bytes()
    assert read_manifest(str(tmp_path / "now")) == read_manifest(str(tmp_path / "later"))
    entries = read_list(str(tmp_path / "later")) or ()
    assert [entry.step for entry in entries] == [2, 4, 6, 7]
    assert all(find_damage(str(tmp_path / "later"), entry) is None for entry in entries)
    check_copy(later, config)
    assert {name.rpartition("/")[2] for name in read_checkpoint(str(tmp_path / "later"), entries[0].name).files} >= {
        "model.safetensors",
        "zero_to_fp32.py",
    }


@pytest.mark.slow
def test_a_run_that_must_stop_publishes_the_save_in_the_making_first(
    tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops in the step behind a save; what the message goes on from is there."""
    fork_ranks(monkeypatch)
    # No loss is as low: every step behind the tenth is a spike.
    config = TrainConfig.model_validate(
        SETTINGS
        | {"steps": 20, "save_every": 10, "save_async": True, "on_spike": "stop", "spike_nats": 1e-9}
        | {"learning_rate": 1e-9}
    )
    output = str(tmp_path / "run")
    for resume in (False, True):
        with pytest.raises(DataError, match="more than spike_nats"):
            train(config, tokens=tokens, output=output, resume=resume)
        assert [entry.step for entry in read_list(output) or ()] == [10]


def state_of(sizes: list[int]) -> dict[str, Any]:
    """Return what a checkpoint is like: views of one storage, the same tensor twice, other types, and no tensors."""
    flat = torch.arange(sum(sizes) + 1, dtype=torch.float32)
    parts = list(torch.split(flat[1:], sizes))
    return {"flat": flat, "parts": parts, "again": parts[:1], "half": flat.bfloat16(), "step": 3, "name": ["step"] * 2}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_records_give_the_file_that_torch_saves_whatever_happens_to_the_state_meanwhile(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("files")
    (folder / "now").mkdir()
    (folder / "later").mkdir()
    state = state_of(sizes)
    torch.save(state, folder / "now" / "states.pt")
    records = record(state)
    state["flat"].fill_(-1)
    state["half"].zero_()
    write_records(records, str(folder / "later" / "states.pt"))
    assert (folder / "later" / "states.pt").read_bytes() == (folder / "now" / "states.pt").read_bytes()


def test_a_thread_writes_and_what_goes_wrong_in_it_is_raised_where_it_is_waited_for(tmp_path: Path) -> None:
    files, gate = RankFiles(str(tmp_path), later=True), threading.Event()
    files.do(gate.wait, str(tmp_path / "never"))
    files.start()
    assert not files.is_written()
    gate.set()
    files.wait()
    assert files.is_written()
    assert "No such file" in files.failures[0], "nothing was written there, which the hash finds"
    broken = RankFiles(str(tmp_path), later=True)
    broken._work.append(lambda: (_ for _ in ()).throw(KeyError("ours")))
    broken.start()
    with pytest.raises(KeyError, match="ours"):
        broken.wait()


def test_presets_for_gpus_save_while_they_train() -> None:
    assert [load_preset(name).save_async for name in ("tiny", "125m", "biomedlm-2.7b")] == [False, True, True]


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{"ranks": 2, "precision": "bf16"}, {"document_mask": True, "reset_positions": True}]
)
def test_deterministic_algorithms_are_all_that_training_uses(
    changes: dict[str, Any], tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch raises at an operation that has none; on a CPU the numbers are those without."""
    fork_ranks(monkeypatch)
    for name, on in (("as-ever", False), ("same-bits", True)):
        config = TrainConfig.model_validate(SETTINGS | {"steps": 4} | changes | {"deterministic": on})
        train(config, tokens=tokens, output=str(tmp_path / name))
    assert (tmp_path / "as-ever/metrics.jsonl").read_bytes() == (tmp_path / "same-bits/metrics.jsonl").read_bytes()
