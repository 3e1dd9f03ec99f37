"""Row classes as Arrow tables and back: the schema of a file is the dataclass, or `msgspec.Struct`, of its row.

A field's type hint decides its column: str, int, float, bool, bytes, StrEnum, `X | None`, `tuple[X, ...]` and
nested row classes. The conversion is columnar (one flat child array a nested field), so that 30,000
records take a fraction of a second and no Python dicts are made.
"""

import types
import typing
from collections.abc import Collection, Sequence
from dataclasses import is_dataclass
from enum import StrEnum
from functools import cache
from itertools import accumulate, pairwise
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from msgspec import Struct

from corpus.errors import CorruptError

Row = TypeVar("Row")

_SCALARS: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    bytes: pa.binary(),
}


@cache
def schema_of(row: type) -> pa.Schema:
    """Return the Arrow schema of a row class."""
    return pa.schema(
        [pa.field(name, _arrow_type(hint), nullable=_is_optional(hint)) for name, hint in _hints(row).items()]
    )


def to_table(rows: Sequence[Any], row: type) -> pa.Table:
    """Return rows of one class as a table with one column a field."""
    columns = [_to_array([getattr(item, name) for item in rows], hint) for name, hint in _hints(row).items()]
    return pa.Table.from_arrays(columns, schema=schema_of(row))


def from_batch(
    batch: pa.RecordBatch | pa.Table, row: type[Row], *, without: Collection[str] = frozenset()
) -> list[Row]:
    """Return the rows of a batch as instances of their class; every field is read from its column, but for some.

    The fields in `without` have a default, which nobody sees: they are left unset, whether the batch has them or not,
    so that whoever asks for one meets an AttributeError and not a value that was never read. Raises CorruptError for
    any other field without a column.
    """
    hints: dict[str, Any] = _hints(row)  # type: ignore[arg-type]
    names = [name for name in hints if name not in without]
    if missing := ", ".join(name for name in names if name not in batch.schema.names):
        raise CorruptError(f"{row.__name__}: rows without the columns {missing}; another version wrote the file")
    columns = [_from_array(_whole(batch.column(name)), hints[name]) for name in names]
    rows = [row(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]
    for slot in (getattr(row, name) for name in hints if name in without):
        for made in rows:
            slot.__delete__(made)
    return rows


@cache
def _hints(row: type) -> dict[str, Any]:
    return typing.get_type_hints(row)  # of the fields, in their order


@cache
def _is_row(hint: Any) -> bool:
    """Say whether a hint is a class with fields."""
    return isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, Struct))


def _is_optional(hint: Any) -> bool:
    return isinstance(hint, types.UnionType) and type(None) in typing.get_args(hint)


@cache
def _inner(hint: Any) -> Any:
    """Return X of `X | None`, or the hint itself."""
    return next(arg for arg in typing.get_args(hint) if arg is not type(None)) if _is_optional(hint) else hint


@cache
def _arrow_type(hint: Any) -> pa.DataType:
    hint = _inner(hint)
    if typing.get_origin(hint) is tuple:
        return pa.list_(pa.field("element", _arrow_type(typing.get_args(hint)[0]), nullable=False))
    if _is_row(hint):
        return pa.struct([pa.field(name, _arrow_type(inner), nullable=False) for name, inner in _hints(hint).items()])
    if issubclass(hint, StrEnum):
        return pa.string()
    return _SCALARS[hint]


def _to_array(values: list[Any], hint: Any) -> pa.Array:
    hint = _inner(hint)
    if typing.get_origin(hint) is tuple:
        offsets = pa.array([0, *accumulate(len(value) for value in values)], pa.int32())
        flat = _to_array([item for value in values for item in value], typing.get_args(hint)[0])
        return pa.ListArray.from_arrays(offsets, flat, type=_arrow_type(hint))
    if _is_row(hint):
        inner = _hints(hint)
        children = [_to_array([getattr(value, name) for value in values], inner[name]) for name in inner]
        return pa.StructArray.from_arrays(children, fields=list(_arrow_type(hint)))
    return pa.array(values, _arrow_type(hint))


def _from_array(array: pa.Array, hint: Any) -> list[Any]:
    hint = _inner(hint)
    if typing.get_origin(hint) is tuple:
        offsets = np.asarray(array.offsets)
        flat = _from_array(array.values.slice(offsets[0], offsets[-1] - offsets[0]), typing.get_args(hint)[0])
        bounds = (offsets - offsets[0]).tolist()
        return [tuple(flat[start:end]) for start, end in pairwise(bounds)]
    if _is_row(hint):
        inner = _hints(hint)
        children = [_from_array(child, inner[name]) for name, child in zip(inner, array.flatten(), strict=True)]
        return [hint(**dict(zip(inner, values, strict=True))) for values in zip(*children, strict=True)]
    if issubclass(hint, StrEnum):
        members = {member.value: member for member in hint}
        return [members[value] for value in array.to_pylist()]
    return array.to_pylist()


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        combined = column.combine_chunks()
        return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)
    return column
