"""The side tables of PubMed's citations: all fields as lxml reads them, and records that stay as they were."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import astuple

from corpus.metadata import SideTables
from corpus.ncbi.pubmed.metadata import orcid_of
from corpus.ncbi.pubmed.reader import read_pubmed, read_pubmed_xml
from corpus.records import Kind, Record
from tests.support.metadata_oracle import Rows, pubmed_rows
from tests.support.pubmed_oracle import files

PLACE = {
    "authors": 3,
    "references": 3,
    "mesh": 2,
    "grants": 3,
    "dates": 2,
    "publications": 2,
}  # fields before the facts


def own_rows(path: Path) -> Iterator[tuple[int, Rows]]:
    side = SideTables()
    for item, _ in read_pubmed_xml(str(path), side):
        rows = side.take()
        if not isinstance(item, Record) or item.kind is Kind.DELETION:
            assert not any(rows.values())
            continue
        for name, found in rows.items():
            assert all((row.doc_id, row.position) == (item.doc_id, item.position) for row in found)
            if PLACE[name] == 3:
                assert [row.rank for row in found] == list(range(1, len(found) + 1))
        assert item.pmid is not None
        facts: Rows = {name: [astuple(row)[PLACE[name] :] for row in found] for name, found in rows.items()}
        facts["publications"] = [row[:-2] for row in facts["publications"]]  # a citation states no licence
        facts["dates"].sort()
        yield item.pmid, facts


def affiliations(row: tuple[Any, ...]) -> str:
    """Return the letters of what may hold raised or lowered text, which the reader writes and the oracle joins."""
    return "".join(letter for letter in str(row) if letter.isascii() and letter.isalnum())


@pytest.mark.real_data
@pytest.mark.slow
def test_all_citations_are_as_lxml_reads_them(real_data: Path) -> None:
    count, values = 0, dict.fromkeys(PLACE, 0)
    for path in files(real_data):
        for (pmid, own), (wanted_pmid, wanted) in zip(own_rows(path), pubmed_rows(path), strict=True):
            assert pmid == wanted_pmid
            for name in PLACE:
                if own[name] != wanted[name]:  # the same but for powers and indices in an address or a reference
                    assert name in ("authors", "references"), (path.name, pmid, name)
                    assert list(map(affiliations, own[name])) == list(map(affiliations, wanted[name])), (path, pmid)
                values[name] += len(own[name])
            count += 1
    assert count == 31_201
    assert min(values.values()) > 500


def test_records_are_the_same_with_and_without(tmp_path: Path) -> None:
    path = tmp_path / "pubmed26n0001.xml"
    path.write_text(SET)
    side = SideTables()
    assert list(read_pubmed(str(path))) == [item for item, _ in read_pubmed_xml(str(path), side)]
    authors = [(row.name(), row.orcid, row.affiliations) for row in side.rows["authors"]]
    assert authors == [
        ("Ada B Lovelace", "0000-0002-1825-009X", ("Dept. of Analysis, London.", "Second place.")),
        ("The β Group", "", ()),
    ]
    assert [(row.rank, row.name, row.major, row.qualifier) for row in side.rows["mesh"]] == [
        (1, "Humans", False, ""),
        (2, "Liver", False, "surgery"),
        (2, "Liver", False, "pathology"),
    ]
    assert [(row.pmid, row.doi, row.pmcid) for row in side.rows["references"]] == [
        (7, "10.1000/x", 12),
        (8, None, None),
    ]
    assert [(row.kind, row.text) for row in side.rows["dates"]] == [("published", "1998 Dec-1999 Jan")]


@pytest.mark.parametrize("text", ["http://orcid.org/0000-0002-1825-009x", "000000021825009X", "0000-0002-1825-009X"])
def test_an_orcid_has_one_form(text: str) -> None:
    assert orcid_of(text) == "0000-0002-1825-009X"
    assert orcid_of(text[:-2]) == ""


def test_a_headings_qualifiers_share_its_rank(tmp_path: Path) -> None:
    path = tmp_path / "pubmed26n0001.xml"
    path.write_text(SET)
    side = SideTables()
    list(read_pubmed_xml(str(path), side))
    ranks = [[row.qualifier for row in rows] for _, rows in groupby(side.rows["mesh"], key=lambda row: row.rank)]
    assert ranks == [[""], ["surgery", "pathology"]]


SET = """<?xml version="1.0" encoding="UTF-8"?>
<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID Version="1">5</PMID><Article><Journal><JournalIssue>
<PubDate><MedlineDate>1998 Dec-1999 Jan</MedlineDate></PubDate></JournalIssue><Title>J</Title></Journal>
<ArticleTitle>A title</ArticleTitle><AuthorList><Author><LastName>Lovelace</LastName><ForeName>Ada B</ForeName>
<Identifier Source="ORCID">https://orcid.org/0000-0002-1825-009X</Identifier><AffiliationInfo>
<Affiliation>Dept. of Analysis, London.</Affiliation></AffiliationInfo><AffiliationInfo><Affiliation>Second place.
</Affiliation></AffiliationInfo></Author><Author><CollectiveName>The β Group</CollectiveName></Author></AuthorList>
</Article><MeshHeadingList><MeshHeading><DescriptorName UI="D006801" MajorTopicYN="N">Humans</DescriptorName>
</MeshHeading><MeshHeading><DescriptorName UI="D008099" MajorTopicYN="N">Liver</DescriptorName>
<QualifierName UI="Q000601" MajorTopicYN="Y">surgery</QualifierName>
<QualifierName UI="Q000473" MajorTopicYN="N">pathology</QualifierName></MeshHeading></MeshHeadingList></MedlineCitation>
<PubmedData><ArticleIdList><ArticleId IdType="pubmed">5</ArticleId></ArticleIdList><ReferenceList><Reference>
<Citation>One</Citation><ArticleIdList><ArticleId IdType="pubmed">7</ArticleId>
<ArticleId IdType="doi">https://doi.org/10.1000/X.</ArticleId><ArticleId IdType="pmc">PMC12</ArticleId></ArticleIdList>
</Reference><Reference><Citation>Two</Citation><ArticleIdList><ArticleId IdType="pubmed">8</ArticleId></ArticleIdList>
</Reference></ReferenceList></PubmedData></PubmedArticle></PubmedArticleSet>
"""
