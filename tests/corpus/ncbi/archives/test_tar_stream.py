"""Hostile and damaged archives: headers that tarfile would hang on, files cut and flipped; never a silent change."""

import gzip
import io
import json
import os
import random
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corpus.errors import CorruptError
from corpus.extract.inputs import find_inputs
from corpus.ncbi.pubmed.reader import read_pubmed
from tests.support.confined import Confined, assert_cheap
from tests.support.extracted import read_articles
from tests.support.malformed import SET_CLOSING, SET_OPENING, article, citation

MB = 1_000_000
END = bytes(1024)


@pytest.fixture(scope="module")
def confined() -> Iterator[Confined]:
    with Confined() as running:
        yield running


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info.tobuf(tarfile.GNU_FORMAT)


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE) -> bytes:
    return header(name, len(content), kind) + content + bytes(-len(content) % 512)


def signed(raw: bytes) -> bytes:
    """Return a header with the right checksum."""
    blank = raw[:148] + b" " * 8 + raw[156:]
    return raw[:148] + b"%06o\0 " % sum(blank) + raw[156:]


def sparse(name: str, size: int) -> bytes:
    """Return a member of GNU's old sparse form: all of its `size` bytes are one hole."""
    raw = header(name, 0, tarfile.GNUTYPE_SPARSE)
    number = b"\x80" + struct.pack(">3xQ", size)
    return signed(raw[:386] + number + b"%011o " % 0 + raw[410:483] + number + raw[495:])


def pax(**values: str) -> bytes:
    """Return an extended header; `__` in a name stands for a full stop."""
    lines = b""
    for name, value in values.items():
        line = f" {name.replace('__', '.')}={value}\n".encode()
        size = next(size for size in range(len(line), len(line) + 9) if len(str(size)) + len(line) == size)
        lines += str(size).encode() + line
    return member("pax", lines, tarfile.XHDTYPE)


BAD = member("PMC2.1.xml", article(2))
SPARSE_1_0 = {"GNU__sparse__major": "1", "GNU__sparse__minor": "0", "GNU__sparse__name": "PMC2.1.xml"}
# What stands behind a good article in a tar; `broken` ones make the archive an error, the others cost one article.
BROKEN = {
    "size below zero": header("PMC2.1.xml", -512),
    "size of 8 EiB": header("PMC2.1.xml", 1 << 62),
    "size of 300 MB that is not there": header("PMC2.1.xml", 300 * MB),
    "extended size below zero": pax(size="-1024") + BAD,
    "extended size of 10^30": pax(size="9" * 30) + BAD,
    "extended size in words": pax(size="x") + BAD,
    "extended header of length 0": member("pax", b"0 path=x\n", tarfile.XHDTYPE) + BAD,
    "extended header of 1 GB announced": header("pax", 1000 * MB, tarfile.XHDTYPE),
    "long name of 1 GB announced": header("././@LongLink", 1000 * MB, tarfile.GNUTYPE_LONGNAME),
    "5,000 extended headers in a row": pax(comment="x") * 5000 + BAD,
    "5,000 long names in a row": member("././@LongLink", b"x\0", tarfile.GNUTYPE_LONGNAME) * 5000 + BAD,
    "wrong checksum": BAD[:150] + bytes([BAD[150] ^ 1]) + BAD[151:],
}
REFUSED = {
    "sparse, 8 TB": sparse("PMC2.1.xml", 8 << 40),
    "sparse, 190 MB": sparse("PMC2.1.xml", 190 * MB),
    "sparse 0.1": pax(GNU__sparse__map="0,1,99999999999,5", GNU__sparse__size="99999999999999") + BAD,
    "sparse 1.0": pax(**SPARSE_1_0, GNU__sparse__realsize="99999999999999")
    + member("PMC2.1.xml", b"1\n0\n512\n".ljust(512, b"\0") + bytes(512)),
    "symbolic link": header("PMC2.1.xml", 0, tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": header("PMC2.1.xml", 0, tarfile.LNKTYPE, "PMC1.1.xml"),
    "character device": header("PMC2.1.xml", 0, tarfile.CHRTYPE),
    "block device": header("PMC2.1.xml", 0, tarfile.BLKTYPE),
    "pipe": header("PMC2.1.xml", 0, tarfile.FIFOTYPE),
    "absolute name": member("/PMC2.1.xml", article(2)),
    "name outside": member("a/../../PMC2.1.xml", article(2)),
    "name outside, extended": pax(path="../PMC2.1.xml") + member("x", article(2)),
    "article of NULs": member("PMC2.1.xml", bytes(5 * MB)),
    "name that is no UTF-8": signed(b"PMC2.\xff.xml".ljust(100, b"\0") + BAD[100:512]) + BAD[512:],
}  # fmt: skip


def facts(**values: object) -> bytes:
    return member("PMC2.1.json", json.dumps({"pmcid": "PMC2", "version": 1, **values}).encode())


METADATA = {
    "nested 500,000 deep": member("PMC2.1.json", b"[" * 500_000),
    "a number of 40 digits": facts(pmid="9" * 40),
    "a version of 40 digits": facts(version="9" * 40),
    "half a surrogate pair": facts(doi="10.1000/\ud800"),
    "no object": member("PMC2.1.json", b"[]"),
    "binary": member("PMC2.1.json", bytes(range(256))),
    "another MD5": facts(xml_url=f"s3://x?md5={'0' * 32}"),
}


def test_a_header_that_would_hang_or_fill_the_memory_is_an_error(tmp_path: Path, confined: Confined) -> None:
    for name, raw in BROKEN.items():
        path = tmp_path / "a.tar"
        path.write_bytes(member("PMC1.1.xml", article(1)) + raw + END)
        for job in ("articles", "extract"):
            bill = confined.run(job, path)
            assert_cheap(bill)
            assert "CorruptError" in bill.error, name
            assert bill.records == 0, "no record of a damaged archive is emitted"


@pytest.mark.parametrize("name", [*REFUSED, *METADATA])
def test_a_hostile_member_is_one_dead_letter(tmp_path: Path, confined: Confined, name: str) -> None:
    raw = REFUSED[name] if name in REFUSED else METADATA[name] + BAD
    path = tmp_path / "a.tar"
    path.write_bytes(member("PMC1.1.xml", article(1)) + raw + member("PMC3.1.xml", article(3)) + END)
    before = sorted(os.listdir(tmp_path))
    bill = confined.run("articles", path)
    assert_cheap(bill)
    if name == "name that is no UTF-8":
        assert bill.records + bill.rejects == 3
    else:
        assert (bill.records, bill.rejects) == (2, 1), bill
    assert sorted(os.listdir(tmp_path)) == before
    bill = confined.run("extract", path)
    assert_cheap(bill)
    assert not bill.error, "records and dead letters fit into Parquet"


def test_a_long_header_packed_small_fills_no_memory(tmp_path: Path, confined: Confined) -> None:
    unit = os.urandom(6000) + b"a" * (MB - 6000)  # 160 times: below the limit on a file's growth
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XGLTYPE):
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        raw = packer.compress(header("x", 1000 * MB, kind)) + packer.flush(zlib.Z_FULL_FLUSH)
        (tmp_path / "a.tar.gz").write_bytes(raw + (packer.compress(unit) + packer.flush(zlib.Z_FULL_FLUSH)) * 1000)
        bill = confined.run("articles", tmp_path / "a.tar.gz")
        assert_cheap(bill)
        assert bill.error
        assert bill.peak - bill.base < 50 * MB


PACKAGES = {
    "sparse, 8 TB": sparse("a.nxml", 8 << 40),
    "sparse, 2 GB": sparse("a.nxml", 2 << 30),
    "size below zero": header("a.nxml", -512),
    "size of 8 EiB": header("a.nxml", 1 << 62),
    "extended size of 10^30": pax(size="9" * 30) + member("a.nxml", article(2)),
    "extended size below zero": pax(size="-1024") + member("a.nxml", article(2)),
    "5,000 extended headers": pax(comment="x") * 5000 + member("a.nxml", article(2)),
    "link": header("a.nxml", 0, tarfile.SYMTYPE, "/etc/passwd"),
}


@pytest.mark.parametrize("name", PACKAGES)
def test_a_hostile_package_under_an_xml_name_is_one_dead_letter(tmp_path: Path, confined: Confined, name: str) -> None:
    path = tmp_path / "PMC5.1.xml"
    path.write_bytes(gzip.compress(PACKAGES[name] + END))
    bill = confined.run("jats", path)
    assert_cheap(bill)
    assert (bill.records, bill.rejects) == (0, 1), bill


def sets_and_tars(folder: Path) -> Iterator[tuple[bytes, Callable[[bytes], list[object]]]]:
    """Yield a packed set and a packed tar, each with a function that reads such bytes."""
    rng = random.Random(1)
    words = [bytes(rng.choices(b"abcdefgh ", k=300)) for _ in range(60)]
    packed = gzip.compress(
        SET_OPENING + b"".join(citation(n + 1, w) for n, w in enumerate(words)) + SET_CLOSING, mtime=0
    )

    def read_set(raw: bytes) -> list[object]:
        (folder / "f.xml.gz").write_bytes(raw)
        return [*read_pubmed(str(folder / "f.xml.gz"))]

    def read_tar(raw: bytes) -> list[object]:
        (folder / "a.tar.gz").write_bytes(raw)
        (task,) = find_inputs(pubmed=[], pmc=[str(folder / "a.tar.gz")], articles_per_part=500)
        return [*read_articles(task)]

    yield packed, read_set
    articles = b"".join(member(f"PMC{n + 1}.1.xml", article(n + 1, w)) for n, w in enumerate(words))
    yield gzip.compress(articles + END, mtime=0), read_tar


def test_a_cut_file_gives_no_record_wherever_it_is_cut(tmp_path: Path) -> None:
    for whole, read in sets_and_tars(tmp_path):
        assert len(read(whole)) == 60
        points = {len(whole) * point // 64 for point in range(1, 64)} | {
            len(whole) - missing for missing in range(1, 17)
        }
        for point in sorted(points):
            found: list[object] = []
            with pytest.raises(CorruptError):
                found += read(whole[:point])
            assert not found


def test_a_flipped_bit_is_an_error_or_changes_nothing(tmp_path: Path) -> None:
    for whole, read in sets_and_tars(tmp_path):
        expected, silent = read(whole), 0
        rng = random.Random(2)
        places = [len(whole) * point // 64 for point in range(64)] + [len(whole) - back for back in range(1, 17)]
        for place in places:
            damaged = bytearray(whole)
            damaged[place] ^= 1 << rng.randrange(8)
            try:
                assert read(bytes(damaged)) == expected, f"a silent change at byte {place}"
                silent += 1
            except CorruptError:
                continue
        assert silent < 3, "only the header holds bytes that mean nothing"


def test_a_zip_is_no_tar(tmp_path: Path) -> None:
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("PMC1.1.xml", article(1))
    (tmp_path / "a.tar").write_bytes(buffer.getvalue())
    (task,) = find_inputs(pubmed=[], pmc=[str(tmp_path / "a.tar")], articles_per_part=500)
    with pytest.raises(CorruptError, match=r"a\.tar"):
        list(read_articles(task))
