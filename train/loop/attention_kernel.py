"""Kernel that torch chooses for attention on this GPU, said at the start; a warning on a Hopper without cuDNN's.

A system's cuDNN in front of the one that torch brought (LD_LIBRARY_PATH) sends attention back to FlashAttention 2,
which is slower there, without a word. Asked is torch's own choice, for tensors as the model's are.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from train.config import ModelShape, TrainConfig

if TYPE_CHECKING:
    import torch

KERNELS = {-1: "none", 0: "math, not fused", 1: "flash", 2: "memory-efficient", 3: "cuDNN"}  # torch's SDPBackend
CUDNN = 3
HOPPER = 9  # major compute capability


def kernel_chosen(config: TrainConfig, shape: ModelShape, device: "torch.device") -> int | None:
    """Return the number of the kernel that torch takes for the model's attention; None where torch does not tell."""
    import torch

    kind = torch.bfloat16 if config.precision == "bf16" else torch.float32
    size = (config.micro_batch, shape.heads, shape.seq_length, shape.hidden // shape.heads)
    try:
        q, k, v = (torch.empty(size, dtype=kind, device=device, requires_grad=True) for _ in range(3))
        return int(torch._fused_sdp_choice(q, k, v, None, shape.dropout, True))
    except (AttributeError, RuntimeError, TypeError):  # no public function: gone, or with other arguments
        return None


def kernel_lines(
    choice: int | None, *, capability: tuple[int, int], precision: str, cudnn: int | None, library_path: str | None
) -> Iterator[str]:
    """Yield what to say of the kernel chosen, and a warning where a Hopper GPU is without cuDNN's in bf16.

    `cudnn` is the version that torch found, 91501 say; `library_path` the environment's LD_LIBRARY_PATH.
    """
    if choice is None:
        return
    name = KERNELS.get(choice, f"kernel {choice} of torch")
    yield f"attention: {name}"
    if choice == CUDNN or capability[0] != HOPPER or precision != "bf16":
        return
    found = f"cuDNN {cudnn // 10_000}.{cudnn // 100 % 100}.{cudnn % 100}" if cudnn else "no cuDNN"
    if library_path:
        advice = f"LD_LIBRARY_PATH={library_path} may put another cuDNN in front of torch's own: start without it"
    else:
        advice = "torch 2.11 and later bring one that they prefer: pip install --upgrade torch"
    yield f"warning: attention goes through {name}, slower than cuDNN on this GPU; torch found {found}. {advice}"


def attention_lines(config: TrainConfig, shape: object, device: "torch.device") -> list[str]:
    """Return what to say of the attention of a model of ours on a GPU; nothing of others, or of FlexAttention."""
    import torch

    if device.type != "cuda" or not isinstance(shape, ModelShape) or config.document_mask:
        return []
    return [
        *kernel_lines(
            kernel_chosen(config, shape, device),
            capability=torch.cuda.get_device_capability(device),
            precision=config.precision,
            cudnn=torch.backends.cudnn.version(),
            library_path=os.environ.get("LD_LIBRARY_PATH"),
        )
    ]
