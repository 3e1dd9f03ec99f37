"""DeepSpeed configuration and optimizer of whatever is trained.

Nothing is left to DeepSpeed's defaults that changes numbers: it clips at 1.0 when not told otherwise, and
overlapped communication has given silently wrong gradients (DeepSpeed issues 5347, 6351; GPT-NeoX 1004).
With bf16, gradients are summed and communicated in fp32, as BioMedLM was trained. The learning rate is set
by our own schedule; DeepSpeed gets no scheduler. The optimizer is torch's AdamW: fused on CUDA, plain
elsewhere, but for offloaded states, where DeepSpeed's own would compile a C++ extension for minutes first.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import torch
from torch import nn

from train.loop.device import on_gpu

NEVER = 1 << 60


class EngineOptions(Protocol):
    """What DeepSpeed and the optimizer must be told, whatever is trained."""

    @property
    def batch_rows(self) -> int: ...  # of the global batch of one step
    @property
    def micro_batch(self) -> int: ...  # rows of one forward pass on one rank
    @property
    def clip(self) -> float | None: ...
    @property
    def zero_stage(self) -> int: ...
    @property
    def precision(self) -> str: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def betas(self) -> tuple[float, float]: ...
    @property
    def eps(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def offload_optimizer(self) -> bool: ...
    @property
    def log_every(self) -> int: ...
    @property
    def wall_clock_breakdown(self) -> bool: ...
    @property
    def flops_profile_step(self) -> int | None: ...
    def accumulation(self) -> int:
        """Return the micro-steps of one step; raises UsageError when the batch does not divide."""


def deepspeed_config(config: EngineOptions, *, universal: bool = False, logs: str = ".") -> dict[str, Any]:
    """Return the configuration for `deepspeed.initialize`; `universal` when a universal copy will be loaded.

    `logs` is the directory for a profile. Raises UsageError when the batch does not divide.
    """
    settings: dict[str, Any] = {
        "train_batch_size": config.batch_rows,
        "train_micro_batch_size_per_gpu": config.micro_batch,
        "gradient_accumulation_steps": config.accumulation(),
        "gradient_clipping": config.clip or 0.0,
        "zero_optimization": {
            "stage": config.zero_stage,
            "overlap_comm": False,
            "contiguous_gradients": True,
        },
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,  # DeepSpeed's own would be compiled first
        "steps_per_print": config.log_every if config.wall_clock_breakdown else NEVER,
        "wall_clock_breakdown": config.wall_clock_breakdown,
        "checkpoint": {"load_universal": universal},
        "timers": {"throughput": {"enabled": False}},  # it makes the host wait for the device twice a micro-step
    }
    if config.flops_profile_step is not None:
        settings["flops_profiler"] = {
            "enabled": True,
            "profile_step": config.flops_profile_step,
            "output_file": f"{logs}/flops.txt",
        }
    if config.offload_optimizer:
        settings["zero_optimization"]["offload_optimizer"] = {"device": "cpu", "pin_memory": on_gpu()}
    if config.precision == "bf16":
        # Each gradient goes into its fp32 sum at once: no bf16 gradients of all weights, and the same bits.
        settings["bf16"] = {"enabled": True, "check_grad_overflow": True, "immediate_grad_update": True}
        settings["data_types"] = {"grad_accum_dtype": "fp32"}
        settings["communication_data_type"] = "fp32"
    return settings


def build_optimizer(parameters: Iterable[nn.Parameter], config: EngineOptions) -> torch.optim.Optimizer:
    """Return AdamW over all parameters; its rate is set before every step."""
    return torch.optim.AdamW(
        parameters,
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.eps,
        weight_decay=config.weight_decay,
        fused=on_gpu() or config.offload_optimizer,  # of offloaded states on the CPU too: a seventh of the time
    )
