"""The watch: what stops a run, what only warns, what is counted."""

import math
from typing import Any

import pytest

from corpus.errors import DataError, UsageError
from train.config import TrainConfig, load_preset
from train.loop.loss_watch import LEAST, LossWatch
from train.loop.metrics import check_wandb


def watch(**changes: Any) -> LossWatch:
    config = TrainConfig.model_validate({**load_preset("tiny").model_dump(), **changes})
    return LossWatch.resumed(config, [5.0] * LEAST, skipped=0)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops(loss: float) -> None:
    with pytest.raises(DataError, match=f"step 11: the loss is {loss}; training stopped"):
        watch(max_skipped_steps=9).check(11, loss=loss, norm=1.0, skipped=0)


def test_gradients_that_are_not_finite_stop_where_the_update_was_made() -> None:
    with pytest.raises(DataError, match=r"gradients are not finite \(norm nan\)"):
        watch().check(11, loss=5.0, norm=math.nan, skipped=0)
    assert watch().check(11, loss=5.0, norm=None, skipped=0) == []


def test_updates_left_out_are_counted_up_to_the_limit() -> None:
    watched = watch(max_skipped_steps=2)
    assert "1 so far, max_skipped_steps allows 2" in watched.check(11, loss=math.nan, norm=math.inf, skipped=1)[0]
    assert watched.check(12, loss=5.0, norm=1.0, skipped=1) == []
    assert "2 so far" in watched.check(13, loss=5.0, norm=math.inf, skipped=2)[0]
    with pytest.raises(DataError, match="3 so far, max_skipped_steps allows 2: training stopped"):
        watched.check(14, loss=5.0, norm=math.inf, skipped=3)


def test_a_run_that_goes_on_keeps_its_count() -> None:
    config = TrainConfig.model_validate({**load_preset("tiny").model_dump(), "max_skipped_steps": 2})
    watched = LossWatch.resumed(config, [5.0], skipped=2)
    assert watched.check(12, loss=5.0, norm=1.0, skipped=2) == []
    with pytest.raises(DataError, match="3 so far"):
        watched.check(13, loss=5.0, norm=1.0, skipped=3)


def test_a_spike_warns_or_stops() -> None:
    warned = watch(spike_nats=0.5)
    assert warned.check(11, loss=5.4, norm=1.0, skipped=0) == []
    assert "loss 5.6000 is 0.60 above the median" in warned.check(12, loss=5.6, norm=1.0, skipped=0)[0]
    assert warned.spikes == 1
    with pytest.raises(DataError, match="more than spike_nats"):
        watch(spike_nats=0.5, on_spike="stop").check(11, loss=5.6, norm=1.0, skipped=0)
    assert watch(spike_nats=None).check(11, loss=50.0, norm=1.0, skipped=0) == []


def test_a_young_run_has_no_spikes() -> None:
    config = TrainConfig.model_validate({**load_preset("tiny").model_dump(), "spike_nats": 0.5, "on_spike": "stop"})
    watched = LossWatch.resumed(config, [], skipped=0)
    for step in range(LEAST):
        assert watched.check(step + 1, loss=float(10 - step), norm=1.0, skipped=0) == []


def test_wandb_is_asked_for_only_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    check_wandb(None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="wandb is not installed here"):
        check_wandb("biomedlm")
