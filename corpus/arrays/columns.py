"""Arrow columns as NumPy arrays: keys, booleans, numbers, lists and the spans of strings; null counts as empty."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.types import Keys, Mask, Rows

Column: TypeAlias = pa.Array | pa.ChunkedArray


def doc_keys(table: pa.Table | pa.RecordBatch) -> Keys:
    """Return the column `doc_key`, uint64[num_rows]; Parquet holds it as int64."""
    return table.column("doc_key").to_numpy().astype(np.uint64)


def numbers(column: Column) -> npt.NDArray[np.uint64]:
    """Return a column of numbers from 0 as uint64[num_rows]; null is 0."""
    return np.asarray(column.fill_null(0).to_numpy(zero_copy_only=False)).astype(np.uint64)


def bools(column: Column) -> Mask:
    """Return a column of booleans, or the answer of a comparison, as bool[num_rows]; null is false."""
    return np.asarray(column.to_numpy(zero_copy_only=False), bool)


def equals(column: Column, value: str) -> Mask:
    """Say of each string of a column whether it is this one, bool[num_rows]."""
    return bools(pc.equal(column, str(value)))


def among(column: Column, values: Sequence[object]) -> Mask:
    """Say of each value of a column whether it is one of some, bool[num_rows]."""
    return bools(pc.is_in(column, pa.array(values, column.type)))


def filled(column: Column) -> Mask:
    """Say of each string of a column whether it has a character, bool[num_rows]."""
    return bools(pc.greater(pc.binary_length(column), 0))


def list_rows(lists: pa.ListArray) -> Rows:
    """Return the row of each element of a column of lists, int64[num_elements]."""
    return np.repeat(np.arange(len(lists)), np.diff(np.asarray(lists.offsets)))


def list_places(lists: pa.ListArray) -> Rows:
    """Return the place of each element in its own list, int64[num_elements]."""
    offsets = np.asarray(lists.offsets).astype(np.int64)
    counts = np.diff(offsets)
    return np.arange(offsets[-1] - offsets[0]) - np.repeat(offsets[:-1] - offsets[0], counts)


def list_fields(lists: pa.ListArray) -> dict[str, pa.Array]:
    """Return the fields of the elements of a column of lists of structs, [num_elements] each."""
    names = [field.name for field in lists.type.value_type]
    return dict(zip(names, lists.flatten().flatten(), strict=True))


def rows_with(lists: pa.ListArray, elements: Mask) -> Mask:
    """Say of each list whether some of its elements is marked, bool[num_rows]; elements: bool[num_elements]."""
    return np.bincount(list_rows(lists)[elements], minlength=len(lists)) > 0


def string_spans(strings: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]:
    """Return (bytes, bounds) of a column of strings in place: string k is bytes[bounds[k]:bounds[k + 1]].

    bounds: [num_strings + 1], int32, or int64 of large strings. What null stands over is undefined: fill it before.
    """
    _, offsets, data = strings.buffers()
    octets = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
    kind = np.int64 if pa.types.is_large_string(strings.type) else np.int32
    if not len(strings):
        return octets, np.zeros(1, kind)
    return octets, np.frombuffer(offsets, kind)[strings.offset : strings.offset + len(strings) + 1]
