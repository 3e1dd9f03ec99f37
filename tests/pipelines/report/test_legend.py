"""The legend of reasons: each word of each stage has a meaning, its own stage's where two stages share one."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from corpus.fetch.config import FetchPmcConfig
from corpus.fetch.pmc.metadata_rows import Detail, verdict
from corpus.qa.silver.candidate import SilverDrop, SilverKind
from pipelines.report.legend import REASONS, legend, meaning, meanings
from tests.support.small_corpus import write_corpus
from tokenizer.config import TokenizerConfig
from tokenizer.learn import learn

KINDS = {kind: None for kinds in REASONS.values() for kind in kinds} | {SilverDrop: None}


@pytest.mark.parametrize("kind", KINDS)
def test_every_reason_has_a_meaning(kind: type[StrEnum]) -> None:
    assert set(meanings(kind)) == {reason.value for reason in kind}


def test_what_a_tokenizer_did_not_learn_from_is_explained(tmp_path: Path) -> None:
    documents = [("pubmed", "a" * 10), ("pmc", "b" * 10), ("pubmed", "c" * 10)]
    write_corpus(tmp_path / "corpus", [("train", documents)])
    config = TokenizerConfig(vocab_size=257, source="pubmed", max_bytes=10)
    books = learn(config, corpus=str(tmp_path / "corpus"), output=str(tmp_path / "words")).books
    table = legend("tokenizer", books.dropped)
    assert [(name, count) for name, count, _ in table.rows] == [("other_source", "1"), ("over_max_bytes", "1")]
    assert "source names one collection to learn from" in table.rows[0][2]
    assert "what was read before fills max_bytes" in table.rows[1][2]


def test_a_word_of_two_stages_is_explained_by_its_own() -> None:
    assert meaning("assemble", "no_text") == "neither abstract nor body"
    assert meaning("dedup", "no_text") == "the key of the text is not there, or null"
    assert meaning("fetch-pmc", "older_version") != meaning("assemble", "older_version")
    recipes = {f"{kind} {reason}" for kind in SilverKind for reason in SilverDrop}
    assert all(meaning("qa questions", one) for one in recipes)
    assert meaning("qa questions", "no_question") != meaning("qa questions", "title no_question")
    assert meaning("extract", "near_duplicate") == ""


def test_every_verdict_on_an_article_is_explained() -> None:
    config = FetchPmcConfig(license="commercial", article_types=("published",), years="2000-2001")
    row = Detail(pmcid=1, version=1, etag="", license="CC-BY-4.0", year=2000)
    others: list[dict[str, Any]] = [{"license": "TDM"}, {"is_ocr": True}, {"year": 1999}, {"problem": "no_xml"}]
    found = [verdict(replace(row, **change), config) for change in others]
    assert found == ["license", "article_type", "year", "no_xml"]
    assert all(meaning("fetch-pmc", one) for one in found)
    assert verdict(row, config) == ""
