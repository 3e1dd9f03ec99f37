"""ZeRO 0 to 3 on one and two CPU ranks equal plain AdamW in one process, and resume to the last bit, by torchrun."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.torchrun_results import torchrun_results

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[2, pytest.param(1, marks=pytest.mark.exhaustive)])
def results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("states")
    return torchrun_results(repository, request.param, "tests.support.zero_parity", str(folder))


@pytest.mark.parametrize("stage", range(4))
def test_a_stage_equals_plain_adamw(results: list[dict[str, Any]], stage: int) -> None:
    own = [result for result in results if result["kind"] == "parity" and result["stage"] == stage]
    assert [result["accumulation"] for result in own] in ([4, 2, 1], [8, 4, 2, 1])
    for result in own:
        assert result["loss"] < 1e-6, result
        assert result["weight"] < 5e-6, result
        assert result["fell"] > 0.02, result  # it does train
        if stage:
            assert result["norm"] < 1e-6, result


@pytest.mark.parametrize("stage", range(4))
def test_a_stage_equals_plain_adamw_while_batches_grow(results: list[dict[str, Any]], stage: int) -> None:
    """Steps of 2, 4, 6 and 8 rows, with states offloaded too."""
    own = [result for result in results if result["kind"] == "growing" and result["stage"] == stage]
    assert [result["offloaded"] for result in own] == ([False, True] if stage else [False])
    for result in own:
        assert result["accumulation"] in (4, 8), result
        assert result["loss"] < 3e-6, result  # of 5: six times the last bit
        assert result["weight"] < 5e-6, result
        assert result["fell"] > 0.02, result
        if stage:
            assert result["norm"] < 3e-6, result


@pytest.mark.parametrize("stage", range(4))
def test_a_stage_resumes_to_the_last_bit(results: list[dict[str, Any]], stage: int) -> None:
    """Behind the fourth step; with batches that grow behind the fifth, while they do."""
    own = [result for result in results if result["kind"].endswith("resume") and result["stage"] == stage]
    assert [result["precision"] for result in own] == (["fp32", "bf16", "bf16"] if stage else ["fp32", "fp32"])
    for result in own:
        assert result["losses"], result
        assert result["weights"], result
