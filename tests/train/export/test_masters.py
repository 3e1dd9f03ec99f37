"""The fp32 weights behind bf16 checkpoints that DeepSpeed wrote, against its own universal checkpoints."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from corpus.errors import CorruptError
from tests.support.small_tokens import made_up_texts, write_tokens
from train.checkpoint.store import newest_good
from train.config import ModelShape, TrainConfig
from train.export.config import ExportConfig
from train.export.stage import export
from train.export.weight_names import transformers_name, transformers_weights
from train.export.weights import EMBEDDING, read_weights
from train.launch.stage import train

SETTINGS: dict[str, Any] = {
    "model": {"layers": 3, "heads": 2, "hidden": 32},
    "steps": 3,
    "batch_rows": 4,
    "micro_batch": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 1,
    "eval_every": 9,
    "eval_rows": 2,
    "save_every": 9,
    "precision": "bf16",
    "ranks": 2,
}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "tokens"
    return str(write_tokens(folder, made_up_texts(40, seed=1), vocab_size=300, seq_length=64))


def universal(shards: Path, output: Path) -> dict[str, torch.Tensor]:
    """Let DeepSpeed put the fp32 weights together."""
    module = "deepspeed.checkpoint.ds_to_universal"
    options = ["--num_extract_workers", "1", "--num_merge_workers", "1"]
    command = [sys.executable, "-m", module, "--input_folder", str(shards), "--output_folder", str(output), *options]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    loaded = {path.parent.name: torch.load(path, weights_only=True) for path in (output / "zero").glob("*/fp32.pt")}
    return {name: found["param"] if isinstance(found, dict) else found for name, found in loaded.items()}


@pytest.mark.slow
@pytest.mark.parametrize("stage", [1, *(pytest.param(n, marks=pytest.mark.exhaustive) for n in (2, 3))])
def test_masters_are_whole_at_every_zero_stage(stage: int, tokens: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(TrainConfig.model_validate(SETTINGS | {"zero_stage": stage}), tokens=tokens, output=str(run))
    checkpoint = newest_good(str(run), print)
    shape = ModelShape(**checkpoint.recipe["model"])
    found = read_weights(str(run), checkpoint, shape)
    folder = run / "checkpoints" / checkpoint.name
    wanted = universal(folder / "deepspeed", tmp_path / "universal")
    assert {*found} == {*wanted} - {"head.weight"}
    for name, tensor in found.items():
        assert tensor.dtype == torch.float32
        expected = wanted[name].flatten()[: tensor.numel()].view(tensor.shape)
        assert torch.equal(tensor, expected), name
    assert found[EMBEDDING].shape == (300, 32)
    rounded = load_file(folder / "model.safetensors")
    assert all(tensor.dtype == torch.bfloat16 for tensor in rounded.values())
    assert not torch.equal(found["positions.weight"], rounded["positions.weight"].float())
    export(ExportConfig(formats=("faithful",)), run=str(run), output=str(tmp_path / "out"))
    written = load_file(tmp_path / "out/faithful/model.safetensors")
    for name, tensor in transformers_weights(found).items():
        assert torch.equal(written[name], tensor), name
    assert transformers_name("norm.bias") in written
    if stage == 1:
        swapped_shards_are_seen(run, folder / "deepspeed", shape)


def swapped_shards_are_seen(run: Path, shards: Path, shape: ModelShape) -> None:
    """The hashes hold the files; that the files belong together, only the rounded weights can say."""
    checkpoint = newest_good(str(run), print)
    first, second = sorted(shards.glob("*_optim_states.pt"))
    shutil.move(first, shards / "aside")
    shutil.move(second, first)
    shutil.move(shards / "aside", second)
    with pytest.raises(CorruptError, match=r"is not the optimizer's fp32 weight, rounded|no whole fp32 weights"):
        read_weights(str(run), checkpoint, shape)
