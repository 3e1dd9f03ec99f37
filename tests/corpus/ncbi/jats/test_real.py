"""The JATS reader on 2,400 real articles, against their metadata and against an oracle of its own.

What is asserted is what the project promises: 99.9 % of the words of abstracts, body and captions kept, no word
invented, no paragraph lost, out of order or repeated. `tests.benchmarks.fidelity` prints the same scores beside those
of peers.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus.extract.inputs import find_inputs
from corpus.ncbi.jats.reader import read_article
from corpus.records import Kind, Record
from tests.benchmarks.peers_jats import from_record
from tests.support.extracted import read_articles
from tests.support.jats_oracle import Score, Source, compare, read_source
from tests.support.real_articles import ARCHIVE, members, plain

pytestmark = pytest.mark.real_data


def check(pairs: Iterator[tuple[bytes, Record]]) -> None:
    """Assert that records hold the words of their articles, none invented, every paragraph once and in its place."""
    scores = [compare_record(read_source(plain(raw)), record) for raw, record in pairs]
    total, kept = sum(item.words for item in scores), sum(item.kept for item in scores)
    print(f"{kept}/{total} words of abstracts, body and captions kept ({kept / total:.6f})")
    assert kept / total > 0.999
    for faults in ("invented", "lost", "misplaced", "repeated"):
        assert [fault for item in scores for fault in getattr(item, faults)] == [], faults


def compare_record(source: Source, record: Record) -> Score:
    """Compare all text of a record with its article."""
    extract = from_record(record)
    return compare(source, text=extract.text(), body="\n".join(extract.body))


def test_a_sample_holds_its_words_in_order(real_data: Path) -> None:
    articles = []
    for name, raw in members(real_data):
        if name.endswith(".xml"):
            record = read_article(raw, file=name)
            assert isinstance(record, Record), record
            articles.append((raw, record))
        if len(articles) == 120:
            break
    check(iter(articles))


@pytest.mark.slow
def test_every_article_is_read_and_holds_its_words_in_order(real_data: Path) -> None:
    task = find_inputs(pubmed=[], pmc=[str(real_data / ARCHIVE)], articles_per_part=500)[0]
    found = {}
    for item in read_articles(task):
        assert isinstance(item, Record), item
        if item.kind is Kind.ARTICLE:
            found[item.doc_id] = item
        else:
            assert item.parent in found
    assert len(found) == 2400
    assert len({record.pmcid for record in found.values()}) == 2400
    assert sum(not record.body for record in found.values()) == 20
    assert all(record.license.startswith("CC") and record.year and record.title for record in found.values())
    raws = {}
    for name, raw in members(real_data):
        doc_id = "pmc:" + name.rpartition(".")[0]
        if name.endswith(".json"):
            facts, record = json.loads(raw), found[doc_id]
            assert (record.pmid, record.doi) == (facts["pmid"], facts["doi"] and facts["doi"].lower())
        elif name.endswith(".xml"):
            raws[doc_id] = raw
    assert sum(raw[:2] == b"\x1f\x8b" for raw in raws.values()) == 6
    check((raw, found[doc_id]) for doc_id, raw in raws.items())
