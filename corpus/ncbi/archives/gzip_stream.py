"""Gzip files read to their very end, with flat memory, before anything in them is believed.

A stream of file bytes comes in (gzip or plain: the first two bytes decide, never the name); decompressed blocks of
at most 1 MiB, or a whole verified file, go out. Common readers accept a file that was cut off or
whose last bytes are gone; here every member must reach its trailer with the right CRC and length, only zero padding
may follow, and the output may not grow beyond RATIO_CAP times the input. isal decompresses about three times
faster than zlib; real PubMed files expand 10 to 15 times.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Protocol

from isal import igzip_lib

from corpus import storage
from corpus.errors import CorruptError

RATIO_CAP = 200
TOTAL_CAP = 20_000_000_000  # decompressed bytes of one file; the largest of PubMed have under 10^9
HEAD, TAIL = 1 << 16, 1 << 12
# Bytes of a file, as it lies, that stay in memory from its check to its records, so that it is read once; a larger one
# is read twice. PubMed's have 20 to 75 MB. Its content is five to ten times as large, and unpacking it again is cheap.
KEPT_CAP = 128_000_000

_MAGIC = b"\x1f\x8b"
_READ, _BLOCK = 1 << 17, 1 << 20
_SLACK = 10 * _BLOCK  # a tiny file may expand this far at any ratio
_AGAIN = "the file is damaged or was cut off; download it again"

_NLM_MD5 = re.compile(r"MD5\s*\(.*\)\s*=\s*([0-9a-fA-F]{32})")
_PLAIN_MD5 = re.compile(r"([0-9a-fA-F]{32})(\s+\*?\S.*)?")


class Readable(Protocol):
    """What is asked of a stream: `read` returns b"" only at the end."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """A file that was read to its end: its first and last decompressed bytes, and what gives all of them again.

    `kept` are its bytes as it lies, None for a file above KEPT_CAP.
    """

    open_raw: Callable[[], IO[bytes]]
    name: str
    head: bytes
    tail: bytes
    kept: list[bytes] | None

    def blocks(self) -> Iterator[bytes]:
        """Yield the decompressed content, as `chunks` does."""
        if self.kept is not None:
            yield from chunks(_Kept(self.kept), name=self.name)
            return
        with self.open_raw() as raw:
            yield from chunks(raw, name=self.name)


def verify(open_raw: Callable[[], IO[bytes]], *, md5: str | None, name: str) -> Verified:
    """Read a whole file and return it; `md5` is the expected digest of its bytes, `name` is for messages.

    Raises CorruptError when the digest differs, or the gzip stream is damaged, incomplete or a bomb.
    """
    with open_raw() as raw:
        source = _Watched(raw, with_md5=md5 is not None)
        head, tail = b"", b""
        for block in chunks(source, name=name):
            if len(head) < HEAD:
                head += block[: HEAD - len(head)]
            tail = (tail + block[-TAIL:])[-TAIL:]
    if md5 is not None and source.md5() != md5.lower():
        raise CorruptError(f"{name}: its MD5 is {source.md5()}, the .md5 file says {md5.lower()}; {_AGAIN}")
    if source.size == 0:
        raise CorruptError(f"{name}: the file is empty; download it again")
    return Verified(open_raw=open_raw, name=name, head=head, tail=tail, kept=source.kept)


def chunks(stream: Readable, *, name: str = "input", total_cap: int | None = None) -> Iterator[bytes]:
    """Yield the decompressed content in blocks of at most 1 MiB; plain content passes through.

    `total_cap` replaces TOTAL_CAP as the limit on decompressed bytes.

    The blocks are to be trusted only when the iterator has ended: damage near the end of a file raises
    CorruptError after the blocks before it were yielded.
    """
    pending = _read_at_least(stream, b"", len(_MAGIC))
    if not pending.startswith(_MAGIC):
        while pending:
            yield pending
            pending = stream.read(_BLOCK)
        return
    produced, consumed = 0, 0
    while pending:
        member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        while not member.eof:
            if member.needs_input and not pending:
                pending = stream.read(_READ)
                if not pending:
                    raise CorruptError(f"{name}: the gzip stream ends early, after {produced} bytes; {_AGAIN}")
            consumed += len(pending)
            block = _decompress(member, pending, name, produced)
            pending = b""
            produced += len(block)
            _check_growth(name, produced, consumed, total_cap)
            if block:
                yield block
        consumed -= len(member.unused_data)
        pending = _next_member(stream, member.unused_data, name)


def md5_sidecar(path: str) -> str | None:
    """Return the digest in `<path>.md5`, or None when there is no such file.

    NLM writes `MD5(name)= hex`, md5sum writes `hex  name`. Raises CorruptError for anything else.
    """
    sidecar = path + ".md5"
    if not storage.exists(sidecar):
        return None
    with storage.open_read(sidecar) as source:
        raw = source.read(4096)
    digest = read_md5(raw)
    if digest is None:
        raise CorruptError(
            f"{sidecar}: holds no MD5 (expected `MD5(name)= hex`, found {raw[:60].decode('ascii', 'replace')!r}); "
            "download it again, or remove it to read the file unchecked"
        )
    return digest


def read_md5(raw: bytes, *, name: str | None = None) -> str | None:
    """Return the digest that a sidecar's bytes state, None for none, and for that of a file that is not `name`."""
    text = raw.decode("ascii", "replace").strip()
    found = _NLM_MD5.fullmatch(text) or _PLAIN_MD5.fullmatch(text)
    if found is None or (name is not None and "(" in text and f"({name})" not in text.replace(" ", "")):
        return None
    return found[1].lower()


class _Watched:
    """A readable stream that counts, keeps and, if asked to, hashes what is read through it."""

    def __init__(self, raw: IO[bytes], *, with_md5: bool) -> None:
        self._raw = raw
        self._md5 = hashlib.md5(usedforsecurity=False) if with_md5 else None
        self.size = 0
        self.kept: list[bytes] | None = []

    def read(self, size: int, /) -> bytes:
        block = self._raw.read(size)
        self.size += len(block)
        if self.size > KEPT_CAP:
            self.kept = None
        if self.kept is not None:
            self.kept.append(block)
        if self._md5 is not None:
            self._md5.update(block)
        return block

    def md5(self) -> str | None:
        return self._md5.hexdigest() if self._md5 is not None else None


class _Kept:
    """What was read of a stream, to be read once more with as many calls."""

    def __init__(self, blocks: list[bytes]) -> None:
        self._blocks = iter(blocks)

    def read(self, size: int, /) -> bytes:
        return next(self._blocks, b"")


def _decompress(member: igzip_lib.IgzipDecompressor, data: bytes, name: str, produced: int) -> bytes:
    try:
        return member.decompress(data, _BLOCK)
    except igzip_lib.IsalError as error:  # type: ignore[misc]  # isal's stubs lack the class
        raise CorruptError(f"{name}: the gzip stream breaks after {produced} bytes ({error}); {_AGAIN}") from error


def _check_growth(name: str, produced: int, consumed: int, total_cap: int | None) -> None:
    """Refuse a gzip bomb while it is still small."""
    if produced > RATIO_CAP * consumed + _SLACK:
        raise CorruptError(
            f"{name}: expands more than {RATIO_CAP} times ({consumed} bytes gave {produced}), as no file of NCBI does; "
            "it looks like a gzip bomb, do not use it"
        )
    cap = TOTAL_CAP if total_cap is None else total_cap
    if produced > cap:
        raise CorruptError(f"{name}: expands beyond {cap} bytes; split it into smaller files")


def _next_member(stream: Readable, rest: bytes, name: str) -> bytes:
    """Return the first bytes of the next gzip member, b"" at the end; only zero padding may stand between."""
    rest = _read_at_least(stream, rest, len(_MAGIC))
    if rest.startswith(_MAGIC):
        return rest
    while rest:
        if rest.strip(b"\0"):
            raise CorruptError(f"{name}: {rest[:8]!r}… follows the end of the gzip stream; {_AGAIN}")
        rest = stream.read(_READ)
    return b""


def _read_at_least(stream: Readable, start: bytes, size: int) -> bytes:
    """Return `start` extended to at least `size` bytes, less only at the end of the stream."""
    while len(start) < size:
        more = stream.read(_READ)
        if not more:
            break
        start += more
    return start
