"""Article packages: the XML in an article's bytes, be they plain, gzip, or an old package (a gzipped tar).

Names say nothing reliable about NCBI's files; the first bytes do.
"""

import io
import tarfile

from corpus.errors import CorruptError
from corpus.ncbi.archives import gzip_stream, tar_stream
from corpus.ncbi.markup.parse import BYTE_CAP, BadXmlError
from corpus.reasons import RejectReason


def unpack(raw: bytes, name: str) -> bytes:
    """Return the XML in an article's bytes; `name` is for messages.

    Raises BadXmlError for damaged gzip, a bomb, or a package without exactly one article.
    """
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    blocks, size = [], 0
    try:
        for block in gzip_stream.chunks(io.BytesIO(raw), name=name):
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
        with tar_stream.open_tar(io.BytesIO(package), mode="r:") as archive:
            for member in tar_stream.members(archive):
                if member.issparse() or member.size > BYTE_CAP:
                    raise BadXmlError(RejectReason.BAD_RECORD, f"a package with a member of {member.size} bytes")
                if member.isreg() and member.name.lower().endswith((".nxml", ".xml")):
                    content = archive.extractfile(member)
                    assert content is not None
                    found.append(content.read())
    except tarfile.TarError as error:
        raise BadXmlError(RejectReason.BAD_RECORD, f"a damaged package: {error}") from error
    if len(found) != 1:
        raise BadXmlError(RejectReason.BAD_RECORD, f"a package of {len(found)} XML files, expected one")
    return found[0]
