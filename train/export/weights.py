"""Master weights in fp32 of a verified checkpoint, by the model's own names.

Where the run computes in fp32, `model.safetensors` holds them. In bf16 runs that file holds rounded copies;
the fp32 masters are in DeepSpeed's optimizer shards, one of two layouts:
    ZeRO-1, 2   each rank a slice of the flat parameters; `param_slice_mappings` says what lies where
    ZeRO-3      each rank a slice of every parameter
DeepSpeed's own `zero_to_fp32` refuses the first when gradients are summed in fp32 ("not a zero checkpoint",
0.19.8), which is BioMedLM's recipe, so the slices are put together here; ZeRO-3 is left to it. Whatever the
layout, the masters rounded to the weights' type must be the weights, bit for bit.
"""

import contextlib
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from corpus import storage
from corpus.errors import CorruptError
from train.checkpoint.store import TAG, WEIGHTS, Checkpoint, checkpoint_path
from train.config import AnyShape
from train.foreign import ForeignShape

EMBEDDING = "tokens.weight"
Weights = dict[str, Tensor]


def read_weights(run: str, checkpoint: Checkpoint, shape: AnyShape) -> Weights:
    """Return the fp32 weights by name; the embedding is (vocab_size, hidden), its padding rows are gone.

    Of a model of transformers' library all its rows stay, for they are its own.

    The checkpoint's hashes must have been verified. Raises CorruptError when its files contradict each other.
    """
    folder = checkpoint_path(run, checkpoint.name)
    weights = load_file(storage.join(folder, WEIGHTS))
    if any(tensor.dtype != torch.float32 for tensor in weights.values()):
        masters = _masters(Path(folder) / TAG, checkpoint.zero_stage)
        _check_rounded(weights, masters, folder)
        weights = {name: masters[name].contiguous().detach().view(tensor.shape) for name, tensor in weights.items()}
    if isinstance(shape, ForeignShape):
        return weights
    if weights[EMBEDDING].shape[0] < shape.vocab_size:
        raise CorruptError(f"{folder}: {weights[EMBEDDING].shape[0]:,} embedding rows for {shape.vocab_size:,} tokens")
    weights[EMBEDDING] = weights[EMBEDDING][: shape.vocab_size].clone()
    return weights


def _masters(folder: Path, zero_stage: int) -> Mapping[str, Tensor]:
    if zero_stage == 3:
        from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint

        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return get_fp32_state_dict_from_zero_checkpoint(str(folder.parent), tag=folder.name, lazy_mode=True)
    if zero_stage == 0:
        states = _load(folder / "mp_rank_00_model_states.pt")["optimizer"]
        raise CorruptError(
            f"{folder}: a bf16 checkpoint of ZeRO-0 holds its fp32 weights in a form that is not known here "
            f"({', '.join(states or ['nothing'])}); resume with zero_stage 1, save, and export that"
        )
    return _from_slices(sorted(folder.glob("*_optim_states.pt"), key=_rank))


def _from_slices(shards: list[Path]) -> Weights:
    """Return whole weights from the ranks' flat slices: each parameter's pieces follow one another, rank after rank."""
    pieces: dict[str, list[Tensor]] = {}
    for shard in shards:
        state = _load(shard)["optimizer_state_dict"]
        groups = zip(state["single_partition_of_fp32_groups"], state["param_slice_mappings"], strict=True)
        for flat, slices in groups:
            for name, piece in slices.items():
                pieces.setdefault(name, []).append(flat[piece.start : piece.start + piece.numel])
    return {name: torch.cat(found) for name, found in pieces.items()}


def _check_rounded(weights: Weights, masters: Mapping[str, Tensor], folder: str) -> None:
    """Raise CorruptError unless the masters are what the run computed with, before rounding."""
    for name, tensor in weights.items():
        master = masters[name].contiguous() if name in masters else None
        if master is None or master.numel() != tensor.numel():
            raise CorruptError(f"{folder}: the optimizer's files hold no whole fp32 weights for {name}")
        if not torch.equal(master.flatten().to(tensor.dtype), tensor.flatten()):
            raise CorruptError(f"{folder}: {name} in {WEIGHTS} is not the optimizer's fp32 weight, rounded")


def _load(path: Path) -> dict[str, Any]:
    """Read a shard without running what a pickle may hold; tensors stay on disk until they are used."""
    with contextlib.redirect_stdout(sys.stderr):  # DeepSpeed greets on standard output, which is for results
        from deepspeed.runtime.fp16.loss_scaler import LossScaler
        from deepspeed.runtime.zero.config import ZeroStageEnum
        from deepspeed.utils.tensor_fragment import fragment_address

    with torch.serialization.safe_globals([fragment_address, ZeroStageEnum, LossScaler]):
        return torch.load(path, map_location="cpu", mmap=True, weights_only=True)


def _rank(path: Path) -> int:
    return int(path.name.partition("pp_rank_")[2].partition("_")[0])
