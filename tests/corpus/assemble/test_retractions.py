"""A retraction that one source states holds for the paper's records in both: held against plain sets and loops."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.assemble.retractions import mark_retracted, retracted_entities, retracted_rows
from corpus.assemble.updates import KEY, PMC_ENTITY, PUBMED_ENTITY, RevisionStatus, fold


@dataclass(frozen=True)
class Row:
    """A record: of an article or a citation, with its own id, perhaps the other's, a version, and what it states."""

    article: bool
    own: int
    other: int  # 0: not stated
    version: int
    retracted: bool


ROWS = st.lists(
    st.builds(
        Row,
        article=st.booleans(),
        own=st.integers(1, 6),
        other=st.integers(0, 6),
        version=st.integers(1, 2),
        retracted=st.booleans(),
    ),
    max_size=20,
)


def keys_of(rows: list[Row]) -> np.ndarray:
    keys = np.zeros(len(rows), KEY)
    for place, row in enumerate(rows):
        own, other = (PMC_ENTITY, PUBMED_ENTITY) if row.article else (PUBMED_ENTITY, PMC_ENTITY)
        keys["entity"][place], keys["version"][place] = own | row.own, row.version
        keys["other"][place] = other | row.other if row.other and row.retracted else 0
        keys["article"][place], keys["retracted"][place] = row.article, row.retracted
        keys["part"][place], keys["row"][place], keys["position"][place] = place % 3, place // 3, place
    return keys


@given(ROWS, st.randoms(use_true_random=False))
def test_only_records_that_are_alive_speak_and_for_both_their_ids(rows: list[Row], shuffler: object) -> None:
    keys = keys_of(rows)
    verdicts = fold(keys)
    codes = {(verdict["part"], verdict["row"]): verdict["code"] for verdict in verdicts}
    expected = set()
    for place, row in enumerate(rows):
        if row.retracted and codes[place % 3, place // 3] == RevisionStatus.LIVE:
            expected.add((row.article, row.own))
            expected |= {(not row.article, row.other)} if row.other else set()
    order = np.random.default_rng(len(rows)).permutation(len(rows))
    found = retracted_entities(keys[order], verdicts)
    assert found.tolist() == sorted((PMC_ENTITY if article else PUBMED_ENTITY) | number for article, number in expected)


@given(ROWS)
def test_records_are_marked_by_either_id_and_nothing_is_unmarked(rows: list[Row]) -> None:
    keys = keys_of(rows)
    entities = retracted_entities(keys, fold(keys))
    pmids = [(row.other if row.article else row.own) or None for row in rows]
    pmcids = [(row.own if row.article else row.other) or None for row in rows]
    table = pa.table(
        {
            "pmid": pa.array(pmids, pa.int64()),
            "pmcid": pa.array(pmcids, pa.int64()),
            "retracted": pa.array([row.retracted for row in rows], pa.bool_()),
        }
    )
    named = set(entities.tolist())
    by_id = [
        PUBMED_ENTITY | (pmid or 0) in named or PMC_ENTITY | (pmcid or 0) in named
        for pmid, pmcid in zip(pmids, pmcids, strict=True)
    ]
    marks = retracted_rows(table, entities)
    assert marks.tolist() == by_id
    for batch in table.to_batches():
        marked = mark_retracted(batch, marks)
        assert marked.column("retracted").to_pylist() == [
            one or row.retracted for one, row in zip(by_id, rows, strict=True)
        ]
        assert marked.schema == batch.schema
