"""PubMed files to records: baseline and update files, samples, book sets, and NLM's MEDLINE files until 2016.

The path of one file (.xml or .xml.gz, whatever its name says) comes in; a `Record` for every citation, book and
deleted PMID, and a `Reject` for every piece that could not become one, go out in file order. First the whole file is
proven (MD5 sidecar when there is one, gzip to its end, opening and closing tag of the set), which costs about
8 % of the work; only then is anything emitted. So a file gives all of its records, or an error that names the file.
It is read once: its bytes, not its content, stay in memory in between, unless there are very many.
"""

import hashlib
import re
from collections.abc import Iterator

from corpus import storage
from corpus.errors import CorruptError
from corpus.metadata import SideTables
from corpus.ncbi.archives.gzip_stream import Verified, md5_sidecar, verify
from corpus.ncbi.archives.kinds import PROLOG, FileKind, OtherKindError, kind_of
from corpus.ncbi.markup.parse import BadXmlError
from corpus.ncbi.pubmed.fields import RecordReader, read_deletions
from corpus.ncbi.pubmed.metadata import MetadataReader
from corpus.ncbi.pubmed.split import Damage, Run, split
from corpus.ncbi.pubmed.vocabulary import (
    MEDLINE_RECORDS,
    MEDLINE_VOCABULARY,
    MEDLINE_WITH_METADATA,
    VOCABULARY,
    WITH_METADATA,
)
from corpus.reasons import RejectReason
from corpus.records import RAW_LIMIT, Kind, Record, Reject, Source, pubmed_doc_id

_KINDS = {"PubmedArticle": Kind.CITATION, "PubmedBookArticle": Kind.BOOK, "MedlineCitation": Kind.CITATION}
_MEDLINE_SET = b"MedlineCitationSet"
_VOCABULARIES = {  # by whether it is a MedlineCitationSet, and whether metadata is wanted
    (False, False): VOCABULARY,
    (False, True): WITH_METADATA,
    (True, False): MEDLINE_VOCABULARY,
    (True, True): MEDLINE_WITH_METADATA,
}

_PROLOG = re.compile(PROLOG, re.DOTALL)
_ROOT = re.compile(rb"<(PubmedArticleSet|PubmedBookArticleSet|MedlineCitationSet)(?:\s[^>]*)?>")
_EPILOG = re.compile(rb"\s*>(?:\s+|<!--.*?-->|<\?.*?\?>)*+", re.DOTALL)
_ENCODING = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)")

# What tells a PMC id, and a word in all of that.
_PMC_ID = (re.compile(rb"IdType\s*=\s*[\"']pmc[\"']"), b"pmc")
_OTHER_PMC_ID = (re.compile(rb"<OtherID\s[^>]*>\s*PMC\d"), b"PMC")  # in a MedlineCitationSet

# Anchored at the record's own PMID: the next one in a record may be a retraction notice's or a cited paper's.
_OWN_PMID = re.compile(rb"<(?:MedlineCitation|BookDocument)\b[^>]*>\s*<PMID\b[^>]*>\s*(\d{1,15})\s*</PMID>")


def read_pubmed(path: str) -> Iterator[Record | Reject]:
    """Yield the records and rejects of one PubMed file in file order.

    Raises CorruptError, before the first record, when the file as a whole is not what it should be.
    """
    for item, _ in read_pubmed_xml(path):  # no generator expression: mypyc makes a list of those
        yield item


def read_pubmed_xml(path: str, side: SideTables | None = None) -> Iterator[tuple[Record | Reject, bytes]]:
    """Yield what `read_pubmed` yields, each citation and book with its own XML, all others with b"".

    `side` gets the metadata of each record just before the record is yielded.
    """
    verified = verify(lambda: storage.open_read(path), md5=md5_sidecar(path), name=path)
    name, position = storage.readable_name(path), 0
    root, start = _opening(path, verified)
    vocabulary = _VOCABULARIES[root == _MEDLINE_SET, side is not None]
    for found in split(verified.blocks(), vocabulary, start=start):
        for item in _items(found, name, position, side):
            yield item
            position += 1


def _opening(path: str, verified: Verified) -> tuple[bytes, int]:
    """Check the document around the records; return the set's name and the offset behind its opening tag."""
    head, pos = verified.head, 3 if verified.head.startswith(b"\xef\xbb\xbf") else 0
    encoding = _ENCODING.match(head, pos)
    if encoding and encoding[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        raise CorruptError(f"{path}: declares the encoding {encoding[1].decode()}, NLM's files are UTF-8; convert it")
    while token := _PROLOG.match(head, pos):
        if b"<!ENTITY" in token[0] and token[0].startswith(b"<!DOCTYPE"):
            raise CorruptError(f"{path}: its DOCTYPE declares entities, as no file of NLM does; do not use it")
        pos = token.end()
    root = _ROOT.match(head, pos)
    if root is None and kind_of(head) is FileKind.JATS:
        raise OtherKindError(path, FileKind.JATS)
    if root is None:
        raise CorruptError(
            f"{path}: is no PubMed file: expected <PubmedArticleSet> at byte {pos}, found {head[pos : pos + 40]!r}; "
            "check the path, or download it again"
        )
    closing = verified.tail.rfind(b"</" + root[1])
    if closing < 0 or not _EPILOG.fullmatch(verified.tail, closing + len(root[1]) + 2):
        raise CorruptError(
            f"{path}: does not end with </{root[1].decode()}> but with {verified.tail[-40:]!r}; "
            "the file is incomplete, download it again"
        )
    return root[1], root.end()


def _items(
    found: Run | Damage, file: str, position: int, side: SideTables | None
) -> Iterator[tuple[Record | Reject, bytes]]:
    """Yield what a stretch of the file becomes: records, the records of deletions, or one reject."""
    if isinstance(found, Damage):
        letter = Reject(
            file=file,
            offset=found.offset,
            doc_id=_doc_id(found.head),
            reason=found.reason,
            detail=found.detail,
            sha256=found.sha256,
            raw=found.head,
        )
        yield letter, b""
        return
    reader = RecordReader(found.markup)
    pmc_id = _OTHER_PMC_ID if found.markup.vocabulary.records == MEDLINE_RECORDS else _PMC_ID
    more = None if side is None else MetadataReader(found.markup, side)
    for element, (begin, end) in zip(found.elements, found.bounds, strict=True):
        kind = _KINDS.get(found.markup.name(element))
        offset = found.offset + begin
        if kind is None:
            for item in _deletions(found, element, file, position):
                yield item, b""
                position += 1
            continue
        try:
            pattern, word = pmc_id
            # A word is found fifteen times faster than a pattern; few records hold it.
            pmc = found.raw.find(word, begin, end) >= 0 and pattern.search(found.raw, begin, end) is not None
            record = reader.read(element, kind=kind, file=file, offset=offset, position=position, pmc_id_anywhere=pmc)
            if more is not None:
                more.read(element, record)
            yield record, found.raw[begin:end]
        except BadXmlError as error:
            yield _reject(found.raw[begin:end], offset, file, error.reason, error.detail), b""
        position += 1


def _deletions(run: Run, element: int, file: str, position: int) -> Iterator[Record | Reject]:
    """Yield a record for every PMID of a DeleteCitation; one bad PMID does not save the others."""
    begin, end = run.bounds[run.elements.index(element)]
    for ordinal, deleted in enumerate(read_deletions(run.markup, element)):
        if deleted is None:
            detail = f"PMID {ordinal + 1} of DeleteCitation is no number"
            yield _reject(run.raw[begin:end], run.offset + begin, file, RejectReason.NO_ID, detail)
            continue
        pmid, version = deleted
        yield Record(
            doc_id=pubmed_doc_id(pmid),
            source=Source.PUBMED,
            kind=Kind.DELETION,
            pmid=pmid,
            version=version,
            file=file,
            offset=run.offset + begin,
            position=position + ordinal,
        )


def _reject(raw: bytes, offset: int, file: str, reason: RejectReason, detail: str) -> Reject:
    return Reject(
        file=file,
        offset=offset,
        doc_id=_doc_id(raw),
        reason=reason,
        detail=detail,
        sha256=hashlib.sha256(raw).hexdigest(),
        raw=raw[:RAW_LIMIT],
    )


def _doc_id(raw: bytes) -> str:
    found = _OWN_PMID.search(raw)
    return pubmed_doc_id(int(found[1])) if found else ""
