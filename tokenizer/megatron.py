"""Megatron's token shards: `<stem>.bin`, the ids, and `<stem>.idx`, where each document lies.

    .bin   ids, two bytes each or four, little endian; documents behind one another, each ended by <|endoftext|>
    .idx   b"MMIDIDX\\0\\0", version uint64 = 1, dtype code uint8, documents uint64, documents + 1 uint64,
           lengths int32[documents], byte offsets int64[documents], document index int64[documents + 1]

The dtype code needs care: 8 is uint16 to Megatron-LM, GPT-NeoX and Megatron-DeepSpeed but uint64 to
DeepSpeed's own reader (0.19: `indexed_dataset.dtypes`), whose uint16, 6, is float64 to Megatron. Code 3,
int16, means the same to all of them, and ids below 32,768 have the same bytes in both types; so a vocabulary
that fits is written as code 3 and a larger one, up to 65,536, as code 8, for Megatron's readers alone. Beyond, ids
have four bytes: code 4, int32, which again means the same to all, and no id reaches its sign.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus import storage
from corpus.errors import CorruptError
from tokenizer.arrays import TokenCounts, TokenIds, id_type

MAGIC = b"MMIDIDX\0\0"
VERSION = 1
INT16, INT32, UINT16 = 3, 4, 8

_HEADER = struct.Struct("<9sQBQQ")
_TYPES: Mapping[int, np.dtype[Any]] = {
    INT16: np.dtype("<u2"),
    INT32: np.dtype("<u4"),
    UINT16: np.dtype("<u2"),
}  # no id has the sign's bit


class _Header(NamedTuple):
    """Header of an index, in the order of its fields; `ends` is documents + 1."""

    magic: bytes
    version: int
    dtype_code: int
    documents: int
    ends: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardIndex:
    """Index of a shard: each document's length and start, in ids; lengths include `<|endoftext|>`."""

    dtype_code: int
    lengths: TokenCounts
    starts: npt.NDArray[np.int64]

    @property
    def id_type(self) -> np.dtype[Any]:
        """Return the type of the ids in `<stem>.bin`."""
        return _TYPES[self.dtype_code]

    @property
    def num_tokens(self) -> int:
        """Return the number of ids in the shard."""
        return int(self.lengths.sum())


def write_shard(
    stem: str, batches: Iterable[tuple[TokenIds, TokenCounts]], *, eot: int, vocab_size: int | None = None
) -> tuple[int, int]:
    """Write `<stem>.bin` and `<stem>.idx` from batches of (flat ids, length of each document).

    Appends `eot` to every document, the last id of the vocabulary unless its size is given; returns (ids written,
    documents). Both files appear whole or not at all, the index last.
    """
    entries = vocab_size or eot + 1
    kind = id_type(entries)
    lengths = [np.empty(0, np.int64)]
    with storage.write_atomic(stem + ".bin") as sink:
        for ids, counts in batches:
            sink.write(_end_documents(ids, counts, eot, kind).tobytes())
            lengths.append(counts + 1)
    sizes = np.concatenate(lengths)
    with storage.write_atomic(stem + ".idx") as sink:
        starts = _starts(sizes) * kind.itemsize
        code = INT32 if kind.itemsize == 4 else INT16 if entries <= 1 << 15 else UINT16
        sink.write(_HEADER.pack(MAGIC, VERSION, code, len(sizes), len(sizes) + 1))
        for array, dtype in ((sizes, "<i4"), (starts, "<i8"), (np.arange(len(sizes) + 1), "<i8")):
            sink.write(array.astype(dtype).tobytes())
    return int(sizes.sum()), len(sizes)


def read_index(path: str) -> ShardIndex:
    """Return the index in `<stem>.idx`, checked against itself and against the size of `<stem>.bin`.

    Raises CorruptError when either is damaged, cut short, or not in this layout.
    """
    with storage.open_read(path) as source:
        raw = source.read()
    if len(raw) < _HEADER.size:
        raise _corrupt(path, f"{len(raw)} bytes are less than a header")
    header = _Header._make(_HEADER.unpack_from(raw))
    count = header.documents
    if header.magic != MAGIC or header.version != VERSION:
        raise _corrupt(
            path, f"it starts with {header.magic!r} version {header.version}, not {MAGIC!r} version {VERSION}"
        )
    if (kind := _TYPES.get(header.dtype_code)) is None:
        expected = f"{INT16} (int16), {INT32} (int32) or {UINT16} (uint16)"
        raise _corrupt(path, f"dtype code {header.dtype_code}, expected {expected}")
    size = _HEADER.size + 12 * count + 8 * (count + 1)
    if header.ends != count + 1 or len(raw) != size:
        raise _corrupt(path, f"{len(raw)} bytes, {size} expected for {count} documents")
    lengths = np.frombuffer(raw, "<i4", count, _HEADER.size).astype(np.int64)
    offsets = np.frombuffer(raw, "<i8", count, _HEADER.size + 4 * count)
    documents = np.frombuffer(raw, "<i8", count + 1, _HEADER.size + 12 * count)
    starts = _starts(lengths)
    if (lengths < 1).any() or (offsets != starts * kind.itemsize).any() or (documents != np.arange(count + 1)).any():
        raise _corrupt(path, "lengths, offsets and document index do not fit together")
    ids = path.removesuffix(".idx") + ".bin"
    found = f"{storage.size(ids)} bytes" if storage.exists(ids) else "missing"
    if found != (expected := f"{int(lengths.sum()) * kind.itemsize} bytes"):
        raise _corrupt(ids, f"{found}, the index says {expected}")
    return ShardIndex(dtype_code=header.dtype_code, lengths=lengths, starts=starts)


def _end_documents(ids: TokenIds, counts: TokenCounts, eot: int, kind: np.dtype[Any]) -> TokenIds:
    """Return the ids with `eot` after every document."""
    assert int(counts.sum()) == len(ids), "the lengths cover the ids"
    out = np.empty(len(ids) + len(counts), kind)
    ends = np.cumsum(counts + 1) - 1
    text = np.ones(len(out), np.bool_)
    text[ends] = False
    out[text], out[ends] = ids, eot
    return out


def _starts(lengths: TokenCounts) -> npt.NDArray[np.int64]:
    return np.cumsum(lengths) - lengths


def _corrupt(path: str, what: str) -> CorruptError:
    return CorruptError(f"{path}: {what}; remove its directory and run `corpuscle pack` again")
