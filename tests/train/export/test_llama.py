"""The GGUF files in llama.cpp: the same split of texts, the same model."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from corpus.stage.workspace import Workspace
from tests.support.small_run import SHAPE, TEXTS, VOCAB, loud_model, without_scale, write_run
from train.config import ModelShape
from train.export.config import FORMATS, ExportConfig, ExportFormat
from train.export.stage import _write_format
from train.export.weights import EMBEDDING
from train.model.gpt import GPT

# Largest and mean difference of a log-probability. Seen: F16 0.009 and 0.002, Q8_0 0.25 and 0.040;
# dropped 1.6 and 0.28.
LIMITS: dict[ExportFormat, tuple[float, float]] = {"gguf-f16": (0.05, 0.005), "gguf-q8_0": (0.6, 0.07)}
NUM_PROMPTS = 10


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for a core of a busy machine cost this test a hundred times its work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def prompts_of(model: GPT, tokenizer: Tokenizer) -> list[list[int]]:
    """Prompts of many lengths that go on with a whole character: llama.cpp's server swallows the rest."""
    generator, found = torch.Generator().manual_seed(11), []
    for number in range(1000):
        length = 1 + number % (SHAPE.seq_length - 1)
        prompt = torch.randint(VOCAB - 1, (length,), generator=generator)
        with torch.no_grad():
            (first, second), (best, _) = model.logits(prompt[None])[0, -1].topk(2)
        if first - second > 1 and "\ufffd" not in tokenizer.decode([int(best)]):
            found.append(prompt.tolist())
        if len(found) == NUM_PROMPTS:
            return found
    raise AssertionError("too few prompts")


def gaps(kind: ExportFormat, shape: ModelShape, folder: Path) -> tuple[float, float]:
    """Export, run llama.cpp on the file, and return the largest and mean difference to the trained model."""
    model = loud_model()
    tokenizer = (write_run(folder / "run", model) / "tokenizer.json").read_text(encoding="utf-8")
    weights = {name: tensor.detach() for name, tensor in model.named_parameters()}
    weights[EMBEDDING] = weights[EMBEDDING][:VOCAB]
    workspace = Workspace(output=str(folder), stage="export", revision=1, fingerprint="", config={}, inputs=())
    config = ExportConfig(formats=(kind,))
    _write_format(kind, workspace, config, weights=weights, shape=shape, tokenizer=tokenizer)
    reference = Tokenizer.from_str(tokenizer)
    prompts = prompts_of(model, reference)
    queries = {"vocab_size": VOCAB, "texts": TEXTS, "prompts": prompts}
    (folder / "queries.json").write_text(json.dumps(queries), encoding="utf-8")
    files = [str(folder / name) for name in (FORMATS[kind].path, "queries.json", "answers.json")]
    subprocess.run(
        [sys.executable, "-m", "tests.support.llama_server", *files], check=True, timeout=120, capture_output=True
    )
    answers = json.loads((folder / "answers.json").read_text())
    assert answers["ids"] == [reference.encode(text).ids for text in TEXTS]
    with torch.no_grad():
        wanted = [model.logits(torch.tensor([prompt]))[0, -1].log_softmax(0) for prompt in prompts]
    found = (torch.tensor(answers["logprobs"]) - torch.stack(wanted)).abs()
    return found.max().item(), found.mean().item()


@pytest.mark.parametrize("kind", LIMITS)
def test_llama_cpp_computes_the_trained_model(kind: ExportFormat, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="llama.cpp is not installed here (pip install xllamacpp)")
    largest, mean = gaps(kind, SHAPE, tmp_path)
    assert largest < LIMITS[kind][0]
    assert mean < LIMITS[kind][1]


@pytest.mark.parametrize("kind", LIMITS)
def test_llama_cpp_shows_a_dropped_layer_scale(kind: ExportFormat, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="llama.cpp is not installed here (pip install xllamacpp)")
    largest, mean = gaps(kind, without_scale(SHAPE), tmp_path)
    assert largest > 1.5 * LIMITS[kind][0]
    assert mean > 2 * LIMITS[kind][1]
