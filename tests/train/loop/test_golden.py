"""A stored loss curve of 50 steps: what an unmeant change of model, data order, schedule or optimizer would move.

Learned again on purpose: `python -m tests.train.loop.test_golden` writes the file anew; say in the commit why.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.support.small_tokens import made_up_texts, write_tokens
from tokenizer.token_rows import TokenRows
from train.config import TrainConfig
from train.launch.stage import train
from train.loop.metrics import read_metrics

GOLDEN = REPOSITORY / "tests" / "golden" / "loss_curve.json"
SETTINGS = {
    "model": {"layers": 2, "heads": 2, "hidden": 32, "dropout": 0.1},
    "steps": 50,
    "batch_rows": 4,
    "micro_batch": 2,
    "learning_rate": 3e-3,
    "warmup_steps": 5,
    "clip": 0.5,
    "eval_every": 10,
    "eval_rows": 8,
    "sample_tokens": 0,
    "save_every": 50,
    "log_every": 100,
}


def curve(folder: Path) -> dict[str, Any]:
    """Train the 50 steps in a folder; return the tokens' hash and every number that was logged."""
    tokens = write_tokens(folder / "tokens", made_up_texts(60, seed=11), vocab_size=320, seq_length=64)
    train(TrainConfig.model_validate(SETTINGS), tokens=str(tokens), output=str(folder / "run"))
    return {
        "tokens_fingerprint": TokenRows(str(tokens), "train").fingerprint,
        "metrics": read_metrics(str(folder / "run")),
    }


@pytest.mark.slow
def test_the_curve_is_the_stored_one(tmp_path: Path) -> None:
    stored, found = json.loads(GOLDEN.read_text()), curve(tmp_path)
    assert found["tokens_fingerprint"] == stored["tokens_fingerprint"], "other tokens: nothing can be compared"
    assert len(found["metrics"]) == len(stored["metrics"]) == 55
    for ours, theirs in zip(found["metrics"], stored["metrics"], strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            tolerance = 1e-4 if name == "gradient_norm" else 1e-5
            assert ours[name] == pytest.approx(value, abs=tolerance), (theirs["step"], name)
    assert stored["metrics"][-2]["loss"] < stored["metrics"][0]["loss"] - 1.0  # it learned something


@pytest.mark.exhaustive
def test_two_runs_have_the_same_curve_to_the_last_bit(tmp_path: Path) -> None:
    assert curve(tmp_path / "one") == curve(tmp_path / "two")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        GOLDEN.write_text(json.dumps(curve(Path(place)), indent=1) + "\n")
    print(f"{GOLDEN} is written", file=sys.stderr)
