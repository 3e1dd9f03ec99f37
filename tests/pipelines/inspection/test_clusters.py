"""`inspect --id` on a corpus: the cluster of a document, fates and scores, texts, and differences marked."""

import random
from pathlib import Path

import pytest

from corpus.assemble.config import AssembleConfig
from corpus.errors import UsageError
from corpus.extract.config import ExtractConfig
from pipelines.assemble.pipeline import assemble
from pipelines.extract import extract
from pipelines.inspection.clusters import marked
from pipelines.inspection.stages import inspect_path
from tests.pipelines.assemble.test_orders import VOCABULARY, citation


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clusters")
    rng = random.Random(1)
    words = rng.choices(VOCABULARY, k=120)
    texts = [" ".join(words), " ".join([*words[:60], "moreover", *words[61:]]), " ".join(rng.choices(VOCABULARY, k=90))]
    raw = "".join(citation(pmid, 1, text, random.Random(2)) for pmid, text in enumerate(texts, start=1))
    (folder / "a.xml").write_text(f"<PubmedArticleSet>{raw}</PubmedArticleSet>")
    extract(ExtractConfig(pubmed=(str(folder / "a.xml"),)), output=str(folder / "records"))
    assemble(AssembleConfig(), records=str(folder / "records"), output=str(folder / "corpus"))
    return folder / "corpus"


@pytest.mark.slow
def test_a_cluster_shows_survivor_score_reason_and_difference(corpus: Path) -> None:
    for document in ("pmid:1", "pmid:2"):
        shown = inspect_path(str(corpus), document)
        assert "cluster pmid:1: 2 documents" in shown
        assert "near_duplicate of pmid:" in shown
        assert "; the survivor " in shown
        assert "{+moreover+}" in shown or "[-moreover-]" in shown
        assert "equal words …" in shown
    assert "cluster pmid" not in inspect_path(str(corpus), "pmid:3")


@pytest.mark.slow
def test_records_may_be_given_and_must_be_the_right_ones(corpus: Path, tmp_path: Path) -> None:
    away = corpus.rename(tmp_path / "corpus")
    records = corpus.parent / "records"
    assert "show them with --records DIR" in inspect_path(str(away), "pmid:1")
    assert "moreover" in inspect_path(str(away), "pmid:1", str(records))
    (tmp_path / "b.xml").write_text(f"<PubmedArticleSet>{citation(9, 1, 'a b c', random.Random(1))}</PubmedArticleSet>")
    extract(ExtractConfig(pubmed=(str(tmp_path / "b.xml"),)), output=str(tmp_path / "others"))
    with pytest.raises(UsageError, match="was made from other records"):
        inspect_path(str(away), "pmid:1", str(tmp_path / "others"))
    away.rename(corpus)


def test_differences_are_marked_word_by_word() -> None:
    assert [*marked("a b c d", "a x c d e")] == ["  a [-b-] {+x+} c d {+e+}"]
    assert [*marked("", "")] == ["  no words"]
    long = " ".join(f"w{k}" for k in range(100))
    assert [*marked(f"{long} x", f"{long} y")] == [f"  … 92 equal words … {long[-31:]} [-x-] {{+y+}}"]
