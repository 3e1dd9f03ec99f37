"""Table of GPUs, `train/gpus.yaml`: for the plan by its own names, for a run by what the driver calls them."""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """Kind of GPU; `bf16_tflops` is its dense peak, `memory_tb_s` its memory's speed in 10^12 bytes a second.

    `link_gb_s` is how fast it sends to another GPU of its machine, in 10^9 bytes a second and one direction;
    `watts` is the most power that it is rated for.
    """

    name: str
    memory_gb: float
    memory_tb_s: float
    link_gb_s: float
    bf16_tflops: float
    watts: float
    device: tuple[str, ...]  # how the driver's name of one begins
    source: str


@cache
def load_gpus() -> dict[str, Gpu]:
    """Return the table of GPUs by name."""
    text = resources.files("train").joinpath("gpus.yaml").read_text(encoding="utf-8")
    rows = {name: fields | {"device": tuple(fields["device"])} for name, fields in yaml.safe_load(text).items()}
    return {name: Gpu(name=name, **fields) for name, fields in rows.items()}


def known_gpu(device: str, memory_gb: float | None = None) -> Gpu | None:
    """Return the GPU that a driver calls so, the one with the longest name that fits; None for one not in the table.

    Of two with the same name, the one whose memory [10^9 bytes] is nearest.
    """
    fitting = [(len(name), gpu) for gpu in load_gpus().values() for name in gpu.device if device.startswith(name)]
    longest = max((length for length, _ in fitting), default=0)
    best = [gpu for length, gpu in fitting if length == longest]
    return min(best, key=lambda gpu: abs(gpu.memory_gb - (memory_gb or gpu.memory_gb)), default=None)
