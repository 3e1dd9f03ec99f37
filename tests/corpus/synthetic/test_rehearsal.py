"""Made-up records: the same for the same seed, of the lengths that are stated, with the copies that are stated."""

import numpy as np
import pytest

from corpus.records import Kind, Record
from corpus.storage.schema import from_batch
from corpus.synthetic.rehearsal import statistics
from corpus.synthetic.rehearsal.parts import RehearsedParts
from corpus.text.render import render

PARTS = RehearsedParts(seed=1, num_citations=40_000, num_articles=300)


def read(part: int, parts: RehearsedParts = PARTS) -> list[Record]:
    return [record for batch in parts.batches(part) for record in from_batch(batch, Record)]


def test_parts_are_files_in_order() -> None:
    assert PARTS.names == ("pubmed26n0001", "pubmed26n0002", "pubmed26n0003", "articles-00000")
    assert PARTS.num_records == sum(PARTS.keys(part).num_rows for part in range(4)) == 44_300


def test_a_part_is_the_same_whenever_it_is_read_and_its_keys_are_its_own() -> None:
    records = read(1)
    assert records == read(1)
    assert records != read(1, RehearsedParts(seed=2, num_citations=40_000, num_articles=300))
    keys = PARTS.keys(1).to_pylist()
    assert keys == [{name: getattr(record, name) for name in keys[0]} for record in records]
    assert [record.position for record in records] == list(range(10_000))


def test_lengths_and_shares_are_those_stated() -> None:
    records = read(0)
    texts = [render(record) for record in records if record.abstracts]
    assert len(texts) / len(records) == pytest.approx(statistics.WITH_ABSTRACT, abs=0.02)
    assert np.mean([len(text.split()) for text in texts]) == pytest.approx(193, rel=0.08)
    assert np.mean([len(text.encode()) for text in texts]) == pytest.approx(1334, rel=0.12)
    assert np.mean([len(record.abstracts) > 1 for record in records]) == pytest.approx(0.18, abs=0.02)
    assert np.mean([len(render(record).encode()) for record in read(3)]) == pytest.approx(30_200, rel=0.2)


def test_an_update_revises_each_citation_at_most_once_and_articles_have_their_citation() -> None:
    citations = {record.pmid: record for record in [*read(0), *read(1)]}
    updates = [record for record in read(2) if record.kind is Kind.CITATION]
    assert len({record.pmid for record in updates}) == len(updates)
    assert {record.pmid for record in updates} <= set(citations)
    assert all(record.title == citations[record.pmid].title for record in updates)
    joined = [citations[article.pmid].pmcid in (None, article.pmcid) for article in read(3)]
    assert all(joined)
    assert sum(record.pmcid is not None for record in citations.values()) == pytest.approx(210, abs=30)
