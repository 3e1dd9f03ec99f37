"""Communication in `plan`: bytes as counted in real steps of ranks, times by the ring, shares by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.app import main
from tests.support.torchrun_results import torchrun_results
from tests.support.zero_memory import SHAPE
from tests.train.plan.test_plan import BIOMEDLM, biomedlm
from train.plan.communication import LARGE_SHARE, Network, StepTraffic, step_traffic
from train.plan.lines import plan_text
from train.plan.memory import padded_parameters

MICRO_STEPS = 3  # of tests.support.zero_traffic


@pytest.fixture(scope="module", params=[2, pytest.param(4, marks=pytest.mark.exhaustive)])
def counted(request: pytest.FixtureRequest, repository: Path) -> list[dict[str, Any]]:
    return torchrun_results(repository, request.param, "tests.support.zero_traffic")


@pytest.mark.slow
@pytest.mark.parametrize("stage", range(4))
def test_a_step_sends_what_the_plan_counts(counted: list[dict[str, Any]], stage: int) -> None:
    own = [found for found in counted if found["stage"] == stage]
    assert [found["precision"] for found in own] == (["fp32", "bf16"] if stage else ["fp32"])
    for found in own:
        planned = step_traffic(SHAPE, stage=stage, precision=found["precision"], micro_steps=MICRO_STEPS)
        for kind in ("all_reduced", "scattered"):
            assert found["other"] == 0, "nothing is sent that the plan does not know"
            assert found[kind] == pytest.approx(getattr(planned, kind), rel=1e-3, abs=100), (kind, found)
        if stage < 3:
            assert found["gathered"] == pytest.approx(planned.gathered, rel=1e-3), found
        else:  # small tensors stay whole, and so do those that are used again soon
            assert planned.gathered / 10 < found["gathered"] <= planned.gathered, found


@pytest.mark.slow
def test_zero_1_has_one_large_call_for_sums_and_zero_2_one_a_micro_step(counted: list[dict[str, Any]]) -> None:
    calls = {found["stage"]: found["large"] for found in counted if found["precision"] == "bf16"}
    assert calls[1] == 2, "an all-reduce and an all-gather"
    assert calls[2] >= MICRO_STEPS + 1


def test_a_ring_sends_what_is_known() -> None:
    """Two ranks all-reduce by sending once the whole; many by sending it nearly twice."""
    assert StepTraffic(all_reduced=100, gathered=0, scattered=0).sent(2) == 100
    assert StepTraffic(all_reduced=100, gathered=0, scattered=0).sent(1000) == pytest.approx(200, rel=2e-3)
    assert StepTraffic(all_reduced=0, gathered=100, scattered=60).sent(4) == 120
    assert StepTraffic(all_reduced=9, gathered=9, scattered=9).sent(1) == 0


def test_a_ring_is_as_fast_as_its_slowest_part() -> None:
    network = Network(link_gb_s=450, machine_gbps=3200)
    assert network.bytes_a_second(8) == 450e9
    assert network.bytes_a_second(32) == 400e9
    assert Network(link_gb_s=64, machine_gbps=3200).bytes_a_second(32) == 64e9


def test_the_reach_of_the_papers_model_by_hand() -> None:
    """10.4 GB of sums and 5.2 GB of weights: 50 ms in a machine, 63 ms through 8 x 400 Gbit/s, 2 s through 100."""
    n, plan = padded_parameters(BIOMEDLM), biomedlm()
    inside, between, second = plan.reach(8), plan.reach(32), plan.reach(8, stage=2)
    assert inside is not None
    assert between is not None
    assert second is not None
    assert inside.communication == pytest.approx(10 * n * 7 / 8 / 450e9)
    assert between.communication == pytest.approx(10 * n * 31 / 32 / 400e9)
    beside = plan.tokens_per_second / (1 + inside.communication / inside.computing)
    assert inside.tokens_per_second == pytest.approx(beside)
    assert between.share == pytest.approx(0.0502, abs=1e-4)
    assert second.communication == pytest.approx((8 * 8 + 2) * n * 7 / 8 / 450e9), "8 micro-steps of 16 rows"
    assert plan.reach(3) is None


def test_the_plan_says_what_more_gpus_reach_and_warns(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["plan", "--config", "biomedlm-2.7b", "--mfu", "46.2", "--gpus", "8"]
    assert main([*argv, "--network-gbps", "100"]) == 0
    said = capsys.readouterr().out
    assert "450 GB/s between GPUs, 100 Gbit/s between machines of 8" in said
    assert "on 8 GPUs   218,549 tokens/s at most, 98.9% of linear: a step computes 4.747 s and sends 0.050 s" in said
    assert "a step computes 1.187 s and sends 2.011 s" in said
    assert "ZeRO-2      sends the sums in every micro-step: 0.333 s a step on 8 GPUs, 0.050 s with ZeRO-1" in said
    assert "warning     on 32 GPUs communication is 62.88% of a step, above 5%" in said
    assert main([*argv, "--network-gbps", "100", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [*found["scaling"]] == ["8", "32", "128"]
    assert found["scaling"]["32"]["communication_seconds_a_step"] == pytest.approx(2.011, abs=0.001)
    assert main([*argv, "--finetune", "medqa", "--network-gbps", "100"]) == 2
    assert "--network-gbps are of a training" in capsys.readouterr().err


def test_one_gpu_sends_nothing_and_a_machine_little() -> None:
    reached = [biomedlm().reach(gpus) for gpus in (1, 8)]
    assert all(one is not None and one.share <= LARGE_SHARE for one in reached)
    assert "communication" not in plan_text(biomedlm(gpus=1)).split("scaling")[0]
    assert "communication" in plan_text(biomedlm(gpus=8)).split("scaling")[0]
