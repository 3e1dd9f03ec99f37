"""Survivors: the rule of `resolve` against a slow reading of it, and the properties every answer must have."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup.resolve import Outcome, resolve
from corpus.dedup.survivor_rank import RANK_COLUMNS, rank_columns, rank_order, rank_places
from corpus.dedup.verify import Edges
from corpus.reasons import DUPLICATE_REASONS, DropReason

FULL_TEXTS = range(100, 106)


@st.composite
def situations(draw: st.DrawFn) -> tuple[dict[tuple[int, int], tuple[float, bool]], dict[int, int], dict[int, int]]:
    """Return (pair -> score and exactness, citation -> full text, document -> rank)."""
    citations = list(range(draw(st.integers(0, 8))))
    docs = [*citations, *FULL_TEXTS[: draw(st.integers(0, 5))]]
    possible = list(combinations(docs, 2))
    chosen = draw(st.lists(st.sampled_from(possible), unique=True, max_size=14)) if possible else []
    groups = {doc: draw(st.integers(0, 4)) for doc in docs}  # documents of one group have equal texts
    scores = {pair: draw(st.sampled_from([0.8, 0.85, 0.9, 0.99])) for pair in combinations(range(5), 2)}
    pairs = {}
    for a, b in combinations(docs, 2):
        if groups[a] == groups[b]:
            pairs[a, b] = (1.0, True)
        elif (a, b) in chosen:
            pairs[a, b] = (scores[min(groups[a], groups[b]), max(groups[a], groups[b])], False)
    joined = {c: draw(st.sampled_from(FULL_TEXTS)) for c in citations if draw(st.booleans())}
    places = draw(st.permutations([d for d in docs if d < 100]))
    order = [d for d in docs if d >= 100] + sorted(places, key=lambda d: d not in joined)
    return pairs, joined, {doc: place for place, doc in enumerate(order)}


def run(pairs: dict, joined: dict[int, int], ranks: dict[int, int], reverse: bool = False) -> Outcome:
    rows = sorted((a, b, score, exact) for (a, b), (score, exact) in pairs.items())
    docs = sorted(ranks, reverse=reverse)
    citations = sorted(joined)
    return resolve(
        Edges(
            a=np.array([row[0] for row in rows], np.uint64),
            b=np.array([row[1] for row in rows], np.uint64),
            score=np.array([row[2] for row in rows], np.float64),
            exact=np.array([row[3] for row in rows], np.bool_),
        ),
        doc_keys=np.array(docs, np.uint64),
        ranks=np.array([[ranks[doc]] for doc in docs], np.int64).reshape(-1, 1),
        citations=np.array(citations, np.uint64),
        full_texts=np.array([joined[c] for c in citations], np.uint64),
    )


def reference(pairs: dict, joined: dict[int, int], ranks: dict[int, int]) -> dict[int, tuple]:
    """Return document -> (survivor, matched, score, reason) for the dropped ones, one document after the other."""
    near: dict[int, dict[int, tuple[float, bool]]] = {doc: {} for doc in ranks}
    for (a, b), score in pairs.items():
        near[a][b] = near[b][a] = score
    dropped: dict[int, tuple] = {}
    decided: set[int] = set()
    for doc in sorted(ranks, key=ranks.__getitem__):
        if doc in joined and joined[doc] not in dropped:
            dropped[doc] = (joined[doc], joined[doc], None, "full_text_kept")
        else:
            options = []
            for other in near[doc].keys() & decided:
                score, exact = near[doc][other]
                if other in dropped and dropped[other][3] != "full_text_kept":
                    if not exact:
                        continue
                    other, score = dropped[other][1:3]
                survivor = dropped[other][0] if other in dropped else other
                reason = "exact_duplicate" if score == 1.0 else "near_duplicate"
                options.append((ranks[other], (survivor, other, score, reason)))
            if options:
                dropped[doc] = min(options)[1]
        decided.add(doc)
    for doc in joined.keys() - ranks.keys():
        dropped[doc] = (joined[doc], joined[doc], None, "full_text_kept")
    return dropped


def as_dict(outcome: Outcome) -> dict[int, tuple]:
    scores = [None if math.isnan(score) else score for score in outcome.score.tolist()]
    reasons = [str(DUPLICATE_REASONS[reason]) for reason in outcome.reason]
    rows = zip(outcome.survivor.tolist(), outcome.matched.tolist(), scores, reasons, strict=True)
    return dict(zip(outcome.dropped.tolist(), rows, strict=True))


@settings(max_examples=400, deadline=None)
@given(situations())
def test_fates_equal_the_slow_reading_of_the_rule(situation: tuple) -> None:
    pairs, joined, ranks = situation
    outcome = run(pairs, joined, ranks)
    found = as_dict(outcome)
    assert found == reference(pairs, joined, ranks)
    assert outcome.dropped.tolist() == sorted(found)
    for doc, (survivor, matched, score, reason) in found.items():
        assert survivor not in found
        if reason != DropReason.FULL_TEXT_KEPT:
            assert score >= 0.8
            assert matched == survivor or joined[matched] == survivor
            assert ranks[matched] < ranks[doc]


@settings(deadline=None)
@given(situations())
def test_the_order_of_the_input_does_not_matter(situation: tuple) -> None:
    one, other = run(*situation), run(*situation, reverse=True)
    for column in ("dropped", "survivor", "matched", "score", "reason", "member", "cluster"):
        assert np.array_equal(getattr(one, column), getattr(other, column), equal_nan=column == "score")


@settings(deadline=None)
@given(situations())
def test_a_document_and_its_survivor_share_a_cluster(situation: tuple) -> None:
    pairs, joined, ranks = situation
    outcome = run(pairs, joined, ranks)
    cluster = dict(zip(outcome.member.tolist(), outcome.cluster.tolist(), strict=True))
    assert all(cluster[a] == cluster[b] for a, b in pairs)
    assert all(cluster[doc] == min(d for d in cluster if cluster[d] == cluster[doc]) for doc in cluster)
    for doc, survivor in zip(outcome.dropped.tolist(), outcome.survivor.tolist(), strict=True):
        assert doc not in cluster or cluster[doc] == cluster[survivor]


def test_a_citation_goes_only_while_its_full_text_stays() -> None:
    pairs = {(100, 101): (0.9, False), (1, 2): (0.95, False)}
    joined = {1: 101, 3: 101, 4: 100}
    found = as_dict(run(pairs, joined, {100: 0, 101: 1, 1: 2, 2: 3}))
    assert found == {
        101: (100, 100, 0.9, "near_duplicate"),
        2: (1, 1, 0.95, "near_duplicate"),
        4: (100, 100, None, "full_text_kept"),
    }


def test_a_joined_citation_stands_for_its_full_text() -> None:
    found = as_dict(run({(1, 2): (0.95, False), (2, 3): (0.9, False)}, {1: 100}, {1: 0, 2: 1, 3: 2}))
    assert found == {1: (100, 100, None, "full_text_kept"), 2: (100, 1, 0.95, "near_duplicate")}


def test_no_document_goes_by_a_chain_of_resemblances() -> None:
    pairs = {(k, k + 1): (0.85, False) for k in range(1, 6)}
    found = as_dict(run(pairs, {}, {k: k for k in range(1, 7)}))
    assert sorted(found) == [2, 4, 6]


def test_policy_columns_outweigh_one_another_in_the_written_order() -> None:
    best = {
        "notice": False, "full_text": True, "joined": True, "retracted": False, "manuscript": False,
        "years": 2020, "versions": 3, "lengths": 900, "doc_keys": 5,
    }  # fmt: skip
    worse = {
        "notice": True, "full_text": False, "joined": False, "retracted": True, "manuscript": True,
        "years": 2019, "versions": 2, "lengths": 899, "doc_keys": 6,
    }  # fmt: skip
    names = list(best)
    rows = [
        {name: (worse if place == k else best)[name] for place, name in enumerate(names)} for k in range(len(names))
    ]
    later_all_bad = [
        {name: (best if place <= k else worse)[name] for place, name in enumerate(names)} for k in range(len(names))
    ]
    table = [best, *reversed(rows)]
    ranks = rank_columns(**{name: np.array([row[name] for row in table]) for name in names})
    assert ranks.shape == (len(table), len(RANK_COLUMNS))
    assert rank_order(ranks).tolist() == list(range(len(table)))
    for k, good in enumerate(later_all_bad[1:], 1):
        pair = [rows[k], good]
        places = rank_places(rank_columns(**{name: np.array([row[name] for row in pair]) for name in names}))
        assert places.tolist() == [1, 0]


def test_a_million_pairs_are_a_matter_of_seconds_not_of_python_loops() -> None:
    size = 300_000
    keys = np.arange(2 * size, dtype=np.uint64)
    edges = Edges(a=keys[::2], b=keys[1::2], score=np.full(size, 0.9), exact=np.zeros(size, np.bool_))
    none = np.zeros(0, np.uint64)
    outcome = resolve(edges, doc_keys=keys, ranks=keys[:, None].astype(np.int64), citations=none, full_texts=none)
    assert np.array_equal(outcome.dropped, keys[1::2])
    assert np.array_equal(outcome.survivor, keys[::2])


def test_a_citation_ranked_before_its_full_text_is_our_own_fault() -> None:
    with pytest.raises(AssertionError, match="full texts rank before citations"):
        run({(1, 100): (0.9, False)}, {1: 100}, {1: 0, 100: 1})
