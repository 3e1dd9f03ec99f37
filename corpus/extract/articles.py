"""Articles of a JATS task: tars, loose files and stores in, what became of every article out, in order.

An `InputTask` comes in; a `Record` or a `Reject` for every article goes out, in member order for a tar and in the
task's order for loose files. A tar is read twice: first to its very end, so that a cut or damaged archive is an
error before any record is emitted, and to learn the metadata JSON, which may stand anywhere in it; then
for the articles. Members are streamed and never extracted, so names and links can reach nothing; an
article behind a link, with holes, or under a name that leaves the archive, is a dead letter.
"""

import dataclasses
import hashlib
import io
import lzma
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from corpus import storage
from corpus.errors import CorruptError, UsageError
from corpus.extract.inputs import LOOSE_SUFFIXES, InputTask, JatsTar, StorePiece, metadata_path, stem
from corpus.ncbi.archives import gzip_stream, tar_stream
from corpus.ncbi.archives.article_metadata import ArticleMetadata, read_metadata
from corpus.ncbi.archives.article_sets import is_set, split_articles
from corpus.ncbi.archives.article_store import read_rows
from corpus.ncbi.archives.fetched import fetched, find_row, piece_rows
from corpus.ncbi.archives.file_lists import list_for
from corpus.ncbi.archives.kinds import FileKind, OtherKindError, file_kind
from corpus.ncbi.jats.reader import ArticleOutcome, read_document, read_piece, reject
from corpus.ncbi.markup.parse import BYTE_CAP
from corpus.reasons import RejectReason
from corpus.records import RAW_LIMIT, Record, Reject
from corpus.stage.manifest import has_manifest
from corpus.storage.side_by_side import side_by_side

_BLOCK = 1 << 20
_XZ_MAGIC = b"\xfd7zXZ\x00"
_XZ_MEMORY = 1 << 30  # bytes a decoder may ask for; `xz -9` needs 65 MB
_END_OF_TAR = 1024  # two blocks of zeros
_GROWTH_SLACK = 64 * _BLOCK  # a small archive may expand this far at any ratio
_FETCHED = 4 << 20  # most bytes of a loose file in a store that wait for their turn
_METADATA_CAP = 1 << 20  # bytes of one JSON; NCBI's have a few thousand
_MAX_NUMBER = 10**15  # far above any id of NCBI, and fits a column
_READS_AT_END = 64  # tarfile skips a member by reading, and one that announces terabytes would be skipped for days
_AGAIN = "the file is damaged or was cut off; download it again"

# What the metadata said about an article: facts, or why they could not be read.
_Facts = dict[str, ArticleMetadata | str]


def read_articles_xml(task: InputTask) -> Iterator[tuple[Record | Reject, bytes]]:
    """Yield what became of every article of a JATS task, each with the article's bytes; a sub-article too.

    Raises CorruptError, before anything is yielded, when a tar is damaged or ends early.
    """
    for items, xml in _articles(task):
        for item in items:
            yield item, xml


def _articles(task: InputTask) -> Iterator[ArticleOutcome]:
    if isinstance(task, JatsTar):
        yield from _read_tar(task.paths[0])
    elif isinstance(task, StorePiece):
        yield from _read_store(task)
    else:
        yield from _read_files(task)


def _read_store(task: StorePiece) -> Iterator[ArticleOutcome]:
    """Yield the articles of a piece of a fetched store, each checked against the index and its metadata."""
    [shard] = task.paths
    rows = piece_rows(task.index, task.first, task.last)
    for position, (row, json, xml) in enumerate(read_rows(shard, rows), task.first):
        file, name = storage.base_name(shard), f"{row.doc_id}.xml"
        facts = _parse_facts(json)
        yield from _read_document(xml, facts, file=file, offset=row.offset, position=position, name=name)


def _read_files(task: InputTask) -> Iterator[ArticleOutcome]:
    """Yield the articles of loose files; those of a store are fetched ahead of the reader, many at once.

    What lies beside them is what was hashed with them: what came since is noticed at the end (`JatsFiles.differing`).
    """
    hashed = {file.path for file in task.files}

    def begin(path: str) -> _LooseArticle:
        place = metadata_path(path, hashed.__contains__)
        with storage.open_read(path) as source:
            head = source.read(_FETCHED if task.is_remote else BYTE_CAP + 1)
        if place is None:
            return _LooseArticle(path=path, head=head)
        with storage.open_read(place) as source:
            return _LooseArticle(path=path, head=head, facts=_parse_facts(source.read(_METADATA_CAP)))

    for article in side_by_side(begin, task.paths, remote=task.is_remote):
        yield from _read_loose(article, hashed.__contains__)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class _LooseArticle:
    """The first bytes of a loose file, mostly all of them, and what the metadata beside it says."""

    path: str
    head: bytes
    facts: ArticleMetadata | str | None = None


def _read_loose(article: _LooseArticle, exists: Callable[[str], bool]) -> Iterator[ArticleOutcome]:
    """Yield the article of a file, or those of a document of several, however large it is."""
    raw, facts, name = article.head, article.facts, storage.readable_name(article.path)
    if len(raw) == _FETCHED:
        with storage.open_read(article.path) as source:
            raw = source.read(BYTE_CAP + 1)
    if len(raw) > BYTE_CAP and is_set(next(gzip_stream.chunks(io.BytesIO(raw[:_BLOCK]), name=article.path))):
        with storage.open_read(article.path) as source:
            yield from _read_large_set(source, file=name, offset=0, position=0)
        return
    if facts is None and (listed := list_for(article.path, exists)):
        facts = listed.about(article.path)
    outcomes = _read_document(raw, facts, file=name, offset=0, position=0, name=name)
    for items, xml in outcomes:
        if isinstance(items[0], Reject) and xml is raw and file_kind(article.path) is FileKind.PUBMED:
            raise OtherKindError(article.path, FileKind.PUBMED)  # thousands of records, not one bad article
        yield items, xml


def _read_document(
    raw: bytes, facts: ArticleMetadata | str | None, *, file: str, offset: int, position: int, name: str
) -> Iterator[ArticleOutcome]:
    """Yield the records of each article of a document, mostly one, after checking it against its metadata."""
    wrong = f"the article's {facts}" if isinstance(facts, str) else ""
    if not isinstance(facts, str) and facts is not None and facts.xml_md5:
        found = hashlib.md5(raw, usedforsecurity=False).hexdigest()
        if found != facts.xml_md5:
            wrong = f"the MD5 of the XML is {found}, its metadata says {facts.xml_md5}: cut off or changed on the way"
    if wrong or isinstance(facts, str):
        bad = RejectReason.BAD_RECORD
        yield [reject(raw, file=file, offset=offset, reason=bad, detail=wrong, name=name)], raw
    else:
        yield from read_document(raw, file=file, offset=offset, position=position, metadata=facts, name=name)


def _read_large_set(source: gzip_stream.Readable, *, file: str, offset: int, position: int) -> Iterator[ArticleOutcome]:
    """Yield the articles of a document that is not held in memory."""
    for number, piece in enumerate(split_articles(gzip_stream.chunks(source, name=file)), start=position):
        yield read_piece(piece, file=file, offset=offset, position=number)


def _read_tar(path: str) -> Iterator[ArticleOutcome]:
    facts, listed = _scan(path), list_for(path)
    file, position = storage.readable_name(path), 0
    with _open_tar(path) as (archive, _):
        for member in _members(archive, LOOSE_SUFFIXES):
            about = facts.get(stem(member.name)) or (listed.about(member.name) if listed else None)
            for outcome in _read_member(archive, member, about, file=file, position=position):
                yield outcome
                position += 1


def _scan(path: str) -> _Facts:
    """Read a tar to its end and return what its metadata JSON says, by the articles' names."""
    facts: _Facts = {}
    with _open_tar(path) as (archive, stream):
        for member in _members(archive, (".json",)):
            if member.isreg() and not member.issparse() and member.size <= _METADATA_CAP:
                content = archive.extractfile(member)
                assert content is not None, "a regular member has content"
                facts[stem(member.name)] = _parse_facts(content.read())
        while stream.read(_BLOCK):
            pass
        # tarfile takes a damaged header, or nothing, for the end of the archive.
        if stream.last_byte > archive.offset:
            raise CorruptError(f"{path}: the tar breaks at byte {archive.offset} of {stream.size}; {_AGAIN}")
        if stream.size - archive.offset < _END_OF_TAR:
            raise CorruptError(f"{path}: the tar ends early, after {stream.size} bytes; {_AGAIN}")
    return facts


def _members(archive: tarfile.TarFile, suffixes: tuple[str, ...]) -> Iterator[tarfile.TarInfo]:
    """Yield the members whose names end so, but no hidden ones and no folders."""
    for member in tar_stream.members(archive):
        name = storage.base_name(member.name)
        if name.lower().endswith(suffixes) and not name.startswith(".") and not member.isdir():
            yield member


def _read_member(
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    facts: ArticleMetadata | str | None,
    *,
    file: str,
    position: int,
) -> Iterator[ArticleOutcome]:
    """Yield what became of one member that is named like an article: of its article, or of several."""
    bad, offset, name = RejectReason.BAD_RECORD, member.offset, storage.base_name(member.name)
    if not member.isreg() or member.issparse():  # the holes of one sparse member can be terabytes
        detail = f"member {member.name[:200]!r} is a link, a device or a sparse file, no plain file"
        yield [reject(b"", file=file, offset=offset, reason=bad, detail=detail, name=name)], b""
        return
    if member.name.startswith("/") or ".." in member.name.split("/"):
        detail = f"member {member.name[:200]!r} names a place outside the archive"
        yield [reject(b"", file=file, offset=offset, reason=bad, detail=detail, name=name)], b""
        return
    content = archive.extractfile(member)
    assert content is not None, "a regular member has content"
    if member.size <= BYTE_CAP:
        yield from _read_document(content.read(), facts, file=file, offset=offset, position=position, name=name)
        return
    begun = _Begun(content)
    if is_set(next(gzip_stream.chunks(io.BytesIO(begun.head), name=name))):
        yield from _read_large_set(begun, file=file, offset=offset, position=position)
    else:
        yield [_too_large(begun, file=file, offset=offset, size=member.size)], b""


class _Begun:
    """A stream whose first bytes, `head`, were looked at; `read` gives them again."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.head = stream, stream.read(_BLOCK)
        self._first = self.head

    def read(self, size: int, /) -> bytes:
        taken, self._first = self._first[:size], self._first[size:]
        return taken or self._stream.read(size)


def _too_large(content: gzip_stream.Readable, *, file: str, offset: int, size: int) -> Reject:
    """Return the dead letter of a member too large to be held in memory."""
    head = content.read(RAW_LIMIT)
    digest = hashlib.sha256(head)
    while block := content.read(_BLOCK):
        digest.update(block)
    return Reject(
        file=file,
        offset=offset,
        doc_id="",
        reason=RejectReason.TOO_LARGE,
        detail=f"{size} bytes, the limit is {BYTE_CAP}",
        sha256=digest.hexdigest(),
        raw=head,
    )


def _parse_facts(raw: bytes) -> ArticleMetadata | str:
    try:
        facts = read_metadata(raw)
        for value in dataclasses.astuple(facts):
            if isinstance(value, str):
                value.encode()  # JSON can hold half a surrogate pair, Parquet cannot
            elif value is not None and value > _MAX_NUMBER:
                raise ValueError(f"{str(value)[:40]} is too large a number")
        return facts
    except (ValueError, RecursionError) as error:
        return f"metadata JSON cannot be read: {error}"


class _Stream:
    """Decompressed bytes as tarfile reads them; knows how many there were and where the last non-zero one ended."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self.size = self.last_byte = self._reads_at_end = 0

    def read(self, _size: int = -1) -> bytes:
        block = next(self._blocks, b"")
        if filled := len(block.rstrip(b"\0")):
            self.last_byte = self.size + filled
        self.size += len(block)
        self._reads_at_end += not block
        if self._reads_at_end > _READS_AT_END:
            raise EOFError(f"the tar ends early, after {self.size} bytes")
        return block


@contextmanager
def _open_tar(path: str) -> Iterator[tuple[tarfile.TarFile, _Stream]]:
    """Open a tar, compressed or not by its first bytes, as a stream; its damage is a CorruptError."""
    with storage.open_read(path) as source:
        stream = _Stream(_decompressed(source, path))
        try:
            fileobj: Any = stream  # tarfile asks of a stream nothing but `read`
            with tar_stream.open_tar(fileobj, mode="r|", block=_BLOCK) as archive:
                yield archive, stream
        except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
            raise CorruptError(f"{path}: {error}; {_AGAIN}") from error


def _decompressed(source: IO[bytes], path: str) -> Iterator[bytes]:
    head = source.read(len(_XZ_MAGIC))
    source.seek(0)
    if head != _XZ_MAGIC:
        # PMC's old bulk tars hold tens of GB; they are streamed: no limit.
        yield from gzip_stream.chunks(source, name=path, total_cap=1 << 62)
    else:
        yield from _xz_blocks(source, path)


def _xz_blocks(source: IO[bytes], path: str) -> Iterator[bytes]:
    """Yield the content of an xz file of one or more streams, to the last check value."""
    consumed = produced = 0
    pending = source.read(_BLOCK)
    while pending:
        decoder = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        while not decoder.eof:
            if decoder.needs_input and not pending:
                pending = source.read(_BLOCK)
                if not pending:
                    raise CorruptError(f"{path}: the xz stream ends early, after {produced} bytes; {_AGAIN}")
            consumed += len(pending)
            block = decoder.decompress(pending, _BLOCK)
            pending = b""
            produced += len(block)
            if produced > gzip_stream.RATIO_CAP * consumed + _GROWTH_SLACK:
                raise CorruptError(f"{path}: {consumed} bytes expand to over {produced}: a bomb, do not use it")
            yield block
        consumed -= len(decoder.unused_data)
        pending = (decoder.unused_data or source.read(_BLOCK)).lstrip(b"\0")


def find_article(path: str, document: str | None = None) -> tuple[str, bytes]:
    """Return name and XML of one article, by its PMC id (with or without version) or its member's name.

    `path` is a tar, or the directory of a finished `corpuscle fetch pmc`, whose first article needs no name. Raises
    UsageError when there is none, CorruptError for one that is not what the store's index says.
    """
    stored = fetched(path)
    if stored is not None:
        row, shard = find_row(path, stored, document)
        [(_, _, xml)] = read_rows(shard, [row])
        return f"{row.doc_id}.xml", xml
    if os.path.isdir(path) or has_manifest(path):
        raise UsageError(f"{path}: no result of `corpuscle fetch pmc`; give that, a tar, or the file of an article")
    if document is None:
        raise UsageError(f"{path}: is an archive; say which article with --id PMC123")
    wanted = document.removeprefix("pmc:").partition("#")[0]
    with _open_tar(path) as (archive, _):
        for member in _members(archive, LOOSE_SUFFIXES):
            name = storage.base_name(member.name)
            if wanted in (name, member.name, stem(name), stem(name).partition(".")[0]):
                content = archive.extractfile(member)
                assert content is not None, "a regular member has content"
                return name, content.read(BYTE_CAP + 1)
    raise UsageError(f"{path}: holds no article {document!r}; give a PMC id as PMC123 or PMC123.1")
