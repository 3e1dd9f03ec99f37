"""The kernel of attention: torch's own numbers and choice, and what is said of it by GPU, cuDNN and environment."""

import dataclasses

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from tests.support.zero_memory import SHAPE
from tests.train.test_config import tiny
from train.loop.attention_kernel import CUDNN, KERNELS, attention_lines, kernel_chosen, kernel_lines


def said(choice: int | None, **changes: object) -> list[str]:
    usual = {"capability": (9, 0), "precision": "bf16", "cudnn": 91501, "library_path": None}
    return [*kernel_lines(choice, **{**usual, **changes})]  # type: ignore[arg-type]


def test_the_numbers_are_torchs() -> None:
    names = {"ERROR": "none", "MATH": "math", "FLASH_ATTENTION": "flash", "EFFICIENT_ATTENTION": "memory-efficient"}
    for name, ours in {**names, "CUDNN_ATTENTION": "cuDNN"}.items():
        assert KERNELS[int(getattr(SDPBackend, name))].startswith(ours)
    assert int(SDPBackend.CUDNN_ATTENTION) == CUDNN


def test_torch_tells_its_choice() -> None:
    """On a CPU it has flash and math alone; forced to one of them, it names that one."""
    config, device = tiny(), torch.device("cpu")
    for backend in (SDPBackend.MATH, SDPBackend.FLASH_ATTENTION):
        with sdpa_kernel(backend):
            assert kernel_chosen(config, SHAPE, device) == int(backend)
    assert attention_lines(config, SHAPE, device) == [], "nothing is said of a CPU"


def test_a_torch_that_does_not_tell_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch, "_fused_sdp_choice")
    assert kernel_chosen(tiny(), SHAPE, torch.device("cpu")) is None
    assert said(None) == []


def test_cudnn_on_hopper_is_said_without_a_warning() -> None:
    assert said(3) == ["attention: cuDNN"]


def test_hopper_without_cudnn_is_warned_of_with_what_to_do() -> None:
    line, warning = said(1, library_path="/usr/lib/x86_64-linux-gnu", cudnn=90701)
    assert line == "attention: flash"
    assert warning.startswith("warning: attention goes through flash, slower than cuDNN on this GPU")
    assert "torch found cuDNN 9.7.1. LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu may put another" in warning
    assert "pip install --upgrade torch" in said(0)[1]
    assert "torch found no cuDNN" in said(0, cudnn=None)[1]


def test_elsewhere_and_in_fp32_other_kernels_are_the_rule() -> None:
    for changes in ({"capability": (8, 0)}, {"capability": (10, 0)}, {"precision": "fp32"}):
        assert said(1, **changes) == ["attention: flash"]
    assert said(17) == ["attention: kernel 17 of torch", *said(17)[1:]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_is_asked() -> None:
    shape = dataclasses.replace(SHAPE, seq_length=128)
    assert attention_lines(tiny(precision="bf16"), shape, torch.device("cuda"))[0].startswith("attention: ")
