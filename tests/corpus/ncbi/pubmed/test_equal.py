"""The fast way of reading equals the slow one on any bytes: what is plain, what is a record, what its texts are.

Three oracles that the readers do not use: libxml2 on each record alone, a splitter of a few lines that knows no blocks,
and a walk over the standard library's ElementTree for ids, titles and abstracts.
"""

import gzip
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import etree

from corpus.ncbi.markup.characters import PADDING
from corpus.ncbi.markup.document import scan, scan_records
from corpus.ncbi.markup.parse import BadXmlError, parse, read_markup
from corpus.ncbi.pubmed.fields import RecordReader
from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.ncbi.pubmed.split import Damage, Run, split
from corpus.ncbi.pubmed.vocabulary import VOCABULARY
from corpus.records import Kind, Record

MATH = (
    '<mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:msup><mml:mi>x</mml:mi><mml:mn>2</mml:mn></mml:msup>'
    "</mml:math>"
)
TITLES = (
    "Role of <i>TP53</i> in H<sub>2</sub>O", "A &amp; B &lt; C", "[Caf\u00e9 &#945; &#x1F600;].", f"Of {MATH} mice",
    "x\ty", "<b>All</b> ]] > \u201cquoted\u201d", "", "a\u00a0b\u2003c", "\ufb01nd \ufeff",
)  # fmt: skip
RECORDS = (
    '<PubmedArticle>\n  <MedlineCitation Status="MEDLINE"><PMID Version="1">{n}</PMID><Article><ArticleTitle>{t}'
    "</ArticleTitle><Abstract><AbstractText Label=\"A &quot;1&quot;\" NlmCategory='AIM'>{t}</AbstractText></Abstract>"
    "</Article></MedlineCitation><PubmedData><History><Year>1</Year></History></PubmedData></PubmedArticle>",
    "<PubmedBookArticle><BookDocument><PMID>{n}</PMID><ArticleTitle>{t}</ArticleTitle></BookDocument>"
    "</PubmedBookArticle >",
    "<DeleteCitation><PMID>{n}</PMID></DeleteCitation>",
    "<PubmedArticle ><!-- {n} --><MedlineCitation><PMID>{n}</PMID></MedlineCitation></PubmedArticle>",
    "<PubmedArticle><MedlineCitation><PMID>{n}</PMID><x><![CDATA[ </PubmedArticle> ]]></x></MedlineCitation>"
    "</PubmedArticle>",
    "<PubmedArticle a='>'/>",
)
# What a mutation puts in: every byte and mark that decides something.
MARKS = (
    b"<", b">", b"&", b"/", b"'", b'"', b"=", b" ", b"]]>", b"<!--", b"-->", b"<![CDATA[", b"<?", b"?>", b"\0", b"\x0b",
    b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbf\xbf", b"\xef\xbb\xbf", b"&lt;", b"&alpha;", b"&#0;", b"&#xD800;",
    b"&#x41", b":", b"<a>", b"</a>", b"<a b='1' b='2'/>", b"<x:a/>", b"<mml:a/>", b'xmlns:mml="y"', b' xmlns=""',
    b"</PubmedArticle>", b"<PubmedArticle>", b"<PubmedArticleSet>", b"</PubmedArticleSet>", b"</DeleteCitation>", b"-",
    b";", b"#", b"\r\n",
    b" xmlns:mml=\"http://www.w3.org/1998/Math/MathML\"", b"xml:lang='en' ", b"<!DOCTYPE a>",
)  # fmt: skip


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Records side by side, with up to three mutations: bytes taken out, put in, doubled or moved."""
    chosen = draw(st.lists(st.tuples(st.sampled_from(RECORDS), st.sampled_from(TITLES)), min_size=1, max_size=5))
    raw = "\n".join(record.format(n=number + 1, t=title) for number, (record, title) in enumerate(chosen)).encode()
    for _ in range(draw(st.integers(0, 3))):
        place, size = draw(st.integers(0, len(raw))), draw(st.sampled_from([0, 0, 1, 2, 9, 40]))
        put = draw(st.sampled_from(MARKS) | st.binary(max_size=2) | st.just(raw[place : place + size] * 2))
        raw = raw[:place] + put + raw[place + size :]
    return raw


def blocks(raw: bytes, size: int) -> Iterator[bytes]:
    return (raw[start : start + size] for start in range(0, len(raw), size))


@settings(deadline=None, max_examples=1500)
@given(documents())
def test_what_is_proven_is_well_formed_on_its_own(raw: bytes) -> None:
    found = scan_records(raw + b"<" + PADDING, 0, len(raw), VOCABULARY, most=100, cap=10_000)
    _, bounds, _ = found or (None, [], [])
    for begin, end in bounds:
        tag = parse(raw[begin:end]).tag.encode()
        assert raw[begin:end].count(b"</" + tag) <= 1, "a splitter on tags cuts at the same place"
        assert scan(raw[begin:end], VOCABULARY) is not None
    starts, ends = [begin for begin, _ in bounds], [0, *(end for _, end in bounds)]
    assert not any(raw[end:start].strip(b" \t\r\n") for end, start in zip(ends, starts, strict=False))


def slow_split(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield offset and bytes of every record: from an opening tag to the first closing tag with which it parses.

    White space and the set's closing tag may stand before a record.
    """
    place = 0
    between = rb"(?:\s+|</Pubmed(?:Book)?ArticleSet\s*>)*"
    while opening := re.compile(between + rb"<(PubmedArticle|PubmedBookArticle|DeleteCitation)(?=[\s/>])").match(
        raw, place
    ):
        begin = opening.start(1) - 1
        closing = re.compile(rb"</" + opening[1] + rb"\s*>|/>")
        for found in closing.finditer(raw, begin):
            try:
                parse(raw[begin : found.end()])
            except BadXmlError:
                continue
            yield begin, raw[begin : found.end()]
            place = found.end()
            break
        else:
            return


@settings(deadline=None, max_examples=800)
@given(documents(), st.integers(1, 700))
def test_runs_are_the_records_that_parse_alone(raw: bytes, size: int) -> None:
    found = list(split(blocks(raw, size), VOCABULARY))
    pieces = [(run.offset + b, run.raw[b:e]) for run in found if isinstance(run, Run) for b, e in run.bounds]
    for offset, piece in pieces:
        assert raw[offset : offset + len(piece)] == piece
        parse(piece)
    expected = list(slow_split(raw))
    first_damage = next((part.offset for part in found if isinstance(part, Damage)), len(raw))
    assert [one for one in pieces if one[0] < first_damage] == [one for one in expected if one[0] < first_damage]


@settings(deadline=None, max_examples=800)
@given(documents())
@example('<PubmedArticle><MedlineCitation><PMID \ufeffVersion="1">2</PMID></MedlineCitation></PubmedArticle>'.encode())
def test_records_read_together_equal_records_read_alone(raw: bytes) -> None:
    for run in split(blocks(raw, 1 << 20), VOCABULARY):
        if isinstance(run, Damage):
            continue
        together = RecordReader(run.markup)
        for element, (begin, end) in zip(run.elements, run.bounds, strict=True):
            # In UTF-8: in ASCII lxml would write a name's letter as a character reference, which no parser takes.
            tree = etree.tostring(parse(run.raw[begin:end]), encoding="utf-8")
            alone = RecordReader(read_markup(tree, VOCABULARY))
            assert outcome(together, element) == outcome(alone, 0)


def outcome(reader: RecordReader, element: int) -> Record | str:
    try:
        return reader.read(element, kind=Kind.CITATION, file="f", offset=0, position=0)
    except BadXmlError as error:
        return error.detail


FILES = ("samples/pubmedsample18n0001.xml.gz", "samples/pubmedsample19n0001.xml.gz", "derived/pubmed26n0001.xml.gz")


@pytest.mark.real_data
@pytest.mark.parametrize("file", FILES)
def test_real_titles_abstracts_and_ids_equal_a_walk_over_elementtree(real_data: Path, file: str) -> None:
    path = real_data / "pubmed" / file
    records = {item.pmid: item for item in read_pubmed(str(path)) if isinstance(item, Record)}
    for article in ElementTree.fromstring(gzip.decompress(path.read_bytes())).iterfind("PubmedArticle"):
        record = records[int(article.findtext("MedlineCitation/PMID") or 0)]
        assert plain_words(record.title) == words_of(article.find("MedlineCitation/Article/ArticleTitle"))
        texts = [*article.iterfind("MedlineCitation/Article/Abstract/AbstractText")]
        texts += article.iterfind("MedlineCitation/OtherAbstract/AbstractText")
        found = plain_words(" ".join(part.text for part in record.abstracts))
        expected = "".join(words_of(text) for text in texts)
        notices = plain_words(record.copyright)
        assert found == expected or (expected.startswith(found) and expected[len(found) :] in notices)
        own = {one.get("IdType"): one.text for one in article.iterfind("PubmedData/ArticleIdList/ArticleId")}
        assert record.doi is None or record.doi == (own.get("doi") or record.doi).lower()
        assert (record.pmcid is None) == ("pmc" not in own)


SCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ₀₁₂₃₄₅₆₇₈₉₊₋₍₎", "0123456789+-()n0123456789+-()", "()_^/√")


def plain_words(text: str) -> str:
    """Return a text without white space and whatever the rules of scripts and formulas may add or change."""
    return "".join(text.translate(SCRIPTS).translate(SCRIPTS).replace("−", "-").split())


def words_of(element: ElementTree.Element | None) -> str:
    return plain_words("".join(element.itertext())) if element is not None else ""
