"""Listing of a few prefixes, in the place of an inventory: for a list of ids, or for a small sample.

An inventory of the bucket has some 300 MB; what lies under `metadata/PMC123.` is one answer of a kilobyte. For `--ids`
those of the ids are asked for. For a `--limit` the draw is a function of the id alone, so the ids that come first in it
are known before any listing: they are asked for in turn, present or not, until enough are there. What comes back is
written as an inventory, so all that follows is the same, and so are the articles that a limit draws.
"""

import asyncio
import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from corpus import storage
from corpus.fetch.config import FetchPmcConfig
from corpus.fetch.http.client import Client
from corpus.fetch.pmc.candidates import ROUND_SLACK
from corpus.fetch.pmc.inventory import ARCHIVED, Inventory, read_manifest
from corpus.fetch.pmc.inventory_rows import PmcIds, scatter
from corpus.fetch.pmc.s3 import list_objects

MOST_IDS = 10_000  # ids of a list for which prefixes are listed
MOST_DRAWN = 2_000  # articles of a limit
ID_BOUND = 1 << 24  # what PMC ids stay below for years; doubled when there are ids above it
LISTED = "listing-"  # what the name of such an inventory begins with
_SAMPLE = 64  # ids asked for to see how many of all numbers are ids
_LEAST_SHARE = 0.2  # of the numbers drawn that must be ids; half of PMC's are
_FILTERED = 4  # candidates listed for one article wanted, where filters take some away
_TOGETHER = 256  # requests made at once
_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class PrefixListing:
    """What the listed prefixes hold: (key, ETag), and below which number of the draw all ids were asked for."""

    objects: tuple[tuple[str, str], ...]
    drawn_below: int = 0  # 0: of a list of ids


async def list_instead(client: Client, config: FetchPmcConfig, stored: Iterable[int] = ()) -> PrefixListing | None:
    """Return a listing that serves as well as an inventory; None where an inventory is the better way.

    stored: ids that an earlier store holds; they are asked for too, to see which of them vanished.
    """
    if config.inventory is not None:
        return None
    if config.ids:
        ids = np.unique(np.array([int(one.partition(".")[0]) for one in config.ids], np.int64))
        return PrefixListing(objects=await _objects(client, ids)) if len(ids) <= MOST_IDS else None
    if config.limit is None or config.limit > MOST_DRAWN or config.shard is not None:
        return None
    filtered = config.license != "any" or config.article_types or config.years
    return await _draw(client, config.limit * (_FILTERED if filtered else 1) + ROUND_SLACK, stored)


async def _draw(client: Client, wanted: int, stored: Iterable[int]) -> PrefixListing | None:
    """Return the ids that come first in the draw, as many as wanted and those of the earlier store."""
    bound = ID_BOUND
    while await _objects(client, bound + 1 + drawn_ids(bound, 0, _threshold(_SAMPLE, bound))):
        bound *= 2
    objects: list[tuple[str, str]] = []
    found, below, step = 0, 0, _threshold(_SAMPLE, bound)
    while found < wanted:
        if below + step >= 1 << 64:  # nearly all numbers: the bucket is a small one
            return None
        ids = drawn_ids(bound, below, below + step)
        fresh = await _objects(client, ids)
        objects += fresh
        found += len({key.rpartition("/")[2].partition(".")[0] for key, _ in fresh})
        below += step
        asked = below / _threshold(1, bound)
        if found < _LEAST_SHARE * asked:
            return None
        step = _threshold(max(_SAMPLE, round(1.05 * (wanted - found) * asked / found)), bound)
    others = np.array(sorted(set(stored)), np.int64)
    objects += await _objects(client, others[scatter(others) >= np.uint64(below)])
    return PrefixListing(objects=tuple(sorted(objects)), drawn_below=below)


def _threshold(count: int, bound: int) -> int:
    """Return the width of the draw's numbers that about so many of the ids below a bound fall into."""
    return count * ((1 << 64) // bound)


def drawn_ids(bound: int, first: int, last: int) -> PmcIds:
    """Return the ids from 1 to below a bound whose number in the draw is from first to below last."""
    found = []
    for start in range(1, bound, _BLOCK):
        ids = np.arange(start, min(start + _BLOCK, bound), dtype=np.int64)
        numbers = scatter(ids)
        found.append(ids[(numbers >= np.uint64(first)) & (numbers < np.uint64(last))])
    return np.concatenate(found)


async def _objects(client: Client, ids: PmcIds) -> tuple[tuple[str, str], ...]:
    """Return key and ETag of the metadata of some articles, all versions."""
    found: list[tuple[str, str]] = []
    for first in range(0, len(ids), _TOGETHER):
        prefixes = [f"metadata/PMC{pmcid}." for pmcid in ids[first : first + _TOGETHER].tolist()]
        for listed in await asyncio.gather(*(list_objects(client, prefix) for prefix in prefixes)):
            found += listed
    return tuple(sorted(found))


def as_inventory(listing: PrefixListing, folder: str) -> Inventory:
    """Write a listing into a local folder as an inventory that is archived there, and return it.

    It is named by its content: the same state of the bucket gives the same name and bytes, whatever the day.
    """
    lines = "".join(f'"{key}","{etag}"\n' for key, etag in listing.objects)
    content = _stored_gzip(lines.encode())
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    raw = json.dumps(
        {
            "fileFormat": "CSV",
            "fileSchema": "Key, ETag",
            "drawnBelow": listing.drawn_below,
            "files": [{"key": "listing.csv.gz", "size": len(content), "MD5checksum": digest}],
        }
    ).encode()
    inventory = read_manifest(f"{LISTED}{hashlib.sha256(raw).hexdigest()[:12]}", raw)
    for path, written in zip((*inventory.paths(folder), _archived(inventory, folder)), (content, raw), strict=True):
        with storage.write_atomic(path) as sink:
            sink.write(written)
    return inventory


def _archived(inventory: Inventory, folder: str) -> str:
    return os.path.join(folder, inventory.path(ARCHIVED))


def _stored_gzip(content: bytes) -> bytes:
    """Return gzip without compression, whose bytes are the same under every library."""
    blocks: Sequence[bytes] = [content[at : at + 65_535] for at in range(0, len(content), 65_535)] or [b""]
    parts = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"]
    for number, block in enumerate(blocks, start=1):
        size = len(block)
        parts += [bytes([number == len(blocks)]), size.to_bytes(2, "little"), (size ^ 0xFFFF).to_bytes(2, "little")]
        parts.append(block)
    parts += [zlib.crc32(content).to_bytes(4, "little"), (len(content) & 0xFFFFFFFF).to_bytes(4, "little")]
    return b"".join(parts)
