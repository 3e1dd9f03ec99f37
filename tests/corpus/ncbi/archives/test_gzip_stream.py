"""Gzip verification: every kind of damage is an error, whole files give their facts."""

import gzip
import hashlib
import io
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import CorruptError
from corpus.ncbi.archives import gzip_stream
from corpus.ncbi.archives.gzip_stream import Verified, chunks, md5_sidecar, verify

TEXT = "".join(f"<r>{number} {number * 7919 % 104729}</r>" for number in range(40_000)).encode()
FILE = gzip.compress(TEXT, mtime=0)


def check(raw: bytes, md5: str | None = None) -> Verified:
    return verify(lambda: io.BytesIO(raw), md5=md5, name="file.xml.gz")


def test_whole_file_gives_its_facts() -> None:
    facts = check(FILE, md5=hashlib.md5(FILE).hexdigest().upper())
    assert facts.head == TEXT[: gzip_stream.HEAD]
    assert facts.tail == TEXT[-gzip_stream.TAIL :]


@pytest.mark.parametrize(("cap", "times"), [(len(FILE), 1), (len(FILE) - 1, 2)])
def test_file_is_read_once_up_to_a_size(monkeypatch: pytest.MonkeyPatch, cap: int, times: int) -> None:
    monkeypatch.setattr(gzip_stream, "KEPT_CAP", cap)
    opened: list[io.BytesIO] = []

    def open_raw() -> io.BytesIO:
        opened.append(io.BytesIO(FILE))
        return opened[-1]

    facts = verify(open_raw, md5=None, name="file.xml.gz")
    assert b"".join(facts.blocks()) == TEXT
    assert len(opened) == times
    assert all(stream.closed for stream in opened)


def test_plain_content_passes_whatever_the_name() -> None:
    assert b"".join(check(TEXT).blocks()) == TEXT
    assert b"".join(chunks(io.BytesIO(TEXT))) == TEXT


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.5, 0.99])
def test_truncation_anywhere_is_found(share: float) -> None:
    with pytest.raises(CorruptError, match=r"file\.xml\.gz.*ends early.*download it again"):
        check(FILE[: max(2, int(len(FILE) * share))])


@pytest.mark.parametrize("missing", range(1, 9))
def test_missing_trailer_bytes_are_found(missing: int) -> None:
    with pytest.raises(CorruptError, match="ends early"):
        check(FILE[:-missing])


@pytest.mark.parametrize("place", [-1, -5, -8])
def test_flipped_trailer_is_found(place: int) -> None:
    raw = bytearray(FILE)
    raw[place] ^= 0x10
    with pytest.raises(CorruptError, match="breaks"):
        check(bytes(raw))


def test_flipped_bits_are_never_silent() -> None:
    rng = random.Random(2)
    for _ in range(200):
        raw = bytearray(FILE)
        bit = rng.randrange(10 * 8, len(raw) * 8)  # behind the header, whose time stamp may be anything
        raw[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptError):
            check(bytes(raw))


def test_members_are_all_read() -> None:
    second = gzip.compress(b"second", mtime=0)
    assert b"".join(check(FILE + second).blocks()) == TEXT + b"second"
    with pytest.raises(CorruptError, match="ends early"):
        check(FILE + second[:-1])


def test_what_may_follow_the_end() -> None:
    assert b"".join(check(FILE + b"\0" * 300_000).blocks()) == TEXT
    for garbage in (b"x", b"\x1f", b"trailing garbage", b"\0" * 300_000 + b"x", b"\0" + FILE):
        with pytest.raises(CorruptError, match="follows the end"):
            check(FILE + garbage)


def test_bombs_are_refused_early() -> None:
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(compressor.compress(b"\0" * 1_000_000) for _ in range(300)) + compressor.flush()
    with pytest.raises(CorruptError, match="bomb"):
        check(bomb)


def test_total_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzip_stream, "TOTAL_CAP", len(TEXT) - 1)
    with pytest.raises(CorruptError, match="expands beyond"):
        check(FILE)


def test_empty_file_and_wrong_digest() -> None:
    with pytest.raises(CorruptError, match="empty"):
        check(b"")
    with pytest.raises(CorruptError, match="MD5"):
        check(FILE, md5="0" * 32)


def test_md5_sidecars(tmp_path: Path) -> None:
    path = str(tmp_path / "a.xml.gz")
    digest = "95b699a910c2a5e949fc899886616500"
    assert md5_sidecar(path) is None
    for text in (f"MD5(a.xml.gz)= {digest}\n", f"MD5 (a) = {digest.upper()}", f"{digest}  a.xml.gz\n", digest):
        Path(path + ".md5").write_text(text, encoding="utf-8")
        assert md5_sidecar(path) == digest
    for text in ("", "<html>503</html>", digest[:-1], f"MD5(a)= {digest}0"):
        Path(path + ".md5").write_text(text, encoding="utf-8")
        with pytest.raises(CorruptError, match=r"a\.xml\.gz\.md5"):
            md5_sidecar(path)


class Trickle(io.BytesIO):
    """A stream that gives a few bytes at a time, as a network does."""

    step = 1

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(self.step, size if size and size > 0 else self.step))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 40), st.integers(0, 20))
def test_any_members_in_any_steps(contents: list[bytes], step: int, padding: int) -> None:
    stream = Trickle(b"".join(gzip.compress(content, mtime=0) for content in contents) + b"\0" * padding)
    stream.step = step
    assert b"".join(chunks(stream)) == b"".join(contents)


def test_blocks_are_small() -> None:
    assert max(map(len, chunks(io.BytesIO(gzip.compress(b"ab" * 3_000_000))))) <= 1 << 20
    assert max(map(len, chunks(io.BytesIO(b"ab" * 3_000_000)))) <= 1 << 20
