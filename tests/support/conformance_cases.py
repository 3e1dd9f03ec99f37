"""The conformance suite: small XML files, one construct each, and the records that a careful reader expects of them.

`tests/conformance/<collection>/<name>.xml` lies beside `<name>.json`: what the construct is, its group in the score
table, the expected records in order, and, with `absent`, words that are no text of the article. A record names only the
fields that matter; what is named must be equal:

- scalars as in `Record`; `"reject": reason` stands for a dead letter;
- `abstracts`, `links`, `back`, `floats`: a list of objects, as many as the record has, compared by the keys given;
- `body`: a list of [kind, depth, text]; a depth of null is not compared;
- `rows` of a float: a cell is its text, or an object {text, rowspan, colspan, header} that says how it differs
  from one row, one column, no header.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from corpus.ncbi.jats.reader import read_parts
from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import Cell, Record, Reject

FOLDER = Path(__file__).resolve().parents[1] / "conformance"
COLLECTIONS = ("pubmed", "jats")


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One file of the suite with what is expected of it."""

    collection: str
    name: str
    path: Path
    construct: str
    group: str
    file: str  # the name under which an article is read: it may tell an id
    records: Sequence[Mapping[str, Any]]
    absent: Sequence[str]  # words that are no text of the article, for the score of any reader

    @property
    def id(self) -> str:
        """Return the name that tests and tables show."""
        return f"{self.collection}/{self.name}"


@cache
def cases() -> tuple[Case, ...]:
    """Return all cases in the order of their names."""
    return tuple(_case(path) for collection in COLLECTIONS for path in sorted((FOLDER / collection).glob("*.xml")))


def _case(path: Path) -> Case:
    stated = json.loads(path.with_suffix(".json").read_text("utf-8"))
    return Case(
        collection=path.parent.name,
        name=path.stem,
        path=path,
        construct=stated["construct"],
        group=stated["group"],
        file=stated.get("file", path.name),
        records=stated["records"],
        absent=stated.get("absent", ()),
    )


def read(case: Case) -> list[Record | Reject]:
    """Return what our readers make of a case."""
    if case.collection == "pubmed":
        return list(read_pubmed(str(case.path)))
    return read_parts(case.path.read_bytes(), file=case.file)


def differences(case: Case, found: Sequence[Record | Reject]) -> list[str]:
    """Return where records are not what is expected: field, expected and got."""
    lines = [] if len(found) == len(case.records) else [f"{len(found)} records, expected {len(case.records)}"]
    for index, (expected, record) in enumerate(zip(case.records, found, strict=False)):
        lines += [f"record {index}: {line}" for line in _record(expected, record)]
    return lines


def _record(expected: Mapping[str, Any], record: Record | Reject) -> Iterator[str]:
    if isinstance(record, Reject) or "reject" in expected:
        reason = f"reject {record.reason}" if isinstance(record, Reject) else "a record"
        wanted = f"reject {expected['reject']}" if "reject" in expected else "a record"
        if reason != wanted:
            yield f"expected {wanted}, got {reason}"
        return
    for name, value in expected.items():
        yield from _value(name, value, getattr(record, name))


def _value(name: str, expected: Any, got: Any) -> Iterator[str]:
    if name == "body":
        blocks = [[str(block.kind), block.depth, block.text] for block in got]
        for block, wanted in zip(blocks, expected, strict=False):
            block[1] = None if wanted[1] is None else block[1]
        got = blocks
    elif name == "rows":
        expected = tuple(tuple(_cell(cell) for cell in row) for row in expected)
    elif isinstance(expected, list) and expected and isinstance(expected[0], dict):
        if len(expected) == len(got):
            for index, (wanted, item) in enumerate(zip(expected, got, strict=True)):
                for key, value in wanted.items():
                    yield from (f"{name} {index} {line}" for line in _value(key, value, getattr(item, key)))
            return
        got = [plain(item) for item in got]
    elif isinstance(got, tuple):
        got = list(got)
    if got != expected:
        yield f"{name}: expected {expected!r}, got {got!r}"


def _cell(stated: str | Mapping[str, Any]) -> Cell:
    return Cell(text=stated) if isinstance(stated, str) else Cell(**stated)


def plain(item: Any) -> Any:
    """Return a part of a record as plain values, without what is empty."""
    if not isinstance(item, Struct):
        return item
    return {name: value for name, value in asdict(item).items() if value not in ("", (), -1)}
