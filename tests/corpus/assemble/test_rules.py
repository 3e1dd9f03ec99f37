"""Record-level drop rules: each reason has a record that meets it and one that just does not; and their order."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import ValidationError

from corpus.assemble.config import AssembleConfig
from corpus.assemble.rules import RETRACTED_TAG, reason_to_drop, tagged
from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.reasons import DropReason
from corpus.records import AbstractPart, Block, BlockKind, Kind, Record, Source
from corpus.text.language import languages_of
from corpus.text.render import render

NOTICE_WORDS = AssembleConfig().notice_words
LONG = AbstractPart(text="word " * 30)
ARTICLE: dict[str, Any] = {"source": Source.PMC, "kind": Kind.ARTICLE}


def make(**fields: Any) -> Record:
    """Return a record, a citation with a title and an abstract of 30 words unless told otherwise."""
    usual = {"doc_id": "pmid:1", "source": Source.PUBMED, "kind": Kind.CITATION, "title": "T", "abstracts": (LONG,)}
    return Record(**{**usual, **fields})


def reason(record: Record, **policy: Any) -> DropReason | None:
    return reason_to_drop(record, render(record), AssembleConfig(**policy))


def test_good_records_are_kept() -> None:
    assert reason(make()) is None
    assert reason(make(abstracts=(), body=(Block(kind=BlockKind.PARAGRAPH, text="word " * 30),))) is None


def test_deletion_rows() -> None:
    assert reason(make(kind=Kind.DELETION)) is DropReason.DELETION_NOTICE


def test_no_text_means_neither_main_abstract_nor_body() -> None:
    assert reason(make(title="word " * 50, abstracts=())) is DropReason.NO_TEXT
    assert reason(make(abstracts=(AbstractPart(type="Publisher", text="mot " * 50),))) is DropReason.NO_TEXT
    assert reason(make(abstracts=(AbstractPart(label="AIM"),))) is DropReason.NO_TEXT


@pytest.mark.parametrize(("words", "expected"), [(18, DropReason.TOO_SHORT), (19, None), (20, None)])
def test_too_short_counts_the_rendered_words(words: int, expected: DropReason | None) -> None:
    assert reason(make(abstracts=(AbstractPart(text="word " * words),)), min_words=20) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("观察二甲双胍的影响", None), ("观察，二甲双胍。", DropReason.TOO_SHORT), ("การศึกษานี้พบว่า", None)],
)
def test_characters_of_scripts_without_spaces_are_words(text: str, expected: DropReason | None) -> None:
    assert reason(make(abstracts=(AbstractPart(text=text),)), min_words=10) is expected
    assert reason(make(abstracts=(AbstractPart(text=text),)), min_words=200) is DropReason.TOO_SHORT


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
def test_notices(fields: dict[str, Any]) -> None:
    assert reason(make(title="Erratum.", abstracts=(), **fields)) is DropReason.NOTICE
    assert reason(make(title="Erratum.", **fields)) is DropReason.NOTICE
    real = AbstractPart(text="word " * NOTICE_WORDS)
    assert reason(make(title="Erratum.", abstracts=(real,), **fields)) is None
    assert reason(make(title="Erratum.", abstracts=(real,), **fields), notice_words=1000) is DropReason.NOTICE
    assert reason(make(title="Erratum.", **fields), notice_words=31) is None


@pytest.mark.parametrize("kind", ["Comment", "Letter", "Editorial", "Corrected and Republished Article"])
def test_pieces_with_a_text_of_their_own_are_no_notices(kind: str) -> None:
    assert reason(make(publication_types=(kind,))) is None
    assert reason(make(article_type=kind.lower())) is None


def test_retracted_papers_are_dropped_tagged_or_kept() -> None:
    paper = make(publication_types=("Retracted Publication",), retracted=True)
    assert reason(paper) is DropReason.RETRACTED
    assert reason(paper, retracted="tag") is None
    assert reason(paper, retracted="keep") is None
    text = render(paper)
    assert tagged(paper, text, AssembleConfig(retracted="tag")) == f"{RETRACTED_TAG}\n\n{text}"
    assert tagged(paper, text, AssembleConfig(retracted="keep")) == text
    assert tagged(make(), text, AssembleConfig(retracted="tag")) == text


def test_page_scans() -> None:
    assert reason(make(**ARTICLE, ocr=True)) is DropReason.OCR
    assert reason(make(**ARTICLE, ocr=True), ocr="keep") is None
    assert reason(make(**ARTICLE)) is None


def test_sub_articles() -> None:
    review = make(source=Source.PMC, kind=Kind.SUB_ARTICLE, parent="pmc:PMC1.1")
    assert reason(review) is None
    assert reason(review, sub_articles="drop") is DropReason.SUB_ARTICLE
    assert reason(make(**ARTICLE), sub_articles="drop") is None


@pytest.mark.parametrize(
    ("language", "languages", "expected"),
    [
        ("en", ("en",), None),
        ("de", ("en",), DropReason.LANGUAGE),
        ("", ("en",), None),  # undecided
        ("de", ("en", "de"), None),
        ("en", ("de",), DropReason.LANGUAGE),
        ("de", (), None),
    ],
)
def test_languages(language: str, languages: tuple[str, ...], expected: DropReason | None) -> None:
    assert reason(make(text_language=language, languages=("ger",)), languages=languages) is expected
    assert reason(make(title_language=language, languages=("ger",)), languages=languages) is None


@pytest.mark.parametrize("language", ["eng", "EN", "e", ""])
def test_languages_are_codes_of_two_letters(language: str) -> None:
    with pytest.raises(ValidationError):
        AssembleConfig(languages=(language,))


@pytest.mark.parametrize(
    ("license", "allowed"),
    [
        ("CC0-1.0", {"commercial", "open", "any"}),
        ("CC-PDM-1.0", {"commercial", "open", "any"}),
        ("LicenseRef-public-domain", {"commercial", "open", "any"}),
        ("CC-BY-4.0", {"commercial", "open", "any"}),
        ("CC-BY", {"commercial", "open", "any"}),
        ("CC-BY-SA-3.0", {"commercial", "open", "any"}),
        ("CC-BY-ND-4.0", {"commercial", "open", "any"}),
        ("CC-BY-NC-4.0", {"open", "any"}),
        ("CC-BY-NC", {"open", "any"}),
        ("CC-BY-NC-ND-3.0-IGO", {"open", "any"}),
        ("TDM", {"any"}),
        ("", {"any"}),
    ],
)
def test_licence_of_articles(license: str, allowed: set[str]) -> None:  # noqa: A002
    for use in ("commercial", "open", "any"):
        expected = None if use in allowed else DropReason.LICENSE
        assert reason(make(**ARTICLE, license=license, copyright="© 2019 The Authors"), license=use) is expected


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("", {"commercial", "open", "any"}),
        ("Copyright © 2019 Elsevier Inc. All rights reserved.", {"any"}),
        ("© The Author(s) 2020. Published under the CC BY 4.0 license.", {"commercial", "open", "any"}),
        ("© 2020 The Authors. Creative Commons Attribution-NonCommercial License.", {"open", "any"}),
        ("This article is a U.S. Government work and is in the public domain in the USA.",
         {"commercial", "open", "any"}),
    ],
)  # fmt: skip
def test_licence_of_citations_is_their_copyright_line(line: str, allowed: set[str]) -> None:
    for use in ("commercial", "open", "any"):
        assert reason(make(copyright=line), license=use) is (None if use in allowed else DropReason.LICENSE)


def test_the_first_rule_in_order_names_the_reason() -> None:
    """A record that breaks every rule, mended rule by rule, names each reason in the order written down."""
    record = make(
        source=Source.PMC, kind=Kind.DELETION, abstracts=(), article_type="correction", retracted=True, ocr=True,
        text_language="de",
    )  # fmt: skip
    policy = {"license": "commercial", "sub_articles": "drop"}
    mends: list[dict[str, Any]] = [
        {"kind": Kind.SUB_ARTICLE}, {"article_type": ""}, {"abstracts": (AbstractPart(text="word"),)},
        {"abstracts": (LONG,)}, {"retracted": False}, {"ocr": False}, {"kind": Kind.ARTICLE}, {"license": "CC-BY"},
        {"text_language": "en"},
    ]  # fmt: skip
    found = [reason(record, **policy)]
    for mend in mends:
        record = replace(record, **mend)
        found.append(reason(record, **policy))
    assert found == [
        *(
            "deletion_notice",
            "notice",
            "no_text",
            "too_short",
            "retracted",
            "ocr",
            "sub_article",
            "license",
            "language",
        ),
        None,
    ]


STRICTER: dict[str, tuple[Any, ...]] = {
    "min_words": (0, 10, 40),
    "notice_words": (0, 20, 400),
    "languages": ((), ("en", "de"), ("en",)),
    "retracted": ("keep", "tag", "drop"),
    "ocr": ("keep", "drop", "drop"),
    "sub_articles": ("keep", "drop", "drop"),
    "license": ("any", "open", "commercial"),
}
records = st.builds(
    make,
    source=st.sampled_from(Source),
    kind=st.sampled_from(Kind),
    abstracts=st.sampled_from([(), (LONG,), (AbstractPart(text="word " * 12),), (AbstractPart(text="word"),)]),
    article_type=st.sampled_from(["", "letter", "erratum"]),
    retracted=st.booleans(),
    ocr=st.booleans(),
    license=st.sampled_from(["", "TDM", "CC0-1.0", "CC-BY-4.0", "CC-BY-NC-4.0"]),
    copyright=st.sampled_from(["", "© 2019 Elsevier", "CC BY 4.0"]),
    text_language=st.sampled_from(["", "en", "de", "fr"]),
)


@given(records, st.fixed_dictionaries({name: st.integers(0, 2) for name in STRICTER}), st.sampled_from(list(STRICTER)))
def test_a_stricter_policy_never_brings_a_record_back(record: Record, levels: dict[str, int], name: str) -> None:
    """A record is kept or has one reason; one setting made stricter keeps no record that was dropped before."""
    policy = {key: STRICTER[key][level] for key, level in levels.items()}
    found = []
    for level in range(3):
        found.append(reason(record, **{**policy, name: STRICTER[name][level]}))
        assert found[-1] is None or isinstance(found[-1], DropReason)
    kept = [one is None for one in found]
    assert kept == sorted(kept, reverse=True)


@pytest.mark.slow
@pytest.mark.real_data
def test_counts_on_real_citations(real_data: Path) -> None:
    """Every citation of the real files is in one line of the table, under the default policy and a strict one."""
    files = sorted(str(path) for path in (real_data / "pubmed").rglob("*.xml.gz"))
    read = [one for file in files for one in read_pubmed(file) if isinstance(one, Record)]
    languages = zip(*languages_of(read), strict=True)
    read = [replace(one, text_language=text) for one, (_, text) in zip(read, languages, strict=True)]
    tables = []
    for policy in ({}, {"license": "commercial", "min_words": 50}):
        counts = Counter(str(reason(one, **policy) or "kept") for one in read)
        print(f"{policy or 'default'}: {dict(counts.most_common())}")
        assert counts.total() == len(read) > 31_000
        tables.append(counts)
    default, strict = tables
    assert default["kept"] > strict["kept"] > 0
    assert default["no_text"] == strict["no_text"] > 13_000
    assert default["license"] == 0 < strict["license"]
    assert default["language"] <= 2  # every abstract of these files is English, a third of them of foreign articles
    assert default["too_short"] == 0 < 500 < strict["too_short"]  # the shortest real abstract makes 14 words
    assert (default["deletion_notice"], default["retracted"], default["notice"]) == (7, 7, 6)
