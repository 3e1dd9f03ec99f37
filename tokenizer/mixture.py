"""Data mixture: training rows by source in chosen shares, as a pure function of the place in the order.

It is built from the plain order (`tokenizer.order`), and like it has no state. A weight says how often a source's rows
are seen in one pass: 1 is once, 2 twice, 0.5 every other row (the other half in the next pass). A pass is a keyed
permutation of all the slots of all sources; within its source a slot takes the next row of that source's own endless
order, so no row comes again before its source is through.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from corpus.errors import UsageError
from tokenizer.arrays import RowIndices
from tokenizer.order import rows_at
from tokenizer.sources import SOURCES
from tokenizer.token_rows import TokenRows


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Order of training rows; `rows` are those of each source, `slots` how many of them one pass has."""

    num_rows: int
    rows: tuple[RowIndices, ...] = ()
    slots: tuple[int, ...] = ()

    @property
    def pass_rows(self) -> int:
        """Rows in one pass."""
        return sum(self.slots) if self.slots else self.num_rows

    def rows_in(self, places: range, *, seed: int) -> RowIndices:
        """Return the rows at places of the order, int64[places]; passes follow one another without an end."""
        positions = np.arange(places.start, places.stop, dtype=np.int64)
        if not self.slots:
            return rows_at(positions, seed=seed, num_rows=self.num_rows)
        passes = positions // self.pass_rows
        shuffled = rows_at(positions, seed=seed, num_rows=self.pass_rows)
        out = np.empty(len(positions), np.int64)
        start = 0
        for number, (rows, slots) in enumerate(zip(self.rows, self.slots, strict=True)):
            own = (shuffled >= start) & (shuffled < start + slots)
            if own.any():
                stream = passes[own] * slots + shuffled[own] - start
                out[own] = rows[rows_at(stream, seed=seed + (number + 1 << 48), num_rows=len(rows))]
            start += slots
        return out


def plan_mixture(rows: TokenRows, weights: Mapping[str, float] | None) -> Mixture:
    """Return the mixture for source weights; without weights it is the plain order.

    A row counts for the source of its first token. Raises UsageError for an unknown source, or when nothing is left.
    """
    if weights is None:
        return Mixture(num_rows=len(rows))
    if unknown := sorted({*weights} - {*SOURCES}):
        raise UsageError(f"source_weights: no source {', '.join(unknown)}; sources are {', '.join(SOURCES)}")
    if not rows.has_sources:
        raise UsageError(f"{rows.tokens}: no sources are stored with these tokens; pack them again for source_weights")
    of_rows = rows.sources_at(np.arange(len(rows), dtype=np.int64) * rows.seq_length)
    by_source = tuple(np.flatnonzero(of_rows == code) for code in range(len(SOURCES)))
    slots = tuple(round(weights.get(name, 1.0) * len(own)) for name, own in zip(SOURCES, by_source, strict=True))
    if not sum(slots):
        raise UsageError("source_weights: no row is left; give at least one source a weight above 0")
    return Mixture(num_rows=len(rows), rows=by_source, slots=slots)
