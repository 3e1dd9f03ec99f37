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


def piece_fingerprint(rows: Sequence[IndexRow]) -> str:
    """Return the SHA-256 of what the index says of the articles of a piece."""
    listing = "".join(f"{row.md5} {row.etag} {row.doc_id}\n" for row in rows if not row.vanished)
    return hashlib.sha256(listing.encode()).hexdigest()


def find_row(base: str, manifest: Manifest, document: str | None) -> tuple[IndexRow, str]:
    """Return the index row of an article of a store and the path of its shard; the first one's without a document.

    A document is a PMC id, with or without version; of several versions the newest is meant. Raises UsageError when
    there is none, and for a mirror of PubMed, which has no index.
    """
    if manifest.stage != STAGE:
        advice = "`corpuscle extract` makes records of it, and `inspect RECORDS --id pmid:1` finds one"
        raise UsageError(f"{base}: a mirror of PubMed, which has no index of its records; {advice}")
    found: list[IndexRow] = []
    for index in manifest.paths(base, INDEX):
        rows = read_index(index)
        found += [row for row in rows if document is None or is_named(row.pmcid, row.version, document)]
        if found and document is None:
            break
    if not found:
        raise UsageError(f"{base}: holds no article {document!r}; give a PMC id as PMC123 or PMC123.1")
    row = found[0] if document is None else max(found, key=lambda one: one.version)
    return row, storage.join(base, "shards", row.shard)


def is_named(pmcid: int, version: int, document: str) -> bool:
    """Say whether a document id means this article: `pmc:PMC123.1`, `PMC123.1`, or `PMC123` of any version."""
    name = document.removeprefix("pmc:").partition("#")[0].upper()
    return name in (f"PMC{pmcid}", f"PMC{pmcid}.{version}")


def _piece(base: str, index: str, rows: Sequence[IndexRow], first: int, number: int) -> ShardPiece:
    shard = rows[0].shard
    return ShardPiece(
        name=f"{shard.removesuffix('.tar.gz')}-{number:05d}",
        shard=storage.join(base, "shards", shard),
        index=index,
        first=first,
        last=first + len(rows),
        bytes=sum(row.length for row in rows if not row.vanished),
        fingerprint=piece_fingerprint(rows),
    )
