"""What fetching costs: `python -m tests.benchmarks.fetch`.

nginx serves generated articles of about 100 kB on loopback, over HTTP and over TLS, and `fetch pmc` fetches them in a
process of its own; CPU milliseconds an article (its metadata and XML: requested, proven, compressed, appended, indexed)
and the peak of memory come out, for several numbers of articles. `--formats` compares containers for the store on the
same articles, `--plan N` measures what an inventory of N rows costs before the first article is asked for. Needs nginx
(Debian: nginx-light) and says so without it.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from isal import igzip

from tests.benchmarks.fetch_formats import compare_formats
from tests.support.fetch_servers import INVENTORIES, publish_rows

_PEAK = """
import resource, sys, time
def peak():  # getrusage would count the parent's memory before exec
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1e3 for line in status if line.startswith("VmHWM"))
"""
_RUN = f"""{_PEAK}
from corpus.fetch.config import FetchPmcConfig
from corpus.fetch.pmc.stage import fetch_pmc
start, before, memory = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF), peak()
manifest = fetch_pmc(FetchPmcConfig(source=sys.argv[1], connections=int(sys.argv[3])), output=sys.argv[2])
after = resource.getrusage(resource.RUSAGE_SELF)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(manifest.books.kept, cpu, time.monotonic() - start, peak(), memory)
"""
_PLAN = f"""{_PEAK}
import pathlib
from corpus.fetch import pmc  # all that a fetch imports
from corpus.fetch.config import FetchPmcConfig
from corpus.fetch.pmc.candidates import cut, find_candidates
folder, before = pathlib.Path(sys.argv[1]), peak()
paths = sorted(map(str, folder.glob("*.csv.gz")))
found = find_candidates(paths, ("bucket", "key", "lastmodifieddate", "etag"), FetchPmcConfig(), str(folder / "plan"))
planned, start = time.process_time(), time.process_time()
for span in cut(found.catalog.pmcids, 8192):
    found.catalog.read(*span).digest()
print(len(found.catalog), planned, time.process_time() - start, before, peak())
"""
_DISTINCT = 500  # different articles; the others are links to them
_NGINX = """
worker_processes 1; pid {base}/nginx.pid; error_log {base}/error.log; worker_rlimit_nofile 8192; user root;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000; etag off;
  client_body_temp_path {base}/t1; proxy_temp_path {base}/t2; fastcgi_temp_path {base}/t3;
  uwsgi_temp_path {base}/t4; scgi_temp_path {base}/t5;
  server {{
    listen 127.0.0.1:{port}; listen 127.0.0.1:{tls} ssl;
    ssl_certificate {base}/cert.pem; ssl_certificate_key {base}/key.pem;
    root {base}/www;
    location = /bucket {{ default_type application/xml; alias {base}/listing.xml; }}
  }}
}}
"""


def make_bucket(root: Path, count: int, sources: list[bytes]) -> None:
    """Write `count` articles as links to some hundred files, their metadata and an inventory."""
    bucket = root / "www" / "bucket"
    (bucket / "metadata").mkdir(parents=True)
    (root / "files").mkdir()
    digests = []
    for number, content in enumerate(sources):
        (root / "files" / str(number)).write_bytes(content)
        digests.append(hashlib.md5(content).hexdigest())
    rows = []
    for number in range(count):
        pmcid, which = 1_000_000 + 7 * number, number % len(sources)
        name = f"PMC{pmcid}.1"
        (bucket / name).mkdir()
        os.link(root / "files" / str(which), bucket / name / f"{name}.xml")
        metadata = _metadata(pmcid, digests[which])
        (bucket / "metadata" / f"{name}.json").write_bytes(metadata)
        rows.append((f"metadata/{name}.json", hashlib.md5(metadata).hexdigest()))

    def put(key: str, content: bytes) -> None:
        path = bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    date = "2026-11-23T01-00Z"
    publish_rows(put, date, rows)
    prefix = f"<CommonPrefixes><Prefix>{INVENTORIES}/{date}/</Prefix></CommonPrefixes>"
    listing = f"<ListBucketResult><IsTruncated>false</IsTruncated>{prefix}</ListBucketResult>"
    (root / "listing.xml").write_text(listing)


def measure_plan(count: int, folder: Path) -> None:
    """Write an inventory of so many rows in no order, plan with it in a process of its own, and print what it costs."""
    dice = np.random.default_rng(0)
    ids = dice.permutation(np.arange(1, 1 + count * 8 // 5))[:count]  # as dense as PMC's
    per_file = 1_000_000
    for number, first in enumerate(range(0, count, per_file)):
        with igzip.open(folder / f"data-{number:05d}.csv.gz", "wb", compresslevel=1) as sink:
            for pmcid in ids[first : first + per_file].tolist():
                row = f'"b","metadata/PMC{pmcid}.1.json","2026-10-01T00:00:00.000Z","{dice.bytes(16).hex()}"\n'
                sink.write(row.encode())
    run = subprocess.run([sys.executable, "-c", _PLAN, str(folder)], check=True, stdout=subprocess.PIPE)
    figures = list(map(float, run.stdout.split()))
    found, cpu, reading = figures[:3]
    start, peak = figures[3:]
    print(
        f"{found:,.0f} article versions: {cpu:.1f} CPU s to plan, {reading:.1f} to read the plan in ranges; "
        f"{start:.0f} MB at start, {peak:.0f} MB peak"
    )


def _metadata(pmcid: int, digest: str) -> bytes:
    name = f"PMC{pmcid}.1"
    content = {
        "pmcid": f"PMC{pmcid}", "version": 1, "pmid": pmcid + 9_000_000, "doi": f"10.1000/journal.{pmcid}",
        "title": "A title of the usual length for an article about something in the life sciences",
        "citation": "Journal of Things. 2018 Feb; 12(3):456-789", "is_pmc_openaccess": True, "is_manuscript": False,
        "is_historical_ocr": False, "is_retracted": False, "license_code": "CC BY",
        "xml_url": f"s3://bucket/{name}/{name}.xml?md5={digest}",
        "text_url": f"s3://bucket/{name}/{name}.txt?md5={digest}",
        "media_urls": [f"s3://bucket/{name}/figure{number}.jpg?md5={digest}" for number in range(8)],
    }  # fmt: skip
    return json.dumps(content, indent=1).encode()


def sources_from(data: Path | None) -> list[bytes]:
    """Return articles of 80 to 120 kB: real ones where they are, else generated words."""
    if data is not None and data.exists():
        import tarfile

        found = []
        with tarfile.open(data / "pmc" / "pmc-oa-opendata.tar.xz") as archive:
            for member in archive:
                if member.name.endswith(".xml") and 80_000 < member.size < 120_000 and len(found) < _DISTINCT:
                    content = archive.extractfile(member)
                    found.append(content.read() if content else b"")
        return found
    words = [hashlib.md5(bytes([number % 256, number // 256])).hexdigest()[: 3 + number % 9] for number in range(5000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    texts = (random.Random(seed).choices(words, weights, k=15_000) for seed in range(_DISTINCT))
    return [f"<article><body><p>{' '.join(text)}</p></body></article>".encode() for text in texts]


@contextmanager
def nginx(base: Path, port: int, tls: int) -> Iterator[None]:
    """Serve `base/www` until the block ends."""
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    key = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    files = ["-keyout", f"{base}/key.pem", "-out", f"{base}/cert.pem"]
    subprocess.run([*key, *files], check=True, capture_output=True)
    (base / "nginx.conf").write_text(_NGINX.format(base=base, port=port, tls=tls))
    process = subprocess.Popen(["nginx", "-c", f"{base}/nginx.conf", "-g", "daemon off;"])
    time.sleep(1)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


class Cost(NamedTuple):
    """What a fetch cost; memory in MB."""

    articles: int
    cpu: float
    wall: float
    peak: float
    start: float


def measure(source: str, output: Path, connections: int, certificate: Path) -> Cost:
    """Return articles, CPU s, wall s, peak and starting memory (MB) of one fetch in a process of its own."""
    environment = {**os.environ, "SSL_CERT_FILE": str(certificate)}
    command = [sys.executable, "-c", _RUN, source, str(output), str(connections)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    count, *figures = map(float, run.stdout.split())
    shutil.rmtree(output)
    return Cost(int(count), *figures)


def measure_count(count: int, sources: list[bytes], options: argparse.Namespace) -> None:
    """Serve so many articles and print a line for each scheme."""
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        base = Path(folder).resolve()
        make_bucket(base, count, sources)
        with nginx(base, options.port, options.port + 1):
            for scheme in options.schemes:
                port = options.port + (scheme == "https")
                address = f"{scheme}://127.0.0.1:{port}/bucket"
                cost = measure(address, base / "out", options.connections, base / "cert.pem")
                cpu, wall = cost.cpu / cost.articles * 1000, cost.wall / cost.articles * 1000
                print(
                    f"{scheme:8}{cost.articles:10,}{cpu:13.3f}{wall:14.3f}{cost.peak:9.0f}{cost.start:13.0f}",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[2400, 20_000])
    parser.add_argument("--connections", type=int, default=128)
    parser.add_argument("--port", type=int, default=8571)
    parser.add_argument("--data", type=Path, default=None, help="folder with pmc/pmc-oa-opendata.tar.xz")
    parser.add_argument("--work", type=Path, default=None, help="where to write; needs space for the largest count")
    parser.add_argument("--formats", action="store_true", help="compare containers for the store")
    parser.add_argument("--cut", type=int, default=None, help="use only so many bytes of each article")
    parser.add_argument("--schemes", nargs="+", default=["http", "https"])
    parser.add_argument("--plan", type=int, default=None, help="rows of an inventory to plan with; fetches nothing")
    options = parser.parse_args()
    if options.plan is not None:
        with tempfile.TemporaryDirectory(dir=options.work) as folder:
            measure_plan(options.plan, Path(folder))
        return
    sources = [content[: options.cut] for content in sources_from(options.data)]
    if options.formats:
        compare_formats(sources)
        return
    if shutil.which("nginx") is None:
        print("nginx is not installed (Debian: apt-get install nginx-light): nothing was measured")
        return
    print(f"objects of {sum(map(len, sources)) / len(sources) / 1000:.0f} kB, {options.connections} connections")
    print(f"{'':8}{'articles':>10}{'CPU ms each':>13}{'wall ms each':>14}{'peak MB':>9}{'at start MB':>13}")
    for count in options.counts:
        measure_count(count, sources, options)
    print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


if __name__ == "__main__":
    main()
