"""Forecasts for reading: what is little is said to be little, not to be nothing."""

import pytest

from corpus.stage.forecast import Forecast


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.04, "less than 0.1"), (0.05, "0.1"), (0.0, "less than 0.1"), (1234.56, "1,234.6")]
)
def test_seconds_are_never_none(seconds: float, told: str) -> None:
    text = Forecast(stage="extract", output="records", why="new", to_do=1, cpu_seconds=seconds).text()
    assert text.endswith(f"  {told} CPU s, by the last run here")
