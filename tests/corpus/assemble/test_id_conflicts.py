"""Conflicts of ids against DuckDB, and what the manifest counts of them."""

from pathlib import Path

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.assemble.decide import Document
from corpus.assemble.id_conflicts import ConflictKind, conflict_counts, find_conflicts
from corpus.ncbi.archives.article_metadata import ArticleMetadata
from corpus.ncbi.jats.reader import read_parts
from corpus.records import Record
from tests.corpus.assemble.test_full_text_join import IDS, document, write_parts

SEVERAL = "SELECT '{kind}', {name}::VARCHAR FROM {table} WHERE {name} IS NOT NULL GROUP BY {name} HAVING count(*) > 1"
AT_ODDS = "SELECT '{kind}', a.{by}::VARCHAR FROM {one} a JOIN {other} b ON a.{by} = b.{by} WHERE a.{name} <> b.{name}"
QUERIES = (
    SEVERAL.format(kind=ConflictKind.DOI_OF_SEVERAL_PMIDS, name="doi", table="citations"),
    SEVERAL.format(kind=ConflictKind.PMCID_OF_SEVERAL_PMIDS, name="pmcid", table="citations"),
    SEVERAL.format(kind=ConflictKind.PMID_OF_SEVERAL_PMCIDS, name="pmid", table="articles"),
    SEVERAL.format(kind=ConflictKind.DOI_OF_SEVERAL_PMCIDS, name="doi", table="articles"),
    AT_ODDS.format(kind=ConflictKind.OTHER_PMID_IN_ARTICLE, by="pmcid", name="pmid", one="citations", other="articles"),
    AT_ODDS.format(
        kind=ConflictKind.OTHER_PMCID_IN_CITATION, by="pmid", name="pmcid", one="articles", other="citations"
    ),
)


def made(
    citations: list[tuple[int | None, int | None]], articles: list[tuple[int | None, int | None]]
) -> list[Document]:
    rows = [
        document(f"pmid:{pmid}", full_text=False, pmid=pmid, pmcid=pmcid, doi=doi)
        for pmid, (pmcid, doi) in enumerate(citations, start=1)
    ]
    return rows + [
        document(f"pmc:PMC{pmcid}.1", full_text=True, pmid=pmid, pmcid=pmcid, doi=doi)
        for pmcid, (pmid, doi) in enumerate(articles, start=1)
    ]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(IDS, IDS), max_size=7), st.lists(st.tuples(IDS, IDS), max_size=7))
def test_conflicts_equal_duckdb(tmp_path_factory, citations: list, articles: list) -> None:
    paths = write_parts(tmp_path_factory.mktemp("parts"), made(citations, articles))
    found = find_conflicts(paths)
    database = duckdb.connect()
    for view, source in (("citations", "pubmed"), ("articles", "pmc")):
        database.execute(f"CREATE VIEW {view} AS SELECT * FROM read_parquet({paths}) WHERE source = '{source}'")
    expected = [row for query in QUERIES for row in database.execute(query).fetchall()]
    plain = [(str(item.kind), item.id.removeprefix("PMC").partition(":")[2] or item.id[3:]) for item in found]
    assert sorted(plain) == sorted(expected)
    assert sum(conflict_counts(found).values()) == len(found)


def test_a_conflict_names_who_claims_what(tmp_path: Path) -> None:
    found = find_conflicts(write_parts(tmp_path, made([(1, 5), (None, 5)], [(2, None)])))
    assert [(item.kind, item.id, item.documents) for item in found] == [
        ("doi_of_several_pmids", "doi:10.1/5", "pmid:1; pmid:2"),
        ("other_pmid_in_article", "PMC1", "pmid:1 has pmid:1; pmc:PMC1.1 has pmid:2"),
    ]


def test_metadata_that_disagrees_with_the_xml_is_said() -> None:
    ids = '<article-id pub-id-type="pmid">11</article-id><article-id pub-id-type="pmc">PMC5</article-id>'
    doi = '<article-id pub-id-type="doi">10.1/a</article-id>'
    raw = f"<article><front><article-meta>{ids}{doi}</article-meta></front></article>".encode()
    facts = ArticleMetadata(pmcid=5, pmid=12, doi="10.1/A")
    record = read_parts(raw, file="f", metadata=facts)[0]
    assert isinstance(record, Record)
    assert record.pmid == 11
    assert record.id_conflict == "pmid 11 in the XML, 12 in the metadata"
    silent = read_parts(raw, file="f")[0]
    assert isinstance(silent, Record)
    assert silent.id_conflict == ""
