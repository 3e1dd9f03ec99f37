"""Files of lines, plain, gzip or zstd, read a block of whole lines at a time; and which names are data files at all.

A line keeps its end, so that the lines of a file put together again are the file. What a packed file holds is read
through Arrow, which goes on behind the end of a gzip member or a zstd frame and fails where the last one is cut short.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.storage import files

PARQUET: Final = ".parquet"
LINES: Final = (".jsonl", ".ndjson")
PACKED: Final = {".gz": "gzip", ".zst": "zstd"}  # of JSON lines: the end of a name, and Arrow's word
FORMS: Final = f"*{PARQUET}, *{' and *'.join(LINES)}, the latter also with {' or '.join(PACKED)}"
_CHUNK: Final = 4 << 20
_NEWLINE: Final = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class LineBlock:
    """Some whole lines of a file: line `first + k` is `data[bounds[k]:bounds[k + 1]]`, its end included."""

    first: int  # number of its first line in the file, from 0
    data: bytes
    bounds: npt.NDArray[np.int64]  # [num_lines + 1]

    def __len__(self) -> int:
        return len(self.bounds) - 1


def is_data_file(name: str) -> bool:
    """Say whether a name is that of a file to read; hidden ones are somebody's own."""
    hidden = any(step.startswith(".") for step in name.split("/"))
    plain = next((name.removesuffix(end) for end in PACKED if name.endswith(end)), name)
    return not hidden and (name.endswith(PARQUET) or plain.endswith(LINES))


def codec_of(name: str) -> str | None:
    """Return Arrow's word for how a file of lines is packed, None for a plain one."""
    return next((word for end, word in PACKED.items() if name.endswith(end)), None)


def line_blocks(path: str) -> Iterator[LineBlock]:
    """Yield the lines of a file, unpacked where its name says that it is packed; raises OSError for a damaged one."""
    with ExitStack() as stack:
        source: IO[bytes] = stack.enter_context(files.open_read(path))
        codec = codec_of(path)
        if codec is not None and files.size(path):
            source = stack.enter_context(pa.CompressedInputStream(pa.PythonFile(source, "r"), codec))
        first, rest = 0, list[bytes]()
        while chunk := source.read(_CHUNK):
            end = chunk.rfind(b"\n") + 1
            if end:
                block = _block(first, b"".join([*rest, chunk[:end]]))
                yield block
                first, rest = first + len(block), []
            if end < len(chunk):
                rest.append(chunk[end:])
        if rest:
            yield _block(first, b"".join(rest))


def _block(first: int, data: bytes) -> LineBlock:
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE) + 1
    last = [] if len(ends) and ends[-1] == len(data) else [len(data)]  # a last line may have no end
    return LineBlock(first=first, data=data, bounds=np.concatenate([[0], ends, last]).astype(np.int64))
