"""Universal checkpoint: optimizer states by parameter, not by rank, loadable by any number of ranks and any ZeRO stage.

Run as `python -m train.checkpoint.universal OUTPUT CHECKPOINT`, started by the launcher. DeepSpeed's own converter
takes the shards apart. What it writes suits its source's stage alone, so the copy is completed: every file in one
form, the optimizer's step and groups where each stage looks for them, and the description of the run under both of its
names. ZeRO-0, which the converter does not know, has whole tensors to begin with. At the end the fp32 weights of the
copy are held against the checkpoint's hashed model.safetensors.
"""

import os
import sys
from argparse import Namespace
from dataclasses import dataclass
from typing import Any

import deepspeed
import torch
from deepspeed.checkpoint import ds_to_universal
from safetensors.torch import load_file
from torch import Tensor

from corpus import storage
from corpus.errors import CorpuscleError, CorruptError
from train.checkpoint.store import TAG, UNIVERSAL, WEIGHTS, checkpoint_path, read_checkpoint
from train.config import AnyShape
from train.foreign import ForeignShape
from train.job import read_shape
from train.model.foreign import ForeignLM, empty_model
from train.model.gpt import GPT

STATES = ("fp32", "exp_avg", "exp_avg_sq")
# ZeRO-0 to 2 look for the first name, ZeRO-3 for the second.
DESCRIPTIONS = ("mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_model_states.pt")


@dataclass(frozen=True, kw_only=True, slots=True)
class UniversalCopy:
    """Universal copy of a checkpoint in a folder: one file for each state of each parameter."""

    folder: str

    def parameter_path(self, name: str, state: str) -> str:
        """Return the file of one state of one parameter."""
        return storage.join(self.folder, "zero", name, f"{state}.pt")

    def load(self, name: str, state: str) -> Any:
        """Return what the file of one state of one parameter holds: the tensor, or a dictionary with it in `param`."""
        return torch.load(self.parameter_path(name, state), map_location="cpu", weights_only=False)

    def read(self, name: str, state: str) -> Tensor:
        """Return one state of one parameter, whole."""
        content = self.load(name, state)
        tensor: Tensor = content["param"] if isinstance(content, dict) else content
        return tensor

    def write(self, name: str, state: str, tensor: Tensor) -> None:
        """Write one state of one parameter in the form that every stage reads."""
        path = self.parameter_path(name, state)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        torch.save(tensor if state == "step" else {"param": tensor.clone()}, path)

    def step(self) -> Tensor:
        """Return the optimizer's count of steps."""
        state = torch.load(storage.join(self.folder, "zero", "optimizer_state.pt"), weights_only=False)
        return torch.as_tensor(state["optimizer_state_dict"]["state"][0]["step"], dtype=torch.float32)


def make_universal(output: str, name: str) -> None:
    """Convert a verified checkpoint into `_work/universal`; raises CorruptError when the copy is not the same."""
    source = checkpoint_path(output, name)
    target = storage.join(output, UNIVERSAL)
    temporary = target + ".tmp"
    for folder in (target, temporary):
        storage.remove_tree(folder)
    os.makedirs(storage.join(temporary, TAG))
    copy = UniversalCopy(folder=storage.join(temporary, TAG))
    description = read_checkpoint(output, name)
    weights = load_file(storage.join(source, WEIGHTS))
    shards = storage.join(source, TAG)
    if description.zero_stage == 0:
        _from_plain(shards, copy, read_shape(description.recipe["model"]))
    else:
        _from_shards(shards, copy, weights)
    _describe(shards, copy)
    _settle(copy, weights)
    os.rename(temporary, target)


def _from_shards(shards: str, copy: UniversalCopy, weights: dict[str, Tensor]) -> None:
    """Let DeepSpeed merge the shards of ZeRO-1 to 3, and bring every file into one form."""
    ds_to_universal.main(
        Namespace(
            input_folder=shards,
            output_folder=copy.folder,
            num_extract_workers=1,
            num_merge_workers=1,
            keep_temp_folder=False,
            strict=True,
            inject_missing_state=True,
        )
    )
    path = storage.join(copy.folder, "zero", "optimizer_state.pt")
    state = torch.load(path, map_location="cpu", weights_only=False)
    names = [name for name in sorted(weights) if os.path.exists(copy.parameter_path(name, "fp32"))]
    stepped = copy.parameter_path(names[0], "step")
    if os.path.exists(stepped):
        step = torch.load(stepped, map_location="cpu", weights_only=False)
    else:
        step = state["optimizer_state_dict"]["state"][0]["step"]
    _write_optimizer(copy, torch.as_tensor(step, dtype=torch.float32).cpu(), state["param_groups"])
    for name in names:
        copy.write(name, "step", torch.as_tensor(step, dtype=torch.float32).cpu())


def _from_plain(shards: str, copy: UniversalCopy, shape: AnyShape) -> None:
    """Take ZeRO-0's whole tensors apart: torch numbers the optimizer's states in the order of the parameters."""
    state = torch.load(storage.join(shards, DESCRIPTIONS[0]), map_location="cpu", weights_only=False)
    with torch.device("meta"):
        model = ForeignLM(empty_model(shape.config), shape) if isinstance(shape, ForeignShape) else GPT(shape)
        names = [name for name, _ in model.named_parameters()]
    moments, groups = state["optimizer"]["state"], state["optimizer"]["param_groups"]
    for number, name in enumerate(names):
        copy.write(name, "fp32", state["module"][name])
        for kind in STATES[1:]:
            copy.write(name, kind, moments[number][kind])
        copy.write(name, "step", moments[number]["step"])
    _write_optimizer(copy, moments[0]["step"], groups)


def _write_optimizer(copy: UniversalCopy, step: Tensor, groups: list[dict[str, Any]]) -> None:
    """Write what all parameters share: ZeRO-1 and 2 read the outer groups, ZeRO-3 the inner ones and the step."""
    inner = {"state": {0: {"step": step}}, "param_groups": groups}
    content = {"ds_version": deepspeed.__version__, "param_groups": groups, "optimizer_state_dict": inner}
    torch.save(content, storage.join(copy.folder, "zero", "optimizer_state.pt"))


def _describe(shards: str, copy: UniversalCopy) -> None:
    """Write the run's description without its weights, under the names of all stages."""
    for name in os.listdir(copy.folder):
        if name.endswith(".pt"):
            os.unlink(storage.join(copy.folder, name))
    found = next(name for name in DESCRIPTIONS if os.path.exists(storage.join(shards, name)))
    content = torch.load(storage.join(shards, found), map_location="cpu", weights_only=False)
    for name in DESCRIPTIONS:
        torch.save({**content, "module": {}, "optimizer": None}, storage.join(copy.folder, name))


def _settle(copy: UniversalCopy, weights: dict[str, Tensor]) -> None:
    """Read every state once: hold it against the weights, and bring it into the form of all stages.

    Raises CorruptError unless the copy holds all states of all weights, and the same weights to the last bit.
    """
    for name, weight in sorted(weights.items()):
        for kind in STATES:
            content = copy.load(name, kind)
            tensor: Tensor = content["param"] if isinstance(content, dict) else content
            flat_or_same = tensor.shape in (weight.shape, (weight.numel(),))
            if not flat_or_same or not torch.isfinite(tensor).all():
                raise CorruptError(f"{name}: {kind} of the converted copy has another shape, or is not finite")
            if kind == "fp32" and not torch.equal(tensor.view(weight.shape).to(weight.dtype), weight):
                raise CorruptError(f"{name}: the converted copy differs from {WEIGHTS} of the checkpoint")
            if not isinstance(content, dict) or tensor.shape != weight.shape:
                copy.write(name, kind, tensor.view(weight.shape))


if __name__ == "__main__":
    try:
        make_universal(sys.argv[1], sys.argv[2])
    except CorpuscleError as error:
        print(error)
        sys.exit(error.exit_code)
