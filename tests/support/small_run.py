"""A run's directory with one published checkpoint, made in a moment: what the tests of export and generate read.

The weights are random and large, so that every part of the model matters; the tokenizer is learned from
biomedical text with Greek letters, powers and line breaks.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.support.small_tokens import learn
from train.checkpoint.store import WEIGHTS, Checkpoint, make_temporary, publish, start_list
from train.config import ModelShape, load_preset
from train.job import Job, write_job
from train.model.gpt import GPT, build_model

TEXTS = (
    "TGF-β1 binds its receptor at 37 °C; Ca²⁺ rises to 10⁻⁷ mol/L within 5 min.\nThe α-helix of p53 (n = 12) …",
    "Patients with BRCA1 mutations received 5 µg·kg⁻¹ of cisplatin; the hazard ratio was 0.71 (95 % CI 0.55–0.92).",
    "  Double  spaces,\ttabs,\r\nline breaks and <|endoftext|> spelled out; naïve façade, 東京, emoji 🧬.",
)
VOCAB = 389  # no multiple of 128: the embedding has padding rows
SHAPE = ModelShape(
    layers=4,
    heads=4,
    hidden=64,
    seq_length=32,
    vocab_size=VOCAB,
    dropout=0.1,
    scale_attn_by_inverse_layer_idx=True,
)


def loud_model(shape: ModelShape = SHAPE, *, seed: int = 3, noise: float = 0.15) -> GPT:
    """Return a model whose weights are far from their initial values; queries and keys most of all."""
    model = build_model(shape, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 2 * noise if "qkv" in name else noise
            parameter += scale * torch.randn(parameter.shape, generator=generator)
        model.tokens.weight[shape.vocab_size :] = 0.0
    return model.eval()


def write_run(
    folder: Path,
    model: GPT,
    *,
    step: int = 7,
    tokens: str = "/nowhere/tokens",
    fingerprint: str = "0" * 64,
    texts: Sequence[str] = TEXTS * 3,
    tokenizer: str | None = None,
) -> Path:
    """Write a checkpoint reached through the guard, job and tokenizer (text given, or learned); return the folder."""
    shape = model.shape
    config = load_preset("tiny").model_copy(update={"steps": step})
    start_list(str(folder))
    temporary = make_temporary(str(folder), step, 1)
    tensors = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    save_file(tensors, f"{temporary}/{WEIGHTS}", metadata={"format": "pt"})
    checkpoint = Checkpoint(
        step=step,
        tokens=step * 4 * shape.seq_length,
        ranks=1,
        zero_stage=1,
        tokens_fingerprint=fingerprint,
        recipe={**config.recipe(), "model": dataclasses.asdict(shape)},
        files={},
    )
    publish(str(folder), checkpoint, keep=3)
    (folder / "tokenizer.json").write_text(tokenizer or _learned(texts, shape.vocab_size), encoding="utf-8")
    job = Job(
        config=config,
        shape=shape,
        tokens=tokens,
        tokens_fingerprint=fingerprint,
        output=str(folder),
        resume=None,
        resume_step=0,
    )
    write_job(job)
    return folder


def _learned(texts: Sequence[str], vocab_size: int) -> str:
    tokenizer = learn(texts, vocab_size)
    assert tokenizer.get_vocab_size() == vocab_size, f"the texts give {tokenizer.get_vocab_size()} entries"
    return tokenizer.to_str(pretty=True)


def without_scale(shape: ModelShape) -> ModelShape:
    """Return the shape with the layer scale dropped: the mistake that every outlet must not make."""
    return dataclasses.replace(shape, scale_attn_by_inverse_layer_idx=False)
