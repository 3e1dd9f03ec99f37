"""Rows of one Parquet file of anyone's corpus: texts, ids and values of some columns, a batch at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.errors import UsageError
from corpus.foreign.fields import ABSENT, FieldNames, LineFaultError, checked_id, plain_names
from corpus.foreign.files import ForeignFile
from corpus.foreign.rows import BadLine, LineReject, bad_line
from corpus.storage import parquet

_BATCH_ROWS: Final = 8192
_BATCH_BYTES: Final = 16 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ParquetBatch:
    """Some documents of a file, as `corpus.foreign.reading.DocumentBatch` says."""

    places: list[int]
    texts: pa.Array
    ids: list[str | None]
    more: list[tuple[Any, ...]]
    letters: list[BadLine]
    num_places: int


def parquet_documents(file: ForeignFile, names: FieldNames) -> Iterator[ParquetBatch]:
    """Yield the documents of a file; raises UsageError where a column that is needed is not there or no text."""
    columns = parquet.column_names(file.path)
    if taken := [name for name in names.free if name in columns]:
        said = "give the tags other names by --tag-prefix, as in dedup_"
        raise UsageError(f"{file.path}: has a column {taken[0]} already; {said}")
    asked = {name: _tops(name, columns) for name in plain_names([names.text, names.id, *names.more])}
    if not asked[names.text]:
        raise _no_column(file, names.text, columns)
    first = 0
    wanted = list(dict.fromkeys(top for top in asked.values() if top))
    for batch in parquet.iter_batches(file.path, wanted, _BATCH_ROWS, batch_bytes=_BATCH_BYTES):
        yield _documents(file, batch, names, first)
        first += batch.num_rows


def parquet_texts(file: ForeignFile, name: str, places: npt.NDArray[np.int64]) -> pa.Array:
    """Return the texts of some rows, ascending, large_string[num_places]."""
    first, parts = 0, [pa.array([], pa.large_string())]
    top = _tops(name, parquet.column_names(file.path))
    for batch in parquet.iter_batches(file.path, [top], _BATCH_ROWS, batch_bytes=_BATCH_BYTES):
        start, end = np.searchsorted(places, [first, first + batch.num_rows])
        if end > start:
            column = _column(batch, name)
            assert column is not None, "found when the file was signed"
            parts.append(column.take(pa.array(places[start:end] - first)).cast(pa.large_string()))
        first += batch.num_rows
        if end == len(places):
            break
    return pa.concat_arrays(parts)


def _documents(file: ForeignFile, batch: pa.RecordBatch, names: FieldNames, first: int) -> ParquetBatch:
    texts = _column(batch, names.text)
    if texts is None or not _is_text(texts.type):
        kind = "not there" if texts is None else texts.type
        raise UsageError(f"{file.path}: column {names.text} is {kind}, not text; name it by --text-key")
    stated = _values(batch, names.id)
    letters: list[BadLine] = []
    ids: list[str | None] = []
    good = np.zeros(batch.num_rows, np.bool_)
    texts = texts.cast(pa.large_string())
    there, broken = texts.is_valid().to_pylist(), _not_utf8(texts)
    for row, (value, has_text) in enumerate(zip(stated, there, strict=True)):
        try:
            doc_id = checked_id(value, names.id)
            if not has_text:
                raise LineFaultError(LineReject.NO_TEXT, f"{names.text} is null", doc_id or "")
            if row in broken:
                raise LineFaultError(LineReject.BAD_UTF8, f"{names.text} is not UTF-8", doc_id or "")
        except LineFaultError as fault:
            raw = broken.get(row) or msgspec.json.encode(_row(batch, row), enc_hook=str)
            letters.append(bad_line(file.name, first + row, 0, fault.reason, fault.detail, raw, fault.doc_id))
            continue
        good[row] = True
        ids.append(doc_id)
    own = np.flatnonzero(good)
    more = [_values(batch, name) for name in names.more]
    return ParquetBatch(
        places=(first + own).tolist(),
        texts=texts.take(pa.array(own)),
        ids=ids,
        more=[tuple(column[row] for column in more) for row in own.tolist()],
        letters=letters,
        num_places=batch.num_rows,
    )


def _tops(name: str, columns: Sequence[str]) -> str:
    """Return the column that a key is in: of its name, else the one before the first point; "" for none."""
    return name if name in columns else next((top for top in [name.partition(".")[0]] if top in columns), "")


def _column(batch: pa.RecordBatch, name: str) -> pa.Array | None:
    """Return the values of a key, None where there is none of that name."""
    if name in batch.schema.names:
        return batch.column(name)
    top, *inner = name.split(".")
    if top not in batch.schema.names or not inner:
        return None
    column = batch.column(top)
    for step in inner:
        if not pa.types.is_struct(column.type) or column.type.get_field_index(step) < 0:
            return None
        column = pc.struct_field(column, step)
    return column


def _values(batch: pa.RecordBatch, name: str) -> list[Any]:
    column = _column(batch, name) if name else None
    if column is None:
        return [ABSENT] * batch.num_rows
    if pa.types.is_timestamp(column.type):  # of nanoseconds Python has none
        column = pc.cast(column, pa.timestamp("us", tz=column.type.tz), safe=False)
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return [value if value is None else _readable(value) for value in column.cast(pa.large_binary()).to_pylist()]


def _readable(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _row(batch: pa.RecordBatch, row: int) -> dict[str, Any]:
    names = batch.schema.names
    return {name: _values(batch.slice(row, 1).select([name]), name)[0] for name in names}


def _not_utf8(texts: pa.Array) -> dict[int, bytes]:
    """Return the bytes of the texts that are no UTF-8, by row; Parquet promises that they are, and nobody checks."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        rows = enumerate(texts.cast(pa.large_binary()).to_pylist())
        return {row: value for row, value in rows if value is not None and not _is_utf8(value)}
    return {}


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _no_column(file: ForeignFile, name: str, columns: Sequence[str]) -> UsageError:
    held = ", ".join(columns[:12]) or "nothing"
    return UsageError(f"{file.path}: has no column {name}, but {held}; name the column of the text by --text-key")


def rows_as_json(file: ForeignFile, places: npt.NDArray[np.int64]) -> Iterator[bytes]:
    """Yield some rows, ascending, with all their values as JSON."""
    first = 0
    for batch in parquet.iter_batches(file.path, None, _BATCH_ROWS, batch_bytes=_BATCH_BYTES):
        start, end = np.searchsorted(places, [first, first + batch.num_rows])
        for place in places[start:end].tolist():
            yield msgspec.json.encode(_row(batch, place - first), enc_hook=str)
        first += batch.num_rows
