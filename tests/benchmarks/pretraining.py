"""What a trained run knows: bits per byte of held-out text beside compressors and an n-gram model, and its loss curve.

    python -m tests.benchmarks.pretraining --run work/runs/small --tokens work/tokens/clean --svg docs/loss.svg

Everything reads the same rows of the validation split, evenly spaced. The model and the n-grams predict all tokens
but the first of each row; compressors get the rows' text in one piece, at once with and without training text before
it. The n-grams are trigrams with Kneser-Ney smoothing over the same tokens: of the rows that the model saw, and of all.
"""

import argparse
import bz2
import gzip
import lzma
import math
from pathlib import Path

import numpy as np
import torch
import zstandard
from tokenizers import Tokenizer

from corpus.stage.manifest import read_manifest
from tests.benchmarks.loss_plot import loss_svg
from tests.benchmarks.ngram import Longs, Trigrams, bits
from tokenizer.hf_json import token_lengths
from tokenizer.mixture import plan_mixture
from tokenizer.sources import SOURCES
from tokenizer.token_rows import TokenRows
from train.checkpoint import store
from train.config import TrainConfig
from train.data.tokens import evenly_spaced_rows
from train.generate.backends import load_model
from train.loop.evaluate import ALL, figures
from train.loop.metrics import read_metrics
from train.model.gpt import next_token_targets
from train.model.head import IGNORE

DICTIONARY_BYTES, DICTIONARY_ROWS = 32 << 20, 36_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True)
    parser.add_argument("--tokens", required=True)
    parser.add_argument("--rows", type=int, default=100_000, help="validation rows, evenly spaced")
    parser.add_argument("--svg", help="also write the loss curve here")
    arguments = parser.parse_args()
    if arguments.svg:
        write_plot(arguments.run, Path(arguments.svg))
    held_out = TokenRows(arguments.tokens, "validation")
    chosen = evenly_spaced_rows(len(held_out), arguments.rows)
    rows = held_out.rows(chosen).astype(np.int64)
    found = model_figures(arguments.run, held_out, chosen, rows)
    print(f"{len(rows):,} held-out rows of {held_out.seq_length} tokens, bits a byte:")
    show([("corpuscle's model", found["validation_bits_per_byte"])])
    show([(f"  on {name}", found[f"validation_bits_per_byte_{name}"]) for name in SOURCES])
    show(compressor_lines(arguments.tokens, rows))
    show(ngram_lines(arguments.run, arguments.tokens, rows))


def show(lines: list[tuple[str, float]]) -> None:
    """Print figures as they come."""
    for name, value in lines:
        print(f"  {name:<58} {value:.3f}", flush=True)


def model_figures(run: str, held_out: TokenRows, chosen: Longs, rows: Longs) -> dict[str, float]:
    """Return the validation figures of a run's newest good checkpoint."""
    model = load_model(run, store.newest_good(run, print))
    lengths = torch.tensor(_token_lengths(run), dtype=torch.float64)
    sums = torch.zeros(ALL + 1, 3, dtype=torch.float64)
    for start in range(0, len(rows), 8):
        ids = torch.from_numpy(rows[start : start + 8])
        targets = next_token_targets(ids)
        with torch.no_grad():
            losses = model(ids, targets, each=True)
        real = targets != IGNORE
        each = torch.stack([losses.double(), real.double(), lengths[targets.clamp(min=0)] * real], dim=-1)
        positions = chosen[start : start + 8, None] * held_out.seq_length + np.arange(1, held_out.seq_length + 1)
        sources = held_out.sources_at(np.minimum(positions, held_out.num_tokens - 1)).astype(np.int64)
        sums[ALL] += each.sum(dim=(0, 1))
        sums.index_add_(0, torch.from_numpy(sources).flatten(), each.flatten(0, 1))
    return figures(sums, by_source=True)


def ngram_lines(run: str, tokens: str, rows: Longs) -> list[tuple[str, float]]:
    """Return the trigram model's bits a byte: of the tokens that the model saw, and of all of them."""
    train = TokenRows(tokens, "train")
    config = TrainConfig.model_validate(read_manifest(run, "train").config)
    lengths = np.array(_token_lengths(run))
    size = int(lengths[rows[:, 1:]].sum())
    order = plan_mixture(train, config.source_weights)
    steps = range(config.steps)
    seen = np.concatenate([order.rows_in(config.batches.places(step), seed=config.seed) for step in steps])
    lines = []
    for name, wanted in (("the rows it saw", np.unique(seen)), ("all training tokens", np.arange(len(train)))):
        stream = train.rows(wanted).ravel().astype(np.int64)
        bits_a_byte = bits(Trigrams(stream, train.vocab_size), rows) / size
        lines.append((f"Kneser-Ney trigrams of {name} ({len(stream):,})", bits_a_byte))
    return lines


def compressor_lines(tokens: str, rows: Longs) -> list[tuple[str, float]]:
    """Return the compressors' bits a byte of the rows' text."""
    decode = Tokenizer.from_file(f"{tokens}/tokenizer.json").decode
    text = decode(rows.ravel().tolist(), skip_special_tokens=True).encode()
    train = TokenRows(tokens, "train")
    before = decode(
        train.rows(range(min(len(train), DICTIONARY_ROWS))).ravel().tolist(), skip_special_tokens=True
    ).encode()
    raw = zstandard.ZstdCompressionDict(before[:DICTIONARY_BYTES], dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    long = zstandard.ZstdCompressionParameters.from_level(19, window_log=27, enable_ldm=True)
    sizes = {
        "gzip -9": len(gzip.compress(text, 9)),
        "bzip2 -9": len(bz2.compress(text, 9)),
        "xz -9e": len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)),
        "zstd -19": len(zstandard.ZstdCompressor(level=19).compress(text)),
        f"zstd -19 behind {len(raw.as_bytes()) / 1e6:.0f} MB of training text": len(
            zstandard.ZstdCompressor(compression_params=long, dict_data=raw).compress(text)
        ),
    }
    return [(name, 8 * size / len(text)) for name, size in sizes.items()]


def write_plot(run: str, path: Path) -> None:
    """Write the loss curve of a run."""
    manifest = read_manifest(run, "train")
    summary = manifest.summary
    title = f"{summary['parameters']:,} parameters, {summary['steps']:,} steps, {summary['tokens']:,} tokens"
    tokens_per_step = summary["tokens"] // summary["steps"]
    path.write_text(loss_svg(read_metrics(run), tokens_per_step=tokens_per_step, title=title), encoding="utf-8")
    print(f"{path}: final loss {summary['last_loss']:.3f}, perplexity {math.exp(summary['last_loss']):,.0f}")


def _token_lengths(run: str) -> list[int]:
    return token_lengths(Path(run, "tokenizer.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
