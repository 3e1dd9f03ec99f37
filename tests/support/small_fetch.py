"""A bucket of small articles on moto's S3 server, and what tests do with it: fetch, and look at the store."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from corpus.fetch.config import FetchPmcConfig
from corpus.fetch.http.pace import Pace
from corpus.fetch.pmc.stage import fetch_pmc
from corpus.ncbi.archives.article_store import IndexRow, read_index
from corpus.stage.lock import LOCK, RUN_FACTS
from corpus.stage.manifest import Manifest, read_manifest
from corpus.storage.files import join, sha256_file, walk_files
from tests.support.fetch_servers import Bucket, s3_server

PACE = Pace(connections=16, first_wait=0.01, longest_wait=0.05, grace=1.0)
PATIENT = replace(PACE, grace=60.0)  # for servers that answer, on a machine that may be busy


def article(pmcid: int, words: int = 300, mark: str = "") -> bytes:
    text = " ".join(random.Random(pmcid).choices(("alpha", "beta", "gamma", "délta", "&amp;"), k=words))
    return (
        f"<article><front><article-meta><article-id pub-id-type='pmcid'>PMC{pmcid}</article-id><title-group>"
        f"<article-title>Title {pmcid}{mark}</article-title></title-group></article-meta></front>"
        f"<body><p>{text}</p></body></article>"
    ).encode()


def fill(bucket: Bucket, count: int) -> None:
    """Store articles of all kinds: two versions, licences, page scans, manuscripts, years."""
    for number in range(count):
        pmcid = 1000 + 7 * number
        facts = {
            "license_code": ("CC BY", "CC BY-NC", "TDM", "CC0")[number % 4],
            "is_manuscript": number % 4 == 2,
            "is_historical_ocr": number % 10 == 5,
            "citation": f"Journal of 1918 Flu. {1990 + number % 30} Feb; 3(1):5",
            "pmid": 500_000 + number,
            "doi": f"10.1000/x.{number}",
        }
        bucket.put_article(pmcid, article(pmcid), **facts)
        if number % 6 == 0:
            for version in (2, 10):
                bucket.put_article(pmcid, article(pmcid, mark=f" v{version}"), version=version, **facts)


@contextmanager
def filled(count: int) -> Iterator[Bucket]:
    """Run a server of so many articles and an inventory of them until the block ends."""
    with s3_server() as bucket:
        fill(bucket, count)
        bucket.publish()
        yield bucket


def run(base: str, output: Path | str, *, pace: Pace = PATIENT, **settings: object) -> Manifest:
    config = FetchPmcConfig(**{"source": base, "articles_per_shard": 16, "metadata_per_part": 25, **settings})
    return fetch_pmc(config, output=str(output), pace=pace)


def hashes(folder: Path | str) -> dict[str, str]:
    """Return the hash of every file, but for those that tell of the run and not of the data."""
    names = [
        name for name in walk_files(str(folder)) if not name.endswith((LOCK, RUN_FACTS, "fetch.jsonl", "events.jsonl"))
    ]
    return {name: sha256_file(join(str(folder), name)) for name in names}


def undisturbed(bucket: Bucket, folder: Path) -> dict[str, str]:
    """Fetch without a fault and return the hash of every file: what every other way must end in."""
    run(bucket.base, folder)
    return hashes(folder)


def index(folder: Path) -> list[IndexRow]:
    manifest = read_manifest(str(folder))
    return [row for path in manifest.paths(str(folder), "index") for row in read_index(path)]


def events(folder: Path, name: str) -> list[dict[str, str]]:
    lines = (folder / "fetch.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["event"] == name]
