"""Splitting a PubMed set: exactly the records that were put in, in order, whatever stands between or is damaged."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.ncbi.markup.characters import PADDING
from corpus.ncbi.markup.document import scan, scan_records
from corpus.ncbi.pubmed.split import Damage, split
from corpus.ncbi.pubmed.vocabulary import VOCABULARY
from corpus.reasons import RejectReason
from corpus.records import RAW_LIMIT

OPENING, CLOSING = b"<PubmedArticleSet>", b"</PubmedArticleSet>\n"

GOOD = st.builds(
    lambda tag, attributes, space, content, close: (
        f"<{tag}{attributes}{space}>{content}</{tag}{close}>".encode() if content is not None else f"<{tag}/>".encode()
    ),
    st.sampled_from(["PubmedArticle", "PubmedBookArticle", "DeleteCitation"]),
    st.sampled_from(["", " a='1'", '\n b="</x"'.replace("<", "&lt;")]),
    st.sampled_from(["", " ", "\n"]),
    st.none()
    | st.text(st.sampled_from("ab é"), max_size=20)
    | st.sampled_from(
        [
            "<PMID>1</PMID>",
            "<PubmedData/>",
            "<![CDATA[ </PubmedArticle> ]]>",
            "<![CDATA[ <PubmedArticle> ]]>x<![CDATA[</PubmedBookArticle></DeleteCitation>]]>",
            "<!-- </PubmedArticle> --><?pi </DeleteCitation> <PubmedArticle ?>",
            "<PubmedArticleLike>x</PubmedArticleLike>",
            "x" * 3000,
        ]
    ),
    st.sampled_from(["", " ", "\n\t"]),
)
GAP = st.sampled_from([b"", b"\n", b"   \n", b"<!-- <PubmedArticle> -->", b" <?pi?> ", b"\n" * 2000])
ARTICLE = b"<PubmedArticle>x</PubmedArticle>"
OPEN_CDATA = b"<PubmedArticle>x <![CDATA[ y </PubmedArticle>"
BAD = st.sampled_from(  # what still is a record, and what is not
    [
        (b"", b"<PubmedArticle><PMID>7</PMID><a></PubmedArticle>"),
        (b"", b"<PubmedArticle>\xff</PubmedArticle>"),
        (b"", b"<PubmedArticle>&alpha;</PubmedArticle>"),
        (b"", b"<PubmedArticle><a>never closed"),
        (b"", b"<PubmedArticle a=></PubmedArticle>"),
        (b"", b"<PubmedArticle>x</PubmedArtcle>"),
        (b"", b"<PubmedBookArticle>x</PubmedArticle>"),
        (b"", OPEN_CDATA),
        (b"", b"<PubmedArticle>x <!-- y </PubmedArticle>"),
        (b"", b"<PubmedArticle>x <? y </PubmedArticle>"),
        (ARTICLE, b"</stray>"),
        (ARTICLE, b" y</PubmedArticle>"),
        (b"", b"stray text"),
        (b"", b"<MedlineCitation/>"),
        (b"", b"<!-- no end "),
        (b"", b"<!--"),
        (b"", b"x" * 9000),
    ]
)


def blocks(raw: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(raw), size):
        yield raw[start : start + size]


@dataclass
class Piece:
    offset: int
    tag: str
    raw: bytes


def run(raw: bytes, size: int = 1000, **limits: int) -> list[Piece | Damage]:
    found: list[Piece | Damage] = []
    for part in split(blocks(raw, size), VOCABULARY, start=len(OPENING), **limits):
        if isinstance(part, Damage):
            found.append(part)
            continue
        assert raw[part.offset : part.offset + len(part.raw)] == part.raw
        for element, (begin, end) in zip(part.elements, part.bounds, strict=True):
            found.append(Piece(part.offset + begin, part.markup.name(element), part.raw[begin:end]))
    return found


@settings(deadline=None)
@given(st.lists(st.tuples(GOOD, GAP), max_size=12), GAP, st.integers(1, 5000))
def test_splitting_a_concatenation_gives_back_its_parts(
    records: list[tuple[bytes, bytes]], first_gap: bytes, size: int
) -> None:
    raw, expected = OPENING + first_gap, []
    for record, gap in records:
        expected.append((len(raw), record))
        raw += record + gap
    pieces = run(raw + CLOSING, size)
    assert all(isinstance(piece, Piece) for piece in pieces)
    assert [(piece.offset, piece.raw) for piece in pieces] == expected  # type: ignore[union-attr]
    assert all(piece.raw.startswith(b"<" + piece.tag.encode()) for piece in pieces)  # type: ignore[union-attr]


@settings(deadline=None)
@given(st.lists(GOOD, max_size=4), BAD, st.lists(GOOD, min_size=1, max_size=4), st.integers(1, 5000))
def test_one_bad_piece_costs_one_piece(
    before: list[bytes], bad: tuple[bytes, bytes], after: list[bytes], size: int
) -> None:
    good, broken = bad
    # By the rules of XML a section left open ends at the next mark that can end it.
    swallows = {OPEN_CDATA: b"]]>", b"<PubmedArticle>x <? y </PubmedArticle>": b"?>"}.get(broken, b"\0")
    after = [record for record in after if swallows not in record]
    raw = OPENING + b"\n".join([*before, good + broken, *after]) + CLOSING
    pieces = run(raw, size)
    assert [piece.raw for piece in pieces if isinstance(piece, Piece)] == [*before, *filter(None, [good]), *after]
    (damage,) = (piece for piece in pieces if isinstance(piece, Damage))
    start = len(OPENING) + sum(len(record) + 1 for record in before) + len(good)
    assert damage.offset - start == len(broken) - len(broken.lstrip())
    assert damage.head.startswith(broken.strip()[:RAW_LIMIT])


def test_damage_is_hashed_whole_and_shown_in_part() -> None:
    bad = b"<PubmedArticle>" + b"y" * 50_000 + b"<a></PubmedArticle>\n"
    raw = OPENING + bad + b"<PubmedArticle/>" + CLOSING
    for size in (100, 1000, 10**6):
        damage, good = run(raw, size)
        assert isinstance(damage, Damage)
        assert isinstance(good, Piece)
        assert damage.sha256 == hashlib.sha256(bad).hexdigest()
        assert damage.head == bad[:RAW_LIMIT]
        assert damage.reason is RejectReason.BAD_XML
        assert "mismatch" in damage.detail


@pytest.mark.parametrize("size", [500, 10**6])
def test_a_record_beyond_the_cap_is_one_dead_letter(size: int) -> None:
    bad = b"<PubmedArticle>" + b"y" * 50_000 + b"</PubmedArticle>"
    raw = OPENING + b"<PubmedArticle/>" + bad + b"<PubmedArticle/>" + CLOSING
    first, damage, last = run(raw, size, cap=10_000)
    assert isinstance(damage, Damage)
    assert (damage.reason, damage.offset) == (RejectReason.TOO_LARGE, raw.index(bad))
    assert damage.sha256 == hashlib.sha256(bad).hexdigest()
    assert isinstance(first, Piece)
    assert isinstance(last, Piece)


@pytest.mark.parametrize(
    "bad",
    [
        b"<PubmedArticle><PubmedArticleLike/></PubmedArticle>",
        b"<PubmedArticle><!-- c --></PubmedArticle>",
        b"<PubmedArticle><a>x</PubmedArticle>",
        b"<PubmedArticle><a>\xff</a></PubmedArticle>",
        b"<PubmedArticle><x:a/></PubmedArticle>",
        b"<PubmedArticle a='>'>x</PubmedArticle>",
        b"<PubmedArticle>" + b"<b>" * 250 + b"</b>" * 250 + b"</PubmedArticle>",
        b"<Other/>",
        b"x",
    ],
)
def test_a_scan_of_records_ends_before_the_first_that_needs_a_closer_look(bad: bytes) -> None:
    article, deletion = b"<PubmedArticle><PMID>1</PMID>\n</PubmedArticle>", b"<DeleteCitation/>"
    raw = article + b" " + deletion + b"\n" + bad + article + b"<" + PADDING
    found = scan_records(raw, 0, len(raw) - len(PADDING) - 1, VOCABULARY, most=9, cap=1000)
    assert found is not None
    markup, bounds, elements = found
    assert [raw[begin:end] for begin, end in bounds] == [article, deletion]
    assert [markup.name(element) for element in elements] == ["PubmedArticle", "DeleteCitation"]
    alone = scan(article, VOCABULARY)
    assert alone is not None
    assert markup.own_text(0) == alone.own_text(0)
    assert len(markup.tags) == len(alone.tags) + 1, "no trace of what follows"


def test_reasons_name_the_fault() -> None:
    def only(bad: bytes) -> Damage:
        (damage,) = run(OPENING + bad + CLOSING)
        assert isinstance(damage, Damage)
        return damage

    assert only(b"loose").reason is RejectReason.STRAY_BYTES
    assert "never closed" in only(b"<PubmedArticle><a/>").detail
    assert "alpha" in only(b"<PubmedArticle>&alpha;</PubmedArticle>").detail


def test_sets_glued_together_lose_no_record() -> None:
    document = b"<?xml version='1.0'?><!DOCTYPE PubmedArticleSet>" + OPENING + b"<PubmedArticle/>" + CLOSING
    pieces = run(OPENING + b"<PubmedArticle/>" + CLOSING + document)
    assert [type(piece) for piece in pieces] == [Piece, Damage, Piece]


def test_a_file_of_unclosed_records_takes_no_quadratic_time() -> None:
    raw = OPENING + b"<PubmedArticle><PMID>1</PMID>" * 20_000 + CLOSING
    start = time.process_time()
    assert len(run(raw, 1 << 20)) == 20_000
    assert time.process_time() - start < 20
