"""A step's operations against torch's own counter and the formula of MFU; the GPU benchmark from end to end."""

import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEvent
from torch.utils.flop_counter import FlopCounterMode

from pipelines.cli.app import main
from tests.benchmarks import gpu, gpu_variant
from tests.train.plan.test_plan import BIOMEDLM
from train.model import head
from train.model.gpt import build_model, next_token_targets
from train.plan.gpus import load_gpus
from train.plan.memory import HEAD_BLOCK_LOGITS
from train.plan.roofline import best_tokens_per_second, step_parts

H200 = load_gpus()["H200"]


def test_operations_are_those_that_torch_counts() -> None:
    shape = dataclasses.replace(BIOMEDLM, layers=3, heads=4, hidden=64, seq_length=48, vocab_size=500, dropout=0.0)
    parts = {part.name: part for part in step_parts(shape, micro_batch=2, accumulation=1, tflops=1.0, tb_s=1.0)}
    ids = torch.randint(500, (2, 48), generator=torch.Generator().manual_seed(0))
    model = build_model(shape, seed=0)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH), FlopCounterMode(display=False) as counted:
        model(ids, next_token_targets(ids)).backward()
    # Without the fused kernel no half is left out and nothing is computed again: 12·T·C instead of 7·T·C.
    expected = parts["matmul"].flops + parts["loss"].flops + parts["attention"].flops * 12 / 7
    assert counted.get_total_flops() == expected


def test_the_formula_of_mfu_is_the_same_count() -> None:
    parts = {part.name: part for part in step_parts(BIOMEDLM, micro_batch=16, accumulation=8, tflops=1.0, tb_s=1.0)}
    counted = parts["matmul"].flops + parts["loss"].flops + parts["attention"].flops * 12 / 7
    assert counted / (16 * 8 * 1024) == pytest.approx(BIOMEDLM.flops_per_token, rel=1e-3)  # biases, LayerNorms, padding


def test_the_bound_is_above_what_anybody_has_reached_and_below_the_peak() -> None:
    parts = step_parts(BIOMEDLM, micro_batch=16, accumulation=8, tflops=H200.bf16_tflops, tb_s=H200.memory_tb_s)
    best = best_tokens_per_second(parts, 16 * 8 * 1024)
    mfu = best * BIOMEDLM.flops_per_token / (H200.bf16_tflops * 1e12)
    assert 0.5 < mfu < 12 / 7  # 46 % is llm-foundry's table
    assert {part.name: part.bound for part in parts}["matmul"] == "compute"
    assert {part.name: part.bound for part in parts}["optimizer"] == "memory"
    longer = step_parts(BIOMEDLM, micro_batch=16, accumulation=64, tflops=H200.bf16_tflops, tb_s=H200.memory_tb_s)
    assert best_tokens_per_second(longer, 16 * 64 * 1024) > best  # fewer steps of the optimizer
    assert head.BLOCK_LOGITS["cuda"] == HEAD_BLOCK_LOGITS


def test_plan_prints_the_bound(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--config", "biomedlm-2.7b", "--gpus", "8"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^at least    matmul [\d.]+ s \(compute\), attention .* loss .* optimizer .* data ", said, re.M)
    assert re.search(r"^at best     [\d,]+ tokens/s on each GPU, \d\d\.\d% MFU", said, re.M)


def test_the_count_alone_runs_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu", "--count-only", "--presets", "125m", "biomedlm-2.7b"])
    monkeypatch.setattr(gpu, "measure", pytest.fail)
    gpu.main()
    said = capsys.readouterr().out
    assert len(re.findall(r"^\| all, one after another .* MFU at best \|$", said, re.M)) == (2 if gpu.this_gpu() else 4)


@pytest.mark.slow
def test_the_gpu_benchmark_runs_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the tiny preset, on whatever is here; the rows of the table come from processes that really trained."""
    words = [
        "--presets",
        "tiny",
        "--steps",
        "1",
        "--warm-up",
        "1",
        "--accumulation",
        "2",
        "--out",
        str(tmp_path / "a.md"),
    ]
    chosen = ["corpuscle, document masks", "transformers + DeepSpeed"]
    monkeypatch.setattr(sys, "argv", ["gpu", *words, "--variants", *chosen])
    gpu.main()
    text = (tmp_path / "a.md").read_text(encoding="utf-8")
    for name in chosen:
        speed, parts = (line for line in text.splitlines() if line.startswith(f"| {name} |"))
        assert gpu.FAILED not in speed
        times = [float(cell.replace(",", "")) for cell in parts.split("|")[2:-1]]
        assert len(times) == len(gpu.PARTS)
        assert all(time > 0 for time in times), "a step's every part was found in its profile"
    for part in gpu.PARTS:
        assert f"\n| {part} | " in text


def test_a_variant_that_fails_is_a_row_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--presets", "tiny", "--timeout", "0.01", "--out", str(tmp_path / "a.md"), "--variants", "corpuscle"]
    monkeypatch.setattr(sys, "argv", ["gpu", *words])
    gpu.main()
    assert f"| corpuscle | 2 | {gpu.FAILED}: not done after 0 s |" in (tmp_path / "a.md").read_text(encoding="utf-8")


def test_a_kernel_counts_once_by_the_operation_that_launched_it() -> None:
    """A profile of a GPU as torch gives it: the operation, its kernel again on the device, and a range on both."""

    def on_device(name: str, start: int, end: int, **more: Any) -> FunctionEvent:
        return FunctionEvent(1, name, 0, start, end, device_type=DeviceType.CUDA, **more)

    inside, product, attention = (
        FunctionEvent(number, name, 0, start, end)
        for number, name, start, end in (
            (2, "step", 0, 90),
            (3, "aten::mm", 10, 20),
            (4, "aten::_flash_attention", 30, 40),
        )
    )
    product.set_cpu_parent(inside)
    attention.set_cpu_parent(inside)
    product.append_kernel("gemm", 0, 5000)
    attention.append_kernel("flash", 0, 1000)
    events = [inside, product, attention, on_device("gemm", 100, 5100), on_device("flash", 5100, 6100)]
    events.append(on_device("step", 100, 6100, is_user_annotation=True))
    assert gpu_variant.kernel_parts(events) == {"matmul": 0.005, "attention": 0.001}
    assert gpu_variant.device_seconds(events) == pytest.approx(0.006)
