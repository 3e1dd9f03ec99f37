"""Documents of several articles, cut into articles: eFetch's sets, pages of OAI-PMH, Europe PMC's bundles.

Decompressed blocks of such a document come in; the bytes of one article after the other (`ArticlePiece`), and what is
wrong with the document between them, go out in file order. Articles are cut on their tags, those in comments and CDATA
sections apart, so that a damaged one costs itself; whether a piece is well-formed is its reader's to say. Memory holds
one article and one block.
"""

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from corpus.errors import CorruptError
from corpus.ncbi.archives import gzip_stream
from corpus.ncbi.archives.kinds import PROLOG
from corpus.ncbi.archives.packages import unpack
from corpus.ncbi.markup.parse import BYTE_CAP, BadXmlError
from corpus.reasons import RejectReason

# Roots around articles: eFetch, OAI-PMH whole or a part of it, Europe PMC, and the obvious names for a collection.
SETS = frozenset(
    {
        *("pmc-articleset", "articleset", "article-set", "articles", "collection", "set", "records"),
        *("OAI-PMH", "ListRecords", "GetRecord", "record", "metadata"),
    }
)
_WITH_TEXT = SETS - {"pmc-articleset", "articleset", "article-set", "articles", "collection", "set"}  # in headers
HEAD = 1 << 16  # bytes of a document that hold its prolog and root
_SECTION = rb"<!--(?:(?!--).)*-->|<!\[CDATA\[(?:(?!<!\[CDATA\[).)*?\]\]>|<\?.*?\?>"
_ROOT = re.compile(rb"(?:\xef\xbb\xbf)?((?:" + PROLOG + rb")*+)<(?:[\w.-]+:)?([\w.-]+)(?=[\s/>])", re.DOTALL)
_TAG = re.compile(_SECTION + rb"|<(/?)((?:[\w.-]+:)?)article(?=[\s/>])", re.DOTALL)
_MENTION = re.compile(rb"article(?<=[<:]article)(?=[\s/>])")  # in all start tags, and found faster than them
_ENCODING = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)")
_MARKUP = re.compile(_SECTION + rb"|<[^>]*>", re.DOTALL)
_NAMESPACE = re.compile(rb"\sxmlns:([\w.-]+)\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_RECORD = re.compile(rb"<((?:[\w.-]+:)?)record[\s>](?:(?!</\1record).)*</\1record\s*>", re.DOTALL)
_DELETED = re.compile(rb"<(?:[\w.-]+:)?header\s[^>]*\bstatus\s*=\s*[\"']deleted")
_IDENTIFIER = re.compile(rb"identifier\s*>\s*([^<]{1,200})")
_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LONGEST_TAG = 1000  # bytes, of an end tag with its prefix and white space
# What a server says instead of articles: OAI-PMH, eFetch.
_ERROR = re.compile(rb"<(?:[\w.-]+:)?(?:error|ERROR|Reply)\b[^>]*(?:/>|>[^<]*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArticlePiece:
    """The bytes of one article of a document, or what stands in the place of one: `reason` and `detail` say why."""

    offset: int  # in the decompressed document [bytes]
    raw: bytes
    reason: RejectReason | None = None
    detail: str = ""
    alone: bool = False  # the whole file, as it lies


def is_set(head: bytes) -> bool:
    """Say whether a document that begins so may hold several articles."""
    found = _ROOT.match(_utf8(head[:HEAD]) if head.startswith(_BOMS) else head)
    return found is not None and found[2].decode() in SETS


def article_pieces(raw: bytes, name: str) -> Iterator[ArticlePiece]:
    """Yield the articles of a file's bytes, be they packed or not; `name` is for messages.

    A document of one article, or of none, is one piece as it lies, and so is whatever cannot be unpacked.
    """
    try:
        plain = unpack(raw, name)
        several = is_set(plain) and _holds_several(plain)
    except BadXmlError as error:
        plain, several = b"", error.reason is RejectReason.TOO_LARGE and is_set(_head(raw))
    if not several:
        yield ArticlePiece(offset=0, raw=raw, alone=True)
    elif plain:
        yield from split_articles([plain])
    else:
        yield from split_articles(gzip_stream.chunks(io.BytesIO(raw), name=name))


def _head(raw: bytes) -> bytes:
    return next(gzip_stream.chunks(io.BytesIO(raw)), b"")


def _holds_several(raw: bytes) -> bool:
    """Say whether a document begins several articles, those in comments and CDATA sections and empty ones apart."""
    text = _utf8(raw)
    if len(_MENTION.findall(text)) < 2:  # as most sets of one article: the whole need not be read by tags
        return False
    starts = [found.end() for found in _TAG.finditer(text) if found[1] == b""]
    return sum(text[text.find(b">", start) - 1 : text.find(b">", start)] != b"/" for start in starts) > 1


def said_instead(raw: bytes) -> str:
    """Return what a server says in a document instead of articles, "" for nothing."""
    said = [" ".join(found[0].decode("utf-8", "replace").split()) for found in _ERROR.finditer(raw)]
    deleted = len(_DELETED.findall(raw))
    return "; ".join([*said[:3], *([f"{deleted} deleted records"] if deleted else [])])[:300]


def split_articles(blocks: Iterable[bytes]) -> Iterator[ArticlePiece]:
    """Yield the articles of a document that `is_set`, and a piece with a reason for each thing wrong between them.

    blocks: the decompressed document; where they end in a CorruptError, so do the pieces, with the damage as the last.
    """
    source = None
    try:
        source = _SetInMemory(blocks)
        yield from _split(source)
    except CorruptError as error:
        offset = source.base if source else 0
        yield ArticlePiece(offset=offset, raw=b"", reason=RejectReason.BAD_RECORD, detail=str(error))


def _split(source: "_SetInMemory") -> Iterator[ArticlePiece]:
    root = _ROOT.match(source.data)
    assert root is not None, "a set"
    source.closing = re.compile(rb"</(?:[\w.-]+:)?" + re.escape(root[2]) + rb"\s*>")
    if b"<!ENTITY" in root[1]:
        detail = "the document declares entities of its own"
        yield ArticlePiece(offset=0, raw=source.data, reason=RejectReason.ENTITY_DECLARATION, detail=detail)
        return
    namespaces: dict[bytes, bytes] = {}
    tail, count = b"", 0
    while True:
        offset, gap = source.take_gap()
        tail = (tail + gap)[-HEAD:]
        yield from _wrong_between(gap, offset, has_text=root[2].decode() in _WITH_TEXT)
        namespaces |= {found[1]: found[0] for found in _NAMESPACE.finditer(gap)}
        if not source.data:
            break
        offset, raw, whole = source.take_article()
        yield _piece(raw, offset, namespaces) if whole else _too_large(raw, offset)
        count += 1
    if not count:
        detail = f"<{root[2].decode()}> holds no <article>"
        yield ArticlePiece(offset=0, raw=tail, reason=RejectReason.BAD_ROOT, detail=detail)
    if not source.closing.search(tail):
        detail = f"<{root[2].decode()}> is never closed: the document was cut off; download it again"
        yield ArticlePiece(offset=source.base, raw=tail, reason=RejectReason.BAD_XML, detail=detail)


def _piece(raw: bytes, offset: int, namespaces: dict[bytes, bytes]) -> ArticlePiece:
    """Return an article with the prefixes that are declared around it, where it needs them."""
    end = raw.find(b">")
    own = {found[1] for found in _NAMESPACE.finditer(raw, 0, end)}
    needed = [text for prefix, text in namespaces.items() if prefix not in own and prefix + b":" in raw]
    name = re.compile(rb"<[\w.:-]+").match(raw)
    if needed and name:
        raw = raw[: name.end()] + b"".join(needed) + raw[name.end() :]
    return ArticlePiece(offset=offset, raw=raw)


def _too_large(head: bytes, offset: int) -> ArticlePiece:
    detail = f"more than {BYTE_CAP} bytes, the limit"
    return ArticlePiece(offset=offset, raw=head, reason=RejectReason.TOO_LARGE, detail=detail)


def _wrong_between(gap: bytes, offset: int, *, has_text: bool) -> Iterator[ArticlePiece]:
    """Yield what a person must know of the bytes between two articles."""
    for found in _RECORD.finditer(gap):
        if not _DELETED.search(found[0]):
            name = _IDENTIFIER.search(found[0])
            detail = (
                f"a record without <article>: {name[1].decode('utf-8', 'replace') if name else 'without identifier'}"
            )
            reason = RejectReason.BAD_RECORD
            yield ArticlePiece(offset=offset + found.start(), raw=found[0], reason=reason, detail=detail)
    for found in _ERROR.finditer(gap):
        detail = f"the server says: {' '.join(found[0].decode('utf-8', 'replace').split())[:300]}"
        yield ArticlePiece(offset=offset + found.start(), raw=found[0], reason=RejectReason.BAD_RECORD, detail=detail)
    if not has_text and not _ERROR.search(gap) and _MARKUP.sub(b"", gap).strip(b" \t\r\n\xef\xbb\xbf"):
        detail = "text between two articles, where none belongs"
        yield ArticlePiece(offset=offset, raw=gap, reason=RejectReason.STRAY_BYTES, detail=detail)


class _SetInMemory:
    """The part of a document in memory: `data` is not yet taken, `base` is the offset of its first byte."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = _in_utf8(iter(blocks))
        self.data, self.base = b"", 0
        self.closing = re.compile(rb"$^")  # the end tag of the set, when it is known
        while len(self.data) < HEAD and self._grow():
            pass

    def _grow(self) -> bool:
        """At least double what is in memory, so that looking at it again costs no more than once; False at the end."""
        parts, size = [self.data], len(self.data)
        for block in self._blocks:
            parts.append(block)
            size += len(block)
            if size >= 2 * len(self.data):
                break
        self.data = b"".join(parts)
        return len(parts) > 1

    def _take(self, size: int) -> tuple[int, bytes]:
        offset, taken = self.base, self.data[:size]
        self.data, self.base = self.data[size:], self.base + size
        return offset, taken

    def take_gap(self) -> tuple[int, bytes]:
        """Return what stands before the next article, all that is left when there is none."""
        while True:
            found = next((tag for tag in _TAG.finditer(self.data) if tag[1] == b""), None)
            if found is not None or not self._grow():
                return self._take(found.start() if found is not None else len(self.data))

    def take_article(self) -> tuple[int, bytes, bool]:
        """Return the article that begins here: to its end tag, else to where the next one begins or the set ends.

        And whether that is all of it: of one above BYTE_CAP the beginning is returned, and all is passed.
        """
        while True:
            end = self._end_of_article(1)
            if end or len(self.data) > BYTE_CAP:
                break
            if not self._grow():
                closing = self.closing.search(self.data)
                end = closing.start() if closing else len(self.data)
                break
        if end and end <= BYTE_CAP:
            return *self._take(end), True
        offset, head = self.base, self.data[:HEAD]
        while not (end := self._end_of_article(0)):
            self._take(max(1, len(self.data) - _LONGEST_TAG))
            if not self._grow():
                end = len(self.data)
                break
        self._take(end)
        return offset, head, False

    def _end_of_article(self, start: int) -> int:
        """Return where the article ends that is in memory from `start` on, 0 when that is not known yet."""
        found = next((tag for tag in _TAG.finditer(self.data, start) if tag[1] is not None), None)
        if found is None:
            return 0
        return self.data.find(b">", found.end()) + 1 if found[1] else found.start()


def _utf8(raw: bytes) -> bytes:
    """Return bytes in another encoding, as far as they can be read, in UTF-8."""
    encoding = _encoding(raw)
    return raw.decode(encoding, "ignore").encode() if encoding else raw


def _in_utf8(blocks: Iterator[bytes]) -> Iterator[bytes]:
    first = next(blocks, b"")
    encoding = _encoding(first)
    decoder = codecs.getincrementaldecoder(encoding)("replace") if encoding else None
    for block in chain([first], blocks):
        yield block if decoder is None else decoder.decode(block).encode()


def _encoding(head: bytes) -> str:
    """Return the encoding of a document, "" for UTF-8 and for one that is not known."""
    if head.startswith(_BOMS):
        return "utf-16"
    stated = _ENCODING.match(head[3:] if head.startswith(codecs.BOM_UTF8) else head)
    try:
        name = codecs.lookup(stated[1].decode()).name if stated else "utf-8"
    except LookupError:
        return ""
    return "" if name in ("utf-8", "ascii") else name
