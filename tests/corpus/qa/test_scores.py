"""Scores against scipy, published rows and examples by hand."""

import json
import random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from corpus.qa import scores
from corpus.qa.predictions import Prediction
from tests.support.qa_data import QA_DATA, needs_qa_data


def prediction(number: int, gold: int | None, choice: int | None, chances: tuple[float, ...] = ()) -> Prediction:
    return Prediction(id=str(number), task="t", split="test", gold=gold, choice=choice, probabilities=chances)


@settings(deadline=None)
@given(st.integers(1, 5000).flatmap(lambda items: st.tuples(st.integers(0, items), st.just(items))))
def test_wilson_is_scipys(counts: tuple[int, int]) -> None:
    right, items = counts
    wanted = stats.binomtest(right, items).proportion_ci(method="wilson")
    assert scores.wilson(right, items) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_wilson_of_the_papers_rows() -> None:
    rows = {(0.503, 1273): (47.6, 53.0), (0.547, 1273): (52.0, 57.4), (0.573, 4183): (55.8, 58.8),
            (0.744, 500): (70.4, 78.0), (0.957, 140): (90.9, 98.0), (0.69, 100): (59.4, 77.2)}  # fmt: skip
    found = {key: tuple(round(100 * end, 1) for end in scores.wilson(key[0] * key[1], key[1])) for key in rows}
    assert found == rows


def test_macro_f1_by_hand_and_of_always_yes() -> None:
    gold = [2] * 276 + [1] * 169 + [0] * 55
    assert round(100 * scores.macro_f1(gold, [2] * 500), 2) == 23.71  # PubMedQA's published row of the majority
    assert scores.macro_f1([0, 1, 1, 2], [0, 1, 2, 2]) == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert scores.macro_f1([0, 1], [None, 1]) == pytest.approx(0.5)  # a refusal is right for no label
    assert scores.macro_f1([0, 0], [0, 1]) == pytest.approx((2 / 3 + 0) / 2)


@needs_qa_data
def test_the_human_columns_of_pubmedqa() -> None:
    """Those of the published half are 78.00/72.19 and 90.40/84.18; of the half that lies here they are others.

    The figures are scikit-learn 1.9.1's accuracy_score and f1_score(average="macro").
    """
    items = json.loads((QA_DATA / "pubmedqa_cv500.json").read_text()).values()
    labels = ("maybe", "no", "yes")
    gold = [labels.index(one["final_decision"]) for one in items]
    found = {}
    for column in ("reasoning_required_pred", "reasoning_free_pred"):
        choice = [labels.index(one[column]) for one in items]
        right = fmean(one == other for one, other in zip(gold, choice, strict=True))
        found[column] = (round(100 * right, 2), round(100 * scores.macro_f1(gold, choice), 2))
    assert found == HUMAN


HUMAN = {"reasoning_required_pred": (78.2, 69.46), "reasoning_free_pred": (92.8, 88.81)}


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=60))
def test_auroc_is_the_mann_whitney_statistic(rows: list[tuple[bool, int]]) -> None:
    ones = [float(value) for truth, value in rows if truth]
    zeros = [float(value) for truth, value in rows if not truth]
    found = scores.auroc([truth for truth, _ in rows], [float(value) for _, value in rows])
    if not ones or not zeros:
        assert found is None
        return
    wanted = stats.mannwhitneyu(ones, zeros).statistic / (len(ones) * len(zeros))
    assert found == pytest.approx(wanted, abs=1e-12)


def test_auroc_over_labels() -> None:
    assert scores.auroc_over_labels([0, 1, 1], [(0.9, 0.1), (0.2, 0.8), (0.95, 0.05)]) == 0.5
    three = scores.auroc_over_labels([0, 1, 2], [(0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.5, 0.2, 0.3)])
    assert three == 1.0
    assert scores.auroc_over_labels([0, 1], [(0.5, 0.5), (0.2, 0.3, 0.5)]) is None


def test_brier_by_hand() -> None:
    assert scores.brier([0, 1], [(0.7, 0.3), (1.0, 0.0)]) == pytest.approx(((0.09 + 0.09) + 2) / 2)


def test_calibration_error_by_hand() -> None:
    confidence = [0.9, 0.6, 0.5, 0.8]
    right = [True, False, True, True]
    # Two bins of two, in the order of confidence: (0.5, 0.6) with 1 of 2 right, (0.8, 0.9) with 2 of 2.
    assert scores.calibration_error(confidence, right, bins=2) == pytest.approx((abs(0.55 - 0.5) + abs(0.85 - 1)) / 2)
    # Bins of unequal numbers count by their items: two of (0.5, 0.6), one of 0.8, one of 0.9.
    wanted = (2 * abs(0.55 - 0.5) + abs(0.8 - 1) + abs(0.9 - 1)) / 4
    assert scores.calibration_error(confidence, right, bins=3) == pytest.approx(wanted)
    assert scores.calibration_error([0.7], [True]) == pytest.approx(0.3)


def test_a_calibrated_model_has_little_error_and_a_sure_one_much() -> None:
    draw = random.Random(1)
    confidence = [draw.uniform(0.3, 1) for _ in range(20_000)]
    right = [draw.random() < one for one in confidence]
    assert scores.calibration_error(confidence, right) < 0.02
    assert scores.calibration_error([1.0] * 20_000, right) == pytest.approx(1 - fmean(right))


def test_a_card_leaves_hidden_items_out_and_counts_refusals_as_wrong() -> None:
    rows = [prediction(0, 1, 1), prediction(1, 0, 1), prediction(2, 0, None), prediction(3, None, 1)]
    card = scores.score(rows)
    assert (card.items, card.right, card.accuracy) == (3, 1, 1 / 3)
    assert card.auroc is card.brier is card.calibration_error is None
    sure = scores.score([prediction(0, 1, 1, (0.4, 0.6)), prediction(1, 0, 1, (0.3, 0.7))])
    assert sure.brier == pytest.approx((2 * 0.16 + 2 * 0.49) / 2)
    assert sure.auroc == 0.0
    assert sure.calibration_error == pytest.approx((abs(0.6 - 1) + 0.7) / 2)
    with pytest.raises(ValueError, match="no prediction"):
        scores.score(rows[3:])


def test_mean_and_sd() -> None:
    assert scores.mean_and_sd([1, 2, 4]) == pytest.approx((7 / 3, stats.tstd([1, 2, 4])))
    assert scores.mean_and_sd([3.0]) == (3.0, 0.0)
