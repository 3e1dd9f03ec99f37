"""Servers for the tests of `fetch`, on loopback: moto's S3, and NCBI's HTTPS layout by werkzeug, which knows ranges."""

import gzip
import hashlib
import html
import json
import logging
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

BUCKET = "pmc-oa-opendata"
INVENTORIES = f"inventory-reports/{BUCKET}/metadata"
DATE = "2026-11-23T01-00Z"
_NUMBERS = count()  # moto keeps the buckets of all servers of a process together


class Bucket:
    """The bucket of an S3 server: `base` is the address of its objects."""

    def __init__(self, base: str, backend: Any, name: str) -> None:
        self.base, self._backend, self._name = base, backend, name

    def put(self, key: str, content: bytes) -> None:
        self._backend.put_object(self._name, key, content)

    def get(self, key: str) -> bytes:
        content: bytes = self._backend.get_object(self._name, key).value
        return content

    def put_tree(self, tree: Path) -> None:
        """Store the files of a tree that is laid out as the bucket, and publish an inventory."""
        for path in tree.rglob("*"):
            if path.is_file():
                self.put(path.relative_to(tree).as_posix(), path.read_bytes())
        self.publish()

    def remove(self, key: str) -> None:
        self._backend.delete_object(self._name, key)

    def keys(self, prefix: str = "") -> list[str]:
        return sorted(key for key in self._backend.get_bucket(self._name).keys if key.startswith(prefix))

    def put_article(self, pmcid: int, xml: bytes, *, version: int = 1, **facts: object) -> None:
        """Store an article and its metadata as NCBI does."""
        name = f"PMC{pmcid}.{version}"
        content = {
            "pmcid": f"PMC{pmcid}", "version": version, "pmid": None, "doi": None, "title": None,
            "citation": "A Journal. 2018 Feb; 1(2):3", "is_pmc_openaccess": True, "is_manuscript": False,
            "is_historical_ocr": False, "is_retracted": False, "license_code": "CC BY",
            "xml_url": f"s3://{BUCKET}/{name}/{name}.xml?md5={hashlib.md5(xml).hexdigest()}",
        }  # fmt: skip
        self.put(f"{name}/{name}.xml", xml)
        self.put(f"metadata/{name}.json", json.dumps(content | facts, indent=1).encode())

    def publish(self, date: str = DATE, *, files: int = 2, extra: tuple[tuple[str, str], ...] = ()) -> None:
        """Write an S3 Inventory of the metadata that is there now, in several data files, and `extra` rows."""
        rows = [(key, hashlib.md5(self.get(key)).hexdigest()) for key in self.keys("metadata/")]
        publish_rows(self.put, date, [*rows, *extra], files=files)


def publish_rows(put: Any, date: str, rows: list[tuple[str, str]], *, files: int = 2) -> None:
    """Write an inventory of (key, ETag) rows by calling put(key, content)."""
    listed = []
    for number in range(files):
        lines = [
            '"{}","{}","2026-10-01T00:00:00.000Z","{}"\n'.format(BUCKET, key.replace('"', '""'), etag)
            for key, etag in rows[number::files]
        ]
        content = gzip.compress("".join(lines).encode(), mtime=0)
        digest = hashlib.md5(content).hexdigest()
        key = f"{INVENTORIES}/data/{digest}.csv.gz"
        put(key, content)
        listed.append({"key": key, "size": len(content), "MD5checksum": digest})
    manifest = json.dumps(
        {
            "sourceBucket": BUCKET, "destinationBucket": f"arn:aws:s3:::{BUCKET}", "version": "2016-11-30",
            "fileFormat": "CSV", "fileSchema": "Bucket, Key, LastModifiedDate, ETag", "files": listed,
        }
    ).encode()  # fmt: skip
    put(f"{INVENTORIES}/{date}/manifest.json", manifest)
    put(f"{INVENTORIES}/{date}/manifest.checksum", hashlib.md5(manifest).hexdigest().encode())


@contextmanager
def s3_server(address: str = "127.0.0.1") -> Iterator[Bucket]:
    """Run moto's S3 server with an empty bucket, at an address of this machine, until the block ends."""
    server_module = pytest.importorskip("moto.server", reason="needs moto[s3] and flask, of the dev extra")
    import boto3

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = server_module.ThreadedMotoServer(ip_address=address, port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        client = boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        name = f"{BUCKET}-{next(_NUMBERS)}"
        client.create_bucket(Bucket=name, ACL="public-read")
        rule = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"], "Resource": f"arn:aws:s3:::{name}/*"}
        client.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [rule]}))
        from moto.s3.models import s3_backends

        backend = s3_backends["123456789012"]["aws"]
        yield Bucket(f"http://{host}:{port}/{name}", backend, name)
    finally:
        server.stop()


@contextmanager
def gcs_server() -> Iterator[tuple[str, str]]:
    """Run an emulator of Google's storage; yields the address of the server and a bucket in it."""
    emulator = pytest.importorskip("gcp_storage_emulator.server", reason="needs gcp-storage-emulator, of the dev extra")
    for name in ("gcp_storage_emulator", "gcsfs"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    name = f"corpus-{next(_NUMBERS)}"
    with socket.create_server(("127.0.0.1", 0)) as free:  # the emulator does not say which port it took
        port = free.getsockname()[1]
    server = emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket=name)
    server.start()
    try:
        yield f"http://127.0.0.1:{port}", name
    finally:
        server.stop()


@contextmanager
def ncbi_server(files: Mapping[str, Path | bytes]) -> Iterator[str]:
    """Serve files by their paths below the root, with folder listings as NCBI's; yields the base address.

    The mapping is read at each request, so a test may change it meanwhile.
    """
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, NcbiApp(files), threaded=True)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/pubmed"
    finally:
        server.shutdown()
        thread.join()


def numbered(paths: Sequence[str]) -> dict[str, Path | bytes]:
    """Return PubMed files and their sidecars as NCBI's server has them, under numbers without a gap."""
    files: dict[str, Path | bytes] = {}
    for number, path in enumerate(map(Path, paths), 1):
        name = f"{path.parent.name}/pubmed26n{number:04d}.xml.gz"
        sidecar = Path(f"{path}.md5").read_text(encoding="utf-8").replace(path.name, Path(name).name)
        files |= {name: path, f"{name}.md5": sidecar.encode()}
    return files


class NcbiApp:
    """Answers GET with ranges and ETags (werkzeug's), and lists folders as an HTML page."""

    def __init__(self, files: Mapping[str, Path | bytes]) -> None:
        self._files = files

    def __call__(self, environ: Any, start_response: Any) -> Any:
        from werkzeug.wrappers import Request, Response

        request = Request(environ)
        name = request.path.removeprefix("/pubmed/").lstrip("/")
        found = self._files.get(name)
        if found is None and (name.endswith("/") or not name):
            return Response(self._listing(name), mimetype="text/html")(environ, start_response)
        if found is None:
            return Response("not here", status=404)(environ, start_response)
        content = found if isinstance(found, bytes) else found.read_bytes()
        response = Response(content, mimetype="application/octet-stream")
        response.set_etag(hashlib.sha1(content).hexdigest())
        response.accept_ranges = "bytes"
        response.make_conditional(request, accept_ranges=True, complete_length=len(content))
        return response(environ, start_response)

    def _listing(self, folder: str) -> str:
        names = sorted(name.removeprefix(folder) for name in self._files if name.startswith(folder))
        rows = "\n".join(
            f'<a href="{html.escape(name)}">{html.escape(name)}</a>  2025-12-10 14:00   20M' for name in names
        )
        return f"<html><head><title>Index of /pubmed/{folder}</title></head>\n<body><pre>{rows}\n</pre></body></html>\n"
