"""The side tables of articles: authors as lxml reads them, where the licence stands, and what they cite."""

from pathlib import Path

import pytest

from corpus.licenses import license_address
from corpus.metadata import SideTables
from corpus.ncbi.jats.metadata import add_article_metadata
from corpus.ncbi.jats.reader import read_article
from corpus.records import Kind, Record, Source
from tests.support.metadata_oracle import article_authors
from tests.support.real_articles import articles, plain

ARTICLE = """<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><journal-meta>
<journal-id journal-id-type="nlm-ta">J Tests</journal-id><issn pub-type="epub">1234-5678</issn></journal-meta>
<article-meta><article-id pub-id-type="pmc">12</article-id><title-group><article-title>T</article-title></title-group>
<contrib-group><contrib contrib-type="author"><contrib-id contrib-id-type="orcid">0000-0002-1825-0097</contrib-id>
<name><surname>Curie</surname><given-names>Marie</given-names></name><xref ref-type="aff" rid="a1 a2"/></contrib>
<contrib contrib-type="author"><collab>The Group<contrib-group><contrib><name><surname>Inner</surname></name></contrib>
</contrib-group></collab></contrib></contrib-group><aff id="a1"><label>1</label>Sorbonne</aff>
<aff id="a2"><sup>2</sup>Warsaw, CO<sub>2</sub> laboratory</aff><pub-date pub-type="epub"><day>4</day><month>3</month>
<year>2020</year></pub-date><volume>7</volume><elocation-id>e9</elocation-id>
<permissions><license>{license}</license></permissions>
<funding-group><award-group><funding-source>ERC</funding-source><award-id>A1</award-id><award-id>A2</award-id>
</award-group></funding-group></article-meta></front><body><p>Text.</p></body><back><ref-list><ref id="r1">
<label>1</label><citation-alternatives><element-citation><name><surname>Roe</surname><given-names>A</given-names></name>
<source>Nature</source><pub-id pub-id-type="pmid">99</pub-id></element-citation>
<mixed-citation>Roe A. Nature. <pub-id pub-id-type="doi">10.1/X</pub-id></mixed-citation></citation-alternatives></ref>
</ref-list></back></article>"""
LINK = '<license-p>See <ext-link xlink:href="http://creativecommons.org/licenses/by/4.0/">here</ext-link></license-p>'


def tables(text: str, code: str = "") -> SideTables:
    record, side = read_article(text.encode(), file="PMC12.xml"), SideTables()
    assert isinstance(record, Record)
    if code:
        record = Record(doc_id=record.doc_id, source=Source.PMC, kind=Kind.ARTICLE, license=code)
    add_article_metadata(text.encode(), record, side)
    return side


def test_an_article_says_who_wrote_it_and_what_it_cites() -> None:
    rows = tables(ARTICLE.format(license=LINK)).rows
    assert [(row.name(), row.orcid, row.affiliations) for row in rows["authors"]] == [
        ("Marie Curie", "0000-0002-1825-0097", ("Sorbonne", "Warsaw, CO2 laboratory")),
        ("The Group", "", ()),
    ]
    assert [(row.number, row.agency) for row in rows["grants"]] == [("A1", "ERC"), ("A2", "ERC")]
    assert [(row.kind, row.text) for row in rows["dates"]] == [("epub", "2020 3 4")]
    [cited] = rows["references"]
    assert (cited.citation, cited.pmid, cited.doi) == ("Roe A Nature 99", 99, None)  # 10.1/X is no DOI
    [printed] = rows["publications"]
    assert (printed.abbreviation, printed.issn, printed.volume, printed.pages) == ("J Tests", "1234-5678", "7", "e9")


@pytest.mark.parametrize(
    ("license_text", "code", "stated", "address"),
    [
        (LINK, "", "link", "http://creativecommons.org/licenses/by/4.0/"),
        ("Under CC BY-NC 3.0 terms.", "", "text", "https://creativecommons.org/licenses/by-nc/3.0/"),
        ("All rights reserved.", "CC-BY-4.0", "metadata", "https://creativecommons.org/licenses/by/4.0/"),
        ("All rights reserved.", "", "", ""),
    ],
)
def test_where_a_licence_is_stated(license_text: str, code: str, stated: str, address: str) -> None:
    [printed] = tables(ARTICLE.format(license=license_text), code).rows["publications"]
    assert (printed.license_stated, printed.license_url) == (stated, address)


def test_names_without_a_version_have_no_address() -> None:
    assert license_address("CC0-1.0") == "https://creativecommons.org/publicdomain/zero/1.0/"
    assert license_address("CC-BY-NC-SA-3.0-IGO") == "https://creativecommons.org/licenses/by-nc-sa/3.0/igo/"
    assert [license_address(name) for name in ("CC-BY", "TDM", "")] == ["", "", ""]


def check(data: Path, every: int) -> int:
    count = 0
    for number, (name, raw) in enumerate(articles(data)):
        if number % every:
            continue
        side = SideTables()
        record = Record(doc_id="pmc:PMC1.1", source=Source.PMC, kind=Kind.ARTICLE)
        add_article_metadata(raw, record, side)
        own = [(row.role, row.last_name, row.fore_name, row.collective, row.orcid) for row in side.rows["authors"]]
        assert own == article_authors(plain(raw)), name
        count += len(own)
    return count


@pytest.mark.real_data
def test_authors_of_real_articles_are_as_lxml_reads_them(real_data: Path) -> None:
    assert check(real_data, 12) > 1000


@pytest.mark.real_data
@pytest.mark.exhaustive
def test_all_authors_of_real_articles_are_as_lxml_reads_them(real_data: Path) -> None:
    assert check(real_data, 1) == 18_467
