"""Records parts: the Parquet files of a finished `extract`, read part by part, as keys or in batches.

The rehearsal (`corpus.synthetic.rehearsal`) offers the same three things of records that it makes up on the way.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from corpus import storage
from corpus.errors import CorruptError, UsageError
from corpus.pile.pile_text import PileText
from corpus.stage.manifest import Manifest
from corpus.stage.reading import check_content
from corpus.storage import parquet

KEY_COLUMNS = ("doc_id", "kind", "pmid", "pmcid", "version", "position", "retracted")
_PILE_COLUMNS = ("text", "reason")
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

    def keys(self, part: int, *, more: Sequence[str] = ()) -> pa.Table:
        """Return the columns `KEY_COLUMNS` of a part, and some more."""

    def batches(self, part: int, *, without: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
        """Yield the columns of a part, but for some, in batches of consecutive rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredParts:
    """The records parts that a manifest names, in its order; The Pile's side tables with them when they are asked for.

    Batches then have two columns more, which `pile_texts` reads. A side table of a file has some 45 MB at most.
    """

    paths: tuple[str, ...]
    digests: tuple[str, ...]
    pile_paths: tuple[str, ...] = ()  # one for each part, or none

    @property
    def names(self) -> tuple[str, ...]:
        """The stems of the files."""
        return tuple(storage.base_name(path).removesuffix(".parquet") for path in self.paths)

    def keys(self, part: int, *, more: Sequence[str] = ()) -> pa.Table:
        """Return the key columns of a part, and some more; raises CorruptError."""
        return parquet.read_table(self.paths[part], columns=[*KEY_COLUMNS, *more])

    def batches(self, part: int, *, without: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
        """Yield the batches of a part; raises CorruptError, at the end, for a file that is not the manifest's."""
        path, tables = self.paths[part], self.pile_paths[part : part + 1]
        batches = parquet.iter_batches(path, without=without, batch_size=BATCH_ROWS, batch_bytes=BATCH_BYTES)
        yield from _beside(batches, tables[0]) if tables else batches
        for read, digest in zip((path, *tables), self.digests[part].split(), strict=False):
            check_content(read, digest)


def stored_parts(base: str, manifest: Manifest, *, pile: bool = False) -> StoredParts:
    """Return the records parts of a finished `extract` below `base`, with The Pile's text when `pile` asks for it.

    Raises UsageError when it is asked for and was not extracted.
    """
    own = [part for part in manifest.parts if part.role == "records"]
    tables = [part for part in manifest.parts if part.role == "pile"] if pile else []
    if pile and [storage.base_name(part.path) for part in tables] != [storage.base_name(part.path) for part in own]:
        raise UsageError(
            f"{base}: was extracted without The Pile's text, which is asked for; extract the files again with "
            "`corpuscle extract --pile … --output` and a new directory"
        )
    together = zip(own, tables, strict=True) if pile else zip(own, strict=True)
    return StoredParts(
        paths=tuple(storage.join(base, part.path) for part in own),
        digests=tuple(" ".join(part.sha256 for part in parts) for parts in together),
        pile_paths=tuple(storage.join(base, part.path) for part in tables),
    )


def _beside(batches: Iterator[pa.RecordBatch], path: str) -> Iterator[pa.RecordBatch]:
    """Yield batches of records with the text and reason of the same rows of The Pile's side table."""
    table, first = parquet.read_table(path), 0
    for batch in batches:
        rows = table.slice(first, batch.num_rows)
        if not rows.column("doc_id").combine_chunks().equals(batch.column("doc_id")):
            raise CorruptError(f"{path}: its rows are not those of the records; extract the files again")
        for name in _PILE_COLUMNS:
            batch = batch.append_column(f"pile_{name}", rows.column(name).combine_chunks())
        first += batch.num_rows
        yield batch


def pile_texts(batch: pa.RecordBatch) -> list[PileText | None]:
    """Return The Pile's text of each record of a batch; None for all where it was not asked for."""
    if f"pile_{_PILE_COLUMNS[0]}" not in batch.schema.names:
        return [None] * batch.num_rows
    columns = [batch.column(f"pile_{name}").to_pylist() for name in _PILE_COLUMNS]
    return [PileText(text=text, reason=reason) for text, reason in zip(*columns, strict=True)]
