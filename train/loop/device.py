"""Device of a rank: one decision for torch, DeepSpeed and the launcher, and a clear no where there is none.

A driver that torch cannot use would mean months on a CPU with nobody told: that is an error with torch's reason, unless
the CPU is asked for. Settings of CUDA's libraries that a long run wants are set here where the user has not, before
torch is imported: their libraries read them once.
"""

import os
from typing import TYPE_CHECKING, Literal

from corpus import storage
from corpus.errors import UsageError
from corpus.stage.machine import usable_cores
from train.job import LOGS

if TYPE_CHECKING:
    import torch

DeviceChoice = Literal["auto", "cpu", "cuda"]
_DRIVER = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")  # the last is WSL2's


def has_driver() -> bool:
    """Say whether the driver of a GPU is loaded and visible, without importing torch."""
    return any(map(os.path.exists, _DRIVER)) and os.environ.get("CUDA_VISIBLE_DEVICES") != ""


def set_defaults(output: str, *, deterministic: bool = False) -> None:
    """Set what CUDA's allocator, NCCL's flight recorder and the compiler are to do, where the user has not said it."""
    per_rank = max(1, usable_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    same_bits = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"} if deterministic else {}  # torch refuses to go on without it
    for name, value in {
        **same_bits,
        # Blocks grow instead of leaving holes; at the edge of a GPU's memory that decides.
        "PYTORCH_ALLOC_CONF": "expandable_segments:True",
        # What each rank waited for, written when a collective times out: a hang leaves a trace.
        "TORCH_FR_BUFFER_SIZE": "2000",
        "TORCH_NCCL_DUMP_ON_TIMEOUT": "1",
        "TORCH_FR_DUMP_TEMP_FILE": storage.join(output, LOGS, "nccl-rank-"),
        "TORCHINDUCTOR_COMPILE_THREADS": str(per_rank),  # else 32 a rank
    }.items():
        os.environ.setdefault(name, value)


def choose_device(asked: DeviceChoice = "auto") -> "torch.device":
    """Return this rank's device, by LOCAL_RANK, and tell DeepSpeed the same, which chooses for itself when imported.

    Raises UsageError when torch cannot use the GPU that is there or was asked for, or there are more ranks than GPUs.
    """
    import torch

    kind = "cpu" if asked == "cpu" or not torch.cuda.is_available() else "cuda"
    if kind == "cpu" and asked != "cpu" and (asked == "cuda" or has_driver()):
        raise UsageError(
            f"torch {torch.__version__} cannot use a GPU here: {_reason()}. Install the torch build for this driver "
            "(https://pytorch.org/get-started), or train on the CPU: --set device=cpu"
        )
    os.environ["DS_ACCELERATOR"] = kind
    if kind == "cpu":
        return torch.device("cpu")
    number, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if number >= count > 1 or (number >= count and "SLURM_LOCALID" not in os.environ):
        ranks = os.environ.get("LOCAL_WORLD_SIZE", "?")
        raise UsageError(f"{ranks} ranks were started on this machine, which has {count} GPUs; use --ranks {count}")
    return torch.device(kind, number % count)  # Slurm may show each task its own GPU alone


def on_gpu() -> bool:
    """Say whether this process trains on a GPU: there is one, and the CPU was not asked for."""
    import torch

    return torch.cuda.is_available() and os.environ.get("DS_ACCELERATOR") != "cpu"


def _reason() -> str:
    """Return why torch has no GPU, in its own words."""
    import torch

    if torch.version.cuda is None and torch.version.hip is None:
        return "it is a build for CPUs alone"
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return (str(error).strip().splitlines() or [repr(error)])[0][:300]
    return "it finds none"
