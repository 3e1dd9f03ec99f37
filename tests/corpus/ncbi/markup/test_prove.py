"""The scan's own proof that a document is well-formed, against libxml2: a yes is right, and real shapes get one."""

from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.ncbi.jats.vocabulary import JATS
from corpus.ncbi.markup.document import scan
from corpus.ncbi.markup.parse import is_proven, is_well_formed
from tests.conftest import REPOSITORY
from tests.support.malformed import JATS as MALFORMED
from tests.support.malformed import JATS_PROLOG, article
from tests.support.real_articles import articles, plain

CONFORMANCE = REPOSITORY / "tests" / "conformance" / "jats"
ALI = b'<ali:x xmlns:ali="http://www.niso.org/schemas/ali/1.0/">%s</ali:x>'
MML = b'xmlns:mml="http://www.w3.org/1998/Math/MathML"'
# Pieces that an edit puts anywhere: right here, wrong there.
TOKENS = (
    *(b"<", b">", b"</", b"/>", b'"', b"'", b"&", b";", b"=", b":", b" ", b"\n", b"-", b"]]>", b"--", b"\0", b"\r"),
    *(b"\x0b", b"<i>", b"</i>", b"<i/>", b"<p:i/>", b"<:i/>", b"<i:/>", b"<a:b:c/>", b"<1/>", b"<xml:i/>", b"<?x y?>"),
    *(b"<?xml ?>", b"<!--", b"-->", b"<!-- - -->", b"<![CDATA[", b"<![CDATA[&]]>", b"<![XDATA[ ]]>", b"<!DOCTYPE a>"),
    *(b"&#65;", b"&#0;", b"&#xD800;", b"&#xFFFE;", b"&#x110000;", b"&lt;", b"&quot;", b"&nbsp;", b"&#x;", b"&#;"),
    *(b"\xc3\xa9", b"\xe2\x80\x83", b"\xe2\x80", b"\x80", b"\xff", b"\xef\xbf\xbf", b"\xed\xa0\x80"),
    *(b' id="a"', b" id='a' id=\"b\"", b' xlink:id="a"', b' p:id="a"', b' xml:lang="en"', b' xml:space="x"'),
    *(b' xmlns=""', b' xmlns="u"', b' xmlns:p="u"', b' xmlns:p=""', b' xmlns:xml="u"', b" " + MML, b"mml:", b"ali:"),
)  # fmt: skip
DOCUMENTS = (
    article(7, b"<i>x</i>&amp;&#x41;<!-- c --><?pi x?><![CDATA[<]]>" + ALI % b"y"),
    JATS_PROLOG + article(7, b"<mml:math %s><mml:mi mathvariant='bold'>x</mml:mi></mml:math>" % MML) + b"\n",
    b'\xef\xbb\xbf<a b="1"><c/> \xc3\xa9 </a>',
)


def proven(raw: bytes) -> bool:
    markup = scan(raw, JATS)
    return markup is not None and is_proven(raw, markup)


@pytest.mark.parametrize("raw", DOCUMENTS)
def test_what_articles_are_made_of_is_proven(raw: bytes) -> None:
    assert is_well_formed(raw)
    assert proven(raw)


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(DOCUMENTS),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 5), st.sampled_from(TOKENS)), min_size=1, max_size=4),
)
def test_libxml2_accepts_what_is_proven(raw: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    for place, removed, token in edits:
        place %= len(raw) + 1
        raw = raw[:place] + token + raw[place + removed :]
    assert is_well_formed(raw) or not proven(raw)


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("raw", DOCUMENTS)
def test_no_token_at_any_place_is_proven_wrongly(raw: bytes, token: bytes) -> None:
    for place in range(len(raw) + 1):
        edited = raw[:place] + token + raw[place:]
        assert not proven(edited) or is_well_formed(edited), edited


@pytest.mark.parametrize("kind", MALFORMED, ids=lambda kind: kind.name)
def test_damage_is_not_proven(kind: object) -> None:
    raw: bytes = kind.raw  # type: ignore[attr-defined]
    assert not proven(raw) or is_well_formed(raw)


@pytest.mark.parametrize(
    "inside",
    [
        b"<m:i/>",
        b"<ali:y/>" + ALI % b"x",
        ALI % b"x" + b"<ali:y/>",
        b'<i xmlns:p="not a name" p:q="1"/>',
        b'<i xmlns:a="http://purl.org/dc/terms/" xmlns:b="http://purl.org/dc/terms/" a:q="1" b:q="2"/>',
        b"<i>" * 250 + b"</i>" * 250,
        b"<i %s/>" % b" ".join(b'a%d="x"' % number for number in range(40)),
    ],
)
def test_what_needs_a_closer_look_is_left_to_libxml2(inside: bytes) -> None:
    assert not proven(article(7, inside))


def test_nearly_all_conformance_files_are_proven() -> None:
    files = [path.read_bytes() for path in sorted(CONFORMANCE.rglob("*.xml"))]
    accepted = [raw for raw in files if is_well_formed(raw)]
    assert sum(map(proven, accepted)) >= 0.9 * len(accepted) > 100


@pytest.mark.real_data
@pytest.mark.slow
def test_real_articles_are_proven(real_data: Path) -> None:
    raws = [plain(raw) for _, raw in islice(articles(real_data), 400)]
    assert all(map(is_well_formed, raws))
    assert sum(map(proven, raws)) >= 0.99 * len(raws)
