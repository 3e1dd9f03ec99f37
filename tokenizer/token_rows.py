"""Dataset of token rows: one split of a finished `pack`, a read-only view over memory-mapped token shards.

Row i is the window [i · seq_length, (i + 1) · seq_length) of the split's shards behind one another, so a row
may start in one document, or one shard, and end in another. Sizes are checked against the manifest when the
view is made; hashes are `tokenizer.blocks`' and `corpuscle verify`'s. Nobody puts other tokens there as long as the
view lives.
"""

import mmap
import weakref
from contextlib import ExitStack
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus import storage
from corpus.errors import CorruptError, UsageError
from corpus.stage.manifest import read_manifest
from corpus.stage.reading import held_for_reading
from tokenizer.arrays import SourceCodes, TokenIds, id_type
from tokenizer.megatron import read_index
from tokenizer.sources import SOURCES, read_sources


class TokenRows:
    """Rows of one split; `fingerprint` is that of the pack stage, which a resumed run must find again."""

    def __init__(self, tokens: str, split: str, *, scattered: bool = False) -> None:
        """Open the split ("train", "validation" or "test") of a tokens directory.

        With `scattered` rows are read far apart: the system then reads their pages alone, not those around them too.

        Raises UsageError when no pack is finished there, CorruptError when a file is missing or of another size.
        """
        if storage.is_remote(tokens):
            raise UsageError(f"{tokens}: training maps token shards into memory; copy the directory to a local disk")
        held = ExitStack()
        weakref.finalize(self, held.close)
        held.enter_context(held_for_reading(tokens))
        manifest = read_manifest(tokens, "pack")
        if split not in manifest.summary["splits"]:
            has = ", ".join(sorted(manifest.summary["splits"]))
            raise UsageError(f"{tokens}: no split {split!r}, it has {has}; pack a corpus with documents in it")
        self.manifest = manifest
        self.fingerprint = manifest.fingerprint
        self.seq_length = int(manifest.summary["seq_length"])
        self.vocab_size = int(manifest.summary["vocab_size"])
        self.end_of_text = int(manifest.summary["end_of_text"])
        self.separator: str | None = manifest.summary.get("separator")  # as a tokenizer spells it that kept its ids
        self.id_type = id_type(self.vocab_size)
        self.ledger = dict(manifest.summary["splits"][split])
        self.tokens, self.split = tokens, split
        self._paths = manifest.paths(tokens, split)
        self._source_paths = manifest.paths(tokens, f"{split}_sources")
        sizes = [part.bytes for part in manifest.parts if part.role == split]
        self._shards = [_map(path, size, self.id_type) for path, size in zip(self._paths, sizes, strict=True)]
        if scattered:
            for shard in self._shards:
                _read_no_more(shard)
        self._ends = np.cumsum([0, *map(len, self._shards)])
        self.num_tokens = int(self._ends[-1])
        if self.num_tokens != self.ledger["tokens"]:
            raise CorruptError(f"{tokens}: {self.num_tokens} {split} tokens, the ledger says {self.ledger['tokens']}")

    def __len__(self) -> int:
        return self.num_tokens // self.seq_length

    def row(self, i: int) -> TokenIds:
        """Return row i, uint16[seq_length] (or uint32: `id_type`), as a copy; raises IndexError outside [0, len)."""
        return self.rows(np.array([i]))[0]

    def rows(self, indices: npt.ArrayLike) -> TokenIds:
        """Return rows by index, uint16[n, seq_length] (or uint32: `id_type`), as a copy.

        Raises IndexError outside [0, len), CorruptError for an id that the vocabulary does not have.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        if wanted.size and not 0 <= int(wanted.min()) <= int(wanted.max()) < len(self):
            raise IndexError(f"rows {int(wanted.min())} to {int(wanted.max())} of {len(self)}")
        out = np.empty((len(wanted), self.seq_length), self.id_type)
        for number, row in enumerate(wanted.tolist()):
            self._fill(out[number], row * self.seq_length)
        if out.max(initial=0) >= self.vocab_size:
            row = int(wanted[int(np.argmax((out >= self.vocab_size).any(axis=1)))])
            raise CorruptError(
                f"{self.tokens}: row {row:,} of {self.split} holds the id {out.max()}, and the vocabulary has only "
                f"{self.vocab_size:,}; `corpuscle verify` says which file is damaged"
            )
        return out

    @cached_property
    def document_starts(self) -> npt.NDArray[np.int64]:
        """Position of each document's first token in the split's stream, int64, ascending; reads all indices."""
        indices = [read_index(path.removesuffix(".bin") + ".idx") for path in self._paths]
        shifted = [index.starts + start for index, start in zip(indices, self._ends[:-1], strict=True)]
        return np.concatenate([np.empty(0, np.int64), *shifted])

    @property
    def has_sources(self) -> bool:
        """Say whether the documents' sources are stored; packs of before 2026-11-25 have none."""
        return len(self._source_paths) == len(self._paths)

    @cached_property
    def document_sources(self) -> SourceCodes:
        """Source of each document, an index of SOURCES, in the order of `document_starts`."""
        codes = [
            read_sources(path, len(read_index(path.removesuffix(".src") + ".idx").lengths))
            for path in self._source_paths
        ]
        return np.concatenate([np.empty(0, np.uint8), *codes])

    def sources_at(self, positions: npt.NDArray[np.int64]) -> SourceCodes:
        """Return the source of the document at each position of the split's stream, same shape."""
        documents = np.searchsorted(self.document_starts, positions, side="right") - 1
        return self.document_sources[documents]

    def check_ledger(self) -> dict[str, int]:
        """Return the tokens of each source, counted from indices and sources and equal to the ledger.

        Raises CorruptError when they differ. Reads 13 bytes a document and no tokens.
        """
        ends = np.append(self.document_starts[1:], self.num_tokens)
        counts = np.bincount(self.document_sources, weights=ends - self.document_starts, minlength=len(SOURCES))
        found = {name: int(count) for name, count in zip(SOURCES, counts, strict=True) if count}
        if found != self.ledger["tokens_by_source"]:
            raise CorruptError(
                f"{self.tokens}: {found} {self.split} tokens by source, the ledger says "
                f"{self.ledger['tokens_by_source']}; remove the directory and run `corpuscle pack` again"
            )
        return found

    def _fill(self, out: TokenIds, start: int) -> None:
        """Copy the stream from `start` on into a row, across the ends of shards."""
        done = 0
        shard = int(np.searchsorted(self._ends, start, side="right")) - 1
        while done < len(out):
            offset = start + done - int(self._ends[shard])
            piece = self._shards[shard][offset : offset + len(out) - done]
            out[done : done + len(piece)] = piece
            done, shard = done + len(piece), shard + 1


def _map(path: str, size: int, kind: np.dtype[Any]) -> TokenIds:
    """Map a shard into memory after checking its size in bytes; an empty file cannot be mapped."""
    if not storage.exists(path) or storage.size(path) != size:
        found = f"{storage.size(path)} bytes" if storage.exists(path) else "missing"
        raise CorruptError(
            f"{path}: {found}, the manifest says {size} bytes; run `corpuscle pack` into a new directory"
        )
    if size == 0:
        return np.empty(0, kind)
    return np.memmap(path, dtype=kind, mode="r", shape=(size // kind.itemsize,))


def _read_no_more(shard: TokenIds) -> None:
    """Ask the system to read only the pages asked for of a mapped shard, not 128 KB around each of its rows of 2 KB."""
    if isinstance(shard, np.memmap) and hasattr(mmap, "MADV_RANDOM"):
        shard._mmap.madvise(mmap.MADV_RANDOM)  # type: ignore[attr-defined]
