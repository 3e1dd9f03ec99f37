"""`account` and `inspect --id` on what `corpuscle fetch` made: articles by their PMC ids."""

from pathlib import Path

import pytest

from corpus.errors import UsageError
from pipelines.inspection.accounting import account_text
from pipelines.inspection.stages import inspect_path
from tests.support.fetch_servers import ncbi_server
from tests.support.small_fetch import filled, index, run


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fetched") / "pmc"
    with filled(12) as bucket:
        run(bucket.base, folder, articles_per_shard=5)
    return folder


def test_an_article_of_a_store_is_accounted_for(store: Path) -> None:
    last = index(store)[-1]
    for document in (f"PMC{last.pmcid}", last.doc_id, f"pmc:{last.doc_id}", f"pmc{last.pmcid}"):
        text = account_text(str(store), document)
        assert text.startswith(f"{last.doc_id}.xml: Title {last.pmcid}")
        assert text.endswith("kept + dropped, exactly")


def test_without_an_id_it_is_the_first_one(store: Path) -> None:
    assert account_text(str(store)) == account_text(str(store), index(store)[0].doc_id)


def test_an_article_that_is_not_there_is_named(store: Path) -> None:
    with pytest.raises(UsageError, match="holds no article 'PMC9'"):
        account_text(str(store), "PMC9")
    with pytest.raises(UsageError, match="no result of `corpuscle fetch pmc`"):
        account_text(str(store.parent), "PMC9")


def test_inspect_finds_an_article_and_says_what_shows_it(store: Path) -> None:
    row = index(store)[3]
    shown = inspect_path(str(store), f"PMC{row.pmcid}")
    assert f"doc_id: {row.doc_id}" in shown
    assert f"shard: {row.shard}" in shown
    assert f"corpuscle account {store} --id {row.doc_id}" in shown
    assert inspect_path(str(store), f"pmc:{row.doc_id}") == shown
    with pytest.raises(UsageError, match="no row about 'PMC9'"):
        inspect_path(str(store), "PMC9")


def test_a_mirror_of_pubmed_says_what_finds_a_record(tmp_path: Path) -> None:
    from corpus.fetch.config import FetchPubmedConfig
    from corpus.fetch.pubmed import fetch_pubmed
    from corpus.synthetic.sample.write import write_sample
    from tests.support.fetch_servers import numbered

    mirror = str(tmp_path / "mirror")
    sample = write_sample(str(tmp_path / "sample"), scale=0.01)
    with ncbi_server(numbered(sample.pubmed)) as base:
        fetch_pubmed(FetchPubmedConfig(source=base), output=mirror)
    for look in (inspect_path, account_text):
        with pytest.raises(UsageError, match="`corpuscle extract` makes records"):
            look(mirror, "pmid:1")
