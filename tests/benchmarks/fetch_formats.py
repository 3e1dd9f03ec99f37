"""Containers for the store, compared on size and CPU: `python -m tests.benchmarks.fetch --formats`."""

import gzip
import io
import tarfile
import time
import zipfile
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from isal import igzip_lib

from corpus.ncbi.archives.article_store import pack_member


def compare_formats(articles: list[bytes]) -> None:
    """Print bytes, ratio and CPU of each way to store the articles, and of reading one."""
    metadata = b'{"pmcid": "PMC1", "license_code": "CC BY", "xml_url": "s3://bucket/PMC1.1/PMC1.1.xml"}' * 8
    raw = sum(map(len, articles)) + len(articles) * len(metadata)
    print(f"{len(articles):,} articles of {raw / len(articles) / 1000:.0f} kB")
    print(f"{'':44}{'MB':>8}{'ratio':>7}{'write ms each':>15}")
    for name, work in _ways(articles, metadata).items():
        start = time.process_time()
        size = work()
        each = (time.process_time() - start) / len(articles) * 1000
        print(f"{name:44}{size / 1e6:8.2f}{raw / size:7.2f}{each:15.3f}")


def _ways(articles: list[bytes], metadata: bytes) -> dict[str, Callable[[], int]]:
    def members() -> int:
        return sum(len(pack_member("PMC1.1", metadata, xml)) for xml in articles)

    def isal(level: int) -> int:
        return sum(len(igzip_lib.compress(_tar(xml, metadata), level, igzip_lib.COMP_GZIP)) for xml in articles)

    def zstd_frames() -> int:
        packer = zstandard.ZstdCompressor(level=3)
        return sum(len(packer.compress(_tar(xml, metadata))) for xml in articles)

    def zipped() -> int:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for number, xml in enumerate(articles):
                archive.writestr(f"{number}.json", metadata)
                archive.writestr(f"{number}.xml", xml)
        return buffer.tell()

    def parquet() -> int:
        table = pa.table({"xml": pa.array(articles, pa.binary()), "json": [metadata] * len(articles)})
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd", compression_level=3, row_group_size=250, use_dictionary=False)
        return buffer.tell()

    return {
        "tar.gz, a member an article, isal 2 (ours)": members,
        "tar.gz, a member an article, isal 1": lambda: isal(1),
        "tar.gz, a member an article, isal 3": lambda: isal(3),
        "tar.gz, a member an article, zlib 6": lambda: sum(
            len(gzip.compress(_tar(xml, metadata), 6)) for xml in articles
        ),
        "tar.zst, a frame an article, zstd 3": zstd_frames,
        "zip, deflate 6": zipped,
        "Parquet, zstd 3, groups of 250": parquet,
    }


def _tar(xml: bytes, metadata: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in (("PMC1.1.json", metadata), ("PMC1.1.xml", xml)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
