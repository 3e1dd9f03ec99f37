"""Documents of several articles: what is cut off is what was put in, and damage costs one article."""

import gzip
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.ncbi.archives import article_sets
from corpus.ncbi.archives.article_sets import ArticlePiece, article_pieces, is_set, said_instead, split_articles
from corpus.ncbi.jats.reader import read_parts
from corpus.reasons import RejectReason
from corpus.records import Record, Reject
from tests.support.jats_samples import jats


def article(number: int, content: str = "", *, body: str = "<p>Text.</p>") -> bytes:
    return jats(ids=f'<article-id pub-id-type="pmc">{number}</article-id>', body=body + content)


def blocks(raw: bytes, size: int) -> Iterator[bytes]:
    return (raw[start : start + size] for start in range(0, len(raw), size))


def outcomes(raw: bytes) -> list[str]:
    """Return the ids of the records, the reasons of the dead letters."""
    found = read_parts(raw, file="set.xml")
    return [item.doc_id if isinstance(item, Record) else str(item.reason) for item in found]


TRICKS = st.sampled_from(
    ["", "<!-- </article> -->", "<p><![CDATA[</article><article >]]></p>", "<?x </article>?>", "<p>article &lt;</p>"]
)
GAPS = st.sampled_from([b"", b"\n  ", b"<!-- <article> -->", b"<?page 2?>"])
WRAPPERS = st.sampled_from(["pmc-articleset", "articles", "collection", "OAI-PMH", "x:ListRecords"])


@settings(deadline=None)
@given(st.lists(st.tuples(TRICKS, GAPS), min_size=2, max_size=6), WRAPPERS, st.integers(1, 400))
def test_what_is_cut_off_is_what_was_put_in(parts: list[tuple[str, bytes]], root: str, size: int) -> None:
    articles = [article(number, trick) for number, (trick, _) in enumerate(parts, start=1)]
    inner = b"".join(one + gap for one, (_, gap) in zip(articles, parts, strict=True))
    raw = f'<?xml version="1.0"?><{root} xmlns:x="y">'.encode() + inner + f"</{root}>".encode()
    assert is_set(raw[: article_sets.HEAD])
    found = list(split_articles(blocks(raw, size)))
    assert [piece.raw for piece in found] == articles
    assert [raw[piece.offset : piece.offset + len(piece.raw)] for piece in found] == articles
    assert outcomes(raw) == [f"pmc:PMC{number}.1" for number in range(1, len(parts) + 1)]


@pytest.mark.parametrize(
    ("damaged", "reasons"),
    [
        (article(2).replace(b"</p>", b""), ["bad_xml"]),
        (article(2)[:-10], ["bad_xml"]),
        (article(2)[: len(article(2)) // 2], ["bad_xml"]),
        (article(2).replace(b"<article ", b"<artcle ", 1), ["stray_bytes"]),
        (article(2, "<p>&unknown;</p>"), ["bad_xml"]),
        (article(2, "<p><!-- open</p>"), ["bad_xml"]),
        (article(2).replace(b'"pmc"', b'"other"'), ["no_id"]),
        (b"<Reply error='not available'/>", ["bad_record"]),
    ],
)
def test_a_damaged_article_costs_itself(damaged: bytes, reasons: list[str]) -> None:
    for place in range(3):
        good = [article(number) for number in (1, 3)]
        expected = ["pmc:PMC1.1", "pmc:PMC3.1"]
        good.insert(place, damaged)
        expected[place:place] = reasons
        assert outcomes(b"<articles>" + b"\n".join(good) + b"</articles>") == expected, place


def test_a_set_that_was_cut_off_says_so() -> None:
    raw = b"<pmc-articleset>" + article(1) + article(2)
    assert outcomes(raw) == ["pmc:PMC1.1", "pmc:PMC2.1", "bad_xml"]
    assert outcomes(gzip.compress(raw + b"</pmc-articleset>")) == ["pmc:PMC1.1", "pmc:PMC2.1"]


def test_deleted_records_are_no_articles_and_others_without_one_are_named() -> None:
    head = b"<record><header%s><identifier>oai:x:%d</identifier></header>%s</record>"
    records = [
        head % (b"", 1, b"<metadata>" + article(1) + b"</metadata>"),
        head % (b' status="deleted"', 2, b""),
        head % (b"", 3, b"<metadata><dc>only a title</dc></metadata>"),
        head % (b"", 4, b"<metadata>" + article(4) + b"</metadata>"),
    ]
    raw = (
        b"<OAI-PMH><ListRecords>" + b"".join(records) + b"<resumptionToken>t</resumptionToken></ListRecords></OAI-PMH>"
    )
    found = read_parts(raw, file="page.xml")
    assert [getattr(item, "detail", item.doc_id) for item in found] == [
        "pmc:PMC1.1",
        "a record without <article>: oai:x:3",
        "pmc:PMC4.1",
    ]


def test_what_a_server_says_instead_stands_in_the_dead_letter() -> None:
    raw = b'<OAI-PMH><error code="noRecordsMatch">none since then</error></OAI-PMH>'
    (letter,) = read_parts(raw, file="page.xml")
    assert isinstance(letter, Reject)
    assert (letter.reason, "none since then" in letter.detail) == (RejectReason.BAD_ROOT, True)
    assert said_instead(b"<records><header status='deleted'/></records>") == "1 deleted records"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "iso-8859-1", "utf-16"])
def test_other_encodings_are_read(encoding: str) -> None:
    inside = "".join(article(number, "<p>Café.</p>").decode() for number in (1, 2))
    stated = encoding.removesuffix("-sig")
    raw = f'<?xml version="1.0" encoding="{stated}"?>\n<articles>{inside}</articles>'.encode(encoding)
    found = read_parts(raw, file="set.xml")
    assert [isinstance(item, Record) and item.body[1].text for item in found] == ["Café.", "Café."]


def test_prefixes_declared_around_an_article_hold_in_it() -> None:
    bare = article(1, '<p><x:italic>a</x:italic><ext-link xlink:href="b">c</ext-link></p>').replace(
        b'xmlns:xlink="http://www.w3.org/1999/xlink" ', b""
    )
    raw = b'<articles xmlns:x="u" xmlns:xlink="http://www.w3.org/1999/xlink">' + bare + bare + b"</articles>"
    assert outcomes(raw) == ["pmc:PMC1.1", "pmc:PMC1.1"]
    pieces = list(article_pieces(raw, "set.xml"))
    assert all(b"xmlns:x=" in piece.raw and b"xmlns:mml" in piece.raw for piece in pieces)


def test_declared_entities_refuse_the_document() -> None:
    raw = b'<!DOCTYPE a [<!ENTITY x "y">]><articles>' + article(1) + article(2) + b"</articles>"
    assert outcomes(raw) == ["entity_declaration"]


def test_an_article_that_never_ends_is_given_up_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(article_sets, "BYTE_CAP", 100_000)
    long = article(2, "<p>" + "word " * 50_000 + "</p>")
    raw = b"<articles>" + article(1) + long + article(3) + b"</articles>"
    found = list(split_articles(blocks(raw, 4096)))
    assert [piece.reason for piece in found] == [None, RejectReason.TOO_LARGE, None]
    assert isinstance(found[1], ArticlePiece)
    assert found[1].offset == len(b"<articles>") + len(article(1))
