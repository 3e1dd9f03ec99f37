"""Rows chosen for evaluation, tokens by source, and the unigram entropy that losses are compared with."""

import math

import numpy as np

from corpus.errors import UsageError
from tokenizer.arrays import RowIndices
from tokenizer.token_rows import TokenRows

ENTROPY_ROWS = 1 << 20  # a billion tokens in 1024-token rows give the entropy to five digits
BLOCK_ROWS = 256


def validation_rows(tokens: str) -> TokenRows | None:
    """Return the validation split; None when it is not there or too small for one row."""
    try:
        rows = TokenRows(tokens, "validation")
    except UsageError:
        return None
    return rows if len(rows) else None


def evenly_spaced_rows(num_rows: int, at_most: int) -> RowIndices:
    """Return at most so many of `num_rows` rows, evenly spaced."""
    count = min(num_rows, at_most)
    return np.arange(count, dtype=np.int64) * num_rows // count


def check_sources(rows: TokenRows) -> str:
    """Return the shares of the sources as text, after checking the tokens of each against the ledger.

    Done before any device is used. Raises CorruptError when they differ.
    """
    if not rows.has_sources:
        return "no sources are stored with these tokens; pack them again for losses by source"
    counts = rows.check_ledger()
    return ", ".join(f"{count:,} {name} ({count / rows.num_tokens:.1%})" for name, count in sorted(counts.items()))


def unigram_entropy(rows: TokenRows) -> float:
    """Return the entropy in nats of the tokens' frequencies, over at most 2^20 evenly spaced rows.

    A model that only knows how often each token occurs cannot have a lower loss on average.
    """
    chosen = evenly_spaced_rows(len(rows), ENTROPY_ROWS)
    counts = np.zeros(rows.vocab_size, dtype=np.int64)
    for start in range(0, len(chosen), BLOCK_ROWS):
        counts += np.bincount(rows.rows(chosen[start : start + BLOCK_ROWS]).ravel(), minlength=rows.vocab_size)
    seen = counts[counts > 0].tolist()
    total = sum(seen)
    return -math.fsum(count / total * math.log(count / total) for count in seen)
