"""Types as Arrow spells them are taken apart as Arrow put them together."""

import pyarrow as pa
import pytest

from corpus.publish.arrow_kinds import element_kind, fields_of
from corpus.publish.card import _feature

SECTION = pa.struct(
    [pa.field("kind", pa.string(), nullable=False), ("start", pa.int64()), ("marks", pa.list_(pa.int32()))]
)


@pytest.mark.parametrize("kind", [pa.string(), pa.int32(), pa.bool_(), SECTION])
@pytest.mark.parametrize("nullable", [True, False])
def test_what_a_list_holds(kind: pa.DataType, nullable: bool) -> None:
    assert element_kind(str(pa.list_(pa.field("element", kind, nullable=nullable)))) == str(kind)
    assert element_kind(str(kind)) is None


def test_what_a_structure_is_made_of() -> None:
    assert fields_of(str(SECTION)) == [(field.name, str(field.type)) for field in SECTION]
    assert fields_of("string") == []


def test_the_hub_is_told_of_a_list_of_structures() -> None:
    """In the form of the Hub's YAML for `[{"kind": string, "start": int64}]`."""
    small = pa.struct([("kind", pa.string()), ("start", pa.int64())])
    assert _feature("sections", str(pa.list_(small))) == {
        "name": "sections",
        "list": [{"name": "kind", "dtype": "string"}, {"name": "start", "dtype": "int64"}],
    }
    assert _feature("mesh", str(pa.list_(pa.string()))) == {"name": "mesh", "sequence": "string"}
