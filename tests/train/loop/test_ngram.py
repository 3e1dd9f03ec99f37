"""What the benchmark of a run compares with and draws: n-grams by hand-counted formula, and a curve with its labels."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.benchmarks.loss_plot import WIDTH, loss_svg
from tests.benchmarks.ngram import Trigrams, bits

VOCAB = 6


@settings(max_examples=50, deadline=None)
@given(tokens=st.lists(st.integers(0, VOCAB - 1), min_size=3, max_size=60), u=st.integers(-1, 5), v=st.integers(0, 5))
def test_probabilities_sum_to_one(tokens: list[int], u: int, v: int) -> None:
    model = Trigrams(np.array(tokens, np.int64), VOCAB)
    words = np.arange(VOCAB, dtype=np.int64)
    chances = model.probabilities(np.full(VOCAB, u), np.full(VOCAB, v), words)
    assert chances.sum() == pytest.approx(1.0)
    assert (chances >= 0).all()


def test_a_probability_is_that_of_the_formula() -> None:
    tokens = np.random.default_rng(3).integers(0, VOCAB, 200)
    model = Trigrams(tokens, VOCAB)
    threes = Counter(zip(tokens[:-2].tolist(), tokens[1:-1].tolist(), tokens[2:].tolist(), strict=True))
    twos = Counter((v, w) for _, v, w in threes)  # different left neighbours
    ones = Counter(w for _, w in twos)

    def discount(counts: Counter) -> float:  # type: ignore[type-arg]
        once, twice = (sum(value == n for value in counts.values()) for n in (1, 2))
        return once / (once + 2 * twice) if once else 0.0

    d3, d2, d1 = discount(threes), discount(twos), discount(ones)
    for u, v, w in [(0, 1, 2), (3, 3, 3), (5, 0, 4)]:
        p1 = (max(ones[w] - d1, 0) + d1 * len(ones) / VOCAB) / sum(ones.values())
        total = sum(count for (a, _), count in twos.items() if a == v)
        p2 = (max(twos[v, w] - d2, 0) + d2 * sum(a == v for a, _ in twos) * p1) / total
        total = sum(count for (a, b, _), count in threes.items() if (a, b) == (u, v))
        types = sum((a, b) == (u, v) for a, b, _ in threes)
        p3 = (max(threes[u, v, w] - d3, 0) + d3 * types * p2) / total if total else p2
        found = model.probabilities(np.array([u]), np.array([v]), np.array([w]))[0]
        assert found == pytest.approx(p3)


def test_bits_leave_out_the_first_token_of_a_row() -> None:
    model = Trigrams(np.array([0, 1, 2, 0, 1, 2, 0, 1, 2]), 3)
    rows = np.array([[0, 1, 2]])
    expected = model.probabilities(np.array([-1, 0]), np.array([0, 1]), np.array([1, 2]))
    assert bits(model, rows) == pytest.approx(-np.log2(expected).sum())


@pytest.mark.parametrize("tokens_per_step", [100, 2_048, 1_048_576])
def test_the_labels_of_the_loss_curve_stay_inside_the_picture(tokens_per_step: int) -> None:
    metrics = [{"step": step, "loss": 9.0 - step / 10} for step in range(1, 31)]
    metrics += [{"step": 30, "validation_loss": 6.1, "validation_loss_pubmed": 6.5, "validation_loss_pmc": 6.0}]
    picture = loss_svg(metrics, tokens_per_step=tokens_per_step, title="a title")
    places = re.findall(r'<text x="([\d.]+)" y="[\d.]+" fill="#\w+" font-size="(\d+)">([^<]*)<', picture)
    assert len([text for _, _, text in places if text.endswith(" M")]) == 5
    for x, size, text in places:
        assert float(x) + 0.56 * float(size) * len(text) <= WIDTH, (
            text
        )  # a figure is 0.556 of the size wide in Helvetica
