"""Output of one file of anyone's corpus, in the form that it came in, without what was left out or with tags.

Lines that are kept keep their bytes; a file of which all is kept is copied as it is. Parquet keeps its schema, its
metadata, its packing and its groups of rows.
"""

import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import storage
from corpus.arrays.types import Mask
from corpus.foreign.decisions import json_tags
from corpus.foreign.files import ForeignFile
from corpus.storage.files import CHUNK
from corpus.storage.lines import LineBlock, codec_of, line_blocks
from corpus.storage.packing import packed


def write_file(file: ForeignFile, path: str, wanted: Mask, tags: pa.Table | None, places: Any) -> None:
    """Write the lines or rows of a file that are wanted, bool[num_places].

    tags: columns for the documents at `places`, int64[num_docs], or None for none.
    """
    file.check_same()
    if tags is None and wanted.all():
        with storage.open_read(file.path) as source, storage.write_atomic(path) as sink:
            shutil.copyfileobj(source, sink, CHUNK)
    elif file.is_parquet:
        _write_rows(file, path, wanted, None if tags is None else _spread(tags, places, len(wanted)))
    else:
        of_place = {} if tags is None else dict(zip(places.tolist(), json_tags(tags), strict=True))
        with storage.write_atomic(path) as sink, packed(sink, codec_of(file.name)) as packing:
            for block in line_blocks(file.path):
                own = wanted[block.first : block.first + len(block)]
                for piece in _plain(block, own) if tags is None else _tagged(block, own, of_place):
                    packing.write(piece)
    file.check_same()


def _plain(block: LineBlock, wanted: Mask) -> Iterator[memoryview]:
    """Yield the bytes of runs of lines that are wanted."""
    view = memoryview(block.data)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]]).astype(np.int8)))
    for first, last in edges.reshape(-1, 2).tolist():
        yield view[block.bounds[first] : block.bounds[last]]


def _tagged(block: LineBlock, wanted: Mask, tags: dict[int, bytes]) -> Iterator[bytes]:
    """Yield the lines that are wanted, each document's with its tags before the last brace."""
    for k in np.flatnonzero(wanted).tolist():
        line = block.data[block.bounds[k] : block.bounds[k + 1]]
        tag = tags.get(block.first + k)
        if tag is not None:
            brace = line.rfind(b"}")
            line = line[:brace] + tag + line[brace:]
        yield line


def _spread(tags: pa.Table, places: Any, num_places: int) -> pa.Table:
    """Return tags with a row for each row of the file; those of rows that are not wanted are nobody's."""
    at = np.zeros(num_places, np.int64)
    at[places] = np.arange(len(places))
    return tags.take(pa.array(at)) if len(places) else tags


def _write_rows(file: ForeignFile, path: str, wanted: Mask, tags: pa.Table | None) -> None:
    with storage.open_read(file.path) as opened, storage.write_atomic(path) as sink:
        source = pq.ParquetFile(opened, page_checksum_verification=True)
        schema = source.schema_arrow
        for one in tags.schema if tags is not None else ():
            schema = schema.append(one)
        with pq.ParquetWriter(sink, schema, compression=_packing(source), write_page_checksum=True) as writer:
            first = 0
            for number in range(source.metadata.num_row_groups):
                table = source.read_row_group(number)
                own = pa.array(wanted[first : first + table.num_rows])
                for one in tags.schema if tags is not None else ():
                    assert tags is not None
                    table = table.append_column(one, tags.column(one.name).slice(first, table.num_rows))
                first += table.num_rows
                table = table.filter(own)
                if table.num_rows:
                    writer.write_table(table, row_group_size=table.num_rows)


def _packing(source: pq.ParquetFile) -> Any:
    """Return how each column is packed, by its path, as in the first group of rows; zstd where there is none."""
    if not source.metadata.num_row_groups:
        return "zstd"
    group = source.metadata.row_group(0)
    columns = (group.column(number) for number in range(group.num_columns))
    found = {column.path_in_schema: column.compression for column in columns}
    return {path: "NONE" if codec == "UNCOMPRESSED" else codec for path, codec in found.items()}
