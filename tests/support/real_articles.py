"""The real articles as the tests and benchmarks read them: name and bytes, unpacked when they lie packed."""

import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

ARCHIVE = "pmc/pmc-oa-opendata.tar.xz"


def members(data: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file of the real archive."""
    with tarfile.open(data / ARCHIVE, "r|xz") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                yield Path(member.name).name, content.read()


def articles(data: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every article of the real archive."""
    return ((name, raw) for name, raw in members(data) if name.endswith(".xml"))


def plain(raw: bytes) -> bytes:
    """Return the XML of an article that may be gzipped, alone or as a package."""
    if raw[:2] != b"\x1f\x8b":
        return raw
    raw = gzip.decompress(raw)
    if raw[257:262] != b"ustar":
        return raw
    with tarfile.open(fileobj=io.BytesIO(raw)) as package:
        content = package.extractfile(next(member for member in package if member.name.endswith("xml")))
        assert content is not None
        return content.read()
