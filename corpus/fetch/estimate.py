"""Estimate of a fetch (`--dry-run`): how many, how large, how long, and what each filter takes away.

PMC: the inventory, or the listing in its place, is read whole; metadata and sizes come from an even sample of the
candidates, and are exact when the candidates are no more than the sample. PubMed: sizes by HEAD-like requests for a
sample of files. Times come from the latency measured now and the connections allowed.
"""

import asyncio
import math
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from rich.filesize import decimal

from corpus.errors import RetryError
from corpus.fetch.config import FetchPmcConfig, FetchPubmedConfig
from corpus.fetch.http.client import Client, Fault, Host
from corpus.fetch.http.pace import Pace
from corpus.fetch.http.tally import FetchTally, duration
from corpus.fetch.pmc.candidates import ROUND_SLACK, find_candidates
from corpus.fetch.pmc.choice import find_archived
from corpus.fetch.pmc.inventory_rows import Listing, scatter
from corpus.fetch.pmc.metadata_files import GONE_FOR_GOOD, fetch_json
from corpus.fetch.pmc.metadata_rows import read_detail, verdict, xml_key
from corpus.fetch.pubmed import ListedFile, wanted_files

Config = TypeVar("Config", FetchPmcConfig, FetchPubmedConfig)

SAMPLE = 400
_CPU_SECONDS = 0.0006  # of one article, metadata and XML, measured: docs/benchmarks.md
_LINE = 50_000_000  # bytes a second assumed of the network; the line may be faster or slower
_STORED = 0.26  # bytes of the store for one of XML and JSON, measured


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """What a sample of candidates said: verdicts, sizes of the XML that passed, seconds of one request."""

    verdicts: Counter[str]
    sizes: tuple[int, ...]
    latency: float


def estimate_pmc(config: FetchPmcConfig, *, pace: Pace | None = None) -> str:
    """Return the account of what `fetch pmc` would do; writes nothing that stays. Raises RetryError."""
    return _run(config, pace or Pace(connections=config.connections), _estimate_pmc)


def estimate_pubmed(config: FetchPubmedConfig, *, pace: Pace | None = None) -> str:
    """Return the account of what `fetch pubmed` would do; writes nothing. Raises RetryError."""
    return _run(config, pace or Pace(connections=config.connections), _estimate_pubmed)


def _run(config: Config, pace: Pace, work: Callable[[Client, Config, str], Awaitable[str]]) -> str:
    async def inside(folder: str) -> str:
        tally = FetchTally(f"{folder}/log")
        async with Client(Host(base=config.source), pace=pace, tally=tally, proxy=config.proxy) as client:
            try:
                return await work(client, config, folder)
            except Fault as fault:
                raise RetryError(f"{fault.url}: {fault.kind}: {fault.detail}. Try again") from fault
            finally:
                tally.close()

    with tempfile.TemporaryDirectory(prefix="corpuscle-dry-run-") as folder:
        return asyncio.run(inside(folder))


async def _estimate_pmc(client: Client, config: FetchPmcConfig, folder: str) -> str:
    inventory = await find_archived(client, config, folder)
    candidates = await asyncio.to_thread(find_candidates, inventory.paths(folder), inventory.columns, config, folder)
    asked = candidates.catalog
    order = np.argsort(scatter(asked.pmcids), kind="stable")[:SAMPLE]
    found = await _sample(client, asked.take(np.sort(order)).read(0, len(order)), config)
    lines = [
        f"{inventory.name}: {candidates.num_rows:,} article versions",
        *(f"  - {reason:<16} {count:>12,}" for reason, count in sorted(candidates.dropped.items())),
        f"  = to ask about     {len(asked):>12,}",
    ]
    if candidates.not_found:
        lines.append(f"  not in the bucket: {', '.join(candidates.not_found[:10])}")
    if config.article_version == "newest-allowed":
        lines.append("  of those that a licence refuses, older versions that it allows come on top")
    return "\n".join([*lines, *_outlook(found, len(asked), len(order), config)])


def _outlook(found: Sampled, num_asked: int, num_sampled: int, config: FetchPmcConfig) -> list[str]:
    """Return the lines about filters, bytes and time; extrapolated when the sample is not everything."""
    about = "" if num_sampled == num_asked else "about "
    scale = num_asked / max(1, num_sampled)
    lines = [f"filters, {'from all' if not about else f'from a sample of {num_sampled:,}'}:"]
    lines += [
        f"  - {reason:<16} {about + format(round(count * scale), ','):>18}"
        for reason, count in found.verdicts.most_common()
        if reason
    ]
    passing = round(found.verdicts[""] * scale)
    articles = min(passing, config.limit) if config.limit is not None else passing
    mean = sum(found.sizes) / max(1, len(found.sizes))
    metadata = num_asked
    if config.limit is not None:
        metadata = min(num_asked, round(articles / max(1e-9, passing / num_asked)) + ROUND_SLACK)
    total = articles * mean + metadata * 1200
    waiting = (articles + metadata) * found.latency / config.connections
    seconds = max(waiting, total / _LINE, articles * _CPU_SECONDS)
    return [
        *lines,
        f"  = articles         {about + format(articles, ','):>18}",
        f"to fetch: {about}{decimal(int(total))} ({articles:,} XML of {decimal(int(mean))}, {metadata:,} JSON); "
        f"stored: about {decimal(int(total * _STORED))}",
        f"time: about {duration(seconds)}: {found.latency * 1000:.0f} ms a request, {config.connections} in flight, "
        f"{decimal(_LINE)}/s, {_CPU_SECONDS * 1000:.1f} ms of CPU an article",
    ]


async def _sample(client: Client, listing: Listing, config: FetchPmcConfig) -> Sampled:
    verdicts: Counter[str] = Counter()
    sizes: list[int] = []
    seconds: list[float] = []

    async def one(row: int) -> None:
        pmcid, version = int(listing.pmcids[row]), int(listing.versions[row])
        start = time.monotonic()
        try:
            raw, etag = await fetch_json(client, pmcid, version, listed=listing.etags[row].tobytes())
            seconds.append(time.monotonic() - start)
            reason = verdict(read_detail(pmcid, version, etag, raw), config)
            if not reason:
                sizes.append(await _length(client, client.host.url(xml_key(pmcid, version))))
            verdicts[reason] += 1
        except Fault as fault:
            if fault.kind not in GONE_FOR_GOOD:
                raise
            verdicts["gone"] += 1

    for first in range(0, len(listing), 16):
        await asyncio.gather(*map(one, range(first, min(first + 16, len(listing)))))
    latency = sorted(seconds)[len(seconds) // 2] if seconds else 0.1
    return Sampled(verdicts=verdicts, sizes=tuple(sizes), latency=latency)


async def _length(client: Client, url: str) -> int:
    """Return the length of an object from the head of its answer; the body is not read."""

    async def ask() -> int:
        async with client.gate, client.open(url) as response:
            response.close()
            return response.content_length or 0

    length: int = await client.persist(url, ask)
    return length


async def _estimate_pubmed(client: Client, config: FetchPubmedConfig, _folder: str) -> str:
    files = await wanted_files(client, config)
    step = max(1, math.ceil(len(files) / 40))
    sampled: Sequence[ListedFile] = files[::step]
    sizes = [await _length(client, client.host.url(file.path)) for file in sampled]
    total = sum(sizes) / len(sizes) * len(files)
    about = "" if step == 1 else "about "
    counts = Counter(file.folder for file in files)
    return "\n".join(
        [
            *(f"{folder}: {count:,} files of 20{files[0].year}" for folder, count in sorted(counts.items())),
            f"to fetch: {len(files):,} files, {about}{decimal(int(total))}",
            f"time: about {duration(total / _LINE)} at {decimal(_LINE)}/s, {config.connections} files at once",
        ]
    )
