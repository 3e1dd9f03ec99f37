"""Evaluation against sums made the slow way: losses and bits per byte by source, and the ledger of sources."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from torch import distributed
from torch.nn import functional

from corpus.errors import CorruptError
from tests.support.small_tokens import made_up_texts, write_tokens
from tokenizer.hf_json import token_lengths
from tokenizer.mixture import plan_mixture
from tokenizer.sources import SOURCES, write_sources
from tokenizer.token_rows import TokenRows
from train.config import TrainConfig
from train.data.tokens import check_sources, evenly_spaced_rows
from train.job import Job
from train.loop.evaluate import evaluate, sample
from train.loop.heartbeat import Heartbeat
from train.loop.loss_watch import LossWatch
from train.loop.rank_state import RankState
from train.model.gpt import GPT, build_model

SETTINGS = {
    "model": {"layers": 2, "heads": 2, "hidden": 32},
    "steps": 8,
    "batch_rows": 4,
    "micro_batch": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 2,
    "eval_every": 4,
    "eval_rows": 7,
    "sample_tokens": 6,
    "sample_prompt": "ba",
}
LENGTH = 64


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [*made_up_texts(30, seed=1), *(f"Größe α/β {text}" for text in made_up_texts(10, seed=2))]
    return write_tokens(tmp_path_factory.mktemp("pack") / "tokens", texts, vocab_size=300, seq_length=LENGTH)


@pytest.fixture
def alone(tmp_path: Path) -> Any:
    """Be the only rank; a fine-tuning run of this process is that already, and stays it."""
    if distributed.is_initialized():
        yield
        return
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def record(self, step: int, values: dict[str, float]) -> None:
        self.values |= values


def run_on(tokens: Path, model: GPT, log: Log, **changes: Any) -> RankState:
    config = TrainConfig.model_validate(SETTINGS | changes)
    rows = TokenRows(str(tokens), "train")
    job = Job(
        config=config, shape=model.shape, tokens=str(tokens), tokens_fingerprint=rows.fingerprint, output=str(tokens),
        resume=None, resume_step=0,
    )  # fmt: skip
    lines: list[str] = []
    return RankState(
        job=job, engine=model, device=torch.device("cpu"), rank=0, rows=rows,
        order=plan_mixture(rows, None), watch=LossWatch(config=config),
        validation=TokenRows(str(tokens), "validation"), log=log, say=lines.append, should_stop=lambda: False,
        heartbeat=Heartbeat(output=str(tokens), rank=0, ranks=1, stall_seconds=60, say=lines.append),
    )  # type: ignore[arg-type]  # fmt: skip


def model_for(tokens: Path) -> GPT:
    config = TrainConfig.model_validate(SETTINGS)
    model = build_model(config.model.shape(seq_length=LENGTH, vocab_size=300), seed=3)
    with torch.no_grad():
        model.tokens.weight *= 5
    return model


def by_hand(model: GPT, tokens: Path, wanted: int) -> dict[str, float]:
    """Every token's loss from full logits; its source by walking the documents; its bytes by decoding it."""
    rows = TokenRows(str(tokens), "validation")
    source_of = np.empty(rows.num_tokens, np.int64)
    ends = [*rows.document_starts[1:].tolist(), rows.num_tokens]
    for number, (start, end) in enumerate(zip(rows.document_starts.tolist(), ends, strict=True)):
        source_of[start:end] = number % 2
    tokenizer = Tokenizer.from_file(str(tokens / "tokenizer.json"))
    tokenizer_letters = {number: token for token, number in tokenizer.get_vocab().items()}
    nats, count, size = np.zeros(3), np.zeros(3), np.zeros(3)
    for row in evenly_spaced_rows(len(rows), wanted).tolist():
        ids = rows.row(row).astype(np.int64)
        logits = model.logits(torch.from_numpy(ids)[None])[0]
        losses = functional.cross_entropy(logits[:-1], torch.from_numpy(ids[1:]), reduction="none")
        for place in range(1, LENGTH):
            source = source_of[row * LENGTH + place]
            token = int(ids[place])
            for which in (source, 2):
                nats[which] += losses[place - 1].item()
                count[which] += 1
                size[which] += 0 if token == rows.end_of_text else len(tokenizer_letters[token])
    names = [*(f"_{name}" for name in SOURCES), ""]
    found = {f"validation_loss{name}": nats[i] / count[i] for i, name in enumerate(names)}
    return found | {f"validation_bits_per_byte{name}": nats[i] / math.log(2) / size[i] for i, name in enumerate(names)}


@pytest.mark.parametrize("wanted", [3, 7])
def test_losses_and_bits_by_source_are_those_of_every_token(alone: None, tokens: Path, wanted: int) -> None:
    model, log = model_for(tokens), Log()
    evaluate(run_on(tokens, model, log, eval_rows=wanted), 4)
    expected = by_hand(model, tokens, wanted)
    assert log.values.keys() == expected.keys()
    assert expected["validation_loss_pubmed"] != pytest.approx(expected["validation_loss_pmc"], abs=1e-4)
    for name, value in expected.items():
        assert log.values[name] == pytest.approx(value, rel=1e-5), name
    assert model.training


def test_a_sample_continues_the_prompt_and_is_the_same_again(alone: None, tokens: Path) -> None:
    state = run_on(tokens, model_for(tokens), Log())
    text = sample(state, 4)
    assert text.startswith("'ba")
    assert text == sample(state, 4)
    assert text != sample(state, 8)


def test_the_bytes_of_tokens_are_those_of_the_text(tokens: Path) -> None:
    text = "Größe von BRCA1 ≥ 5 µm²; α-Aktin 日本"
    tokenizer = Tokenizer.from_file(str(tokens / "tokenizer.json"))
    lengths = token_lengths((tokens / "tokenizer.json").read_text(encoding="utf-8"))
    assert sum(lengths[number] for number in tokenizer.encode(text).ids) == len(text.encode())
    assert lengths[tokenizer.token_to_id("<|endoftext|>")] == 0


def test_sources_that_do_not_fit_the_ledger_stop_before_a_device(tokens: Path, tmp_path: Path) -> None:
    assert "pmc (" in check_sources(TokenRows(str(tokens), "train"))
    copy = tmp_path / "tokens"
    copy.mkdir()
    for path in tokens.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    documents = json.loads((copy / "manifest.json").read_text())["summary"]["splits"]["train"]["documents"]
    write_sources(str(copy / "train-00000"), [np.zeros(documents, np.uint8)])
    with pytest.raises(CorruptError, match=r"tokens by source, the ledger says"):
        check_sources(TokenRows(str(copy), "train"))
    write_sources(str(copy / "train-00000"), [np.zeros(documents - 1, np.uint8)])
    with pytest.raises(CorruptError, match="documents' sources for"):
        check_sources(TokenRows(str(copy), "train"))
