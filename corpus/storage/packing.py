"""Packed files as they are written: one gzip member or one zstd frame, the same bytes for the same content."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

import pyarrow as pa

GZIP_LEVEL: Final = 6  # as the program has it; zstd's is Arrow's, 1


class LeftOpen:
    """A file that Arrow may write to and not close: `write_atomic` does that, when it is whole."""

    closed = False

    def __init__(self, sink: IO[bytes]) -> None:
        """Take an open file."""
        self.write, self.flush = sink.write, sink.flush

    def close(self) -> None:
        """Do nothing."""


class _GzipMember:
    """A gzip member without name and time."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self._packing = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)

    def write(self, data: Any) -> None:
        self._sink.write(self._packing.compress(data))

    def close(self) -> None:
        self._sink.write(self._packing.flush())


@contextmanager
def packed(sink: IO[bytes], codec: str | None) -> Iterator[Any]:
    """Yield what takes bytes and packs them into an open file by Arrow's word (gzip, zstd), None for not at all."""
    if codec == "gzip":
        member = _GzipMember(sink)
        yield member
        member.close()
    elif codec is not None:
        with pa.CompressedOutputStream(pa.PythonFile(LeftOpen(sink), "w"), codec) as stream:
            yield stream
    else:
        yield sink
