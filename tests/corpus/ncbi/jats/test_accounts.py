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
from corpus.ncbi.jats.reader import read_parts
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
        _check_kept(parts[0], own, name)
    lost = sum(sums[name] for name in DROPPED)
    assert sums["body"] > 0.5 * sums.total()
    assert lost < 0.4 * sums.total()


def _check_kept(record: Record, own: dict[str, int], name: str) -> None:
    """What is counted as kept in the body is in the body: formulas gain and lose brackets, labels gain a colon."""
    written = sum(len("".join(block.text.split())) for block in record.body)
    assert written == pytest.approx(own.get("body", 0), rel=0.02, abs=60), name
