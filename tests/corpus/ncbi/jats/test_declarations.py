"""What the JATS DTD declares for its documents: prefixes by default, pictures as unparsed entities."""

import pytest

from corpus.reasons import RejectReason
from tests.support.jats_samples import jats, read, read_reject

FORMULA = "<inline-formula><mml:math><mml:mi>x</mml:mi></mml:math></inline-formula>"
BARE = jats(body=f'<p>a <graphic xlink:href="fig1.tif"/>b {FORMULA}</p>')
BARE = BARE.replace(b' xmlns:xlink="http://www.w3.org/1999/xlink"', b"")
BARE = BARE.replace(b' xmlns:mml="http://www.w3.org/1998/Math/MathML"', b"")
DOCTYPE = '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS//EN" "x.dtd" [<!NOTATION tif SYSTEM "tif">{}]>'
PICTURE = '<!ENTITY fig1 SYSTEM "fig1.tif" NDATA tif>'


@pytest.mark.parametrize(
    "raw",
    [
        BARE,
        b"<!-- <article> -->\n" + BARE,
        b'<?xml version="1.0"?>\n' + DOCTYPE.format(PICTURE).encode() + BARE,
        BARE.replace(b"<graphic ", b'<graphic xmlns:xlink="http://www.w3.org/1999/xlink" '),
        b"<?xml version='1.0' encoding='ISO-8859-1'?>" + BARE,
        b"\xef\xbb\xbf" + BARE,
    ],
)
def test_an_article_need_not_declare_what_its_dtd_does(raw: bytes) -> None:
    assert b"xmlns:mml" not in raw
    assert [block.text for block in read(raw).body] == ["a b x"]


def test_other_prefixes_and_entities_of_text_are_refused() -> None:
    assert read_reject(BARE.replace(b"xlink:", b"zz:")).reason is RejectReason.BAD_XML
    for entity in ('<!ENTITY x "y">', '<!ENTITY x SYSTEM "file:///etc/hostname">', '<!ENTITY % x SYSTEM "x">'):
        raw = DOCTYPE.format(PICTURE + entity).encode() + BARE
        assert read_reject(raw).reason is RejectReason.ENTITY_DECLARATION
