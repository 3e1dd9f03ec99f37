"""Tar reader for files of unknown origin: what Python's tarfile would hang on or fill the memory with is an error.

An open archive comes in, its members go out. A header that cannot be read, a chain of headers, a name of megabytes
and a size no file has are `tarfile.ReadError`s. Members are never extracted, so names and links reach nothing.
"""

import tarfile
from collections.abc import Iterator
from typing import IO, Any

# Headers that describe the next member, and the bytes one may have; a long name has a few hundred.
_DESCRIBING = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_HEADER_CAP = 1 << 20
_MEMBER_CAP = 1 << 42  # tarfile skips a member block by block, and 8 EiB would take it a year

# What tarfile lets through of a hostile header, besides its own errors.
_ODD_ERRORS = (ValueError, OverflowError, RecursionError, KeyError, IndexError)


class _Member(tarfile.TarInfo):
    """A header that is checked before tarfile reads what it announces."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Member":
        member = super().frombuf(buf, encoding, errors)
        most = _HEADER_CAP if member.type in _DESCRIBING else _MEMBER_CAP
        if not 0 <= member.size <= most:
            raise tarfile.ReadError(f"a header announces {member.size} bytes, the limit is {most}")
        return member


def open_tar(fileobj: IO[bytes], *, mode: str, block: int = tarfile.RECORDSIZE) -> tarfile.TarFile:
    """Open a tar; `mode` is "r|" for a stream, of which only `read` is asked, or "r:" for a file."""
    options: dict[str, Any] = {"mode": mode, "tarinfo": _Member} | ({"bufsize": block} if mode == "r|" else {})
    try:
        return tarfile.open(fileobj=fileobj, **options)
    except _ODD_ERRORS as error:
        raise tarfile.ReadError(f"its first header cannot be read ({type(error).__name__}: {error})") from error


def members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members in order; tarfile is kept from remembering each of them."""
    while True:
        try:
            member = archive.next()
        except _ODD_ERRORS as error:
            problem = f"the header behind byte {archive.offset} cannot be read ({type(error).__name__}: {error})"
            raise tarfile.ReadError(problem) from error
        if member is None:
            return
        archive.members.clear()  # type: ignore[attr-defined]  # tarfile would keep every member it has passed
        yield member
