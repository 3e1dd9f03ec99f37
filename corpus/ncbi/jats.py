"""One JATS article to one record.

The bytes of a PMC article come in, as they lie: plain XML, gzip bytes or a whole old package (a gzipped tar with
one .nxml) under an .xml name, `<article>` alone or wrapped by eFetch or OAI-PMH. A `Record` goes out, or a `Reject`
that says why there is none. Title, abstracts, body, floats and back matter stay apart, each in document order;
reference lists, author metadata and permissions are left out, and sub-articles (reviews, replies, translations)
never mix with the article's own text.
"""

import hashlib
import io
import re
import tarfile

from lxml import etree

from corpus.errors import CorruptError
from corpus.ncbi import gzips, jats_front, jats_tables
from corpus.ncbi.ids import normalize_doi
from corpus.ncbi.jats_body import Reader
from corpus.ncbi.metadata import ArticleMetadata
from corpus.ncbi.xml import BYTE_CAP, BadXmlError, local_name, parse
from corpus.records import (
    RAW_LIMIT,
    BackPart,
    BlockKind,
    Kind,
    Record,
    Reject,
    RejectReason,
    Source,
    doc_key,
    pmc_doc_id,
)

Element = etree._Element

ROOTS = frozenset(["article", "pmc-articleset", "OAI-PMH", "GetRecord", "record", "metadata"])

_MATHML = "{http://www.w3.org/1998/Math/MathML}"
_FILE_ID = re.compile(r"PMC(\d{1,10})(?:\.(\d{1,4}))?(?=\.\D|$)", re.IGNORECASE)
_BACK_KINDS = {"app": "appendix", "sec": "section", "fn": "footnote"}


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

    The arguments are those of `read_article`.
    """
    return [read_article(raw, file=file, offset=offset, position=position, metadata=metadata, name=name)]


def read_article(
    raw: bytes,
    *,
    file: str,
    offset: int = 0,
    position: int = 0,
    metadata: ArticleMetadata | None = None,
    name: str = "",
) -> Record | Reject:
    """Return the record of one article, or why there is none.

    `file`, `offset` and `position` say where the bytes were found; `metadata` is the bucket's JSON, whose ids and
    flags fill what the XML leaves open; `name` is the article's own name when `file` is an archive.
    """
    name = name or file
    try:
        article = find_article(unpack(raw, name))
        return _record(article, name, metadata or ArticleMetadata(pmcid=0), file=file, offset=offset, position=position)
    except BadXmlError as error:
        reason, detail = error.reason, error.detail
    except RecursionError:
        reason, detail = RejectReason.BAD_RECORD, "elements are nested too deeply to be an article"
    return reject(raw, file=file, offset=offset, reason=reason, detail=detail, name=name)


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


def unpack(raw: bytes, name: str) -> bytes:
    """Return the XML in an article's bytes, whatever they are packed in; the name says nothing reliable.

    Raises BadXmlError for damaged gzip, a bomb, or a package without exactly one article.
    """
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    blocks, size = [], 0
    try:
        for block in gzips.chunks(io.BytesIO(raw), name=name):
            blocks.append(block)
            size += len(block)
            if size > BYTE_CAP:
                raise BadXmlError(RejectReason.TOO_LARGE, f"expands beyond {BYTE_CAP} bytes")
    except CorruptError as error:
        raise BadXmlError(RejectReason.BAD_RECORD, str(error)) from error
    plain = b"".join(blocks)
    return _article_in_package(plain) if plain[257:262] == b"ustar" else plain


def _article_in_package(package: bytes) -> bytes:
    """Return the one .nxml or .xml of an article package (tar)."""
    found = []
    try:
        with tarfile.open(fileobj=io.BytesIO(package), mode="r:") as archive:
            for member in archive:
                if member.isreg() and member.name.lower().endswith((".nxml", ".xml")):
                    content = archive.extractfile(member)
                    assert content is not None
                    found.append(content.read())
    except tarfile.TarError as error:
        raise BadXmlError(RejectReason.BAD_RECORD, f"a damaged package: {error}") from error
    if len(found) != 1:
        raise BadXmlError(RejectReason.BAD_RECORD, f"a package of {len(found)} XML files, expected one")
    return found[0]


def find_article(raw: bytes) -> Element:
    """Return the `<article>` of a document, its JATS and MathML tags without namespaces.

    Raises BadXmlError when the document is refused, or holds no article or several.
    """
    root = parse(raw, root=ROOTS)
    articles = [root] if local_name(root.tag) == "article" else list(root.iter("{*}article"))
    if not articles:
        raise BadXmlError(RejectReason.BAD_ROOT, f"<{local_name(root.tag)}> holds no <article>")
    if len(articles) > 1:
        raise BadXmlError(RejectReason.BAD_RECORD, f"{len(articles)} articles in one document, expected one")
    article = articles[0]
    own = article.tag.rpartition("}")[0]
    for element in article.iter(*([own + "}*"] if own else []), _MATHML + "*"):
        element.tag = local_name(element.tag)
    return article


def _record(article: Element, name: str, facts: ArticleMetadata, *, file: str, offset: int, position: int) -> Record:
    """Return the record of an article; `facts` fill what it leaves open (a PMC id of 0 is none)."""
    meta = article.find("front/article-meta")
    meta = meta if meta is not None else etree.Element("article-meta")
    ids = jats_front.read_ids(meta)
    pmcid, version = _identity(ids, facts, name)
    reader = Reader(article)
    (title, vernacular), abstracts = jats_front.read_titles(reader, meta), jats_front.read_abstracts(reader, meta)
    _read_body(reader, article)
    back = _read_back(reader, article)
    article_type, links = article.get("article-type") or "", jats_front.read_links(meta)
    return Record(
        doc_id=pmc_doc_id(pmcid, version),
        source=Source.PMC,
        kind=Kind.ARTICLE,
        pmid=ids.pmid or facts.pmid,
        version=version,
        pmcid=pmcid,
        doi=ids.doi or normalize_doi(facts.doi),
        title=title,
        vernacular_title=vernacular,
        abstracts=abstracts,
        body=tuple(reader.blocks),
        floats=tuple(reader.floats),
        back=back,
        languages=tuple(filter(None, [article.get(jats_front.LANG)])),
        year=jats_front.read_year(meta),
        journal=jats_front.read_journal(reader, article.find("front/journal-meta")),
        keywords=jats_front.read_keywords(reader, meta),
        links=links,
        article_type=article_type,
        license=jats_front.read_license(meta, facts.license_code),
        retracted=facts.is_retracted or jats_front.is_retracted(article_type, title, links),
        manuscript=ids.manuscript or facts.is_manuscript,
        ocr=reader.ocr or facts.is_ocr,
        file=file,
        offset=offset,
        position=position,
    )


def _identity(ids: jats_front.ArticleIds, facts: ArticleMetadata, name: str) -> tuple[int, int]:
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


def _read_body(reader: Reader, article: Element) -> None:
    body = article.find("body")
    if body is not None:
        reader.in_body = True
        reader.read(body)
        reader.in_body = False
    for child in article:
        if child.tag in ("floats-group", "floats-wrap"):
            jats_tables.read_outside(reader, child)


def _read_back(reader: Reader, article: Element) -> tuple[BackPart, ...]:
    """Return the back matter by kind, after the footnotes of the body and the notes of the front."""
    parts = reader.notes
    for child in (*article.iterfind("front/notes"), *article.iterfind("back/*")):
        parts += _back_parts(reader, child)
    return tuple(parts)


def _back_parts(reader: Reader, element: Element) -> list[BackPart]:
    if element.tag == "ref-list":
        return []
    if element.tag == "app-group":
        return [part for child in element for part in _back_parts(reader, child)]
    reader.notes = []
    if element.tag == "fn-group":
        reader.footnotes(element)
        return reader.notes
    title = ""
    lines: list[str] = []
    for block in reader.capture(element):
        if not title and not lines and block.kind is BlockKind.HEADING and element.find("title") is not None:
            title = block.text
        else:
            lines.append(block.text)
    own = BackPart(kind=_BACK_KINDS.get(element.tag, element.tag), title=title, text="\n".join(lines))
    return ([own] if title or lines else []) + reader.notes
