"""What a file may cost at most: bombs, giants, strange shapes, and files ten times larger."""

import gzip
import io
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.confined import Confined, assert_cheap
from tests.support.malformed import SET_CLOSING, SET_OPENING, article, citation

MB = 1_000_000


@pytest.fixture(scope="module")
def confined() -> Iterator[Confined]:
    with Confined() as running:
        yield running


def deflated(head: bytes, unit: bytes, times: int) -> bytes:
    """Return a gzip stream without end of `head` and then `unit` many times, at the cost of compressing it once."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    first = packer.compress(head + unit) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + (packer.compress(unit) + packer.flush(zlib.Z_FULL_FLUSH)) * times


BOMBS = {
    "a gigabyte of text": (citation(1)[:-20], b"word" * 250_000),
    "a gigabyte of white space": (b"", b" " * MB),
    "a gigabyte of empty records": (b"", b"<PubmedArticle/>" * 62_500),
    "a gigabyte of text, less packed": (citation(1)[:-20], os.urandom(6000).hex().encode() + b"a" * (MB - 12_000)),
    "a gigabyte of comments": (b"", b"<!-- -->" * 125_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_gzip_bomb_is_refused_early(tmp_path: Path, confined: Confined, name: str) -> None:
    head, unit = BOMBS[name]
    (tmp_path / "f.xml.gz").write_bytes(deflated(SET_OPENING + head, unit, 1000))
    (tmp_path / "PMC5.xml").write_bytes(deflated(article(5)[:600], unit, 1000))
    for job, file in (("pubmed", "f.xml.gz"), ("jats", "PMC5.xml"), ("articles", "PMC5.xml"), ("extract", "f.xml.gz")):
        bill = confined.run(job, tmp_path / file)
        assert_cheap(bill)
        assert bill.error or bill.reasons in (("bad_record",), ("too_large",), ("bad_xml",))
        assert not bill.records


EXHAUSTIVE = pytest.mark.exhaustive
FILLERS: dict[str, Callable[[int], bytes]] = {
    "text": lambda size: b"x" * size,
    "words": lambda size: b"a " * (size // 2),
    "white space": lambda size: b" " * size,
    "empty elements": lambda size: b"<b/>" * (size // 4),
    "elements": lambda size: b"<i>x</i>" * (size // 8),
    "paragraphs": lambda size: b"</p><p>x" * (size // 8),
    "superscripts": lambda size: b"<sup>1</sup>" * (size // 12),
    "references": lambda size: b"&lt;" * (size // 4),
    "CDATA sections": lambda size: b"<![CDATA[x]]>" * (size // 13),
    "comments": lambda size: b"<!--x-->" * (size // 8),
    "instructions": lambda size: b"<?x?>" * (size // 5),
    "table cells": lambda size: b"<table><tr>" + b"<td/>" * (size // 5) + b"</tr></table>",
}


@pytest.mark.slow
@pytest.mark.parametrize("size", [pytest.param(20, marks=EXHAUSTIVE), pytest.param(49, marks=EXHAUSTIVE), 100])
@pytest.mark.parametrize("name", FILLERS)
def test_a_record_of_many_megabytes_is_read_or_refused_at_a_bounded_price(
    tmp_path: Path, confined: Confined, name: str, size: int
) -> None:
    filler, path = FILLERS[name](size * MB), tmp_path / "f.xml"
    path.write_bytes(SET_OPENING + citation(1) + citation(2, filler) + citation(3) + SET_CLOSING)
    bill = confined.run("pubmed", path)
    assert_cheap(bill)
    assert (bill.records, bill.rejects) in ((3, 0), (2, 1))
    path.write_bytes(article(5, filler))
    bill = confined.run("jats", path)
    assert_cheap(bill)
    assert (bill.records, bill.rejects) in ((1, 0), (0, 1))


SHAPES = {
    "100,000 levels": b"<b>" * 100_000 + b"x" + b"</b>" * 100_000,
    "100,000 levels never closed": b"<b>" * 100_000,
    "1,900 levels": b"<b>" * 1900 + b"x" + b"</b>" * 1900,
    "1,900 sections": b"</p>" + b"<sec><title>t</title>" * 1900 + b"<p>x</p>" + b"</sec>" * 1900 + b"<p>",
    "1,900 lists": b"<list><list-item><p>" * 600 + b"x" + b"</p></list-item></list>" * 600,
    "1,900 formulas": b"<mfrac><mi>a</mi>" * 1800 + b"<mi>b</mi>" + b"</mfrac>" * 1800,
    "100,000 attributes": b"<b " + b" ".join(b'a%d="x"' % number for number in range(100_000)) + b"/>",
    "an attribute of a megabyte": b'<b a="' + b"x" * MB + b'"/>',
    "a name of 100 kB": b"<" + b"n" * 100_000 + b"/>",
    "100,000 namespaces": b"".join(b'<b xmlns:n%d="u"/>' % number for number in range(100_000)),
    "50,000 prefixes on one element": b"<b " + b" ".join(b'xmlns:n%d="u"' % number for number in range(50_000)) + b"/>",
    "100,000 open comments": b"<!-- " * 100_000,
    "100,000 open tags": b"<" * 100_000,
    "100,000 ampersands": b"&" * 100_000,
    "a cell over 10^9 columns": b'</p><table><tr><td colspan="999999999" rowspan="999999999">x</td></tr></table><p>',
    "a table of spans": b"</p><table>" + b'<tr><td colspan="1000" rowspan="1000">x</td></tr>' * 1000 + b"</table><p>",
    "bad reference numbers": b"&#x0000000000000000000000000000000000000041;" * 10_000,
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_hostile_shape_is_cheap_and_costs_no_other_record(tmp_path: Path, confined: Confined, name: str) -> None:
    path = tmp_path / "f.xml"
    path.write_bytes(SET_OPENING + citation(1) + citation(2, SHAPES[name]) + citation(3) + SET_CLOSING)
    bill = confined.run("pubmed", path)
    assert_cheap(bill)
    assert (bill.records, bill.rejects) in ((3, 0), (2, 1))
    path.write_bytes(article(5, SHAPES[name]))
    bill = confined.run("jats", path)
    assert_cheap(bill)
    assert (bill.records, bill.rejects) in ((1, 0), (0, 1))


def memory(confined: Confined, path: Path, *, job: str) -> int:
    bill = confined.run(job, path)
    assert (bill.status, bill.error, bill.rejects) == (0, "", 0)
    return bill.peak


@pytest.mark.slow
@pytest.mark.parametrize("job", ["pubmed", pytest.param("extract", marks=EXHAUSTIVE)])
def test_a_set_ten_times_larger_needs_no_more_memory(tmp_path: Path, confined: Confined, job: str) -> None:
    text = b"Patients were followed for two years and <i>no</i> event was seen. " * 20
    peaks = []
    for size in (5_000, 50_000):
        path = tmp_path / f"pubmed26n{size:05d}.xml.gz"
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(SET_OPENING + b"".join(citation(number + 1, text) for number in range(size)) + SET_CLOSING)
        peaks.append(memory(confined, path, job=job))
    assert peaks[1] < 1.1 * peaks[0], f"{peaks[0] / MB:.0f} MB, then {peaks[1] / MB:.0f} MB"


@pytest.mark.slow
@pytest.mark.parametrize("job", [pytest.param(job, marks=EXHAUSTIVE) for job in ("articles", "extract")])
def test_a_tar_ten_times_larger_needs_no_more_memory(tmp_path: Path, confined: Confined, job: str) -> None:
    paragraph = b"</p><p>Patients were followed for two years and <italic>no</italic> event was seen."
    peaks = []
    for size in (600, 6_000):
        path = tmp_path / f"{size}.tar.gz"
        with tarfile.open(path, "w:gz", compresslevel=1) as archive:
            for number in range(size):
                raw = article(number + 1, paragraph * 150)
                member = tarfile.TarInfo(f"PMC{number + 1}.1.xml")
                member.size = len(raw)
                archive.addfile(member, io.BytesIO(raw))
        peaks.append(memory(confined, path, job=job))
    assert peaks[1] < 1.1 * peaks[0], f"{peaks[0] / MB:.0f} MB, then {peaks[1] / MB:.0f} MB"


FLOODS = {
    "a million empty records": b"<PubmedArticle/>" * 1_000_000,
    "20,000 open comments": b"<PubmedArticle><!-- </PubmedArticle>" * 20_000,
    "20,000 open CDATA sections": b"<PubmedArticle><![CDATA[ </PubmedArticle>" * 20_000,
    "100,000 pieces of text": b"x<PubmedArticle><PMID>1</PMID></PubmedArticle>" * 50_000,
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_dead_letters_is_bounded(tmp_path: Path, confined: Confined, name: str) -> None:
    (tmp_path / "pubmed26n0001.xml").write_bytes(SET_OPENING + FLOODS[name] + SET_CLOSING)
    assert_cheap(confined.run("extract", tmp_path / "pubmed26n0001.xml"))
