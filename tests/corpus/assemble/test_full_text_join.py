"""Citations meet their full text by PMC id, PMID or DOI, against DuckDB's joins."""

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.assemble.decide import Document
from corpus.assemble.full_text_join import join_full_texts, ranks_of
from corpus.records import doc_key
from corpus.storage import parquet
from corpus.storage.schema import to_table

IDS = st.none() | st.integers(1, 6)


def document(doc_id: str, *, full_text: bool, pmid: int | None, pmcid: int | None, doi: int | None) -> Document:
    article = doc_id.startswith("pmc")
    return Document(
        doc_id=doc_id,
        source="pmc" if article else "pubmed",
        kind="article" if article else "citation",
        text="x",
        license="",
        year=None,
        journal="",
        pmid=pmid,
        pmcid=pmcid,
        doi=None if doi is None else f"10.1/{doi}",
        retracted=False,
        doc_key=doc_key(doc_id),
        row=0,
        version=1,
        manuscript=False,
        pmc_id_anywhere=False,
        id_conflict="",
        full_text=article and full_text,
        abstract_length=0,
        notice=False,
        length=1,
    )


CITATIONS = st.lists(st.tuples(IDS, IDS, IDS), max_size=8)
ARTICLES = st.lists(st.tuples(IDS, IDS, IDS, st.booleans()), max_size=8)

# The first id that finds anything decides, and among several full texts the smallest key.
ORACLE = """
SELECT c.doc_key AS citation, coalesce(
    (SELECT min(f.doc_key) FROM full_texts f WHERE f.pmcid = c.pmcid),
    (SELECT min(f.doc_key) FROM full_texts f WHERE f.pmid = c.pmid),
    (SELECT min(f.doc_key) FROM full_texts f WHERE f.doi = c.doi)) AS target
FROM citations c WHERE target IS NOT NULL ORDER BY citation
"""


def write_parts(folder: Path, documents: list[Document]) -> list[str]:
    paths = [str(folder / f"{part}.parquet") for part in range(2)]
    for part, path in enumerate(paths):
        parquet.write_table(path, to_table(documents[part::2], Document))
    return paths


@settings(deadline=None, max_examples=40)
@given(CITATIONS, ARTICLES)
def test_join_equals_duckdb(tmp_path_factory, citations: list, articles: list) -> None:
    documents = [
        document(f"pmid:{1000 + number}", full_text=False, pmid=pmid, pmcid=pmcid, doi=doi)
        for number, (pmid, pmcid, doi) in enumerate(citations)
    ]
    documents += [
        document(f"pmc:PMC{number + 1}.1", full_text=full, pmid=pmid, pmcid=pmcid, doi=doi)
        for number, (pmid, pmcid, doi, full) in enumerate(articles)
    ]
    paths = write_parts(tmp_path_factory.mktemp("parts"), documents)
    join = join_full_texts(paths)
    database = duckdb.connect()
    table = f"read_parquet({paths})"
    database.execute(f"CREATE VIEW citations AS SELECT * FROM {table} WHERE kind = 'citation'")
    database.execute(f"CREATE VIEW full_texts AS SELECT * FROM {table} WHERE full_text")
    expected = database.execute(ORACLE).fetchall()
    assert list(zip(join.citations.tolist(), join.full_texts.tolist(), strict=True)) == expected
    assert sum(join.found_by.values()) == len(expected)


def test_ranks_follow_the_keys_asked_for(tmp_path: Path) -> None:
    documents = [
        document("pmid:1", full_text=False, pmid=1, pmcid=None, doi=None),
        document("pmid:2", full_text=False, pmid=2, pmcid=None, doi=None),
        document("pmc:PMC1.1", full_text=True, pmid=2, pmcid=1, doi=None),
    ]
    paths = write_parts(tmp_path, documents)
    keys = np.sort(np.array([doc_key(item.doc_id) for item in documents], np.uint64))
    ranks = ranks_of(keys, paths, join_full_texts(paths))
    best_first = keys[np.lexsort(ranks.T[::-1])].tolist()
    assert best_first == [doc_key("pmc:PMC1.1"), doc_key("pmid:2"), doc_key("pmid:1")]


def test_a_published_full_text_comes_before_a_manuscript(tmp_path: Path) -> None:
    manuscript = replace(document("pmc:PMC1.1", full_text=True, pmid=1, pmcid=1, doi=None), manuscript=True)
    published = document("pmc:PMC2.1", full_text=True, pmid=1, pmcid=2, doi=None)
    citation = document("pmid:1", full_text=False, pmid=1, pmcid=None, doi=None)
    for order in ([manuscript, published, citation], [citation, published, manuscript]):
        assert join_full_texts(write_parts(tmp_path, order)).full_texts.tolist() == [doc_key("pmc:PMC2.1")]
    assert join_full_texts(write_parts(tmp_path, [manuscript, citation])).full_texts.tolist() == [doc_key("pmc:PMC1.1")]
