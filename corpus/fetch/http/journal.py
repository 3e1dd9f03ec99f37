"""Journal of a batch: the objects that arrived so far, in the order of arrival, safe against a kill at any byte.

A record is a position in the plan, a note and a payload, with a CRC-32 over all of it. One `write` appends one record,
so a kill loses at most what was in flight; a torn or damaged tail is cut off when the file is opened again.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from corpus.errors import DiskError

_HEADER = struct.Struct("<4sIIII")  # a _RecordHeader
_MAGIC = b"CpJ1"
_RECORD_CAP = 1 << 30


class _RecordHeader(NamedTuple):
    magic: bytes
    position: int
    note_bytes: int
    payload_bytes: int
    check: int  # CRC-32 of the three numbers, the note and the payload


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Where a record lies: its note begins at `offset`."""

    offset: int
    note_bytes: int
    payload_bytes: int


class Journal:
    """An append-only file of records, one a position; the first record of a position counts."""

    def __init__(self, path: str) -> None:
        self.path = path
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        self.entries: dict[int, JournalEntry] = {}
        self._end = 0
        self._recover()

    def __contains__(self, position: int) -> bool:
        return position in self.entries

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, position: int, note: bytes, payload: bytes) -> None:
        """Append a record; raises DiskError, leaving the file whole, when it cannot be written."""
        head = struct.pack("<III", position, len(note), len(payload))
        check = zlib.crc32(payload, zlib.crc32(note, zlib.crc32(head)))
        data = b"".join((_MAGIC, head, struct.pack("<I", check), note, payload))
        try:
            written = os.pwrite(self._file, data, self._end)
            if written != len(data):
                raise OSError(28, "the disk took only a part")
        except OSError as error:
            os.ftruncate(self._file, self._end)
            raise DiskError(
                f"cannot write {self.path}: {error.strerror}; free space and run the same command again"
            ) from error
        self.entries.setdefault(position, JournalEntry(self._end + _HEADER.size, len(note), len(payload)))
        self._end += len(data)

    def read(self, position: int) -> tuple[bytes, bytes]:
        """Return note and payload of a position."""
        entry = self.entries[position]
        data = os.pread(self._file, entry.note_bytes + entry.payload_bytes, entry.offset)
        return data[: entry.note_bytes], data[entry.note_bytes :]

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """Close the file and remove it."""
        self.close()
        Path(self.path).unlink(missing_ok=True)

    def _recover(self) -> None:
        size = os.fstat(self._file).st_size
        for position, entry in self._scan(size):
            self.entries.setdefault(position, entry)
            self._end = entry.offset + entry.note_bytes + entry.payload_bytes
        if self._end < size:
            os.ftruncate(self._file, self._end)

    def _scan(self, size: int) -> Iterator[tuple[int, JournalEntry]]:
        offset = 0
        while offset + _HEADER.size <= size:
            head = os.pread(self._file, _HEADER.size, offset)
            record = _RecordHeader._make(_HEADER.unpack(head))
            length = record.note_bytes + record.payload_bytes
            start = offset + _HEADER.size
            if record.magic != _MAGIC or length > _RECORD_CAP or start + length > size:
                return
            data = os.pread(self._file, length, start)
            if zlib.crc32(data, zlib.crc32(head[4:16])) != record.check:
                return
            yield record.position, JournalEntry(start, record.note_bytes, record.payload_bytes)
            offset = start + length
