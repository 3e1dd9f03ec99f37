"""Record-level drop rules: each reason has a record that meets it and one that just does not."""

import pytest

from corpus.profiles import render
from corpus.quality import NOTICE_WORDS, DropReason, reason_to_drop
from corpus.records import AbstractPart, Block, BlockKind, Kind, Record, Source

LONG = AbstractPart(text="word " * 30)


def reason(*, kind: Kind = Kind.CITATION, min_words: int = 20, **fields: object) -> DropReason | None:
    record = Record(doc_id="pmid:1", source=Source.PUBMED, kind=kind, **fields)  # type: ignore[arg-type]
    return reason_to_drop(record, render(record), min_words=min_words)


def test_good_records_are_kept() -> None:
    assert reason(title="T", abstracts=(LONG,)) is None
    assert reason(title="T", body=(Block(kind=BlockKind.PARAGRAPH, text="word " * 30),)) is None


def test_deletion_rows() -> None:
    assert reason(kind=Kind.DELETION) is DropReason.DELETION_NOTICE


def test_no_text_means_neither_main_abstract_nor_body() -> None:
    assert reason(title="word " * 50) is DropReason.NO_TEXT
    assert reason(title="T", abstracts=(AbstractPart(type="Publisher", text="mot " * 50),)) is DropReason.NO_TEXT
    assert reason(title="T", abstracts=(AbstractPart(label="AIM"),)) is DropReason.NO_TEXT


@pytest.mark.parametrize(("words", "expected"), [(18, DropReason.TOO_SHORT), (19, None), (20, None)])
def test_too_short_counts_the_rendered_words(words: int, expected: DropReason | None) -> None:
    assert reason(title="T", abstracts=(AbstractPart(text="word " * words),)) is expected


@pytest.mark.parametrize(
    "fields",
    [
        {"publication_types": ("Published Erratum",)},
        {"publication_types": ("Journal Article", "Retraction of Publication")},
        {"publication_types": ("Expression of Concern",)},
        {"article_type": "correction"},
        {"article_type": "retraction"},
    ],
)
def test_notices(fields: dict[str, object]) -> None:
    assert reason(title="Erratum.", **fields) is DropReason.NOTICE
    assert reason(title="Erratum.", abstracts=(LONG,), **fields) is DropReason.NOTICE
    real = AbstractPart(text="word " * NOTICE_WORDS)
    assert reason(title="Erratum.", abstracts=(real,), **fields) is None


def test_pieces_with_a_text_of_their_own_are_no_notices() -> None:
    for kind in ("Comment", "Letter", "Editorial", "Corrected and Republished Article", "Retracted Publication"):
        assert reason(title="T", abstracts=(LONG,), publication_types=(kind,), retracted=True, ocr=True) is None
    assert reason(title="T", abstracts=(LONG,), article_type="letter") is None
