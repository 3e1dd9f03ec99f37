"""`export --check`: every format scored on held-out tokens, against transformers; and what it says of a wrong model."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GPT2LMHeadModel

from pipelines.cli.app import main
from tests.support.small_run import SHAPE, VOCAB, loud_model, write_run
from tests.support.small_tokens import made_up_texts, write_tokens
from tokenizer.token_rows import TokenRows
from train.config import ModelShape
from train.data.tokens import evenly_spaced_rows
from train.export import stage
from train.export.config import FORMATS
from train.export.weights import Weights

LINE = re.compile(r"^(\S+) +([\d.]+) nats a token  ([\d.]+) bits a byte  each token off by ([\d.]+) nats(.*)$", re.M)
ROWS = 6


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with its tokens beside it; one thread, for threads that wait cost a busy machine dearly."""
    torch.set_num_threads(1)
    tokens = write_tokens(
        tmp_path / "tokens", made_up_texts(60, seed=1), vocab_size=VOCAB, seq_length=SHAPE.seq_length, validation=0.3
    )
    fingerprint = TokenRows(str(tokens), "train").fingerprint
    return write_run(tmp_path / "run", loud_model(), tokens=str(tokens), fingerprint=fingerprint)


def test_every_format_is_scored(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    words = ["export", str(run), "--output", str(output), "--format", "all", "--check", str(ROWS * SHAPE.seq_length)]
    assert main(words) == 0
    said = capsys.readouterr()
    assert f"checking on {ROWS * (SHAPE.seq_length - 1):,} held-out tokens in {ROWS} rows" in said.err
    found = {name: [float(x) for x in figures] for name, *figures, wrong in LINE.findall(said.out) if not wrong}
    assert [*found] == ["trained", *FORMATS]
    held_out = TokenRows(str(tmp_path / "tokens"), "validation")
    rows = torch.from_numpy(held_out.rows(evenly_spaced_rows(len(held_out), ROWS)).astype(np.int64))
    theirs = GPT2LMHeadModel.from_pretrained(output / "faithful", attn_implementation="eager").eval()
    with torch.no_grad():
        loss = theirs(rows, labels=rows).loss.item()
    for name in ("trained", "folded", "faithful", "ct2-float32"):
        assert found[name][0] == pytest.approx(loss, abs=1e-4), name
    for name in ("gguf-q8_0", "ct2-int8"):
        assert 1e-3 < found[name][2] < 0.1, name  # eight bits are seen, and are no other model
    assert main(words) == 0  # of a finished export too
    assert len(LINE.findall(capsys.readouterr().out)) == 1 + len(FORMATS)


def test_a_dropped_layer_scale_is_named(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def dropped(weights: Weights, shape: ModelShape) -> tuple[Weights, ModelShape]:
        return weights, dataclasses.replace(shape, scale_attn_by_inverse_layer_idx=False)

    monkeypatch.setattr(stage, "folded", dropped)
    assert main(["export", str(run), "--output", str(tmp_path / "out"), "--format", "all", "--check", "192"]) == 3
    said = capsys.readouterr()
    folded = [name for name in FORMATS if name != "faithful"]
    assert f"{', '.join(folded)}: not the model that was trained" in said.err
    assert len(re.findall("above .*: not the model that was trained", said.out)) == len(folded)


def test_the_rows_are_the_runs_own(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    far = tmp_path / "far" / "away" / "from"  # nearby tokens are found by their fingerprint
    far.mkdir(parents=True)
    run = run.rename(far / "run")
    moved = (tmp_path / "tokens").rename(tmp_path / "moved")
    words = ["export", str(run), "--output", str(tmp_path / "out"), "--check", "64"]
    assert main(words) == 2
    assert "the run's tokens are not there; name their directory with --held-out" in capsys.readouterr().err
    assert main([*words, "--held-out", str(moved)]) == 0
    capsys.readouterr()
    other = write_tokens(tmp_path / "other", made_up_texts(9, seed=2), vocab_size=VOCAB - 9, seq_length=32)
    assert main([*words, "--held-out", str(other)]) == 2
    assert "other tokens than the checkpoint was trained on" in capsys.readouterr().err
