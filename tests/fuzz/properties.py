"""What must hold for any bytes: `check_pubmed` and `check_jats` take one input and raise AssertionError if it does not.

The oracle is expat, which shares no code with libxml2 or with our scan: what the readers accept must be well-formed to
it, and what is well-formed to it must not be refused as bad XML. A PubMed input stands between two good
records, which must come out unharmed, whatever it holds.
"""

import hashlib
import itertools
import os
import re
import tempfile
import xml.etree.ElementTree as ET
from functools import cache

from corpus.ncbi.archives.article_sets import article_pieces
from corpus.ncbi.jats.reader import read_parts
from corpus.ncbi.jats.vocabulary import JATS
from corpus.ncbi.markup.document import scan
from corpus.ncbi.markup.parse import is_proven, is_well_formed
from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.reasons import RejectReason
from corpus.records import RAW_LIMIT, Record, Reject
from corpus.storage.schema import from_batch, to_table
from tests.support.malformed import SET_CLOSING, SET_OPENING, citation

BEFORE, AFTER = citation(111, b"Before."), citation(222, b"After.")
RECORDS = ("PubmedArticle", "PubmedBookArticle", "DeleteCitation")
NAME = "PMC7.1.xml"

_SET_TAG = re.compile(rb"</Pubmed(?:Book)?ArticleSet\s*>")
_PLAIN = re.compile(r"[A-Za-z0-9 ,.;:()%=+/-]*")
# Where expat and libxml2 may differ: names beyond ASCII (editions of XML), encodings, declarations, odd name spaces.
_DISPUTED = re.compile(
    rb"<!DOCTYPE|<!ENTITY|<\?|<[^<>]*[\x80-\xff]|\A\xef\xbb\xbf|\A\xfe|\A\xff|xmlns:\S*?=\s*(?:\"\"|'')|xmlns:xml|"
    rb"www\.w3\.org/(?:XML/1998|2000/xmlns)"
)
_PREFIXED = re.compile(rb"<[^<>]*(?:xmlns|:)")  # libxml2 looks at what a name space is called, expat does not


def check_pubmed(data: bytes) -> None:
    """Read `data` between two good records."""
    content = SET_OPENING + BEFORE + data + AFTER + SET_CLOSING
    items = _read(content)
    start, stop = len(SET_OPENING) + len(BEFORE), len(SET_OPENING) + len(BEFORE) + len(data)
    first, last = _good_ones()
    _same(items[0], first, offset=len(SET_OPENING))
    _same(items[-1], last, offset=stop)
    inner = items[1:-1]
    offsets = [item.offset for item in inner]
    assert offsets == sorted(offsets)
    assert all(start <= offset < stop for offset in offsets)
    starts = sorted(set(offsets))
    ends = dict(itertools.pairwise([*starts, stop]))
    for item in inner:
        if isinstance(item, Reject):
            _check_letter(item, content)
        else:
            _check_record(item, content[item.offset : ends[item.offset]])
    _check_no_loss(data, inner)
    if len(data) % 8 == 0:
        _check_table(inner)


def check_jats(data: bytes) -> None:
    """Read `data` as one article, or as a document of several."""
    pieces = list(article_pieces(data, NAME))
    if any(piece.alone for piece in pieces):
        _check_article(data)
        return
    items = read_parts(data, file=NAME)
    assert len(items) >= len(pieces) > 0
    for piece in pieces:
        if piece.reason is None:
            _check_article(piece.raw)
        else:
            assert piece.detail.strip()


def _check_article(data: bytes) -> None:
    markup = scan(data, JATS)
    if markup is not None and is_proven(data, markup):
        assert is_well_formed(data), "proven, and refused by libxml2"
    items = read_parts(data, file=NAME)
    assert items
    if isinstance(items[0], Reject):
        (letter,) = items
        assert (letter.offset, letter.file, letter.raw) == (0, NAME, data[:RAW_LIMIT])
        assert letter.sha256 == hashlib.sha256(data).hexdigest()
        assert letter.detail.strip()
        if letter.reason in (RejectReason.BAD_XML, RejectReason.BAD_ROOT) and not (
            _DISPUTED.search(data) or _PREFIXED.search(data)
        ):
            tree = _tree(data)
            assert tree is None or tree.tag != "article" or _depth(tree) > 200, "a well-formed article is refused"
        return
    assert all(isinstance(item, Record) for item in items)
    if not data.startswith(b"\x1f\x8b") and not _DISPUTED.search(data):
        tree = _tree(data)
        assert tree is not None, "an article that is not well-formed is accepted"
        _check_accounts(items[0], tree)
    if len(data) % 8 == 0:
        _check_table(items)


def _read(content: bytes) -> list[Record | Reject]:
    path = _path()
    with open(path, "wb") as file:
        file.write(content)
    return list(read_pubmed(path))


@cache
def _path() -> str:
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
    return os.path.join(tempfile.mkdtemp(dir=folder), "f.xml")


@cache
def _good_ones() -> tuple[Record, Record]:
    first, last = _read(SET_OPENING + BEFORE + AFTER + SET_CLOSING)
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    return first, last


def _same(found: Record | Reject, expected: Record, *, offset: int) -> None:
    """Assert that a good record came out as it does alone, but for its place."""
    assert isinstance(found, Record), "a good record beside the damage is lost"
    assert found.offset == offset
    for name in Record.__slots__:
        if name not in ("offset", "position"):
            assert getattr(found, name) == getattr(expected, name), name


def _check_letter(letter: Reject, content: bytes) -> None:
    assert letter.raw
    assert content.startswith(letter.raw, letter.offset)
    assert len(letter.raw) <= RAW_LIMIT
    assert letter.detail.strip()
    assert re.fullmatch(r"(pmid:\d{1,15})?", letter.doc_id)
    assert RejectReason(letter.reason)


def _check_record(record: Record, source: bytes) -> None:
    """Assert that an accepted record is well-formed to expat and that a plain title is what stands there."""
    source = _SET_TAG.sub(b"", source)
    if _DISPUTED.search(source):
        return
    tree = _tree(source)
    assert tree is not None, "a record that is not well-formed is accepted"
    assert tree.tag in RECORDS
    titles = tree.findall("MedlineCitation/Article/ArticleTitle")
    inline = {element.tag for title in titles for element in title.iter()} <= {"ArticleTitle", "i", "b", "u"}
    if tree.tag == "PubmedArticle" and len(titles) == 1 and inline:
        text = " ".join("".join(titles[0].itertext()).split())
        assert record.title == text or not _PLAIN.fullmatch(text), "a title that does not stand there"


def _check_no_loss(data: bytes, items: list[Record | Reject]) -> None:
    """Assert that a well-formed record with a PMID is not refused."""
    if _DISPUTED.search(data) or _PREFIXED.search(data) or not any(isinstance(item, Reject) for item in items):
        return
    tree = _tree(data)
    nested = data.count(b"<PubmedArticle") != 1 or data.count(b"</PubmedArticle") != 1
    if tree is None or tree.tag != "PubmedArticle" or _depth(tree) > 200 or nested:
        return
    own = tree.findall("MedlineCitation/PMID")
    stated = len(own) == 1 and not len(own[0]) and re.fullmatch(r"\d{1,15}", own[0].text or "", re.ASCII)
    assert not stated, "a well-formed record is refused"


def _check_accounts(record: Record | Reject, tree: ET.Element) -> None:
    """Assert that every character of the article has an account, as far as accounts are kept."""
    assert isinstance(record, Record)
    if record.accounts and tree.tag == "article":  # what wraps an article is not its text
        total = sum(not character.isspace() for text in tree.itertext() for character in text)
        assert sum(account.characters for account in record.accounts) == total, "characters without an account"


def _check_table(items: list[Record | Reject]) -> None:
    """Assert that records survive Parquet's types."""
    for row in (Record, Reject):
        rows = [item for item in items if isinstance(item, row)]
        assert from_batch(to_table(rows, row), row) == rows


def _tree(data: bytes) -> ET.Element | None:
    try:
        return ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError):
        return None


def _depth(tree: ET.Element) -> int:
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [child for element in level for child in element]
    return depth
