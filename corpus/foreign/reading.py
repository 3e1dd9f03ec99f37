"""Documents of one file of anyone's corpus: batches of texts, ids and values come out, and dead letters.

A document's place is the number of its line, from 0 and blank lines counted, or of its row: so places are the same
however often and in what pieces a file is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.errors import CorruptError, UsageError
from corpus.foreign.fields import FieldNames, FieldReader, LineFaultError, TakenNameError
from corpus.foreign.files import ForeignFile, unreadable
from corpus.foreign.parquet_rows import parquet_documents, parquet_texts, rows_as_json
from corpus.foreign.rows import BadLine, LineReject, bad_line
from corpus.storage.lines import LineBlock, line_blocks

_BLANK: Final = b" \t\r\n"


@dataclass(kw_only=True, slots=True)
class DocumentBatch:
    """Some documents of a file, in order, and what between them is none."""

    places: list[int] = field(default_factory=list)  # [num_docs], lines or rows from 0
    texts: list[str] | pa.Array = field(default_factory=list)  # [num_docs]
    ids: list[str | None] = field(default_factory=list)  # [num_docs]
    more: list[tuple[Any, ...]] = field(default_factory=list)  # [num_docs], values of `FieldNames.more`
    letters: list[BadLine] = field(default_factory=list)
    num_places: int = 0  # lines or rows of the file that were passed, blank ones too

    def arrow_texts(self) -> pa.Array:
        """Return the texts, large_string[num_docs]."""
        return pa.array(self.texts, pa.large_string()) if isinstance(self.texts, list) else self.texts


def documents(file: ForeignFile, names: FieldNames) -> Iterator[DocumentBatch]:
    """Yield the documents of a file.

    Raises UsageError for a file that cannot be read, RetryError for one that is no more the one that was found.
    """
    file.check_same()
    try:
        if file.is_parquet:
            for rows in parquet_documents(file, names):
                yield DocumentBatch(
                    places=rows.places, texts=rows.texts, ids=rows.ids, more=rows.more,
                    letters=rows.letters, num_places=rows.num_places,
                )  # fmt: skip
        else:
            yield from _line_documents(file, names)
    except (OSError, pa.ArrowException, CorruptError) as error:
        raise unreadable(file.path, error) from error
    file.check_same()


def _line_documents(file: ForeignFile, names: FieldNames) -> Iterator[DocumentBatch]:
    reader, offset = FieldReader(names), 0
    for block in line_blocks(file.path):
        batch = DocumentBatch(num_places=len(block))
        view, whole = memoryview(block.data), _is_utf8(block.data)
        bounds = block.bounds.tolist()
        for number, (start, end) in enumerate(pairwise(bounds), start=block.first):
            line = view[start:end]
            try:
                if not whole:
                    _check_utf8(line)
                found = reader.read(line, first=number == 0)
            except LineFaultError as fault:
                raw = bytes(line).rstrip(b"\r\n")
                if raw.strip(_BLANK):
                    letter = bad_line(file.name, number, offset + start, fault.reason, fault.detail, raw, fault.doc_id)
                    batch.letters.append(letter)
                continue
            except TakenNameError as taken:
                raise name_taken(f"{file.path}:{number + 1}", str(taken)) from taken
            batch.places.append(number)
            batch.texts.append(found.text)
            batch.ids.append(found.id)
            batch.more.append(found.more)
        offset += len(block.data)
        yield batch


def texts_at(file: ForeignFile, names: FieldNames, places: npt.NDArray[np.int64]) -> pa.Array:
    """Return the texts of documents at some places, ascending, large_string[num_places]; raises as `documents` does."""
    file.check_same()
    try:
        found = parquet_texts(file, names.text, places) if file.is_parquet else _line_texts(file, names, places)
    except (OSError, pa.ArrowException, CorruptError) as error:
        raise unreadable(file.path, error) from error
    file.check_same()
    return found


def _line_texts(file: ForeignFile, names: FieldNames, places: npt.NDArray[np.int64]) -> pa.Array:
    reader, parts = FieldReader(FieldNames(text=names.text, id="")), [pa.array([], pa.large_string())]
    for block in line_blocks(file.path):
        first, last = np.searchsorted(places, [block.first, block.first + len(block)])
        own = places[first:last].tolist()
        parts.append(pa.array([reader.read(_line(block, k), first=k == 0).text for k in own], pa.large_string()))
        if last == len(places):
            break
    return pa.concat_arrays(parts)


def _line(block: LineBlock, number: int) -> memoryview:
    place = number - block.first
    return memoryview(block.data)[block.bounds[place] : block.bounds[place + 1]]


def name_taken(where: str, name: str) -> UsageError:
    """Return the error for a document that has a field of a tag's name already."""
    return UsageError(f"{where}: has a field {name} already; give the tags other names by --tag-prefix, as in dedup_")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _check_utf8(line: memoryview) -> None:
    """Raise LineFaultError for a line that is no UTF-8, in whatever field."""
    try:
        bytes(line).decode()
    except UnicodeDecodeError as error:
        raise LineFaultError(LineReject.BAD_UTF8, f"byte {error.start} of the line is not UTF-8") from error


def raw_at(file: ForeignFile, places: npt.NDArray[np.int64]) -> Iterator[tuple[int, bytes]]:
    """Yield (offset in the unpacked file, bytes) of lines at some places, ascending; of Parquet (0, row as JSON)."""
    if file.is_parquet:
        yield from ((0, raw) for raw in rows_as_json(file, places))
        return
    offset = 0
    for block in line_blocks(file.path):
        first, last = np.searchsorted(places, [block.first, block.first + len(block)])
        for number in places[first:last].tolist():
            yield offset + int(block.bounds[number - block.first]), bytes(_line(block, number)).rstrip(b"\r\n")
        offset += len(block.data)
