"""Byte blocks between the steps of `assemble`: what each holds, and how it is made and read.

Rows of fixed width go as they are, those of one dtype a shuffle. What a verification needs and finds goes as Arrow
tables, each known by its columns.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from corpus.arrays.lookup import stable_group_order
from corpus.arrays.types import EdgeKeys, Numbers
from corpus.dedup.verify import Edges
from corpus.storage.ipc import from_block, to_block
from pipelines.beam.exchange import BlockRef, read_blocks

Blocks = Iterable[bytes | BlockRef]

BUCKET: Final = np.dtype([("hash", "<u8"), ("key", "<u8")])
REQUEST: Final = np.dtype([("key", "<u8"), ("block", "<u4")])
_PAIR: Final = ("a", "b")
_VERIFIED: Final = np.dtype([("a", "<u8"), ("b", "<u8"), ("score", "<f8"), ("exact", "?")])
_NUM_TWINS: Final = b"num_twins"


def scatter(rows: np.ndarray, hashes: np.ndarray, num_partitions: int) -> Iterator[tuple[int, bytes]]:
    """Yield (partition, rows) by the upper half of a 64-bit hash."""
    partition = (hashes >> np.uint64(32)) * np.uint64(num_partitions) >> np.uint64(32)
    order = stable_group_order(partition, num_partitions)
    for number, start, end in runs(partition[order]):
        yield number, rows[order[start:end]].tobytes()


def runs(values: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Yield (value, start, end) for each run of equal values."""
    if not len(values):  # a records part without a row
        return
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(values)], strict=True):
        yield int(values[start]), start, end


def gather(blocks: Blocks, dtype: np.dtype) -> np.ndarray:
    """Return the rows of all blocks of a partition, in any order."""
    return np.frombuffer(b"".join(read_blocks(blocks)), dtype)


def gather_pairs(blocks: Blocks) -> EdgeKeys:
    """Return the candidate pairs of all blocks, uint64[num_pairs, 2]."""
    return gather(blocks, np.dtype("<u8")).reshape(-1, 2)


def pairs_block(edges: EdgeKeys) -> bytes:
    """Return the candidate pairs of one verification as a block."""
    return to_block(pa.table([pa.array(edges[:, column]) for column in range(2)], names=_PAIR))


def texts_block(keys: pa.Array, texts: pa.ChunkedArray, ranks: Numbers) -> bytes:
    """Return documents of one verification as a block: their keys, texts and survivor ranks.

    The texts go as a dictionary, so that one of many documents goes once: a component of equal texts has no bound.
    """
    once = texts.cast(pa.large_string()).combine_chunks().dictionary_encode()
    ranked = pa.FixedSizeListArray.from_arrays(ranks.ravel(), ranks.shape[1])
    return to_block(pa.table([keys, once, ranked], names=["key", "text", "ranks"]))


def read_verification(blocks: Blocks) -> tuple[EdgeKeys, pa.Table]:
    """Return what came for one verification: the candidate pairs, and the documents with one dictionary of texts."""
    tables = [from_block(block) for block in read_blocks(blocks)]
    (pairs,) = (table for table in tables if tuple(table.column_names) == _PAIR)
    documents = pa.concat_tables([table for table in tables if table is not pairs])
    edges = np.column_stack([pairs.column(name).to_numpy() for name in _PAIR])
    return edges, documents.unify_dictionaries().combine_chunks()


def verified_block(edges: Edges) -> bytes:
    """Return the verified pairs of one verification as a block, with the number of twins among them kept apart."""
    columns = {name: pa.array(getattr(edges, name)) for name in _VERIFIED.names or ()}
    return to_block(pa.table(columns).replace_schema_metadata({_NUM_TWINS: str(edges.num_twins)}))


def read_verified(blocks: Blocks) -> Edges:
    """Return the verified pairs of all verifications, sorted and distinct."""
    tables = [from_block(block) for block in read_blocks(blocks) if block]
    rows = np.zeros(sum(table.num_rows for table in tables), _VERIFIED)
    for name in _VERIFIED.names or ():
        rows[name] = np.concatenate([rows[name][:0], *(table.column(name).to_numpy() for table in tables)])
    rows = np.unique(rows)
    num_twins = sum(int(table.schema.metadata[_NUM_TWINS]) for table in tables)
    return Edges(**{name: rows[name].copy() for name in _VERIFIED.names or ()}, num_twins=num_twins)
