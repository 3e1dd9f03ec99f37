"""Loss accounting: the sums are exact, what is called kept is in the record, and nothing real stays unread."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from corpus.ncbi.archives.packages import unpack
from corpus.ncbi.jats.accounts import DROPPED, KEPT, UNREAD
from corpus.ncbi.jats.reader import read_parts, read_traced
from corpus.records import Record
from tests.support.jats_samples import jats
from tests.support.real_articles import members


def accounts(raw: bytes) -> dict[str, int]:
    record = read_parts(raw, file="PMC1.1.xml")[0]
    assert isinstance(record, Record), record
    return {account.name: account.characters for account in record.accounts}


def total(raw: bytes) -> int:
    """Return the characters of an article's text that are not white space, as a tree sees them."""
    article = next(etree.fromstring(raw, etree.XMLParser(remove_comments=True, remove_pis=True)).iter("{*}article"))
    return len("".join("".join(map(str, article.itertext())).split()))


def test_every_account_has_a_meaning() -> None:
    assert KEPT.isdisjoint(DROPPED)


def test_accounts_of_one_article() -> None:
    raw = jats(
        body='<sec><title>Aim</title><p>One two <xref ref-type="bibr" rid="B1">[1]</xref>.</p>'
        "<fig><label>F</label><caption><p>Cap</p></caption><alt-text>seen</alt-text></fig></sec>",
        after='<back><ref-list><ref id="B1"><mixed-citation>Smith</mixed-citation></ref></ref-list>'
        "<ack><p>Thanks</p></ack></back>",
    )
    found = accounts(raw)
    assert found["body"] == len("AimOnetwo.")
    assert found["citation_marks"] == len("[1]")
    assert found["floats"] == len("FCap")
    assert (found["alt_text"], found["references"], found["back"]) == (4, 5, 6)
    assert sum(found.values()) == total(raw)


def solid(text: str) -> int:
    return len("".join(text.split()))


def characters(record: Record) -> dict[str, int]:
    """Return the characters of each field of a record that holds text of its article."""
    floats = [
        text
        for item in record.floats
        for text in (item.label, item.caption, *(cell.text for row in item.rows for cell in row), *item.footnotes)
    ]
    texts = {
        "title": [record.title],
        "vernacular_title": [record.vernacular_title],
        "abstracts": [text for part in record.abstracts for text in (part.label, part.text)],
        "body": [block.text for block in record.body],
        "floats": floats,
        "back": [text for part in record.back for text in (part.title, part.text)],
        "keywords": record.keywords,
        "journal": [record.journal],
    }
    return {field: sum(map(solid, found)) for field, found in texts.items()}


def check_fields(raw: bytes, name: str) -> None:
    """Assert that every field holds what its account says it holds, and what the reader wrote: to the character."""
    reader, _, record = read_traced(raw, name=name)
    own = {account.name: account.characters for account in record.accounts}
    expected = {field: own.get(field, 0) + reader.accounts.written[field] for field in characters(record)}
    assert characters(record) == expected, name


PIECES = st.sampled_from(
    [
        "<p>word <italic>x</italic> y</p>",
        "<p>as shown <xref ref-type='bibr' rid='B1'>[1]</xref>, and<sup>2</sup></p>",
        "<fig id='f'><label>Fig 1</label><caption><title>T</title><p>c</p></caption><permissions>p</permissions></fig>",
        "<table-wrap><table><tr><td>1<sup>a</sup></td><td>2</td></tr></table><table-wrap-foot><p>n</p></table-wrap-foot></table-wrap>",
        "<p><disp-formula><alternatives><tex-math>$x$</tex-math><graphic/></alternatives></disp-formula></p>",
        "<list><list-item><label>1</label><p>i</p></list-item></list>",
        "<p>note<xref ref-type='fn' rid='n'>*</xref><fn id='n'><p>f</p></fn></p>",
        "<ref-list><ref>r</ref></ref-list>",
        "<boxed-text><p>b</p></boxed-text>stray",
        "<array><tr><td>q</td></tr></array>",
        "<supplementary-material><media><caption><p>m</p></caption></media></supplementary-material>",
        "<supplementary-material><label>S</label><media><label>M</label></media><media><label>N</label></media>"
        "</supplementary-material>",
        "<fig><label>B</label><list list-type='order'><list-item><p>w</p></list-item></list><code>c(x)</code>"
        "<disp-formula><tex-math>a=b</tex-math></disp-formula><graphic><label>a</label><caption><p>g</p></caption>"
        "<alt-text>seen</alt-text></graphic>loose</fig>",
        "<table-wrap><alternatives><array><tr><td>q</td></tr></array><textual-form>r</textual-form></alternatives>"
        "</table-wrap>",
        "<fig><alternatives><code>c</code><graphic><caption><p>d</p></caption></graphic></alternatives></fig>",
        "<table-wrap><table><caption>h</caption><tfoot><tr><td>s</td></tr></tfoot><tbody><tr><td>1</td></tr></tbody>"
        "</table><attrib>by</attrib><table-wrap-foot>bare</table-wrap-foot></table-wrap>",
        "<fig-group><label>G</label><fig><label>A</label><caption><p>s <xref rid='f'/></p></caption></fig></fig-group>",
        "<list list-type='simple'><list-item><label>•</label><p>b</p></list-item></list>",
        "<def-list><def-item><term>T:</term><def><p>d</p></def></def-item><def-item><term>U</term></def-item></def-list>",
        "<fn-group><title>N</title><fn><p>o</p></fn><fn><p>t</p></fn><p>beside</p></fn-group>",
        "<list><list-item><p>• typed</p></list-item></list>",
        "<fn-group><title>alone</title></fn-group>",
        "<p>at <ext-link xmlns:xlink='x' xlink:href='http://a.org/b'/>.</p>",
        "<disp-formula><label>(1)</label><graphic/></disp-formula>",
        "<p>H<sub>2</sub>O<sup>+</sup> 10<sup>5</sup><sup>,</sup></p>",
        "<preformat>x\u00a0 y\n z</preformat>",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=6), st.lists(PIECES, max_size=3))
def test_the_sums_are_exact(body: list[str], back: list[str]) -> None:
    raw = jats(body="".join(body), after=f"<back>{''.join(back)}</back>")
    found = accounts(raw)
    assert sum(found.values()) == total(raw)
    assert min(found.values()) > 0
    assert found.keys() <= KEPT | DROPPED.keys()
    check_fields(raw, "PMC1.1.xml")


def test_fields_of_the_front_hold_what_their_accounts_say() -> None:
    title = (
        "<title-group><article-title>Goats</article-title><subtitle>a trial</subtitle><trans-title-group><trans-title>"
        "Ziegen</trans-title></trans-title-group></title-group>"
    )
    dates = "".join(
        f"<pub-date pub-type='{kind}'><year>{year}</year></pub-date>"
        for kind, year in (("ppub", 2019), ("epub", 2018), ("collection", 2018))
    )
    ids = '<article-id pub-id-type="pmc">123</article-id><article-id pub-id-type="publisher-id">xyz</article-id>'
    abstract = (
        "<abstract><title>Abstract:</title><sec><title>Aims :</title><p>Why H<sub>2</sub>O?</p></sec><sec>"
        "<title>Only a title</title></sec></abstract>"
    )
    keywords = "<kwd-group><kwd>one</kwd><kwd>two</kwd><kwd>one</kwd></kwd-group>"
    raw = jats(ids=ids, title=title, meta=dates + abstract + keywords)
    check_fields(raw, "PMC123.1.xml")
    found = accounts(raw)
    assert (found["year"], found["ids"], found["drawn_marks"]) == (4, 3, len("Abstract::"))
    assert sum(found.values()) == total(raw)


@pytest.mark.real_data
def test_accounts_of_real_articles(real_data: Path) -> None:
    sums: Counter[str] = Counter()
    articles = [(name, raw) for name, raw in members(real_data) if name.endswith(".xml")]
    for name, packed in random.Random(5).sample(articles, 300):
        raw = unpack(packed, name)
        parts = [part for part in read_parts(raw, file=name) if isinstance(part, Record)]
        own = {account.name: account.characters for account in parts[0].accounts}
        assert sum(own.values()) == total(raw), name
        inner = sum(
            account.characters for part in parts[1:] for account in part.accounts if account.name != "sub_articles"
        )
        nested = own.get("sub_articles", 0)
        assert inner == nested, name
        assert UNREAD not in own, name
        sums.update(own)
        check_fields(raw, name)
    lost = sum(sums[name] for name in DROPPED)
    assert sums["body"] > 0.5 * sums.total()
    assert lost < 0.4 * sums.total()
