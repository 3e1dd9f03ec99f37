"""Records are values: equal by content, hashable, frozen, and the same after a way through another process."""

import pickle

import pytest
from msgspec.structs import replace

from corpus.records import Block, BlockKind, Cell, Float, Kind, Record, Source

RECORD = Record(
    doc_id="pmc:PMC1.1",
    source=Source.PMC,
    kind=Kind.ARTICLE,
    body=(Block(kind=BlockKind.HEADING, depth=1, text="Results"),),
    floats=(Float(kind="table", rows=((Cell("a", 2), Cell(text="b", header=True)),)),),
)


def test_a_record_is_a_value() -> None:
    copy = pickle.loads(pickle.dumps(RECORD))
    assert copy == RECORD
    assert hash(copy) == hash(RECORD)
    assert replace(copy, title="Other") != RECORD
    assert repr(RECORD.floats[0].rows[0][0]) == "Cell(text='a', rowspan=2, colspan=1, header=False)"
    with pytest.raises(AttributeError):
        copy.title = "Other"
