"""Interpolated Kneser-Ney trigrams over token ids: the classical model that a trained one is held against.

Chen and Goodman, "An empirical study of smoothing techniques for language modeling" (1998), section 2.7, with one
discount an order, n1 / (n1 + 2 n2). Sorted arrays of keys instead of tries: 22 million tokens take 1 GB.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Order:
    """One order: counts by n-gram, and by context the sum of counts and the number of different words."""

    grams: Longs
    counts: Longs
    contexts: Longs
    totals: Longs
    types: Longs
    discount: float


class Trigrams:
    """Probabilities of a token after two others; `tokens` is one stream, `vocab` the size of the vocabulary."""

    def __init__(self, tokens: Longs, vocab: int) -> None:
        self.vocab = vocab
        grams, counts = np.unique((tokens[:-2] * vocab + tokens[1:-1]) * vocab + tokens[2:], return_counts=True)
        self.orders = [_order(grams, counts, vocab)]
        for size in (vocab * vocab, vocab):  # lower orders count different left neighbours, not occurrences
            grams, counts = np.unique(grams % size, return_counts=True)
            self.orders.append(_order(grams, counts, vocab))

    def probabilities(self, before: Longs, last: Longs, words: Longs) -> Floats:
        """Return the probability of each word after (before, last); -1 for a `before` that is not known."""
        third, second, first = self.orders
        lowest = _interpolate(first, words, np.zeros_like(words), np.full(len(words), 1.0 / self.vocab))
        middle = _interpolate(second, last * self.vocab + words, last, lowest)
        contexts = np.where(before < 0, -1, before * self.vocab + last)
        return _interpolate(third, contexts * self.vocab + words, contexts, middle)


def bits(model: Trigrams, rows: Longs) -> float:
    """Return the bits of all tokens of rows but the first of each, int64 (rows, length)."""
    before = np.concatenate([np.full((len(rows), 1), -1, np.int64), rows[:, :-2]], axis=1)
    chances = model.probabilities(before.ravel(), rows[:, :-1].ravel(), rows[:, 1:].ravel())
    return float(-np.log2(chances).sum())


def _order(grams: Longs, counts: Longs, vocab: int) -> Order:
    contexts, starts = np.unique(grams // vocab, return_index=True)
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return Order(
        grams=grams,
        counts=counts,
        contexts=contexts,
        totals=np.add.reduceat(counts, starts),
        types=np.diff(np.append(starts, len(grams))),
        discount=once / (once + 2 * twice) if once else 0.0,
    )


def _interpolate(order: Order, grams: Longs, contexts: Longs, lower: Floats) -> Floats:
    """Discounted share of the n-gram in its context, the mass taken away spread by the lower order."""
    counts = _find(order.grams, order.counts, grams)
    totals = _find(order.contexts, order.totals, contexts)
    types = _find(order.contexts, order.types, contexts)
    known = np.maximum(totals, 1)
    mixed = (np.maximum(counts - order.discount, 0.0) + order.discount * types * lower) / known
    return np.where(totals > 0, mixed, lower)


def _find(keys: Longs, values: Longs, wanted: Longs) -> Longs:
    """Return the value of each wanted key, 0 where it is not there."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)
