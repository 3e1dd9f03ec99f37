"""The JATS reader on small articles: reading order, front matter, wrappers, rejects."""

import gzip
import io
import tarfile

import pytest

from corpus.ncbi.archives.article_metadata import ArticleMetadata
from corpus.ncbi.jats.reader import read_article
from corpus.reasons import RejectReason
from corpus.records import AbstractPart, BackPart, Kind, Link, Record, Source
from tests.support.jats_samples import ID, TITLE, blocks, jats, read, read_reject, text


def test_sections_keep_document_order_and_depth() -> None:
    body = (
        "<p>Before.</p><sec><label>1</label><title>Intro</title><p>One.</p>"
        "<sec><title>Inner</title><p>Two.</p></sec><p>Three.</p></sec><sec><p>Untitled.</p></sec>"
    )
    assert blocks(body) == [
        ("paragraph", 0, "Before."),
        ("heading", 1, "1 Intro"),
        ("paragraph", 1, "One."),
        ("heading", 2, "Inner"),
        ("paragraph", 2, "Two."),
        ("paragraph", 1, "Three."),
        ("paragraph", 1, "Untitled."),
    ]


def test_blocks_inside_a_paragraph_split_it_in_order() -> None:
    body = (
        "<p>List:<list><list-item><label>1.</label><p>first</p><p>more</p></list-item><list-item>"
        "<p>second</p></list-item>"
        "</list>tail <disp-formula><label>(1)</label><italic>E</italic> = mc<sup>2</sup></disp-formula>where"
        "<disp-quote><p>said</p><attrib>Someone</attrib></disp-quote><preformat>a\n  b</preformat>end</p>"
    )
    assert [(kind, text) for kind, _, text in blocks(body)] == [
        ("paragraph", "List:"),
        ("list_item", "1. first"),
        ("paragraph", "more"),
        ("list_item", "second"),
        ("paragraph", "tail"),
        ("formula", "E = mc² (1)"),
        ("paragraph", "where"),
        ("quote", "said"),
        ("quote", "Someone"),
        ("preformat", "a\n  b"),
        ("paragraph", "end"),
    ]


def test_definitions_boxes_statements_and_speech() -> None:
    body = (
        "<def-list><def-item><term>DNA</term><def><p>the acid</p></def></def-item><def-item>"
        "<term>RNA:</term></def-item>"
        "</def-list><boxed-text><label>Box 1</label><caption><title>Key points</title></caption>"
        "<p>In the box.</p></boxed-text>"
        "<statement><label>Theorem 1.</label><p>True.</p></statement><speech><speaker>I</speaker><p>Why?</p></speech>"
    )
    assert blocks(body) == [
        ("list_item", 0, "DNA: the acid"),
        ("list_item", 0, "RNA:"),
        ("heading", 1, "Box 1 Key points"),
        ("paragraph", 1, "In the box."),
        ("paragraph", 0, "Theorem 1. True."),
        ("paragraph", 0, "I: Why?"),
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "Role of<italic> TP53</italic> and Ca<sup>2+</sup> in <italic>E. coli</italic>.",
            "Role of TP53 and Ca²⁺ in E. coli.",
        ),
        ("10<sup>5</sup> cells, H<sub>2</sub>O, <italic>V</italic><sub>max</sub>", "10⁵ cells, H₂O, V_max"),
        ("a<break/>b &amp; c\u00a0d", "a b & c d"),
        ("x<named-content><styled-content>y</styled-content></named-content>z", "xyz"),
        ("<named-content>Myzus</named-content><named-content>persicae</named-content>", "Myzus persicae"),
        ("one <inline-graphic xlink:href='g'/> two", "one two"),
        (
            "IP6 5 mM (<inline-graphic/>); DON (<inline-graphic/>; dark)",
            "IP6 5 mM; DON (dark)",
        ),
        ("where (<inline-formula><inline-graphic/></inline-formula>)", "where ([Formula: see text])"),
        ("x<sup>2<inline-graphic/></sup>, anova() and ( )", "x², anova() and ( )"),
        ("HCO<sub>3<sup>-</sup></sub> and SO<sub>4<sup>2-</sup></sub>", "HCO₃⁻ and SO₄²⁻"),
        ("dose ( <xref ref-type='table' rid='T1'>Table 1</xref> ), [ a ] .", "dose (Table 1), [a]."),
        (
            "so <inline-formula><alternatives>"
            "<tex-math>\\documentclass{m}\\begin{document}$$a_b$$\\end{document}</tex-math>"
            "<mml:math><mml:msup><mml:mi>x</mml:mi><mml:mn>2</mml:mn></mml:msup></mml:math><graphic/></alternatives>"
            "</inline-formula>.",
            "so x².",
        ),
        ("so <tex-math>\\documentclass{m}\\begin{document}$$a_b$$\\end{document}</tex-math>.", "so a_b."),
    ],
)
def test_inline_text(content: str, expected: str) -> None:
    assert text(content) == expected


def test_a_bullet_typed_into_a_paragraph_makes_it_an_item() -> None:
    assert blocks("<p>Two:</p><p>• One</p><p>• <italic>Two</italic></p><p>– no.</p>") == [
        ("paragraph", 0, "Two:"),
        ("list_item", 0, "One"),
        ("list_item", 0, "Two"),
        ("paragraph", 0, "– no."),
    ]


def test_body_footnotes_become_notes_and_leave_the_sentence_whole() -> None:
    record = read(
        jats(
            body='<p>Word<xref ref-type="fn" rid="f1"><sup>1</sup></xref><fn id="f1"><p>The note.</p></fn> goes on.</p>'
        )
    )
    assert [block.text for block in record.body] == ["Word goes on."]
    assert record.back == (BackPart(kind="footnote", text="The note."),)


def test_sub_articles_references_and_metadata_stay_out_of_the_body() -> None:
    after = (
        "<back><ack><title>Thanks</title><p>To all.</p></ack><fn-group><title>Notes</title><fn>"
        "<label>a</label><p>One.</p></fn>"
        "<fn><p>Two.</p></fn></fn-group><app-group><app><title>App A</title><p>Proof.</p><sec>"
        "<title>More</title><p>Text.</p>"
        "</sec></app></app-group><glossary><title>Words</title><def-list><def-item><term>X</term>"
        "<def><p>y</p></def></def-item>"
        "</def-list></glossary><sec><title>Data</title><p>On request.</p></sec><ref-list>"
        "<title>References</title><ref id='r1'>"
        "<mixed-citation>CITED</mixed-citation></ref></ref-list></back>"
        "<sub-article article-type='reply'><front-stub><article-id pub-id-type='pmc'>999</article-id></front-stub>"
        "<body><p>LEAK</p></body></sub-article><response><body><p>LEAK</p></body></response>"
    )
    record = read(jats(body="<p>Own.</p>", after=after))
    assert record.pmcid == 123
    assert [block.text for block in record.body] == ["Own."]
    assert record.back == (
        BackPart(kind="ack", title="Thanks", text="To all."),
        BackPart(kind="footnote", title="Notes", text="a One."),
        BackPart(kind="footnote", title="Notes", text="Two."),
        BackPart(kind="appendix", title="App A", text="Proof.\nMore\nText."),
        BackPart(kind="glossary", title="Words", text="X: y"),
        BackPart(kind="section", title="Data", text="On request."),
    )
    assert "LEAK" not in repr(record)
    assert "CITED" not in repr(record)


def test_front_matter() -> None:
    ids = (
        '<article-id pub-id-type="pmid">42</article-id><article-id pub-id-type="pmcid">PMC7</article-id>'
        '<article-id pub-id-type="doi">https://doi.org/10.1000/ABC</article-id>'
    )
    title = (
        "<title-group><article-title>Role of <italic>TP53</italic></article-title><subtitle>a review</subtitle>"
        "<trans-title-group xml:lang='fr'><trans-title>Le rôle</trans-title></trans-title-group></title-group>"
    )
    meta = (
        "<pub-date pub-type='ppub'><year>2019</year></pub-date><pub-date pub-type='epub'><year>2018</year></pub-date>"
        "<pub-date pub-type='pmc-release'><year>2017</year></pub-date>"
        "<permissions><license xlink:href='http://creativecommons.org/licenses/by/4.0/'>"
        "<license-p>Free.</license-p></license>"
        "</permissions>"
        "<related-article related-article-type='corrected-article' ext-link-type='doi' xlink:href='10.1/X'/>"
        "<abstract><title>Abstract</title><sec><title>Background:</title><p>Why.</p><p>Still why.</p></sec>"
        "<sec><title>Methods</title><p>How.</p></sec></abstract><abstract abstract-type='teaser'>"
        "<p>Short.</p></abstract>"
        "<trans-abstract xml:lang='fr'><p>Pourquoi.</p></trans-abstract>"
        "<kwd-group><kwd>one</kwd><kwd>two</kwd><kwd>one</kwd></kwd-group>"
        "<kwd-group kwd-group-type='abbreviations'><kwd>no</kwd></kwd-group>"
    )
    record = read(
        jats(ids=ids, title=title, meta=meta, attributes='article-type="correction" xml:lang="en"'), "pile.tar"
    )
    assert (record.doc_id, record.pmid, record.doi) == ("pmc:PMC7.1", 42, "10.1000/abc")
    assert (record.source, record.kind) == (Source.PMC, Kind.ARTICLE)
    assert (record.title, record.vernacular_title) == ("Role of TP53: a review", "Le rôle")
    assert (record.year, record.license, record.languages) == (2018, "CC-BY-4.0", ("en",))
    assert record.keywords == ("one", "two")
    assert record.article_type == "correction"
    assert record.links == (Link(type="corrected-article", target="10.1/X"),)
    assert record.abstracts == (
        AbstractPart(label="Background", text="Why."),
        AbstractPart(text="Still why."),
        AbstractPart(label="Methods", text="How."),
        AbstractPart(type="teaser", text="Short."),
        AbstractPart(type="trans-abstract", language="fr", text="Pourquoi."),
    )


@pytest.mark.parametrize(
    ("dates", "year"),
    [
        ("", None),
        ("<pub-date/>", None),
        ("<pub-date pub-type='epub'><year>in press</year></pub-date>", None),
        ("<pub-date date-type='pub' publication-format='electronic'><year>2020</year></pub-date>", 2020),
        ("<pub-date pub-type='nihms-submitted'><year>2011</year></pub-date>", 2011),
        (
            "<pub-date pub-type='collection'><year>2010</year></pub-date><pub-date pub-type='epub'>"
            "<year>2011</year></pub-date>",
            2010,
        ),
    ],
)
def test_year(dates: str, year: int | None) -> None:
    assert read(jats(meta=dates)).year == year


def test_the_only_abstract_is_the_main_one_even_under_a_plain_type() -> None:
    only = "<abstract abstract-type='normal'><p>A.</p></abstract>"
    assert [part.type for part in read(jats(meta=only)).abstracts] == ["main"]
    both = "<abstract abstract-type='short'><p>B.</p></abstract><abstract><p>A.</p></abstract>"
    assert [part.type for part in read(jats(meta=both)).abstracts] == ["short", "main"]


@pytest.mark.parametrize(
    ("attributes", "title", "retracted"),
    [
        ('article-type="research-article"', "Retracted: a study", True),
        ('article-type="research-article"', "RETRACTED ARTICLE: a study", True),
        ('article-type="research-article"', "Retracted lungs in mice", False),
        ('article-type="retraction"', "Retracted: a study", False),
        ('article-type="retracted-article"', "A study", True),
    ],
)
def test_retraction_is_of_the_article_not_of_the_notice(attributes: str, title: str, retracted: bool) -> None:
    group = f"<title-group><article-title>{title}</article-title></title-group>"
    assert read(jats(title=group, attributes=attributes)).retracted is retracted


def test_metadata_and_file_name_fill_what_the_xml_leaves_open() -> None:
    facts = ArticleMetadata(
        pmcid=5, version=2, pmid=6, doi="10.1000/X", license_code="TDM", is_retracted=True, is_manuscript=True
    )
    record = read_article(jats(ids=""), file="a.tar", metadata=facts)
    assert isinstance(record, Record)
    assert (record.doc_id, record.pmid, record.doi, record.license) == ("pmc:PMC5.2", 6, "10.1000/x", "TDM")
    assert record.retracted
    assert record.manuscript
    assert read(jats(ids=""), "PMC88.3.xml").doc_id == "pmc:PMC88.3"
    assert read(jats(ids='<article-id pub-id-type="pmcid-ver">PMC9.4</article-id>'), "x.xml").doc_id == "pmc:PMC9.4"


def test_wrappers_namespaces_and_packing_make_no_difference() -> None:
    plain = jats(body="<sec><title>T</title><p>Text <mml:math><mml:mi>x</mml:mi></mml:math>.</p></sec>")
    expected = read(plain)
    assert [block.text for block in expected.body] == ["T", "Text x."]
    wrapped = b"<pmc-articleset>" + plain + b"</pmc-articleset>"
    inside = plain.replace(b"<article ", b'<article xmlns="https://jats.nlm.nih.gov/ns/archiving/1.3/" ')
    oai = b'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><GetRecord><record><metadata>' + inside
    oai += b"</metadata></record></GetRecord></OAI-PMH>"
    prefixed = plain.replace(b"xmlns:mml", b"xmlns:m").replace(b"mml:", b"m:")
    package = io.BytesIO()
    with tarfile.open(fileobj=package, mode="w:gz") as archive:
        for name, content in (("PMC123/a.nxml", plain), ("PMC123/a.jpg", b"<not xml")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    for raw in (wrapped, inside, oai, prefixed, gzip.compress(plain), package.getvalue(), b"\xef\xbb\xbf" + plain):
        assert read(raw) == expected


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", RejectReason.BAD_XML),
        (b"<html>503</html>", RejectReason.BAD_ROOT),
        (b"<pmc-articleset/>", RejectReason.BAD_ROOT),
        (b"<pmc-articleset><article/><article/></pmc-articleset>", RejectReason.BAD_RECORD),
        (jats(ids=""), RejectReason.NO_ID),
        (jats(ids='<article-id pub-id-type="doi">10.1000/x</article-id>'), RejectReason.NO_ID),
        (jats(body="<p>cut")[:-40], RejectReason.BAD_XML),
        (jats(body="<p>&alpha;</p>"), RejectReason.BAD_XML),
        (b'<!DOCTYPE article [<!ENTITY x "y">]>' + jats(body="<p>&x;</p>"), RejectReason.ENTITY_DECLARATION),
        (gzip.compress(jats(), mtime=0)[:-4], RejectReason.BAD_RECORD),
        (gzip.compress(b"\0" * 30_000_000, mtime=0), RejectReason.BAD_RECORD),
        (jats(body="<list><list-item>" * 700 + "x" + "</list-item></list>" * 700), RejectReason.BAD_RECORD),
    ],
)
def test_what_is_no_article_is_one_reject(raw: bytes, reason: RejectReason) -> None:
    found = read_reject(raw)
    assert found.reason == reason
    assert found.raw == raw[:4096]
    assert found.detail


def test_a_cited_id_is_never_the_articles_own() -> None:
    cited = "<element-citation><pub-id pub-id-type='pmc'>777</pub-id></element-citation>"
    reference = f"<back><ref-list><ref>{cited}</ref></ref-list></back>"
    assert read_reject(jats(ids="", after=reference)).reason == RejectReason.NO_ID


def test_missing_front_or_body_is_no_error() -> None:
    assert read(b"<article/>").body == ()
    assert (
        read(f"<article><front><article-meta>{ID}{TITLE}</article-meta></front></article>".encode()).title == "A title"
    )
