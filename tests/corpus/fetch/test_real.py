"""The real articles and citations, served on loopback in NCBI's layout and fetched through faults."""

import hashlib
import random
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from corpus.ncbi.archives.article_store import read_rows
from tests.corpus.fetch.test_pubmed import run as run_pubmed
from tests.support import fault_proxy as faults
from tests.support.fault_proxy import Fault, FaultProxy, Request
from tests.support.fetch_servers import ncbi_server, s3_server
from tests.support.small_fetch import events, index
from tests.support.small_fetch import run as run_pmc

pytestmark = [pytest.mark.real_data, pytest.mark.exhaustive]
KINDS = (
    faults.cut(0.3),
    faults.cut_without_length(0.7),
    faults.flip,
    faults.error_page,
    faults.slow_down,
    faults.not_found,
)


def test_2400_articles_come_whole_through_ten_percent_faults(real_data: Path, tmp_path: Path) -> None:
    dice = random.Random(2)

    def rule(request: Request) -> Fault | None:
        return dice.choice(KINDS) if request.turn < 2 and dice.random() < 0.1 and "/PMC" in request.path else None

    expected: dict[str, bytes] = {}
    with s3_server() as bucket:
        with tarfile.open(real_data / "pmc" / "pmc-oa-opendata.tar.xz") as archive:
            for member in archive:
                name = member.name.partition("/")[2]
                if member.isfile() and not name.startswith("inventory"):
                    content = archive.extractfile(member)
                    assert content is not None
                    expected[name] = content.read()
                    bucket.put(name, expected[name])
        bucket.publish()
        with FaultProxy(bucket.base, rule) as proxy:
            manifest = run_pmc(proxy.base, tmp_path, articles_per_shard=500)
            spoiled = Counter(proxy.committed)
    assert manifest.books.kept == 2400
    rows = index(tmp_path)
    for shard in {row.shard for row in rows}:
        for row, metadata, xml in read_rows(
            str(tmp_path / "shards" / shard), [row for row in rows if row.shard == shard]
        ):
            assert xml == expected[f"{row.doc_id}/{row.doc_id}.xml"]
            assert metadata == expected[f"metadata/{row.doc_id}.json"]
    named = {event["url"].partition("/PMC")[2] for event in events(tmp_path, "retry")}
    assert {path.partition("/PMC")[2] for path in spoiled} <= named
    assert not events(tmp_path, "dropped")
    print(f"{spoiled.total()} faults on {len(proxy.requests)} requests: {Counter(_kinds(tmp_path))}")


def _kinds(folder: Path) -> list[str]:
    return [event["kind"] for event in events(folder, "retry")]


def test_real_pubmed_files_come_whole_through_faults(real_data: Path, tmp_path: Path) -> None:
    sources = [
        *sorted((real_data / "pubmed" / "baseline").glob("*.xml.gz")),
        *sorted((real_data / "pubmed" / "samples").glob("*.xml.gz")),
        *sorted((real_data / "pubmed" / "derived").glob("*.xml.gz")),
    ]
    files: dict[str, Path | bytes] = {}
    for number, path in enumerate(sources, 1):
        name = f"pubmed26n{number:04d}.xml.gz"
        folder = "baseline" if number == 1 else "updatefiles"
        files[f"{folder}/{name}"] = path
        files[f"{folder}/{name}.md5"] = f"MD5({name})= {hashlib.md5(path.read_bytes()).hexdigest()}\n".encode()
    dice = random.Random(3)

    def rule(request: Request) -> Fault | None:
        return dice.choice(KINDS) if request.turn < 2 else None

    with ncbi_server(files) as base, FaultProxy(base, rule) as proxy:
        manifest = run_pubmed(proxy.base, tmp_path)
    assert manifest.books.kept == len(sources) == 4
    for name, content in files.items():
        if isinstance(content, Path):
            assert (tmp_path / name).read_bytes() == content.read_bytes()
