"""Kinds of NCBI's files: the first bytes of a document in, whether it holds PubMed's records or a JATS article out.

Both are XML under the same suffixes, so that a folder of one is easily given for the other. This tells them apart
before, or while, a reader finds nothing of its own in them.
"""

import re
from enum import Enum

from corpus import storage
from corpus.errors import CorruptError
from corpus.ncbi.archives import gzip_stream

PROLOG = rb"\s+|<!--.*?-->|<\?.*?\?>|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>"
_ROOT = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:" + PROLOG + rb")*+<(?:[\w.-]+:)?"
    rb"(Pubmed(?:Book)?ArticleSet|MedlineCitationSet|(?:pmc-)?article(?:-?set|s)?|OAI-PMH)[\s>]",
    re.DOTALL,
)
_HEAD = 1 << 16


class FileKind(Enum):
    """What a file holds, in words."""

    PUBMED = "PubMed records"
    JATS = "JATS articles"

    @property
    def option(self) -> str:
        """The option of `extract` that reads it."""
        return "--pubmed" if self is FileKind.PUBMED else "--pmc"

    @property
    def other(self) -> "FileKind":
        """The kind that it is taken for."""
        return FileKind.JATS if self is FileKind.PUBMED else FileKind.PUBMED


class OtherKindError(CorruptError):
    """A file given to one of `extract`'s options is the other's."""

    def __init__(self, path: str, kind: FileKind) -> None:
        super().__init__(f"{path}: holds {kind.value}; give it as {kind.option}")
        self.kind = kind


def kind_of(head: bytes) -> FileKind | None:
    """Return what a document holds that begins so, None when its root element is neither's."""
    found = _ROOT.match(head[:_HEAD])
    if found is None:
        return None
    return FileKind.PUBMED if found[1].startswith((b"Pubmed", b"Medline")) else FileKind.JATS


def file_kind(path: str) -> FileKind | None:
    """Return what a file holds, by its first bytes; None for one that is neither, or damaged there."""
    try:
        with storage.open_read(path) as source:
            return kind_of(next(gzip_stream.chunks(source, name=path), b""))
    except CorruptError:
        return None
