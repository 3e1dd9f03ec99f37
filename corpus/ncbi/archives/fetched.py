"""Fetched directories as input: the manifest of `corpuscle fetch` says what is in them.

A finished mirror of PubMed gives its files; a finished store of PMC gives tasks, each a run of articles of one shard. A
directory whose fetch is not finished is refused, for a hole in the updates would pass unseen.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from corpus import storage
from corpus.errors import UsageError
from corpus.ncbi.archives.article_store import INDEX, STAGE, IndexRow, read_index
from corpus.stage.manifest import Manifest, has_manifest, read_manifest

PUBMED_STAGE = "fetch-pubmed"
BASELINE, UPDATES = "baseline", "updatefiles"
UNFINISHED = "fetching"  # a file in `_work/` until the manifest is there
_STAGES = (PUBMED_STAGE, STAGE)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardPiece:
    """A run of articles of one shard: rows first to last of its index, without those that vanished at the source."""

    name: str
    shard: str
    index: str
    first: int
    last: int
    bytes: int
    fingerprint: str


def fetched(path: str) -> Manifest | None:
    """Return the manifest of a directory that `corpuscle fetch` made, None for any other.

    Raises UsageError when its fetch was not finished.
    """
    if not storage.is_remote(path) and not os.path.isdir(path):
        return None
    if has_manifest(path):
        manifest = read_manifest(path)
        return manifest if manifest.stage in _STAGES else None
    if storage.exists(storage.join(path, "_work", UNFINISHED)):
        raise UsageError(f"{path}: an unfinished `corpuscle fetch`; run the same command again to finish it")
    return None


def pubmed_files(base: str, manifest: Manifest) -> list[str]:
    """Return the paths of a mirror's files."""
    return [*manifest.paths(base, BASELINE), *manifest.paths(base, UPDATES)]


def stated_digests(base: str, manifest: Manifest) -> dict[str, str]:
    """Return the SHA-256 that the manifest of a mirror states, by path, of the files that have the size it states."""
    parts = {storage.join(base, part.path): part for part in manifest.parts if part.role in (BASELINE, UPDATES)}
    return {path: part.sha256 for path, part in parts.items() if storage.size(path) == part.bytes}


def pieces(base: str, manifest: Manifest, articles: int) -> list[ShardPiece]:
    """Return a store in pieces of so many articles; only the index is read."""
    found = []
    for index in manifest.paths(base, INDEX):
        rows = read_index(index)
        for first in range(0, len(rows), articles):
            piece = _piece(base, index, rows[first : first + articles], first, first // articles)
            found += [piece] if piece.bytes else []
    return found


def piece_rows(piece_index: str, first: int, last: int) -> list[IndexRow]:
    """Return the index rows of a piece."""
    return [row for row in read_index(piece_index)[first:last] if not row.vanished]


def _piece(base: str, index: str, rows: Sequence[IndexRow], first: int, number: int) -> ShardPiece:
    shard = rows[0].shard
    listing = "".join(f"{row.md5} {row.etag} {row.doc_id}\n" for row in rows if not row.vanished)
    return ShardPiece(
        name=f"{shard.removesuffix('.tar.gz')}-{number:05d}",
        shard=storage.join(base, "shards", shard),
        index=index,
        first=first,
        last=first + len(rows),
        bytes=sum(row.length for row in rows if not row.vanished),
        fingerprint=hashlib.sha256(listing.encode()).hexdigest(),
    )
