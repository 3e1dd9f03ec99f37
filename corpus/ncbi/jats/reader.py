"""JATS reader: the bytes of one article to its records.

The bytes of a PMC article come in, as they lie: plain XML, gzip bytes or a whole old package, `<article>` alone or
in a document of one or more articles, as eFetch, OAI-PMH and Europe PMC give them. The article's `Record` goes out, and
one for every sub-article (review, response, translation), tied to it by `parent`; or a `Reject` that says why there is
none. Title, abstracts, body, floats and back
matter stay apart, each in document order; reference lists, author metadata and permissions are left out. Where
every character went stands in the record's `accounts` (`corpus.ncbi.jats.accounts`).
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from corpus.ids import normalize_doi
from corpus.ncbi.archives.article_metadata import ArticleMetadata
from corpus.ncbi.archives.article_sets import HEAD, SETS, ArticlePiece, article_pieces, said_instead
from corpus.ncbi.archives.packages import unpack
from corpus.ncbi.jats import back, floats, front, places
from corpus.ncbi.jats.abstracts import read_abstracts
from corpus.ncbi.jats.accounts import UNREAD, Accounts, solid
from corpus.ncbi.jats.rules import Reader
from corpus.ncbi.jats.vocabulary import JATS, NAMESPACES
from corpus.ncbi.markup.document import Markup
from corpus.ncbi.markup.parse import BadXmlError, read_markup
from corpus.ncbi.markup.scan import MOST_DEPTH
from corpus.reasons import RejectReason
from corpus.records import RAW_LIMIT, Kind, Record, Reject, Source, doc_key, pmc_doc_id

ROOTS = SETS | {"article"}

# What became of one article (its record and those of its sub-articles, or one reject), and its XML.
ArticleOutcome = tuple[list[Record | Reject], bytes]
_TOO_DEEP = "elements are nested too deeply to be an article"
_NO_METADATA = ArticleMetadata(pmcid=0)
_OWN_ID = re.compile(rb"pub-id-type\s*=\s*[\"']pmc(?:id)?[\"'][^>]*>\s*(?:PMC)?(\d{1,10})\s*<")
# Parts of a name that touch in the XML and not in print: genus and species, street and town.
_TOUCHING = (b"</named-content><named-content", b"</named-content> <named-content")
_FILE_ID = re.compile(r"PMC(\d{1,10})(?:\.(\d{1,4}))?(?=\.\D|$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Origin:
    """Where the bytes of an article were found: a file, a byte and a place among its articles."""

    file: str = ""
    offset: int = 0
    position: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _WholeArticle:
    """An article and what its sub-articles share with it."""

    doc: Markup
    facts: ArticleMetadata
    pmcid: int
    version: int
    origin: _Origin


def read_parts(
    raw: bytes,
    *,
    file: str,
    offset: int = 0,
    position: int = 0,
    metadata: ArticleMetadata | None = None,
    name: str = "",
) -> list[Record | Reject]:
    """Return the record of one article, then those of its sub-articles; or the one reject that says why there is none.

    Of a document of several articles, return those of all. `file`, `offset` and `position` say where the bytes were
    found; `metadata` is the bucket's JSON, whose ids and flags fill what the XML leaves open; `name` is the article's
    own name when `file` is an archive. Neither speaks for one of several articles.
    """
    outcomes = read_document(raw, file=file, offset=offset, position=position, metadata=metadata, name=name)
    return [item for items, _ in outcomes for item in items]


def read_document(
    raw: bytes, *, file: str, offset: int, position: int, metadata: ArticleMetadata | None, name: str
) -> Iterator[ArticleOutcome]:
    """Yield what became of each article of a document, with its bytes; arguments as of `read_parts`."""
    name = name or file
    for number, piece in enumerate(article_pieces(raw, name), start=position):
        if piece.alone:
            yield _read_one(raw, file=file, offset=offset, position=number, metadata=metadata, name=name), raw
        else:
            yield read_piece(piece, file=file, offset=offset, position=number)


def read_piece(piece: ArticlePiece, *, file: str, offset: int = 0, position: int = 0) -> ArticleOutcome:
    """Return what became of one article of several, with its bytes; `offset` is that of the document."""
    found = _OWN_ID.search(piece.raw, 0, HEAD)
    name, place = f"PMC{found[1].decode()}" if found else "", offset + piece.offset
    if piece.reason is None:
        items = _read_one(piece.raw, file=file, offset=place, position=position, metadata=None, name=name)
    else:
        items = [reject(piece.raw, file=file, offset=place, reason=piece.reason, detail=piece.detail, name=name)]
    return items, piece.raw


def _read_one(
    raw: bytes, *, file: str, offset: int, position: int, metadata: ArticleMetadata | None, name: str
) -> list[Record | Reject]:
    """Return what `read_parts` says of one article."""
    origin = _Origin(file=file, offset=offset, position=position)
    try:
        return list(_records(unpack(raw, name), name, metadata or _NO_METADATA, origin))
    except BadXmlError as error:
        reason, detail = error.reason, error.detail
    except RecursionError:
        reason, detail = RejectReason.BAD_RECORD, _TOO_DEEP
    return [reject(raw, file=file, offset=offset, reason=reason, detail=detail, name=name)]


def read_article(raw: bytes, *, file: str, **others: Any) -> Record | Reject:
    """Return the record of one article without its sub-articles, or why there is none; arguments as of `read_parts`."""
    return read_parts(raw, file=file, **others)[0]


def reject(raw: bytes, *, file: str, offset: int, reason: RejectReason, detail: str, name: str) -> Reject:
    """Return the dead letter of one article, with the id that its name tells."""
    pmcid, version = _file_ids(name)
    return Reject(
        file=file,
        offset=offset,
        doc_id=pmc_doc_id(pmcid, version or 1) if pmcid else "",
        reason=reason,
        detail=detail,
        sha256=hashlib.sha256(raw).hexdigest(),
        raw=raw[:RAW_LIMIT],
    )


def find_article(raw: bytes) -> tuple[Markup, int]:
    """Return a document and its `<article>`.

    Raises BadXmlError when the document is refused, or holds no article or several.
    """
    doc = read_markup(raw.replace(*_TOUCHING), JATS, root=ROOTS, namespaces=NAMESPACES)
    if not doc.proven and doc.depth() > MOST_DEPTH:
        raise BadXmlError(RejectReason.BAD_RECORD, _TOO_DEEP)
    articles = [0] if doc.tag_names[0] == "article" else doc.descendants(0, "article")
    if not articles:
        said = said_instead(raw)
        detail = f"<{doc.root_name()}> holds no <article>" + (f"; it says: {said}" if said else "")
        raise BadXmlError(RejectReason.BAD_ROOT, detail)
    if len(articles) > 1:
        raise BadXmlError(RejectReason.BAD_RECORD, f"{len(articles)} articles in one document, expected one")
    return doc, articles[0]


def _records(raw: bytes, name: str, facts: ArticleMetadata, origin: _Origin) -> Iterator[Record]:
    """Yield the record of an article and those of its sub-articles in document order, wherever they are nested."""
    doc, element = find_article(raw)
    front_matter = doc.find(element, "front")
    meta = doc.find(front_matter, "article-meta") if front_matter >= 0 else -1
    ids = front.read_ids(doc, meta)
    pmcid, version = _identity(ids, facts, name)
    article = _WholeArticle(doc=doc, facts=facts, pmcid=pmcid, version=version, origin=origin)
    record = replace(
        _read(Reader(doc, Accounts(doc.solid(element))), element, meta, article),
        doc_id=pmc_doc_id(pmcid, version),
        pmid=ids.pmid or facts.pmid,
        doi=ids.doi or normalize_doi(facts.doi),
        id_conflict=_id_conflict(ids, facts),
        manuscript=ids.manuscript or facts.is_manuscript,
    )
    yield record
    parts = doc.descendants(element, "sub-article", "response")
    for number, part in enumerate(parts, start=1):
        yield _sub_article(part, number, record, article)


def _sub_article(element: int, number: int, parent: Record, article: _WholeArticle) -> Record:
    """Return the record of a sub-article; what it does not say of itself, its article says."""
    doc = article.doc
    meta = doc.find(element, "front-stub")
    meta = meta if meta >= 0 else doc.find(element, "front", "article-meta")
    record = _read(Reader(doc, Accounts(doc.solid(element))), element, meta, article)
    return replace(
        record,
        doc_id=pmc_doc_id(article.pmcid, article.version, number),
        kind=Kind.SUB_ARTICLE,
        parent=parent.doc_id,
        doi=front.read_ids(doc, meta).doi,
        year=record.year or parent.year,
        journal=record.journal or parent.journal,
        license=record.license or parent.license,
        manuscript=parent.manuscript,
        retracted=parent.retracted,
    )


def _read(reader: Reader, element: int, meta: int, article: _WholeArticle) -> Record:
    """Return the record of an article or sub-article without what depends on which it is: ids and what it inherits."""
    doc = reader.doc
    front.open_accounts(reader, element, meta)
    title, vernacular = front.read_titles(reader, meta)
    abstracts = read_abstracts(reader, element, meta)
    article_type, links = front.read_type(doc, element), front.read_links(reader, meta)
    journal = front.read_journal(reader, doc.find(element, "front", "journal-meta"))
    keywords, year = front.read_keywords(reader, meta), front.read_year(reader, meta)
    reader.accounts.leave(UNREAD)
    _read_body(reader, element)
    back_matter = back.read_back(reader, element)
    return Record(
        doc_id="",
        source=Source.PMC,
        kind=Kind.ARTICLE,
        pmcid=article.pmcid,
        version=article.version,
        title=title,
        vernacular_title=vernacular,
        abstracts=abstracts,
        body=tuple(reader.blocks),
        floats=places.placed(reader, doc.find(element, "body")),
        back=back_matter,
        languages=front.read_languages(doc, element),
        year=year,
        journal=journal,
        keywords=_all_keywords(reader, keywords),
        unknown_elements=tuple(sorted(reader.unknown)),
        links=links,
        article_type=article_type,
        license=front.read_license(doc, meta, article.facts.license_code),
        retracted=article.facts.is_retracted or front.is_retracted(article_type, title, links),
        ocr=reader.ocr or article.facts.is_ocr,
        accounts=reader.accounts.result(),
        file=article.origin.file,
        offset=article.origin.offset,
        position=article.origin.position,
    )


def read_traced(raw: bytes, *, name: str) -> tuple[Reader, int, Record]:
    """Return the reader of an article after its work, the article's element, and the record; for a person to look at.

    The reader's `trace` says which element went to which account. Raises BadXmlError as `find_article`.
    """
    doc, element = find_article(unpack(raw, name))
    meta = doc.find(element, "front", "article-meta")
    reader = Reader(doc, Accounts(doc.solid(element), watched=True))
    article = _WholeArticle(doc=doc, facts=_NO_METADATA, pmcid=0, version=1, origin=_Origin())
    return reader, element, _read(reader, element, meta, article)


def _id_conflict(ids: front.ArticleIds, facts: ArticleMetadata) -> str:
    """Say which ids the metadata gives otherwise than the XML, whose ids count; "" where both agree or one is mute."""
    pairs = (
        ("pmid", ids.pmid, facts.pmid),
        ("pmcid", ids.pmcid, facts.pmcid or None),
        ("version", ids.version, facts.version if facts.pmcid else None),
        ("doi", ids.doi, normalize_doi(facts.doi)),
    )
    return "; ".join(
        f"{name} {own} in the XML, {other} in the metadata"
        for name, own, other in pairs
        if own is not None and other is not None and own != other
    )


def _identity(ids: front.ArticleIds, facts: ArticleMetadata, name: str) -> tuple[int, int]:
    """Return PMC id and version: the XML's own, else the metadata's, else those in the article's name."""
    named, named_version = _file_ids(name)
    pmcid = ids.pmcid or facts.pmcid or named
    if not pmcid:
        raise BadXmlError(RejectReason.NO_ID, "no PMC id in article-meta, metadata or file name")
    version = ids.version or (facts.version if facts.pmcid else None) or named_version or 1
    try:
        doc_key(pmc_doc_id(pmcid, version))
    except ValueError as error:
        raise BadXmlError(RejectReason.NO_ID, f"PMC id out of range: {error}") from error
    return pmcid, version


def _file_ids(file: str) -> tuple[int | None, int | None]:
    found = _FILE_ID.match(file)
    return (int(found[1]), int(found[2]) if found[2] else None) if found else (None, None)


def _all_keywords(reader: Reader, stated: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keywords of the front and those that stand in the text, each once."""
    repeated = sum(solid(word) for word in reader.keywords if word in stated)
    reader.accounts.counts["keywords"] -= repeated
    reader.accounts.counts["index_terms"] += repeated
    return tuple(dict.fromkeys([*stated, *reader.keywords]))


def _read_body(reader: Reader, article: int) -> None:
    body = reader.doc.find(article, "body")
    if body >= 0:
        outer = reader.enter(body, "body")
        reader.in_body = True
        reader.read(body)
        reader.in_body = False
        reader.accounts.leave(outer)
    for name in ("floats-group", "floats-wrap"):
        for group in reader.doc.find_all(article, name):
            outer = reader.enter(group, "floats")
            floats.read_outside(reader, group)
            reader.accounts.leave(outer)
