"""Texts of a published corpus: each shard goes to a file for each class of licences, row for row in its order.

So every subset is a choice of whole files and no text is written twice. A shard is read and written in batches: memory
holds one row group of each class, however large the shard is.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corpus import storage
from corpus.publish.config import SUBSETS, LicenseClass, PublishConfig, class_of
from corpus.stage.license_table import LicenseTable, add_licenses, count_licenses
from corpus.stage.manifest import Part
from corpus.stage.reading import check_content
from corpus.stage.workspace import Receipt, Workspace
from corpus.storage import parquet
from corpus.storage.packing import packed

BATCH_BYTES, GROUP_BYTES = 16 << 20, parquet.ROW_GROUP_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class TextShard:
    """One shard of the corpus: its file, its split, its number and how many there are."""

    path: str
    split: str
    number: int
    total: int
    sha256: str


def write_texts(shard: TextShard, workspace: Workspace, config: PublishConfig) -> Receipt:
    """Write the files of one shard; a finished one is not written again. Raises CorruptError for a damaged shard."""
    task = f"texts/{shard.split}-{shard.number:05d}"
    if done := workspace.finished(task):
        return done
    wanted, tables = SUBSETS[config.license], list[LicenseTable]()
    with ExitStack() as stack:
        sinks = {name: _Sink(shard, name, workspace, config, stack) for name in wanted}
        schema = None
        for batch in parquet.iter_batches(shard.path, batch_bytes=BATCH_BYTES):
            schema = batch.schema
            classes = _classes(batch.column("license"))
            for name, sink in sinks.items():
                own = batch.filter(pc.equal(classes, name))
                if own.num_rows:
                    sink.add(own)
                    size = pc.cast(pc.binary_length(own.column("text")), pa.int64())
                    tables.append(count_licenses(own.column("source"), own.column("license"), text_bytes=size))
        for sink in sinks.values():
            sink.flush()
    check_content(shard.path, shard.sha256)
    parts = tuple(sink.part() for sink in sinks.values() if sink.rows)
    facts = {
        "split": shard.split,
        "licenses": add_licenses(tables),
        "arrow_bytes": {name: sink.arrow_bytes for name, sink in sinks.items() if sink.rows},
        "columns": [] if schema is None else [[one.name, str(one.type)] for one in schema],
    }
    return workspace.finish(Receipt(task=task, parts=parts, facts=facts))


def _classes(licenses: pa.Array) -> pa.Array:
    """Return the class of each licence; there are few names."""
    names = pc.unique(licenses)
    classes = pa.array([class_of(name or "") for name in names.to_pylist()], pa.string())
    return classes.take(pc.index_in(licenses, names))


@dataclass(kw_only=True)
class _Waiting:
    batches: list[pa.RecordBatch] = field(default_factory=list)
    bytes: int = 0


class _Sink:
    """One file of a shard, opened when its first row comes."""

    def __init__(
        self, shard: TextShard, name: LicenseClass, workspace: Workspace, config: PublishConfig, stack: ExitStack
    ) -> None:
        suffix = "parquet" if config.format == "hf" else config.format
        self._name = f"data/{shard.split}/{name}-{shard.number:05d}-of-{shard.total:05d}.{suffix}"
        self._split, self._workspace, self._stack = shard.split, workspace, stack
        self._writer: Any = None
        self._waiting = _Waiting()
        self.rows = self.arrow_bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows."""
        self._waiting.batches.append(batch)
        self._waiting.bytes += batch.nbytes
        self.rows += batch.num_rows
        self.arrow_bytes += batch.nbytes
        if self._waiting.bytes >= GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait, as a row group."""
        if not self._waiting.batches:
            return
        table, self._waiting = pa.Table.from_batches(self._waiting.batches), _Waiting()
        path = self._workspace.path(self._name)
        if self._name.endswith(".parquet"):
            if self._writer is None:
                self._writer = self._stack.enter_context(parquet.open_writer(path, table.schema))
            self._writer.write_table(table, row_group_size=table.num_rows)
            return
        if self._writer is None:
            sink = self._stack.enter_context(storage.write_atomic(path))
            self._writer = self._stack.enter_context(packed(sink, "zstd"))
        for line in _lines(table):
            self._writer.write(line)

    def part(self) -> Part:
        """Return the manifest row of the file, which is closed."""
        return self._workspace.measure(self._name, role=self._split, rows=self.rows)


def _lines(table: pa.Table) -> Iterator[bytes]:
    for batch in table.to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            yield json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
