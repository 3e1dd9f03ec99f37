"""Files of question sets as rows: bytes of any published form in, rows with their line numbers out, and bad lines.

Parquet, JSON, JSON lines, CSV, TSV, XML and plain lines are told apart by their first bytes and their name, packed by
gzip or xz or not. What the rows mean is for the readers to say.
"""

import csv
import gzip
import hashlib
import io
import lzma
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from corpus import storage
from corpus.errors import UsageError
from corpus.storage.json_files import BadJsonError, parse_json

FileForm = Literal["objects", "document", "table", "xml", "lines"]
SUFFIXES = (".json", ".jsonl", ".parquet", ".csv", ".tsv", ".xml", ".txt")
_PACKED = (".gz", ".xz")
_NOTES = ("readme", "license", "licence", "changelog", "citation")


class QuestionDrop(StrEnum):
    """Why a row of a question set is left out."""

    BAD_JSON = "bad_json"  # a line that is no JSON object
    WRONG_COLUMNS = "wrong_columns"  # a row of a table with more or fewer columns than its set has
    BAD_FIELD = "bad_field"  # a field that is missing or of another type
    NO_QUESTION = "no_question"  # the question is empty
    NO_OPTIONS = "no_options"  # an option is empty, or there are fewer than two
    NO_ANSWER = "no_answer"  # long form: the answer is empty
    ANSWER_IN_NO_OPTION = "answer_in_no_option"  # the right answer is none of the options
    ANSWER_DIFFERS = "answer_differs"  # the right letter and the right text name two options
    UNKNOWN_LABEL = "unknown_label"  # neither yes nor no (nor maybe)
    NOT_YES_NO = "not_yes_no"  # BioASQ: a factoid, list or summary question


@dataclass(frozen=True, kw_only=True, slots=True)
class DroppedRow:
    """One row that gave no question."""

    file: str  # path as given
    line: int  # in the file, from 1; of JSON documents the number of the item
    reason: QuestionDrop  # see the words below
    what: str  # what was found there


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionFile:
    """One file of a question set, decoded."""

    path: str  # as given
    kind: FileForm
    sha256: str  # of the bytes as they lie on disk
    unpacked_sha256: str = ""  # of what is packed in them; the same where nothing is
    rows: tuple[
        tuple[int, Any], ...
    ] = ()  # (line, object, list of cells, or text); of JSON lists the number of the item
    document: Any = None  # of one JSON object, or the bytes of XML
    bad: tuple[DroppedRow, ...] = ()  # lines that could not be decoded
    delimiter: str = ""  # of a table


def find_files(paths: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return the files that paths name, folders searched whole, and those of the folders that hold no questions.

    Notes (README, LICENSE …), hidden files and unknown endings are passed over in a folder, not when given by name.
    """
    found: list[str] = []
    passed: list[str] = []
    for path in paths:
        if not storage.exists(path):
            raise UsageError(f"{path}: there is no such file or folder; check the path")
        names = storage.walk_files(path) if storage.is_remote(path) or os.path.isdir(path) else []
        if not names and (storage.is_remote(path) or not os.path.isdir(path)):
            found.append(path)
        for name in names:
            (found if _may_hold_questions(name) else passed).append(storage.join(path, name))
    if not found:
        raise UsageError(f"{', '.join(paths)}: no file here may hold questions; expected {', '.join(SUFFIXES)}")
    return found, passed


def _may_hold_questions(name: str) -> bool:
    parts = name.lower().split("/")
    if any(part.startswith(".") for part in parts) or parts[-1].startswith(_NOTES):
        return False
    return bare_name(parts[-1]).endswith(SUFFIXES)


def bare_name(path: str) -> str:
    """Return a file's name in small letters and without the ending of its packing."""
    name = storage.base_name(path).lower()
    return name[: -len(name.rpartition(".")[2]) - 1] if name.endswith(_PACKED) else name


def open_file(path: str) -> QuestionFile:
    """Return a decoded file; raises UsageError for what is none of the forms."""
    with storage.open_read(path) as source:
        stored = source.read()
    raw = unpacked(stored, path)
    found = _decoded(raw, path, hashlib.sha256(stored).hexdigest())
    return replace(found, unpacked_sha256=hashlib.sha256(raw).hexdigest())


def _decoded(raw: bytes, path: str, digest: str) -> QuestionFile:
    name = bare_name(path)
    if raw.startswith(b"PAR1"):
        return QuestionFile(path=path, kind="objects", sha256=digest, rows=_parquet_rows(raw, path))
    start = raw[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start == b"<":
        return QuestionFile(path=path, kind="xml", sha256=digest, document=raw)
    if name.endswith((".csv", ".tsv")):
        delimiter = "\t" if name.endswith(".tsv") else ","
        try:
            rows = tuple(_table_rows(_text(raw, path), delimiter))
        except csv.Error as error:
            raise UsageError(f"{path}: not readable as a table ({error}); is a quotation mark left open?") from error
        return QuestionFile(path=path, kind="table", sha256=digest, rows=rows, delimiter=delimiter)
    if start in (b"{", b"[") or name.endswith((".json", ".jsonl")):
        return _json_file(raw, path, digest)
    lines = [(number, line.strip()) for number, line in enumerate(_text(raw, path).split("\n"), start=1)]
    return QuestionFile(path=path, kind="lines", sha256=digest, rows=tuple(line for line in lines if line[1]))


def unpacked(stored: bytes, path: str) -> bytes:
    """Return what bytes of gzip or xz hold, other bytes as they are; raises UsageError for damage."""
    try:
        if stored.startswith(b"\x1f\x8b"):
            return gzip.decompress(stored)
        return lzma.decompress(stored) if stored.startswith(b"\xfd7zXZ") else stored
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise UsageError(f"{path}: cannot be unpacked ({error}); download it again") from error


def _text(raw: bytes, path: str) -> str:
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8; download it again") from error


def _parquet_rows(raw: bytes, path: str) -> tuple[tuple[int, Any], ...]:
    try:
        return tuple(enumerate(pq.read_table(io.BytesIO(raw)).to_pylist(), start=1))
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{path}: not readable as Parquet ({error}); download it again") from error


def _table_rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells); in a CSV a cell in quotes may hold commas and line breaks, in a TSV quotes are letters."""
    if delimiter == "\t":
        yield from ((number, line.split("\t")) for number, line in enumerate(text.split("\n"), start=1) if line)
        return
    reader, line = csv.reader(io.StringIO(text, newline="")), 1
    for cells in reader:
        if cells:
            yield line, cells
        line = reader.line_num + 1


def _json_file(raw: bytes, path: str, digest: str) -> QuestionFile:
    """Return JSON lines, a list of objects, or one object."""
    lines = [(number, line) for number, line in enumerate(raw.split(b"\n"), start=1) if line.strip()]
    if len(lines) > 1 and any(isinstance(_parsed(line), dict) for _, line in lines[:3]):
        return _json_lines(lines, path, digest)
    try:
        whole = parse_json(raw, nan=True)
    except BadJsonError as error:
        raise UsageError(f"{path}: not JSON ({error}); expected JSON, or JSON lines with an object a line") from error
    if isinstance(whole, dict) and not _is_row(whole):
        return QuestionFile(path=path, kind="document", sha256=digest, document=whole)
    items = list(enumerate(whole if isinstance(whole, list) else [whole], start=1))
    rows = tuple((number, item) for number, item in items if isinstance(item, dict))
    bad = tuple(_no_object(path, number, item) for number, item in items if not isinstance(item, dict))
    return QuestionFile(path=path, kind="objects", sha256=digest, rows=rows, bad=bad)


def _json_lines(lines: list[tuple[int, bytes]], path: str, digest: str) -> QuestionFile:
    rows: list[tuple[int, Any]] = []
    bad: list[DroppedRow] = []
    for number, line in lines:
        item = _parsed(line)
        if isinstance(item, dict):
            rows.append((number, item))
        else:
            bad.append(_no_object(path, number, item))
    return QuestionFile(path=path, kind="objects", sha256=digest, rows=tuple(rows), bad=tuple(bad))


def _parsed(line: bytes) -> Any:
    """Return the value of a line, or the error that says why it has none."""
    try:
        return parse_json(line, nan=True)
    except BadJsonError as error:
        return error


def _no_object(path: str, number: int, item: Any) -> DroppedRow:
    what = str(item) if isinstance(item, BadJsonError) else f"of type {type(item).__name__}, not an object"
    return DroppedRow(file=path, line=number, reason=QuestionDrop.BAD_JSON, what=what)


def _is_row(value: dict[str, Any]) -> bool:
    """Say whether an object is one question, rather than a document of many."""
    return any(isinstance(value.get(key), str) for key in ("question", "sent1", "text"))
