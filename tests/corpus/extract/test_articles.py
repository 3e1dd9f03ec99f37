"""Tars and trees: hostile members reach nothing, damage is an error before any record, a bad article is one reject."""

import gzip
import hashlib
import io
import json
import lzma
import tarfile
from pathlib import Path

import pytest

from corpus.errors import CorruptError
from corpus.extract.inputs import InputTask, find_inputs
from corpus.reasons import RejectReason
from corpus.records import Record, Reject
from tests.support.extracted import read_articles
from tests.support.jats_samples import jats


def article(number: int) -> bytes:
    """Return an article with its own id, long enough that flips hit something."""
    body = "".join(f"<p>Paragraph {index} of article {number}.</p>" for index in range(40))
    return jats(ids=f'<article-id pub-id-type="pmc">{number}</article-id>', body=body)


def facts(number: int, xml: bytes, **more: object) -> bytes:
    """Return the bucket's JSON of an article."""
    md5 = hashlib.md5(xml, usedforsecurity=False).hexdigest()
    content = {"pmcid": f"PMC{number}", "version": 1, "xml_url": f"s3://b/PMC{number}.1.xml?md5={md5}", **more}
    return json.dumps(content).encode()


def tar(members: list[tuple[str, bytes]]) -> bytes:
    """Return an uncompressed tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def task(path: Path) -> InputTask:
    """Return the task of one file or tree."""
    return find_inputs(pubmed=[], pmc=[str(path)], articles_per_part=500)[0]


def read(path: Path) -> list[Record | Reject]:
    """Read all articles of a file or tree."""
    return list(read_articles(task(path)))


def written(path: Path, content: bytes) -> Path:
    """Write a file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


THREE = [(f"d/PMC{number}.1/PMC{number}.1.xml", article(number)) for number in (3, 1, 2)]


@pytest.mark.parametrize(("name", "pack"), [("a.tar", bytes), ("a.tar.gz", gzip.compress), ("a.tar.xz", lzma.compress)])
def test_members_in_order_with_metadata_from_anywhere_in_the_archive(
    tmp_path: Path, name: str, pack: type[bytes]
) -> None:
    retracted = ("d/metadata/PMC1.1.json", facts(1, article(1), is_retracted=True, license_code="CC BY"))
    raw = tar([*THREE, retracted, ("d/PMC1.1/PMC1.1.pdf", b"%PDF"), ("d/._PMC1.1.xml", b"junk")])
    found = read(written(tmp_path / name, pack(raw)))
    assert [(item.doc_id, item.retracted, item.license) for item in found if isinstance(item, Record)] == [
        ("pmc:PMC3.1", False, ""),
        ("pmc:PMC1.1", True, "CC-BY"),
        ("pmc:PMC2.1", False, ""),
    ]
    assert [item.file for item in found] == [name] * 3
    assert [raw[item.offset :].startswith(b"d/PMC") for item in found] == [True] * 3
    assert [item.position for item in found if isinstance(item, Record)] == [0, 1, 2]


def test_the_suffix_is_not_believed(tmp_path: Path) -> None:
    assert len(read(written(tmp_path / "a.tar", lzma.compress(tar(THREE))))) == 3
    assert len(read(written(tmp_path / "b.tar.xz", gzip.compress(tar(THREE))))) == 3
    assert len(read(written(tmp_path / "c.tar.gz", tar(THREE)))) == 3


@pytest.mark.parametrize(("name", "pack"), [("a.tar", bytes), ("a.tar.gz", gzip.compress), ("a.tar.xz", lzma.compress)])
def test_a_cut_archive_is_an_error_before_any_record(tmp_path: Path, name: str, pack: type[bytes]) -> None:
    raw = pack(tar(THREE))
    # The padding behind the two zero blocks that end a plain tar may be missing: nothing is lost then.
    needed = max(len(tar(THREE).rstrip(b"\0")) + 1024, 0) if pack is bytes else len(raw)
    for size in (10, 511, 512, len(raw) // 3, len(raw) // 2, needed - 1100, needed - 300, needed - 9, needed - 1):
        if not 0 <= size < needed:
            continue
        with pytest.raises(CorruptError, match=r"download it again|empty|not a"):
            next(read_articles(task(written(tmp_path / name, raw[:size]))))


@pytest.mark.parametrize(("name", "pack"), [("a.tar.gz", gzip.compress), ("a.tar.xz", lzma.compress)])
def test_no_flipped_bit_is_silent(tmp_path: Path, name: str, pack: type[bytes]) -> None:
    raw = pack(tar(THREE))
    expected = read(written(tmp_path / name, raw))
    for position in range(0, len(raw), max(1, len(raw) // 60)):
        damaged = raw[:position] + bytes([raw[position] ^ 16]) + raw[position + 1 :]
        try:
            found = read(written(tmp_path / name, damaged))
        except CorruptError:
            continue
        assert found == expected, f"silent change at byte {position}"  # the gzip header holds a time, and the like


def test_a_damaged_header_inside_is_not_taken_for_the_end(tmp_path: Path) -> None:
    raw = bytearray(tar(THREE))
    second = bytes(raw).index(b"d/PMC1.1/")
    raw[second + 150] ^= 1  # in the checksum field
    with pytest.raises(CorruptError, match="breaks at byte"):
        read(written(tmp_path / "a.tar", bytes(raw)))


def test_two_archives_in_one_file_are_not_half_read(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="breaks at byte"):
        read(written(tmp_path / "a.tar", tar(THREE) + tar(THREE)))


def test_hostile_members_reach_nothing(tmp_path: Path) -> None:
    secret = written(tmp_path / "secret.xml", article(99))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, target in (
            ("PMC10.xml", tarfile.SYMTYPE, str(secret)),
            ("PMC11.xml", tarfile.LNKTYPE, "../secret.xml"),
            ("PMC12.xml", tarfile.CHRTYPE, ""),
            ("PMC13.xml", tarfile.FIFOTYPE, ""),
            ("folder.xml", tarfile.DIRTYPE, ""),
            ("link.txt", tarfile.SYMTYPE, "../../elsewhere"),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
        for name in ("../PMC14.xml", "/PMC15.xml", "ok/PMC16.xml"):
            member = tarfile.TarInfo(name)
            member.size = len(article(16))
            archive.addfile(member, io.BytesIO(article(16)))
    before = sorted(tmp_path.rglob("*"))
    found = read(written(tmp_path / "a.tar", buffer.getvalue()))
    assert [type(item).__name__ for item in found] == ["Reject"] * 6 + ["Record"]
    assert {item.reason for item in found if isinstance(item, Reject)} == {RejectReason.BAD_RECORD}
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "a.tar"])
    assert "PMC99" not in repr(found)


def test_one_bad_article_is_one_reject_with_its_id(tmp_path: Path) -> None:
    members = [THREE[0], ("d/PMC7.2.xml", article(7)[:-30]), ("d/PMC8.1.xml", article(8)), THREE[2]]
    members.append(("d/PMC8.1.json", facts(8, b"other bytes")))
    members.append(("d/PMC2.1.json", b"{not json"))
    found = read(written(tmp_path / "a.tar", tar(members)))
    rejects = [item for item in found if isinstance(item, Reject)]
    assert [(item.doc_id, item.reason) for item in rejects] == [
        ("pmc:PMC7.2", RejectReason.BAD_XML),
        ("pmc:PMC8.1", RejectReason.BAD_RECORD),
        ("pmc:PMC2.1", RejectReason.BAD_RECORD),
    ]
    assert "MD5" in rejects[1].detail
    assert "metadata" in rejects[2].detail
    assert rejects[0].raw == article(7)[:-30][:4096]
    assert rejects[0].sha256 == hashlib.sha256(article(7)[:-30]).hexdigest()


def test_a_tree_reads_like_its_tar(tmp_path: Path) -> None:
    members = [*sorted(THREE), ("d/metadata/PMC1.1.json", facts(1, article(1), license_code="CC0", pmid=5))]
    for name, content in members:
        written(tmp_path / "tree" / name, content)
    loose = read(tmp_path / "tree")
    packed = read(written(tmp_path / "a.tar", tar(members)))
    assert [(item.doc_id, item.license, item.pmid, item.body) for item in loose if isinstance(item, Record)] == [
        (item.doc_id, item.license, item.pmid, item.body) for item in packed if isinstance(item, Record)
    ]
    assert [item.file for item in loose] == ["PMC1.1.xml", "PMC2.1.xml", "PMC3.1.xml"]


def test_an_archive_bomb_is_refused(tmp_path: Path) -> None:
    raw = lzma.compress(tar([("PMC1.xml", b" " * 100_000_000)]))
    with pytest.raises(CorruptError, match="bomb"):
        read(written(tmp_path / "a.tar.xz", raw))


def bundle(*numbers: int) -> bytes:
    """Return a document of several articles."""
    return b"<articles>" + b"\n".join(map(article, numbers)) + b"</articles>"


@pytest.mark.parametrize("cap", [50_000_000, 5_000])
def test_documents_of_several_articles_loose_and_in_a_tar(
    tmp_path: Path, cap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("corpus.extract.articles", "corpus.ncbi.archives.packages", "corpus.ncbi.archives.article_sets"):
        monkeypatch.setattr(f"{module}.BYTE_CAP", cap)
    bad = bundle(5, 6, 7).replace(b"article 6.</p>", b"article 6.", 1)
    for name, content in (("a.xml", bundle(1, 2, 3)), ("b.xml.gz", gzip.compress(bundle(4))), ("c.xml", bad)):
        written(tmp_path / "loose" / name, content)
    expected = ["pmc:PMC1.1", "pmc:PMC2.1", "pmc:PMC3.1", "pmc:PMC4.1", "pmc:PMC5.1", "pmc:PMC6.1", "pmc:PMC7.1"]
    loose = read(tmp_path / "loose")
    assert [item.doc_id for item in loose] == expected
    assert [item.reason for item in loose if isinstance(item, Reject)] == [RejectReason.BAD_XML]
    assert [item.position for item in loose if isinstance(item, Record)] == [0, 1, 2, 0, 0, 2]
    packed = tar([("d/a.xml", bundle(1, 2, 3)), ("d/b.xml.gz", gzip.compress(bundle(4))), ("d/c.xml", bad)])
    found = read(written(tmp_path / "sets.tar.gz", gzip.compress(packed)))
    assert [item.doc_id for item in found] == expected
    assert [item.position for item in found if isinstance(item, Record)] == [0, 1, 2, 3, 4, 6]


def test_a_large_file_that_is_no_set_stays_one_dead_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corpus.extract.articles.BYTE_CAP", 1_000)
    raw = tar([("d/PMC1.1.xml", article(1)), ("d/none.xml", b"<articles>" + b" " * 2_000 + b"</articles>")])
    found = read(written(tmp_path / "a.tar", raw))
    assert [item.reason for item in found if isinstance(item, Reject)] == [
        RejectReason.TOO_LARGE,
        RejectReason.BAD_ROOT,
    ]
    assert len(found) == 2
