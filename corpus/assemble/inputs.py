"""Records parts: the Parquet files of a finished `extract`, read part by part, as keys or in batches.

The rehearsal (`corpus.synthetic.rehearsal`) offers the same three things of records that it makes up on the way.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from corpus import storage
from corpus.stage.manifest import Manifest
from corpus.storage import parquet

KEY_COLUMNS = ("doc_id", "kind", "pmid", "pmcid", "version", "position", "retracted")
BATCH_ROWS = 4000
BATCH_BYTES = 16 << 20  # of records before they are compressed: some 240 articles


class RecordParts(Protocol):
    """Parts of records in a fixed order; the rows of a part always come in the same order."""

    @property
    def names(self) -> tuple[str, ...]:
        """The stem of each part's file, which says when its file applies."""

    @property
    def digests(self) -> tuple[str, ...]:
        """The SHA-256 of each part, or what stands for its content."""

    def keys(self, part: int) -> pa.Table:
        """Return the columns `KEY_COLUMNS` of a part."""

    def batches(self, part: int, *, without: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
        """Yield the columns of a part, but for some, in batches of consecutive rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredParts:
    """The records parts that a manifest names, in its order."""

    paths: tuple[str, ...]
    digests: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The stems of the files."""
        return tuple(storage.base_name(path).removesuffix(".parquet") for path in self.paths)

    def keys(self, part: int) -> pa.Table:
        """Return the key columns of a part; raises CorruptError."""
        return parquet.read_table(self.paths[part], columns=KEY_COLUMNS)

    def batches(self, part: int, *, without: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
        """Yield the batches of a part; raises CorruptError."""
        path = self.paths[part]
        return parquet.iter_batches(path, without=without, batch_size=BATCH_ROWS, batch_bytes=BATCH_BYTES)


def stored_parts(base: str, manifest: Manifest) -> StoredParts:
    """Return the records parts of a finished `extract` below `base`."""
    own = [part for part in manifest.parts if part.role == "records"]
    return StoredParts(
        paths=tuple(storage.join(base, part.path) for part in own), digests=tuple(part.sha256 for part in own)
    )
