"""The JATS reader on 2,400 real articles, against their metadata and against an oracle of its own.

The figures asserted are those of the first version, rounded down; docs say what they were measured to be.
"""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus.ncbi.archives import read_articles
from corpus.ncbi.inputs import find_inputs
from corpus.ncbi.jats import read_article
from corpus.records import Record
from tests.jats_oracle import score

pytestmark = pytest.mark.real_data

ARCHIVE = "pmc/pmc-oa-opendata.tar.xz"


def members(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file of the real archive."""
    with tarfile.open(folder / ARCHIVE, "r|xz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                yield Path(member.name).name, content.read()


def plain(raw: bytes) -> bytes:
    """Return the XML of an article that may be gzipped, alone or as a package."""
    if raw[:2] != b"\x1f\x8b":
        return raw
    raw = gzip.decompress(raw)
    if raw[257:262] != b"ustar":
        return raw
    with tarfile.open(fileobj=io.BytesIO(raw)) as package:
        content = package.extractfile(next(member for member in package if member.name.endswith("xml")))
        assert content is not None
        return content.read()


def check(pairs: Iterator[tuple[bytes, Record]]) -> None:
    """Assert that records hold the words of their articles, none glued, in order."""
    scores = [score(plain(raw), record) for raw, record in pairs]
    total, kept = sum(item.words for item in scores), sum(item.kept for item in scores)
    glued = [word for item in scores for word in item.glued]
    paragraphs, misplaced = sum(item.paragraphs for item in scores), sum(item.misplaced for item in scores)
    print(f"{kept}/{total} words kept ({kept / total:.5f}), glued {glued}, {misplaced} of {paragraphs} misplaced")
    assert kept / total > 0.9998
    assert len(glued) <= len(scores) / 800  # three of 10.8 million, in scripts and formulas
    assert misplaced <= paragraphs / 1000


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
        found[item.doc_id] = item
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
