"""Records go into Parquet and come out as they were."""

import string
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import CorruptError
from corpus.records import AbstractPart, Block, Cell, Float, Record, Reject
from corpus.storage.parquet import iter_batches, read_table, write_table
from corpus.storage.schema import from_batch, schema_of, to_table

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


def instances(row: type) -> st.SearchStrategy:
    return st.builds(row, **{name: strategy(row, name) for name in row.__struct_fields__})  # type: ignore[attr-defined]


def strategy(row: type, name: str) -> st.SearchStrategy:
    import typing

    return of_hint(typing.get_type_hints(row)[name])


def of_hint(hint: object) -> st.SearchStrategy:
    import typing

    if typing.get_origin(hint) is tuple:
        return st.lists(of_hint(typing.get_args(hint)[0]), max_size=3).map(tuple)
    if typing.get_origin(hint) is not None or not isinstance(hint, type):
        inner = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        return st.none() | of_hint(inner[0])
    if hasattr(hint, "__struct_fields__"):
        return instances(hint)
    if hint is str:
        return TEXT
    if hint is int:
        return st.integers(-(2**63), 2**63 - 1)
    if hint is bool:
        return st.booleans()
    if hint is bytes:
        return st.binary(max_size=20)
    return st.sampled_from(list(hint))


@settings(deadline=None, max_examples=60)
@given(st.lists(instances(Record), max_size=4), st.integers(0, 3))
def test_records_survive_the_table(rows: list[Record], skip: int) -> None:
    table = to_table(rows, Record)
    assert from_batch(table, Record) == rows
    assert from_batch(table.slice(skip), Record) == rows[skip:]
    assert table.schema == schema_of(Record)


@settings(deadline=None, max_examples=20)
@given(st.lists(instances(Reject), max_size=4))
def test_rejects_survive_the_table(rows: list[Reject]) -> None:
    assert from_batch(to_table(rows, Reject), Reject) == rows


def sample() -> list[Record]:
    table = Float(kind="table", label="Table 1", rows=((Cell(text="a", colspan=2, header=True),), (Cell(), Cell())))
    return [
        Record(
            doc_id=f"pmid:{number}",
            source="pubmed",
            kind="citation",
            title=string.ascii_letters * number,
            abstracts=(AbstractPart(label="AIM", text="x"),) * (number % 3),
            body=(Block(kind="paragraph", text="y"),) * (number % 2),
            floats=(table,) * (number % 2),
        )
        for number in range(1, 300)
    ]


def test_file_round_trip_and_same_bytes(tmp_path: Path) -> None:
    table = to_table(sample(), Record)
    first, second = str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")
    write_table(first, table)
    write_table(second, table)
    assert Path(first).read_bytes() == Path(second).read_bytes()
    assert read_table(first).equals(table)
    assert pa.Table.from_batches(iter_batches(first, batch_size=7)).equals(table)


def test_a_column_that_is_not_there_is_an_error_unless_it_is_not_asked_for() -> None:
    names = ("doc_id", "source", "kind", "title")
    table = to_table(sample(), Record).select(names)
    with pytest.raises(CorruptError, match=r"Record: rows without the columns pmid, version, .*position"):
        from_batch(table, Record)
    others = [name for name in Record.__struct_fields__ if name not in names]
    for read in (table, to_table(sample(), Record)):
        rows = from_batch(read, Record, without=others)
        assert [row.title for row in rows] == [row.title for row in sample()]
        with pytest.raises(AttributeError, match="mesh"):
            _ = rows[0].mesh


def test_flipped_byte_in_a_page_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_table(str(path), pa.table({"x": pa.array(range(10_000))}))
    raw = bytearray(path.read_bytes())
    raw[2000] ^= 1
    path.write_bytes(raw)
    with pytest.raises(CorruptError, match=r"a\.parquet"):
        read_table(str(path))
