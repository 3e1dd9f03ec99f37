"""Article store: plain `.tar.gz` shards of fetched articles, each a gzip member of its own, and an index.

`tar xzf` reads a whole shard, for it is a legal tar in a legal gzip file. The index (Parquet, a row an article) says at
which byte an article's member begins and how long it is, so that one article, or a run of them, is read without the
rest. A member holds two tar entries, `PMC1.1/PMC1.1.json` and `PMC1.1/PMC1.1.xml`; the last member ends the tar.
"""

import hashlib
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from isal import igzip_lib

from corpus import storage
from corpus.errors import CorruptError
from corpus.storage import parquet
from corpus.storage.schema import from_batch

STAGE = "fetch-pmc"
ARTICLES, INDEX, METADATA = "articles", "index", "metadata"  # roles of parts
LEVEL = 2  # of isal: 0.15 ms for 100 kB and ratio 3.9; level 3 takes 0.27 ms for 4.1
END_OF_TAR = igzip_lib.compress(bytes(1024), LEVEL, igzip_lib.COMP_GZIP)
_MEMBER_CAP = 1 << 30


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexRow:
    """One article of a store: identity, what the bucket says of it, and where it lies."""

    doc_id: str  # PMC13901.1
    pmcid: int  # without the letters PMC
    version: int  # of the article, from 1
    pmid: int | None  # as the bucket says
    doi: str | None  # as the bucket says
    md5: str  # of the XML, hexadecimal
    etag: str  # of the JSON, by which a later inventory says whether anything changed
    license: str  # SPDX name; "" when not stated
    year: int | None  # of publication
    is_open_access: bool  # in PMC's open-access subset
    is_manuscript: bool  # an author manuscript
    is_ocr: bool  # text from page scans
    is_retracted: bool  # as the bucket says
    vanished: str  # first inventory (by its date) or listing that no longer has it, else ""
    xml_bytes: int  # of the XML, unpacked [bytes]
    shard: str  # file name of the `.tar.gz` below shards/
    offset: int  # of the gzip member in that file [bytes]
    length: int  # of the gzip member [bytes]


def article_name(pmcid: int, version: int) -> str:
    """Return the name of an article version in the bucket."""
    return f"PMC{pmcid}.{version}"


def pack_member(name: str, json: bytes, xml: bytes) -> bytes:
    """Return an article as a gzip member of two tar entries; the same input gives the same bytes."""
    entries = (*_entry(f"{name}/{name}.json", json), *_entry(f"{name}/{name}.xml", xml))
    return bytes(igzip_lib.compress(b"".join(entries), LEVEL, igzip_lib.COMP_GZIP))


def unpack_member(raw: bytes, name: str) -> tuple[bytes, bytes]:
    """Return JSON and XML of a gzip member; `name` must be the article's.

    Raises ValueError when the member is damaged or another article's.
    """
    decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    try:
        content = decoder.decompress(raw, _MEMBER_CAP)
    except igzip_lib.IsalError as error:  # type: ignore[misc]  # isal's stubs lack the class
        raise ValueError(f"the gzip member is damaged ({error})") from error
    if not decoder.eof or decoder.unused_data:
        raise ValueError("the gzip member is not as long as the index says")
    try:
        json, xml = _take(content, 0, f"{name}/{name}.json")
        rest, end = _take(content, xml, f"{name}/{name}.xml")
    except tarfile.TarError as error:
        raise ValueError(f"the member is no tar of {name} ({error})") from error
    if end != len(content):
        raise ValueError("the member holds more than one article")
    return json, rest


def read_index(path: str) -> list[IndexRow]:
    """Return the rows of an index file, in the order of the shard; raises CorruptError."""
    return from_batch(parquet.read_table(path), IndexRow)


def read_rows(shard: str, rows: Sequence[IndexRow]) -> Iterator[tuple[IndexRow, bytes, bytes]]:
    """Yield (row, JSON, XML) of some articles of a shard, each checked against the index.

    Raises CorruptError for a member that is damaged, or is not what the index says.
    """
    with storage.open_read(shard) as source:
        for row in rows:
            source.seek(row.offset)
            try:
                json, xml = unpack_member(source.read(row.length), row.doc_id)
                if hashlib.md5(xml, usedforsecurity=False).hexdigest() != row.md5:
                    raise ValueError("the MD5 of its XML is not the one in the index")
            except ValueError as error:
                problem = f"{shard}: {row.doc_id} at byte {row.offset}: {error}"
                raise CorruptError(f"{problem}; `corpuscle fetch pmc --verify` fetches it again") from error
            yield row, json, xml


def _entry(name: str, content: bytes) -> tuple[bytes, bytes, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member.tobuf(tarfile.USTAR_FORMAT), content, bytes(-len(content) % tarfile.BLOCKSIZE)


def _take(content: bytes, start: int, name: str) -> tuple[bytes, int]:
    """Return the content of the tar entry at a byte, and where the next begins."""
    body = start + tarfile.BLOCKSIZE
    member = tarfile.TarInfo.frombuf(content[start:body], "utf-8", "strict")
    if member.name != name or not member.isreg() or body + member.size > len(content):
        raise tarfile.ReadError(f"expected {name}")
    return content[body : body + member.size], body + member.size + -member.size % tarfile.BLOCKSIZE
