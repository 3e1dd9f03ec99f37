"""The device of a rank: a GPU where there is one, the CPU where it is asked for, and never silently something else."""

import os
from pathlib import Path

import pytest
import torch

from corpus.errors import UsageError
from tests.support.small_tokens import made_up_texts, write_tokens
from train.config import TrainConfig
from train.launch.stage import train
from train.loop import device
from train.loop.device import choose_device, on_gpu, set_defaults

HAS_GPU = torch.cuda.is_available()


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DS_ACCELERATOR", "SLURM_LOCALID", "LOCAL_WORLD_SIZE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    monkeypatch.setenv("LOCAL_RANK", "0")


def test_the_cpu_is_taken_where_it_is_asked_for() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert os.environ["DS_ACCELERATOR"] == "cpu"
    assert not on_gpu()


@pytest.mark.skipif(HAS_GPU, reason="there is a GPU here")
def test_a_gpu_that_torch_cannot_use_is_an_error_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"torch \S+ cannot use a GPU here: .+\. Install .* --set device=cpu"):
        choose_device("cuda")
    monkeypatch.setattr(device, "_DRIVER", (str(tmp_path / "none"),))
    assert choose_device() == torch.device("cpu")
    (tmp_path / "version").touch()
    monkeypatch.setattr(device, "_DRIVER", (str(tmp_path / "version"),))
    with pytest.raises(UsageError, match="cannot use a GPU here"):
        choose_device()
    assert choose_device("cpu") == torch.device("cpu")  # as the message advises
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert choose_device() == torch.device("cpu")  # the user hides them


@pytest.mark.parametrize(
    ("rank", "count", "bound", "number"), [(3, 8, False, 3), (0, 1, False, 0), (5, 1, True, 0), (7, 8, True, 7)]
)
def test_ranks_have_a_gpu_each(
    rank: int, count: int, bound: bool, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setenv("LOCAL_RANK", str(rank))
    if bound:
        monkeypatch.setenv("SLURM_LOCALID", str(rank))
    assert choose_device() == torch.device("cuda", number)
    assert os.environ["DS_ACCELERATOR"] == "cuda"


@pytest.mark.parametrize(("rank", "count"), [(2, 2), (1, 1), (8, 4)])
def test_more_ranks_than_gpus_are_refused_with_the_number(
    rank: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setenv("LOCAL_RANK", str(rank))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "9")
    with pytest.raises(UsageError, match=f"9 ranks were started on this machine, which has {count} GPUs"):
        choose_device()


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("PYTORCH_ALLOC_CONF", "TORCH_FR_BUFFER_SIZE", "TORCH_NCCL_DUMP_ON_TIMEOUT", "TORCH_FR_DUMP_TEMP_FILE")
    for name in (*names, "TORCHINDUCTOR_COMPILE_THREADS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTORCH_ALLOC_CONF", "max_split_size_mb:512")
    set_defaults("/run")
    assert os.environ["PYTORCH_ALLOC_CONF"] == "max_split_size_mb:512"
    assert os.environ["TORCH_FR_DUMP_TEMP_FILE"] == "/run/logs/nccl-rank-"
    assert int(os.environ["TORCHINDUCTOR_COMPILE_THREADS"]) >= 1


@pytest.mark.skipif(HAS_GPU, reason="there is a GPU here")
def test_a_run_that_asks_for_a_gpu_ends_before_its_first_step(tmp_path: Path) -> None:
    tokens = str(write_tokens(tmp_path / "tokens", made_up_texts(30, seed=1), vocab_size=300, seq_length=64))
    config = TrainConfig.model_validate(
        {
            "model": {"layers": 1, "heads": 1, "hidden": 16},
            "steps": 1,
            "batch_rows": 1,
            "micro_batch": 1,
            "learning_rate": 1e-2,
            "warmup_steps": 0,
            "eval_every": 1,
            "eval_rows": 1,
            "device": "cuda",
        }
    )
    with pytest.raises(UsageError, match="cannot use a GPU here"):
        train(config, tokens=tokens, output=str(tmp_path / "run"))


def test_deterministic_mode_sets_what_cublas_needs_and_not_over_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    set_defaults("run")
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    set_defaults("run", deterministic=True)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    set_defaults("run", deterministic=True)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
