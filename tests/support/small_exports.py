"""Small trained models of every kind of size, exported in every format, and what whoever reads them must find."""

import dataclasses
import io
import json
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from tokenizers import Tokenizer

from tests.support.small_run import SHAPE, TEXTS, loud_model, write_run
from tests.support.small_tokens import tokenizer_of
from train.config import ModelShape
from train.export.config import FORMATS, DType, ExportConfig
from train.export.stage import export
from train.model.gpt import GPT


def _sizes(vocab_size: int, *, layers: int = 2, heads: int = 4, hidden: int = 64) -> ModelShape:
    return dataclasses.replace(SHAPE, vocab_size=vocab_size, layers=layers, heads=heads, hidden=hidden)


# The least and the most that `tokenizer` takes, the recipe's vocabulary, GPT-2's, a small odd one; one layer, one head,
# a width that is no whole number of GGUF's blocks of 32.
SIZES = (
    *map(_sizes, (257, 389, 28_896, 50_257, 65_536)),
    _sizes(389, layers=1, heads=3, hidden=36),
    _sizes(389, layers=3, heads=1, hidden=96),
)
DTYPES: tuple[DType, ...] = get_args(DType)
NUM_PROMPTS, PROMPT, NEW_TOKENS = 4, 8, 6
QUERIES, IDS = "queries.json", "ids.npy"  # the same questions for readers of either form


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A run exported by number type (folders `float32`, …), and what is expected of whoever reads it."""

    folder: Path
    shape: ModelShape
    texts: list[str]
    ids: list[list[int]]  # of the texts
    log_probs: torch.Tensor  # of some rows, float32 (rows, seq_length, vocabulary)
    next_log_probs: torch.Tensor  # behind each prompt, float32 (prompts, vocabulary)
    greedy: list[list[int]]  # how the prompts go on

    @property
    def sizes(self) -> str:
        """Return the sizes for a line."""
        return f"{self.shape.vocab_size:,} entries, {self.shape.layers} × {self.shape.heads} × {self.shape.hidden}"


def exported(folder: Path, shape: ModelShape) -> Exported:
    """Write a run of a model, export it in every way, and write the questions beside it."""
    # Weights smaller for wider sums: as far from rounding at every width as at 64.
    model, tokenizer = loud_model(shape, noise=0.15 * (64 / shape.hidden) ** 0.5), tokenizer_of(shape.vocab_size, TEXTS)
    _export(write_run(folder / "run", model, tokenizer=tokenizer), folder)
    generator = torch.Generator().manual_seed(5)
    rows = torch.randint(shape.vocab_size, (3, shape.seq_length), generator=generator)
    rows[0, :8] = shape.vocab_size - 1 - torch.arange(8)
    reference = Tokenizer.from_str(tokenizer)
    texts = [*TEXTS, _letters(200), ""]
    prompts, greedy = _surest_prompts(model, reference, generator)
    with torch.no_grad():
        log_probs, after = (model.logits(ids).log_softmax(-1) for ids in (rows, prompts))
    asked: dict[str, Any] = {"texts": texts, "rows": rows.tolist(), "prompts": prompts.tolist()}
    asked |= {"new_tokens": NEW_TOKENS, "vocab_size": shape.vocab_size}
    (folder / QUERIES).write_text(json.dumps(asked), encoding="utf-8")
    np.save(folder / IDS, rows.numpy())
    return Exported(
        folder=folder,
        shape=shape,
        texts=texts,
        ids=[reference.encode(text).ids for text in texts],
        log_probs=log_probs,
        next_log_probs=after[:, -1],
        greedy=greedy.tolist(),
    )


def _export(run: Path, folder: Path) -> None:
    for dtype in DTYPES:
        formats = tuple(FORMATS) if dtype == "float32" else ("folded", "faithful")  # the others know no dtype
        with redirect_stderr(io.StringIO()):  # that the run has no tokens
            export(ExportConfig(formats=formats, dtype=dtype), run=str(run), output=str(folder / dtype))


def _letters(number: int) -> str:
    """Return random letters, whose pairs have the highest ids of a large vocabulary."""
    known = [chr(first + place) for first in (65, 97) for place in range(26)]
    return "".join(np.random.default_rng(2).choice(known, number).tolist())


def _surest_prompts(model: GPT, tokenizer: Tokenizer, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the prompts of many whose greedy continuation is least in doubt, and the continuations.

    Each goes on with a whole character: llama.cpp's server swallows the rest. None comes to an end.
    """
    end = model.shape.vocab_size - 1
    ids = torch.randint(end, (256, PROMPT), generator=generator)
    margin = torch.full((len(ids),), torch.inf)
    for _ in range(NEW_TOKENS):
        with torch.no_grad():
            best = model.logits(ids)[:, -1].topk(2)
        margin = torch.minimum(margin, best.values[:, 0] - best.values[:, 1])
        ids = torch.cat([ids, best.indices[:, :1]], dim=1)
    usable = [end not in row[PROMPT:] and "\ufffd" not in tokenizer.decode([row[PROMPT]]) for row in ids.tolist()]
    margin[~torch.tensor(usable)] = -1
    best = margin.topk(NUM_PROMPTS)
    assert best.values[-1] > 0, "too few prompts"
    return ids[best.indices, :PROMPT], ids[best.indices, PROMPT:]
