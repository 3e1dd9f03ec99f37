"""The learning rate against torch's schedulers, and Composer's decoupled decay against AdamW's."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR
from transformers import get_wsd_schedule

from corpus.errors import UsageError
from train.config import load_preset, with_settings
from train.loop.deepspeed_config import build_optimizer, deepspeed_config
from train.loop.schedule import learning_rate


def rate(step: int, **changes: float) -> float:
    settings = {"peak": 1.6e-4, "warmup_steps": 100, "total_steps": 1000, "final_fraction": 0.1} | changes
    return learning_rate(step, **settings)  # type: ignore[arg-type]


def test_warm_up_is_linear_from_zero_to_the_peak() -> None:
    assert rate(0) == 0.0
    assert rate(50) == pytest.approx(0.8e-4)
    assert rate(100) == 1.6e-4


def test_the_cosine_is_torchs() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.6e-4)
    cosine = CosineAnnealingLR(optimizer, T_max=900, eta_min=1.6e-5)
    for step in range(100, 1000):
        assert rate(step) == pytest.approx(cosine.get_last_lr()[0], rel=1e-9), step
        optimizer.step()
        cosine.step()
    assert rate(1000) == pytest.approx(1.6e-5)
    assert rate(5000) == rate(1000)


@pytest.mark.parametrize(("warmup", "decay", "final"), [(100, 200, 0.1), (1, 900, 0.0), (0, 1, 0.5)])
def test_wsd_is_that_of_transformers(warmup: int, decay: int, final: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.6e-4)
    theirs = get_wsd_schedule(
        optimizer, warmup, decay, num_training_steps=1000, decay_type="1-sqrt", min_lr_ratio=final
    )
    for step in range(1000):
        own = rate(step, warmup_steps=warmup, decay_steps=decay, final_fraction=final)
        if step >= warmup:  # theirs begins at the final rate, ours, as BioMedLM's, at 0
            assert own == pytest.approx(theirs.get_last_lr()[0], rel=1e-9), step
        optimizer.step()
        theirs.step()
    assert rate(1000, warmup_steps=warmup, decay_steps=decay, final_fraction=final) == pytest.approx(1.6e-4 * final)


@given(step=st.integers(0, 5000), decay=st.integers(1, 400), totals=st.tuples(*[st.integers(600, 5000)] * 2))
def test_before_its_decay_wsd_knows_no_end(step: int, decay: int, totals: tuple[int, int]) -> None:
    """A branch that ends earlier goes on from the same states: what was before it is the same."""
    first, second = (rate(step, decay_steps=decay, total_steps=total) for total in totals)
    assert first == second or step > min(totals) - decay


def test_a_decay_that_does_not_fit_is_refused_and_none_leaves_no_trace() -> None:
    preset = load_preset("tiny")
    assert "decay_steps" not in preset.identity()
    assert preset.model_copy(update={"decay_steps": 50}).identity()["decay_steps"] == 50
    with pytest.raises(UsageError, match=r"warmup_steps \d+ and decay_steps 300 do not fit into 300 steps"):
        with_settings(preset, ["decay_steps=300"])


@given(
    step=st.integers(0, 400_000),
    warmup=st.integers(0, 500),
    total=st.integers(1, 300_000),
    final=st.floats(0, 1),
)
def test_the_rate_stays_between_zero_and_the_peak(step: int, warmup: int, total: int, final: float) -> None:
    value = rate(step, warmup_steps=warmup, total_steps=total, final_fraction=final)
    assert 0.0 <= value <= 1.6e-4 * (1 + 1e-12)
    if step >= max(warmup, total):
        assert value == pytest.approx(1.6e-4 * final, abs=1e-12)


def decoupled_step(weight: Tensor, gradient: Tensor, moments: list[Tensor], *, number: int, lr: float) -> None:
    """Composer's DecoupledAdamW as written in its source: decay by (lr / lr_0) · 1.6e-5, then Adam."""
    first, second = moments
    weight.mul_(1 - (lr / 1.6e-4) * 1.6e-5)
    first.lerp_(gradient, 1 - 0.9)
    second.mul_(0.95).addcmul_(gradient, gradient, value=1 - 0.95)
    scale = math.sqrt(1 - 0.95**number)
    weight.addcdiv_(first, second.sqrt() / scale + 1e-8, value=-lr / (1 - 0.9**number))


def test_weight_decay_of_the_preset_is_the_papers_decoupled_decay() -> None:
    config = load_preset("biomedlm-2.7b")
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(50, dtype=torch.float64, generator=generator)
    ours = torch.nn.Parameter(start.clone())
    optimizer = build_optimizer([ours], config)
    theirs, undecayed = start.clone(), start.clone()
    moments = [torch.zeros(50, dtype=torch.float64) for _ in range(2)]
    for step in range(300):
        lr = rate(step, total_steps=300)
        gradient = torch.randn(50, dtype=torch.float64, generator=generator)
        ours.grad = gradient.clone()
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.step()
        decoupled_step(theirs, gradient, moments, number=step + 1, lr=lr)
        undecayed *= 1 - lr * 1.6e-5
    torch.testing.assert_close(ours.detach(), theirs, rtol=1e-12, atol=1e-14)
    assert (undecayed / start - 1).abs().max() < 1e-6  # the trap: 1.6e-5 given to AdamW decays almost nothing


def test_nothing_that_changes_numbers_is_left_to_deepspeed() -> None:
    settings = deepspeed_config(load_preset("biomedlm-2.7b").model_copy(update={"ranks": 8}))
    assert settings["train_batch_size"] == 1024
    assert settings["gradient_accumulation_steps"] == 8
    assert settings["gradient_clipping"] == 1.0
    assert settings["zero_optimization"]["overlap_comm"] is False
    assert settings["data_types"]["grad_accum_dtype"] == settings["communication_data_type"] == "fp32"
    assert settings["bf16"]["immediate_grad_update"] is True
    assert settings["timers"]["throughput"]["enabled"] is False  # it waits for the device twice a micro-step
    assert "optimizer" not in settings
    assert "scheduler" not in settings
    unclipped = load_preset("tiny").model_copy(update={"clip": None})
    assert deepspeed_config(unclipped)["gradient_clipping"] == 0.0  # left out, DeepSpeed would clip at 1.0
