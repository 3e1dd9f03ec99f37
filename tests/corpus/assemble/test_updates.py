"""The fold against a plain replay of the files, and its independence of arrival order."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.assemble.updates import ALLOWED, KEY, PMC_ENTITY, RevisionStatus, fold

# (entity, version, rank, deletion): position and row follow from the place in the list.
EVENTS = st.lists(
    st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(0, 4), st.booleans()), min_size=0, max_size=40
)


def keys_of(events: list[tuple[int, int, int, bool]]) -> np.ndarray:
    keys = np.zeros(len(events), KEY)
    for row, (entity, version, rank, deletion) in enumerate(events):
        keys[row] = (entity, 0, version, rank, row, rank, row, 0, deletion, 0, 0, 0)
    return keys


def replay(events: list[tuple[int, int, int, bool]]) -> dict[int, int]:
    """Apply the files in order as NLM says, keeping the highest version: entity → row alive at the end."""
    state: dict[int, tuple[int, int]] = {}
    for row in sorted(range(len(events)), key=lambda row: (events[row][2], row)):
        entity, version = events[row][:2]
        if events[row][3]:
            state.pop(entity, None)
        elif version >= state.get(entity, (0, 0))[0]:
            state[entity] = (version, row)
    return {entity: row for entity, (_, row) in state.items()}


@settings(deadline=None)
@given(EVENTS)
def test_fold_equals_a_replay_of_the_files(events: list[tuple[int, int, int, bool]]) -> None:
    verdicts = fold(keys_of(events))
    live = {
        int(row) for row, code in zip(verdicts["row"], verdicts["code"], strict=True) if code == RevisionStatus.LIVE
    }
    assert live == set(replay(events).values())
    assert sorted(verdicts["row"].tolist()) == list(range(len(events)))
    versions = {entity: events[row][1] for entity, row in replay(events).items()}
    for verdict in verdicts:
        assert verdict["live_version"] == versions.get(events[verdict["row"]][0], 0)


@settings(deadline=None)
@given(EVENTS, st.randoms())
def test_arrival_order_does_not_matter(events: list[tuple[int, int, int, bool]], shuffler: random.Random) -> None:
    keys = keys_of(events)
    order = list(range(len(events)))
    shuffler.shuffle(order)
    assert np.array_equal(fold(keys), fold(keys[order]))


def test_reasons_of_the_losers() -> None:
    events = [
        (1, 1, 0, False),  # deleted by the update
        (2, 1, 0, False),  # superseded by a later file
        (3, 2, 0, False),  # stays: a later file repeats version 1 only
        (1, 1, 1, True),
        (2, 1, 1, False),
        (3, 1, 1, False),
        (4, 1, 1, True),  # deletion of what never was
        (1, 1, 2, False),  # added again
    ]
    codes = fold(keys_of(events))
    by_row = dict(zip(codes["row"].tolist(), codes["code"].tolist(), strict=True))
    assert [by_row[row] for row in range(8)] == [
        RevisionStatus.DELETED,
        RevisionStatus.SUPERSEDED,
        RevisionStatus.LIVE,
        RevisionStatus.DELETION_NOTICE,
        RevisionStatus.LIVE,
        RevisionStatus.OLDER_VERSION,
        RevisionStatus.DELETION_NOTICE,
        RevisionStatus.LIVE,
    ]


def test_sub_articles_share_the_fate_of_their_article() -> None:
    keys = np.zeros(5, KEY)
    keys["entity"], keys["row"] = 7, range(5)
    keys["version"] = [1, 1, 1, 2, 2]  # version 1 with two sub-articles, version 2 with one
    keys["sub_article"] = [0, 1, 2, 0, 1]
    keys["position"] = [0, 0, 0, 1, 1]
    for order in (slice(None), slice(None, None, -1)):
        codes = fold(keys[order])["code"].tolist()
        assert codes == [RevisionStatus.OLDER_VERSION] * 3 + [RevisionStatus.LIVE] * 2


VERSIONS = st.tuples(st.integers(1, 3), st.integers(1, 4), st.booleans())  # article, version, whether it may be used


@given(st.lists(VERSIONS, max_size=12, unique_by=lambda one: one[:2]))
def test_the_newest_version_that_may_be_used_wins_and_else_the_newest(articles: list[tuple[int, int, bool]]) -> None:
    keys = np.zeros(len(articles), KEY)
    for row, (entity, version, usable) in enumerate(articles):
        keys["entity"][row], keys["version"][row] = PMC_ENTITY | entity, version + (ALLOWED if usable else 0)
        keys["row"][row], keys["position"][row], keys["article"][row] = row, row, 1
    for (entity, version, usable), verdict in zip(articles, fold(keys), strict=True):
        own = [(other, may) for number, other, may in articles if number == entity]
        best = max([other for other, may in own if may] or [other for other, _ in own])
        assert verdict["live_version"] == best
        expected = RevisionStatus.OLDER_VERSION if version < best else RevisionStatus.LIVE
        assert verdict["code"] == (RevisionStatus.REFUSED_VERSION if version > best else expected)
        assert not usable or version <= best
