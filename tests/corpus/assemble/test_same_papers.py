"""Documents of one id: which pairs are looked at, and how much of the one's text stands in the other's."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.assemble.decide import Document
from corpus.assemble.documents import work_path, write_documents
from corpus.assemble.full_text_join import join_full_texts, ranks_of, spared_only_where_held
from corpus.assemble.rules import RETRACTED_TAG
from corpus.assemble.same_papers import compare_texts, edges_by_id, pairs_by_id
from corpus.records import doc_id
from corpus.stage.workspace import plan_stage
from corpus.storage.schema import to_table
from tests.corpus.assemble.test_full_text_join import ARTICLES, CITATIONS, document, write_parts
from tests.support.dedup_truth import documented_words, shingle_strings
from tests.support.small_corpus import sentences

TITLE = "A night in the hills and what it does to seven goats of the upper valley"
ABSTRACT, BODY, OTHER = (" ".join(sentences(seed, 9)) for seed in (1, 2, 3))


def write(folder: Path, documents: Sequence[Document]) -> list[tuple[str, str]]:
    """Write documents as two parts; return (documents, texts) of each."""
    workspace, _ = plan_stage(str(folder), stage="assemble", revision=1, config={}, inputs=[])
    documents = [replace(one, length=len(one.text.encode())) for one in documents]
    for number, stem in enumerate("ab"):
        write_documents(to_table(documents[number::2], Document), stem, workspace=workspace, seed=0)
    return [(workspace.path(work_path("documents", stem)), workspace.path(work_path("texts", stem))) for stem in "ab"]


def paper(name: str, text: str, *, body: bool = False, doi: int | None = 1, abstract: str = "") -> Document:
    made = document(name, full_text=body, pmid=None, pmcid=None, doi=doi)
    return replace(made, text=text, abstract_length=len(abstract.encode()))


@settings(deadline=None, max_examples=40)
@given(CITATIONS, ARTICLES)
def test_pairs_are_those_that_share_an_id_but_for_citations_and_their_full_texts(
    tmp_path_factory: pytest.TempPathFactory, citations: list, articles: list
) -> None:
    documents = [
        document(f"pmid:{1000 + number}", full_text=False, pmid=pmid, pmcid=pmcid, doi=doi)
        for number, (pmid, pmcid, doi) in enumerate(citations)
    ]
    documents += [
        document(f"pmc:PMC{number + 1}.1", full_text=full, pmid=pmid, pmcid=pmcid, doi=doi)
        for number, (pmid, pmcid, doi, full) in enumerate(articles)
    ]
    expected = set()
    for one, other in combinations(documents, 2):
        shared = any(
            getattr(one, name) is not None and getattr(one, name) == getattr(other, name)
            for name in ("pmid", "pmcid", "doi")
        )
        if shared and (one.source == other.source or not (one.full_text or other.full_text)):
            expected.add(frozenset((one.doc_id, other.doc_id)))
    found = pairs_by_id(write_parts(tmp_path_factory.mktemp("parts"), documents))
    assert {frozenset(map(doc_id, pair)) for pair in found.tolist()} == expected
    assert len(found) == len(expected)


def test_a_thousand_documents_of_one_id_are_no_half_million_pairs(tmp_path: Path) -> None:
    documents = [document(f"pmid:{k}", full_text=False, pmid=k, pmcid=None, doi=1) for k in range(1, 1001)]
    pairs = pairs_by_id(write_parts(tmp_path, documents))
    assert len(np.unique(pairs)) == 1000
    assert len(pairs) < 2000


TEXTS = st.lists(st.sampled_from([TITLE, ABSTRACT[:300], BODY[:400], "word", ""]), min_size=1, max_size=3)


@settings(deadline=None, max_examples=40)
@given(st.lists(TEXTS.map("\n\n".join).filter(str.strip), min_size=2, max_size=4), st.booleans())
def test_shares_are_those_of_sets_of_strings(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], retracted: bool
) -> None:
    tag = f"{RETRACTED_TAG}\n\n" if retracted else ""
    documents = [paper(f"pmid:{number + 1}", tag + text) for number, text in enumerate(texts)]
    parts = write(tmp_path_factory.mktemp("parts"), documents)
    pairs = np.array(list(combinations([one.doc_key for one in documents], 2)), np.uint64)
    compared = compare_texts(pairs, parts)
    sets, own = [], []
    for text in texts:
        sets.append(shingle_strings(documented_words(tag + text)) if documented_words(tag + text) else set())
        title, _, rest = text.partition("\n\n")
        title_set = shingle_strings(documented_words(title)) if rest and documented_words(title) else set()
        own.append(sets[-1] - title_set or sets[-1])
    for row, (a, b) in enumerate(combinations(range(len(texts)), 2)):
        assert compared.first_held[row] == pytest.approx(len(own[a] & sets[b]) / len(own[a]))
        assert compared.second_held[row] == pytest.approx(len(own[b] & sets[a]) / len(own[b]))
        assert compared.jaccard[row] == pytest.approx(len(sets[a] & sets[b]) / len(sets[a] | sets[b]))


CITATION = f"{TITLE}\n\n{ABSTRACT}"
HOLDING = [
    (f"{TITLE}\n\n{ABSTRACT}\n\n{BODY}", ABSTRACT),  # as an abstract
    (f"{TITLE}\n\n{OTHER}\n\n{BODY}", OTHER),  # another wording of it, as long
    (f"{TITLE}\n\n## Summary\n\n{ABSTRACT}\n\n{BODY}", ""),  # in the body
    (f"{TITLE}\n\nIn short.\n\n## Abstract\n\n{ABSTRACT[:-20]}\n\n{BODY}", "In short."),
]
WITHOUT = [
    (f"{TITLE}\n\n{BODY}", ""),
    (f"{TITLE}\n\nKeep goats warm.\n\n{BODY}", "Keep goats warm."),
    (f"{TITLE}\n\n{ABSTRACT[:60]}\n\n{BODY}", ABSTRACT[:60]),
    (f"{TITLE}\n\n{TITLE} {TITLE}\n\n{BODY}", ""),
]


@pytest.mark.parametrize(
    ("text", "abstract", "held"), [(*one, True) for one in HOLDING] + [(*one, False) for one in WITHOUT]
)
@pytest.mark.parametrize("tagged", [False, True])
def test_a_citation_goes_only_for_a_text_that_holds_an_abstract(
    tmp_path: Path, text: str, abstract: str, held: bool, tagged: bool
) -> None:
    tag = f"{RETRACTED_TAG}\n\n" if tagged else ""
    citation = paper("pmid:7", tag + CITATION, abstract=ABSTRACT)
    article = paper("pmc:PMC7.1", tag + text, body=True, abstract=abstract)
    other = paper("pmid:8", f"Another title of this kind\n\n{OTHER}", doi=2, abstract=OTHER)
    parts = write(tmp_path, [citation, other, article])
    join = spared_only_where_held(join_full_texts([path for path, _ in parts]), parts)
    kept, beside = (join.citations, join.full_texts), (join.beside, join.beside_full_texts)
    pair, nothing = ([citation.doc_key], [article.doc_key]), ([], [])
    assert tuple(one.tolist() for one in kept) == (pair if held else nothing)
    assert tuple(one.tolist() for one in beside) == (nothing if held else pair)


@pytest.mark.parametrize(
    ("one", "other", "goes"),
    [
        (CITATION, f"{CITATION} {BODY}", True),  # a part of the other
        (CITATION, f"{TITLE}.\n\n{BODY}", False),  # the same title, another text: abstracts of one supplement
        (f"Erratum: {TITLE}\n\nThe name of a goat was wrong.", CITATION, False),
        (f"Reply\n\n{ABSTRACT}", CITATION, False),  # a notice is left to the search for duplicates
    ],
)
def test_a_document_goes_for_another_of_its_id_only_when_its_text_is_there(
    tmp_path: Path, one: str, other: str, goes: bool
) -> None:
    documents = [paper("pmid:7", one), replace(paper("pmid:8", other), year=2020)]
    parts = write(tmp_path, documents)
    paths = [path for path, _ in parts]
    pairs = pairs_by_id(paths)
    ranks = ranks_of(np.unique(pairs), paths, join_full_texts(paths))
    edges = edges_by_id(pairs, parts, ranks)
    assert list(zip(edges.a.tolist(), edges.b.tolist(), strict=True)) == (
        [tuple(item.doc_key for item in documents)] if goes else []
    )
    assert pa.array(edges.by_id).to_pylist() == [True] * len(edges)
