"""The PubMed reader: fields by anchored path, whole-file damage before any record, real files by an oracle."""

import gzip
import hashlib
import io
import itertools
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from corpus.errors import CorruptError
from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.reasons import RejectReason
from corpus.records import AbstractPart, Kind, Link, Record, Reject, Source

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD" "https://x/p.dtd">\n'

CITATION = """<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="2">101</PMID>
<Article><Journal><JournalIssue><PubDate><MedlineDate>1998 Dec-1999 Jan</MedlineDate></PubDate></JournalIssue>
<Title>A journal &amp; more</Title></Journal>
<ArticleTitle>[Role of <i>TP53</i> and Ca<sup>2+</sup> in <i>E.</i> <b>coli</b>].</ArticleTitle>
<ELocationID EIdType="doi" ValidYN="Y">10.1001/second</ELocationID>
<Abstract><AbstractText Label="AIM" NlmCategory="OBJECTIVE">To  see
 H<sub>2</sub>O.</AbstractText><AbstractText>Rest.</AbstractText><AbstractText/>
<CopyrightInformation>© A</CopyrightInformation></Abstract>
<Language>fre</Language><Language>eng</Language>
<PublicationTypeList><PublicationType UI="D">Journal Article</PublicationType></PublicationTypeList>
<VernacularTitle>Rôle.</VernacularTitle><ArticleDate><Year>2001</Year></ArticleDate></Article>
<MeshHeadingList><MeshHeading><DescriptorName>Humans</DescriptorName></MeshHeading>
<MeshHeading><DescriptorName>Heart</DescriptorName><QualifierName>drug effects</QualifierName>
<QualifierName>injuries</QualifierName></MeshHeading></MeshHeadingList>
<CommentsCorrectionsList>
<CommentsCorrections RefType="RetractionIn"><RefSource>J 1</RefSource><PMID Version="1">999</PMID></CommentsCorrections>
<CommentsCorrections RefType="ErratumIn"><RefSource>J 2</RefSource></CommentsCorrections>
<CommentsCorrections RefType="Cites"><PMID>998</PMID></CommentsCorrections></CommentsCorrectionsList>
<OtherAbstract Type="Publisher" Language="fre"><AbstractText>Voir.</AbstractText>
<CopyrightInformation>© B</CopyrightInformation></OtherAbstract>
<KeywordList><Keyword>p<sup>53</sup></Keyword><Keyword> </Keyword></KeywordList></MedlineCitation>
<PubmedData><ReferenceList><Reference><ArticleIdList><ArticleId IdType="pmc">PMC666</ArticleId>
<ArticleId IdType="doi">10.1001/cited</ArticleId></ArticleIdList></Reference></ReferenceList>
<ArticleIdList><ArticleId IdType="pubmed">101</ArticleId><ArticleId IdType="doi">https://doi.org/10.1000/ABC</ArticleId>
<ArticleId IdType="pmc">PMC555</ArticleId></ArticleIdList></PubmedData></PubmedArticle>"""

BOOK = """<PubmedBookArticle><BookDocument><PMID Version="1">202</PMID>
<ArticleIdList><ArticleId IdType="bookaccession">NBK1</ArticleId>
<ArticleId IdType="doi">10.1002/b</ArticleId></ArticleIdList>
<Book><BookTitle>Reviews</BookTitle><PubDate><Year>2015</Year></PubDate></Book><ArticleTitle>Chapter</ArticleTitle>
<Language>eng</Language><PublicationType UI="D">Review</PublicationType>
<Abstract><AbstractText>Text.</AbstractText></Abstract></BookDocument></PubmedBookArticle>"""


def plain(pmid: int, extra: str = "") -> str:
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article><ArticleTitle>T{pmid}</ArticleTitle>'
        f"{extra}</Article></MedlineCitation></PubmedArticle>"
    )


def deletions(*pmids: object) -> str:
    return "<DeleteCitation>" + "".join(f'<PMID Version="1">{pmid}</PMID>' for pmid in pmids) + "</DeleteCitation>"


def document(*parts: str, head: str = HEAD, root: str = "PubmedArticleSet") -> bytes:
    return "\n".join([f"{head}<{root}>", *parts, f"</{root}>\n"]).encode()


def read(tmp_path: Path, raw: bytes, *, zipped: bool = True, name: str = "f.xml.gz") -> list[Record | Reject]:
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw, mtime=0) if zipped else raw)
    return list(read_pubmed(str(path)))


def test_every_field_of_a_citation(tmp_path: Path) -> None:
    (record,) = read(tmp_path, document(CITATION))
    assert record == Record(
        doc_id="pmid:101",
        source=Source.PUBMED,
        kind=Kind.CITATION,
        pmid=101,
        version=2,
        pmcid=555,
        doi="10.1000/abc",
        pmc_id_anywhere=True,
        title="[Role of TP53 and Ca²⁺ in E. coli].",
        vernacular_title="Rôle.",
        abstracts=(
            AbstractPart(label="AIM", category="OBJECTIVE", text="To see H₂O."),
            AbstractPart(text="Rest."),
            AbstractPart(type="Publisher", language="fre", text="Voir."),
        ),
        copyright="© A\n© B",
        languages=("fre", "eng"),
        year=1998,
        journal="A journal & more",
        publication_types=("Journal Article",),
        mesh=("Humans", "Heart/drug effects", "Heart/injuries"),
        keywords=("p⁵³",),
        links=(Link(type="RetractionIn", target="pmid:999"), Link(type="ErratumIn", target="J 2")),
        retracted=True,
        file="f.xml.gz",
        offset=len(HEAD.encode()) + len("<PubmedArticleSet>\n"),
        position=0,
    )


def test_book(tmp_path: Path) -> None:
    (record,) = read(tmp_path, document(BOOK, root="PubmedBookArticleSet"))
    assert isinstance(record, Record)
    assert (record.kind, record.doc_id, record.title, record.journal) == (Kind.BOOK, "pmid:202", "Chapter", "Reviews")
    assert (record.year, record.doi, record.publication_types) == (2015, "10.1002/b", ("Review",))
    assert record.abstracts == (AbstractPart(text="Text."),)


def test_ids_of_cited_papers_are_never_the_records_own(tmp_path: Path) -> None:
    cited = CITATION.replace('<ArticleId IdType="pmc">PMC555</ArticleId>', "").replace("10.1000/ABC", "no doi")
    (record,) = read(tmp_path, document(cited))
    assert isinstance(record, Record)
    assert record.pmcid is None
    assert record.doi == "10.1001/second"  # ELocationID


@pytest.mark.parametrize(
    ("date", "year"),
    [
        ("<PubDate><Year>1979</Year><Month>Jun</Month></PubDate>", 1979),
        ("<PubDate><MedlineDate>Summer 1980</MedlineDate></PubDate>", 1980),
        ("<PubDate><Season>Fall</Season></PubDate>", 2001),
        ("<PubDate><Year>n.d.</Year></PubDate>", 2001),
    ],
)
def test_year(tmp_path: Path, date: str, year: int) -> None:
    extra = f"<Journal><JournalIssue>{date}</JournalIssue></Journal><ArticleDate><Year>2001</Year></ArticleDate>"
    (record,) = read(tmp_path, document(plain(1, extra)))
    assert isinstance(record, Record)
    assert record.year == year


def test_deletions_wherever_they_stand(tmp_path: Path) -> None:
    items = read(tmp_path, document(deletions(1, 2), plain(3), deletions(), deletions(4, "x", 5), plain(6)))
    found = [(item.kind, item.pmid) for item in items if isinstance(item, Record)]
    deleted, citation = Kind.DELETION, Kind.CITATION
    assert found == [(deleted, 1), (deleted, 2), (citation, 3), (deleted, 4), (deleted, 5), (citation, 6)]
    assert [item.position for item in items if isinstance(item, Record)] == [0, 1, 2, 3, 5, 6]
    (reject,) = (item for item in items if isinstance(item, Reject))
    assert reject.reason == RejectReason.NO_ID


@pytest.mark.parametrize(
    ("bad", "reason", "doc_id"),
    [
        (plain(7, "<a></b>"), RejectReason.BAD_XML, "pmid:7"),
        (plain(7, "&beta;"), RejectReason.BAD_XML, "pmid:7"),
        (plain(7).replace(">7<", "><"), RejectReason.NO_ID, ""),
        (plain(7).replace(">7<", ">seven<"), RejectReason.NO_ID, ""),
        ("<PubmedArticle/>", RejectReason.NO_ID, ""),
        ("<PubmedArticle><PMID>7</PMID></PubmedArticle>", RejectReason.NO_ID, ""),
        ("<Unknown/>", RejectReason.STRAY_BYTES, ""),
    ],
)
def test_one_bad_record_among_good_ones(tmp_path: Path, bad: str, reason: RejectReason, doc_id: str) -> None:
    raw = document(plain(1), bad, plain(2))
    items = read(tmp_path, raw)
    assert [item.doc_id for item in items if isinstance(item, Record)] == ["pmid:1", "pmid:2"]
    (reject,) = (item for item in items if isinstance(item, Reject))
    assert (reject.reason, reject.doc_id, reject.offset, reject.file) == (
        reason,
        doc_id,
        raw.index(bad.encode()),
        "f.xml.gz",
    )
    assert reject.raw.strip() == bad.encode()
    assert reject.sha256 == hashlib.sha256(reject.raw).hexdigest()
    assert reject.detail


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(where=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_a_flipped_byte_costs_at_most_the_record_it_is_in(tmp_path: Path, where: int, flip: int) -> None:
    raw = document(*(plain(number) for number in range(1, 6)), deletions(6))
    starts = [found.start() for found in re.finditer(b"<PubmedArticle>|<DeleteCitation>", raw)]
    place = starts[0] + where % (starts[-1] - starts[0])
    damaged = bytearray(raw)
    damaged[place] ^= flip
    items = read(tmp_path, bytes(damaged), zipped=False)
    found = {item.offset: item.pmid for item in items if isinstance(item, Record)}
    untouched = [start for start, after in itertools.pairwise([*starts, len(raw)]) if not start <= place < after]
    assert [found[start] for start in untouched] == [starts.index(start) + 1 for start in untouched]
    # A changed line end between records, or a closing tag that became an opening one, is a piece of its own.
    extra = raw[place : place + 1] == b"\n" or b"<<PubmedArticle>" in damaged
    assert len(items) in ((6, 7) if extra else (6,))


def assert_corrupt(tmp_path: Path, raw: bytes, match: str, *, zipped: bool = True) -> None:
    with pytest.raises(CorruptError, match=match):
        read(tmp_path, raw, zipped=zipped)


def test_whole_file_damage_stops_before_the_first_record(tmp_path: Path) -> None:
    good = document(plain(1), plain(2))
    packed = gzip.compress(good)
    assert_corrupt(tmp_path, packed[:-4], "ends early", zipped=False)
    assert_corrupt(tmp_path, good[:-30], "does not end with </PubmedArticleSet>")
    assert_corrupt(tmp_path, good + b"<more/>", "does not end with")
    assert_corrupt(tmp_path, b"<html>503</html>", "is no PubMed file", zipped=False)
    assert_corrupt(tmp_path, b"", "empty", zipped=False)
    assert_corrupt(tmp_path, good.decode().encode("utf-16"), "is no PubMed file")
    assert_corrupt(tmp_path, good.replace(b"utf-8", b"latin-1"), "encoding latin-1")
    entity = HEAD.replace('"https://x/p.dtd"', '"x" [<!ENTITY a "b">]')
    assert_corrupt(tmp_path, document(plain(1), head=entity), "declares entities")
    # The second gzip member is missing: gzip itself is content, the closing tag tells.
    assert_corrupt(tmp_path, gzip.compress(good[:200]), "does not end with", zipped=False)
    (tmp_path / "f.xml.gz.md5").write_text("MD5(f.xml.gz)= " + "0" * 32)
    assert_corrupt(tmp_path, good, "MD5")


def test_plain_and_misnamed_files_read_alike(tmp_path: Path) -> None:
    raw = document("<!-- made by hand -->", plain(1), deletions(2)) + b"<!-- end -->\n"
    expected = [item.doc_id for item in read(tmp_path, raw)]
    assert expected == ["pmid:1", "pmid:2"]
    assert [item.doc_id for item in read(tmp_path, b"\xef\xbb\xbf" + raw, zipped=False, name="g.xml.gz")] == expected
    assert [item.doc_id for item in read(tmp_path, raw, name="h.xml")] == expected


COUNTS = {
    "baseline/pubmed20n0014.xml.gz": {Kind.CITATION: 30_000},
    "samples/pubmedsample18n0001.xml.gz": {Kind.CITATION: 177},
    "samples/pubmedsample19n0001.xml.gz": {Kind.CITATION: 176, Kind.DELETION: 7},
    "derived/pubmed26n0001.xml.gz": {Kind.CITATION: 848},
}
DELETED = [23203860, 23203861, *range(23203892, 23203897)]
SCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-0123456789+-", " ()_^/√")


def letters(text: str) -> str:
    """Return text modulo what sup, sub and formula rules may add or change."""
    return "".join(text.translate(SCRIPTS).replace("−", "-").split())


def oracle_text(element: etree._Element | None) -> str:
    return " ".join("".join(str(text) for text in element.itertext()).split()) if element is not None else ""


def assert_same_text(found: str, element: etree._Element | None, notices: str = "") -> None:
    expected = oracle_text(element)
    if element is not None and next(element.iter("{*}sup", "{*}sub", "{*}math"), None) is not None:
        found, expected = letters(found), letters(expected)
    whole = [found, *(f"{found}{gap}{notice}" for notice in notices.split("\n") if notice for gap in (" ", ""))]
    assert expected in whole


def assert_same_record(record: Record, element: etree._Element) -> None:
    assert record.pmid == int(element.findtext("MedlineCitation/PMID") or 0)
    assert_same_text(record.title, element.find("MedlineCitation/Article/ArticleTitle"))
    parts = [("main", part) for part in element.iterfind("MedlineCitation/Article/Abstract/AbstractText")]
    for other in element.iterfind("MedlineCitation/OtherAbstract"):
        parts += [(other.get("Type") or "", part) for part in other.iterfind("AbstractText")]
    expected = [(kind, (part.get("Label") or "").rstrip(" .:")) for kind, part in parts]
    assert [(part.type, part.label) for part in record.abstracts] == expected
    for found, (_, part) in zip(record.abstracts, parts, strict=True):
        assert_same_text(found.text, part, record.copyright)
    own = {item.get("IdType"): item.text for item in element.iterfind("PubmedData/ArticleIdList/ArticleId")}
    number = (own.get("pmc") or "").removeprefix("PMC").partition(".")[0]  # PMC3706072.1 exists
    assert record.pmcid == (int(number) if number else None)
    if own.get("doi"):
        assert record.doi == (own["doi"] or "").lower()


@pytest.mark.real_data
@pytest.mark.parametrize("file", COUNTS)
def test_real_files_equal_an_independent_reading(real_data: Path, file: str) -> None:
    path = real_data / "pubmed" / file
    items = list(read_pubmed(str(path)))
    records = [item for item in items if isinstance(item, Record)]
    assert len(records) == len(items), "no reject in NLM's own files"
    assert Counter(record.kind for record in records) == COUNTS[file]
    deleted = [record.pmid for record in records if record.kind is Kind.DELETION]
    assert deleted == (DELETED if "19n" in file else [])
    content = gzip.decompress(path.read_bytes())
    elements = etree.iterparse(io.BytesIO(content), tag="PubmedArticle")
    for number, (_, element) in enumerate(elements):
        record = records[number]
        assert record.position == number
        assert content.startswith(b"<PubmedArticle>", record.offset)
        assert_same_record(record, element)
        element.clear()
    assert number + 1 == COUNTS[file][Kind.CITATION]
