"""Rows of a `pack` as a training loop reads them: a batch of ids, where documents begin, and the text."""

import sys

import numpy as np

from tokenizer import Encoder, TokenRows


def main(directory: str) -> None:
    """Print the sizes of the training split and its first and last row."""
    rows, encoder = TokenRows(directory, "train"), Encoder.load(directory)
    print(f"{len(rows):,} rows of {rows.seq_length}, {rows.num_tokens:,} tokens, {rows.vocab_size:,} entries")
    batch = rows.rows([0, len(rows) - 1])  # uint16[2, seq_length]
    for number, ids in zip((0, len(rows) - 1), batch, strict=True):
        ends = np.flatnonzero(ids == rows.end_of_text)
        print(f"row {number}: {len(ends)} documents end in it")
        print(f"  {encoder.decode(ids)[:200]!r}")


if __name__ == "__main__":
    main(sys.argv[1])
