"""Damage of every sort that files from the net show, as data: what to put where, and the one dead letter it must give.

A `Kind` is a damaged piece. For PubMed it stands between good records of one set; for JATS it is a whole article.
`doc_id` is what a dead letter must name: the id of the piece where a reader can still tell it. Pieces that
open a section which nothing closes come last, because in one file they reach to the end mark of a later piece.
"""

import codecs
import gzip
import io
import tarfile
from dataclasses import dataclass, field

from corpus.reasons import RejectReason

BAD_PMID, BAD_PMCID = 7777, 7777
PUBMED_ID, PMC_ID = f"pmid:{BAD_PMID}", f"pmc:PMC{BAD_PMCID}.1"
BAD_XML, NO_ID, STRAY = RejectReason.BAD_XML, RejectReason.NO_ID, RejectReason.STRAY_BYTES
BAD_ROOT, BAD_RECORD = RejectReason.BAD_ROOT, RejectReason.BAD_RECORD
ENTITY, TOO_LARGE = RejectReason.ENTITY_DECLARATION, RejectReason.TOO_LARGE

PROLOG = b'<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD" "https://x/p.dtd">\n'
SET_OPENING, SET_CLOSING = PROLOG + b"<PubmedArticleSet>\n", b"</PubmedArticleSet>\n"
JATS_PROLOG = b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE article PUBLIC "-//NLM//DTD JATS" "JATS-1-3.dtd">\n'


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One sort of damage: the bytes, the reasons that are right, and the id that the dead letter must name."""

    name: str
    raw: bytes = field(repr=False)
    reasons: tuple[RejectReason, ...] = (BAD_XML,)
    doc_id: str = ""
    file: str = f"PMC{BAD_PMCID}.1.xml"  # the name of a JATS article


def citation(
    pmid: int | bytes, inside: bytes = b"", *, title: bytes = b"Role of <i>TP53</i> in H<sub>2</sub>O"
) -> bytes:
    """Return a PubmedArticle; `inside` is added to its abstract."""
    number = pmid if isinstance(pmid, bytes) else b'<PMID Version="1">%d</PMID>' % pmid
    return (
        b'<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM">%s<Article PubModel="Print"><Journal>'
        b"<JournalIssue><PubDate><Year>1999</Year></PubDate></JournalIssue><Title>A &amp; B</Title></Journal>"
        b'<ArticleTitle>%s.</ArticleTitle><Abstract><AbstractText Label="AIM">To see caf\xc3\xa9s. %s</AbstractText>'
        b"</Abstract><Language>eng</Language></Article></MedlineCitation><PubmedData><ArticleIdList>"
        b'<ArticleId IdType="doi">10.1000/x</ArticleId></ArticleIdList></PubmedData></PubmedArticle>\n'
    ) % (number, title, inside)


def article(pmcid: int | bytes, inside: bytes = b"", *, attributes: bytes = b"") -> bytes:
    """Return an `<article>` without prolog; `inside` is added to its first paragraph."""
    number = pmcid if isinstance(pmcid, bytes) else b'<article-id pub-id-type="pmc">%d</article-id>' % pmcid
    return (
        b'<article xmlns:xlink="http://www.w3.org/1999/xlink" %sarticle-type="research-article"><front><article-meta>%s'
        b"<title-group><article-title>Role of <italic>TP53</italic></article-title></title-group><abstract><p>To see "
        b"caf\xc3\xa9s.</p></abstract></article-meta></front><body><sec><title>Aim</title><p>First paragraph. %s</p>"
        b'<p>Second paragraph<xref ref-type="bibr" rid="r1">1</xref>.</p></sec></body><back><ref-list>'
        b'<ref id="r1"><mixed-citation>A cited paper.</mixed-citation></ref></ref-list></back></article>'
    ) % (attributes, number, inside)


# What damages the text of any XML document, at the place where text stands.
INSIDE = {
    "invalid byte ff": b"a \xff b",
    "invalid bytes fe ff": b"a \xfe\xff b",
    "latin-1 e9": b"caf\xe9 au lait",
    "windows-1252 quotes": b"\x93quoted\x94",
    "lone continuation byte": b"a \x80 b",
    "cut-off sequence": b"a \xe2\x82 b",
    "overlong slash": b"a \xc0\xaf b",
    "overlong three bytes": b"a \xe0\x80\xaf b",
    "surrogate": b"a \xed\xa0\x80 b",
    "above U+10FFFF": b"a \xf4\x90\x80\x80 b",
    "five-byte sequence": b"a \xf8\x88\x80\x80\x80 b",
    "non-character ffff": b"a \xef\xbf\xbf b",
    "NUL": b"a \x00 b",
    "control character raw": b"a \x0b b",
    "control character escape": b"a \x1b[0m b",
    "control character referenced": b"a &#1; b",
    "NUL referenced": b"a &#0; b",
    "surrogate referenced": b"a &#xD800; b",
    "reference above U+10FFFF": b"a &#x110000; b",
    "reference without semicolon": b"a &#65 b",
    "reference without digits": b"a &#; b",
    "reference to hex without x": b"a &#4A; b",
    "bare ampersand": b"A & B",
    "ampersand and name": b"AT&T",
    "entity without semicolon": b"a &lt b",
    "undefined entity": b"TNF-&alpha; level",
    "HTML entity": b"a&nbsp;b",
    "bare less-than": b"p < 0.05",
    "less-than and digit": b"p<0.05",
    "]]> in text": b"a ]]> b",
    "-- in comment": b"a <!-- b -- c --> d",
    "comment ends in --->": b"a <!-- b ---> d",
    "mismatched tags": b"<i>a</b>",
    "crossed tags": b"<i>a<b>b</i>c</b>",
    "tag never closed": b"<i>a",
    "tag never opened": b"a</i>",
    "tag cut off": b"a <i b",
    "case of the closing tag": b"<i>a</I>",
    "duplicated attribute": b'<i x="1" x="2">a</i>',
    "attribute without quotes": b"<i x=1>a</i>",
    "attribute without value": b"<i x>a</i>",
    "attribute quotes open": b'<i x="1>a</i>',
    "less-than in attribute": b'<i x="a<b">a</i>',
    "no space between attributes": b'<i x="1"y="2">a</i>',
    "undefined entity in attribute": b'<i x="&alpha;">a</i>',
    "control character in attribute": b'<i x="\x0b">a</i>',
    "attribute in closing tag": b"<i>a</i x='1'>",
    "name begins with a digit": b"<1i>a</1i>",
    "empty name": b"< i>a</ i>",
    "unbound prefix": b"<zz:math>x</zz:math>",
    "unbound prefix of attribute": b'<i zz:x="1">a</i>',
    "two colons": b"<a:b:c>x</a:b:c>",
    "XML declaration inside": b'<?xml version="1.0" encoding="utf-8"?>a',
    "instruction without name": b"a <? ?> b",
    "declaration inside": b'a <!ELEMENT i (b)> b',
    "conditional section": b"a <![INCLUDE[ b ]]> c",
    "lower-case CDATA": b"a <![cdata[ b ]]> c",
    "name too long": b"<%s/>" % (b"n" * 11_000_000),
    "nesting too deep": b"<i>" * 3000 + b"x" + b"</i>" * 3000,
    "unclosed CDATA": b"a <![CDATA[ b",
    "unclosed comment": b"a <!-- b",
    "unclosed instruction": b"a <?pi b",
}  # fmt: skip


def _packed(*articles: bytes) -> bytes:
    """Return a package as PMC's old service made them: a gzipped tar under an .xml name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number, raw in enumerate(articles):
            member = tarfile.TarInfo(f"{number}.nxml")
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _pmid(text: bytes) -> bytes:
    return b'<PMID Version="1">%s</PMID>' % text


def _no_pmid(name: str, text: bytes) -> Kind:
    return Kind(name=name, raw=citation(text), reasons=(NO_ID,))


_WHOLE = citation(BAD_PMID)
_HTML = b"<!DOCTYPE html>\n<html><head><title>503</title></head><body>Service unavailable</body></html>\n"
_ENTITY = b'<!DOCTYPE i [<!ENTITY x "y">]>'


def _piece(name: str, raw: bytes, *reasons: RejectReason) -> Kind:
    return Kind(name=name, raw=raw, reasons=reasons or (BAD_XML,))


def _marked(name: str, raw: bytes, *reasons: RejectReason) -> Kind:
    """Return a piece whose PMID can be read all the same."""
    return Kind(name=name, raw=raw, reasons=reasons or (BAD_XML,), doc_id=PUBMED_ID)


PUBMED = (
    _marked("cut in the text", _WHOLE[: _WHOLE.index(b"caf") + 2]),
    _marked("cut in a tag", _WHOLE[: _WHOLE.index(b"Language>")]),
    _marked("cut in a character", _WHOLE[: _WHOLE.index(b"\xa9")]),
    _marked("closing tag missing", _WHOLE.replace(b"</PubmedArticle>", b"")),
    _marked("closing tag misspelled", _WHOLE.replace(b"</PubmedArticle>", b"</PubmedArtcle>")),
    _marked("closed as a book", _WHOLE.replace(b"</Pubmed", b"</PubmedBook")),
    _marked("entity declared in a record", citation(BAD_PMID, _ENTITY), BAD_XML, ENTITY),
    _piece("text between records", b"503 Service Temporarily Unavailable\n", STRAY),
    _piece("html page between records", _HTML, STRAY),
    _piece("binary between records", bytes(range(1, 32)) + b"\x00\xff\xfe", STRAY),
    _piece("NULs between records", b"\0" * 512 + b"\n", STRAY),
    _piece("gzip bytes between records", gzip.compress(b"text" * 9, mtime=0), STRAY),
    _piece("byte order mark between records", codecs.BOM_UTF8 + b"\n", STRAY),
    _piece("a record in UTF-16", _WHOLE.decode().encode("utf-16"), STRAY),
    _piece("an unknown element", b"<Article><PMID>7777</PMID></Article>\n", STRAY),
    _marked("a record in lower case", _WHOLE.replace(b"PubmedArticle>", b"pubmedarticle>"), STRAY, BAD_XML),
    _marked("a record with a prefix", _WHOLE.replace(b"PubmedArticle>", b"n:PubmedArticle>"), STRAY, BAD_XML),
    _piece("a closing tag too many", b"</MedlineCitation>\n", STRAY),
    _piece("a document type between records", b"<!DOCTYPE PubmedArticleSet>\n", STRAY),
    _piece("CDATA between records", b"<![CDATA[ lost ]]>\n", STRAY),
    _piece("a bare reference between records", b"&#32;\n", STRAY),
    _piece("a comment with -- between records", b"<!-- a -- b -->\n", STRAY),
    _no_pmid("PMID missing", b""),
    _no_pmid("PMID empty", b'<PMID Version="1"/>'),
    _no_pmid("PMID in words", _pmid(b"seven")),
    _no_pmid("PMID negative", _pmid(b"-7777")),
    _no_pmid("PMID with a fraction", _pmid(b"7777.0")),
    _no_pmid("PMID in other digits", _pmid("٧٧٧٧".encode())),
    _no_pmid("PMID too large", _pmid(b"9" * 30)),
    _no_pmid("PMID of a megabyte", _pmid(b"9" * 1_000_000)),
    _no_pmid("PMID in another case", _pmid(b"7777").replace(b"PMID", b"pmid")),
    _piece("an empty record", b"<PubmedArticle></PubmedArticle>\n", NO_ID),
    _piece("an empty record, short", b"<PubmedArticle/>\n", NO_ID),
    _piece("MedlineCitation missing", b"<PubmedArticle><PMID>7777</PMID></PubmedArticle>\n", NO_ID),
    _piece("BookDocument missing", b"<PubmedBookArticle><PubmedBookData/></PubmedBookArticle>\n", NO_ID),
    _piece("DeleteCitation of a word", b"<DeleteCitation><PMID>x</PMID></DeleteCitation>\n", NO_ID),
    _piece("DeleteCitation not closed", b"<DeleteCitation><PMID>7777</PMID>\n"),
    _piece("DeleteCitation not well-formed", b"<DeleteCitation><PMID>7777</DeleteCitation>\n"),
    _marked("a record beyond the cap", citation(BAD_PMID, b"x" * 50_000_000), TOO_LARGE),
    *(_marked(name, citation(BAD_PMID, inside)) for name, inside in INSIDE.items()),
    _piece("an open comment between records", b"<!-- no end\n", STRAY),
)  # fmt: skip


def _jats(name: str, raw: bytes, *reasons: RejectReason) -> Kind:
    return Kind(name=name, raw=raw, reasons=reasons or (BAD_XML,), doc_id=PMC_ID)


_ARTICLE = article(BAD_PMCID)
_ZIPPED = gzip.compress(JATS_PROLOG + _ARTICLE, mtime=0)
_WORD = b'<article-id pub-id-type="pmc">PMCx</article-id>'
_DECLARED = b'<!DOCTYPE article [<!ENTITY x "y">]>'

JATS = (
    _jats("no byte", b""),
    _jats("white space only", b" \n\n"),
    _jats("no XML", b"Not found\n"),
    _jats("html error page", _HTML, BAD_ROOT),
    _jats("another root", b"<book><article-id>1</article-id></book>", BAD_ROOT),
    _jats("a PubMed set", SET_OPENING + citation(1) + SET_CLOSING, BAD_ROOT),
    _jats("eFetch's error", b'<pmc-articleset><Reply Id="7777" error="not available"/></pmc-articleset>', BAD_ROOT),
    _jats("two documents", JATS_PROLOG + _ARTICLE + JATS_PROLOG + _ARTICLE),
    _jats("two roots", _ARTICLE * 2),
    _jats("cut in the body", JATS_PROLOG + _ARTICLE[: _ARTICLE.index(b"Second")]),
    _jats("last byte missing", JATS_PROLOG + _ARTICLE[:-1]),
    _jats("text behind the article", _ARTICLE + b"more"),
    _jats("NULs behind the article", _ARTICLE + b"\0" * 100),
    _jats("text before the article", b"more" + _ARTICLE),
    _jats("a line before the declaration", b"\n" + JATS_PROLOG + _ARTICLE),
    _jats("byte order mark in the middle", JATS_PROLOG + codecs.BOM_UTF8 + _ARTICLE),
    _jats("byte order mark twice", codecs.BOM_UTF8 * 2 + _ARTICLE),
    _jats("half in UTF-16", JATS_PROLOG + _ARTICLE.decode().encode("utf-16")),
    _jats("UTF-16 in name only", b'<?xml version="1.0" encoding="utf-16"?>' + _ARTICLE),
    _jats("an encoding nobody knows", b'<?xml version="1.0" encoding="x-klingon"?>' + _ARTICLE),
    _jats("version 7 of XML", b"<?xml version='seven'?>" + _ARTICLE),
    _jats("entity declared", _DECLARED + _ARTICLE, ENTITY),
    _jats("entity declared and used", _DECLARED + article(BAD_PMCID, b"&x;"), ENTITY),
    _jats("parameter entity declared", b'<!DOCTYPE article [<!ENTITY % p "q">]>' + _ARTICLE, ENTITY),
    _jats("document type not closed", b"<!DOCTYPE article " + _ARTICLE),
    Kind(name="PMC id too large", raw=article(9 * 10**20), reasons=(NO_ID,), file="main.nxml"),
    Kind(name="no PMC id", raw=article(b""), reasons=(NO_ID,), file="main.nxml"),
    Kind(name="PMC id in words", raw=article(_WORD), reasons=(NO_ID,), file="main.nxml"),
    _jats("gzip cut off", _ZIPPED[:-9], BAD_RECORD),
    _jats("gzip with a flipped bit", _ZIPPED[:-6] + bytes([_ZIPPED[-6] ^ 1]) + _ZIPPED[-5:], BAD_RECORD),
    _jats("gzip and garbage", _ZIPPED + b"more", BAD_RECORD),
    _jats("gzip of nothing", gzip.compress(b"", mtime=0)),
    _jats("a package of two articles", _packed(_ARTICLE, _ARTICLE), BAD_RECORD),
    _jats("a package of none", _packed(), BAD_RECORD, BAD_XML),
    *(_jats(name, JATS_PROLOG + article(BAD_PMCID, inside)) for name, inside in INSIDE.items()),
)  # fmt: skip

# A PubMed set that is damaged as a whole gives no record and no dead letter but an error that names the file.
_SET = SET_OPENING + citation(1) + citation(2) + SET_CLOSING
WHOLE_SETS = {
    "empty": b"",
    "html error page": _HTML,
    "another root": b"<article/>",
    "cut off": _SET[:-9],
    "cut off in a record": _SET[: _SET.rindex(b"Year")],
    "text behind the set": _SET + b"more",
    "a second set begins": _SET + SET_OPENING,
    "UTF-16": _SET.decode().encode("utf-16"),
    "UTF-16 without a mark": _SET.decode().encode("utf-16-le"),
    "latin-1 declared": _SET.replace(b"utf-8", b"iso-8859-1"),
    "entity declared": _SET.replace(b' PUBLIC "-//NLM//DTD" "https://x/p.dtd"', b' [<!ENTITY x "y">]'),
    "parameter entity declared": _SET.replace(b'"https://x/p.dtd"', b'"x" [<!ENTITY % p SYSTEM "x"> %p;]'),
    "byte order mark twice": codecs.BOM_UTF8 * 2 + _SET,
    "root commented out": _SET.replace(b"<PubmedArticleSet>", b"<!-- <PubmedArticleSet>", 1),
    "prolog too long": b"<!--" + b"x" * 100_000 + b"-->" + _SET,
}  # fmt: skip
