"""Values of attributes are what libxml2 makes of them: line breaks, references, marks that other quotes allow."""

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from corpus.ncbi.markup.attributes import attribute_value, parse_attributes

PIECES = (
    "\r\n", "\n", "\r", "\t", " ", "a", "é", "\u2003", ">", "&lt;", "&amp;", "&gt;", "&quot;", "&apos;", "&amp;lt;",
    "&#10;", "&#13;", "&#9;", "&#x80;", "&#128;", "&#x1F600;", "&#xE9;", "&#x0041;", "&amp;copy;", "&amp;notin;",
)  # fmt: skip
VALUES = st.lists(st.sampled_from(PIECES) | st.text("abc é'–", max_size=3), max_size=8).map("".join)


@given(VALUES)
def test_a_value_equals_that_of_libxml2(value: str) -> None:
    element = etree.fromstring(f'<a b="{value}"/>'.encode())
    assert attribute_value(value.encode()) == element.get("b")


@given(VALUES, VALUES.map(lambda value: value.replace("'", "")))
def test_a_start_tag_gives_all_its_attributes_by_local_name(one: str, other: str) -> None:
    tag = f" b=\"{one}\"\n xml:lang = '{other}' "
    element = etree.fromstring(f"<a{tag}/>".encode())
    assert parse_attributes(tag.encode()) == {
        "b": element.get("b"),
        "lang": element.get("{http://www.w3.org/XML/1998/namespace}lang"),
    }
