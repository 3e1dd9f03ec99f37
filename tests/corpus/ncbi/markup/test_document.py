"""The scan against libxml2: same text, same elements, for every document that libxml2 accepts."""

import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from corpus.ncbi.markup.document import Markup, Vocabulary, scan
from corpus.ncbi.markup.parse import BadXmlError, read_markup

NAMES = ("a", "b", "sec", "math", "refs")
ALL = Vocabulary(NAMES)

texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn"], include_characters="\n\t"), max_size=9
)


def trees() -> st.SearchStrategy[etree._Element]:
    """Return elements with attributes, text and tails, nested a few levels."""
    leaf = st.builds(_element, st.sampled_from(NAMES), texts, texts, st.just([]), texts)
    return st.recursive(
        leaf,
        lambda inner: st.builds(
            _element, st.sampled_from([*NAMES, "italic", "u"]), texts, texts, st.lists(inner, max_size=4), texts
        ),
        max_leaves=12,
    )


def _element(name: str, text: str, value: str, children: list[etree._Element], tail: str) -> etree._Element:
    element = etree.Element(name, {"id": value.strip() or "x"})
    element.text, element.tail = text, tail
    element.extend(children)
    return element


def collapsed(text: str) -> str:
    return " ".join(text.split())


def scanned(raw: bytes, vocabulary: Vocabulary = ALL) -> Markup:
    found = scan(raw, vocabulary)
    assert found is not None
    return found


@settings(max_examples=300, deadline=None)
@given(trees())
def test_scan_agrees_with_a_tree(root: etree._Element) -> None:
    root.tail = None
    raw = etree.tostring(root, encoding="utf-8")
    tree, doc = etree.fromstring(raw), scanned(raw)
    elements = [element for element in tree.iter() if element is tree or element.tag in NAMES]
    assert [element.tag if element.tag in NAMES else "" for element in elements] == doc.tag_names
    for row, element in enumerate(elements):
        assert collapsed(doc.own_text(row)) == collapsed("".join(element.itertext()))
        assert collapsed(doc.verbatim(row)) == collapsed("".join(element.itertext()))
        assert doc.attributes(row) == dict(element.attrib)
        inside = [child for child in element.iter() if child is not element and child.tag in NAMES]
        assert doc.nexts[row] == row + 1 + len(inside)
        assert doc.solid(row) == len("".join("".join(element.itertext()).split()))
        parent = next((above for above in element.iterancestors() if above is tree or above.tag in NAMES), None)
        assert doc.parents[row] == (-1 if parent is None else elements.index(parent))


@settings(max_examples=200, deadline=None)
@given(
    trees(),
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from([*list("<>&;\"'/=! ax"), "<!--", "-->"])), max_size=3),
)
def test_read_markup_accepts_what_libxml2_accepts(root: etree._Element, edits: list[tuple[int, str]]) -> None:
    root.tail = None
    raw = etree.tostring(root, encoding="utf-8")
    for place, edit in edits:
        place %= len(raw)
        raw = raw[:place] + edit.encode() + raw[place + 1 :]
    try:
        expected = collapsed("".join(etree.fromstring(raw).itertext()))
    except etree.XMLSyntaxError:
        with pytest.raises(BadXmlError):
            read_markup(raw, ALL)
        return
    assert collapsed(read_markup(raw, ALL).own_text(0)) == expected


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"<a>x&lt;y&amp;z&#65;&#x1F600;&quot;&apos;&gt;</a>", "x<y&zA\U0001f600\"'>"),
        (b"<a>1<![CDATA[<b>&amp;]]>2<!-- no -->3<?pi no?>4</a>", "1<b>&amp;234"),
        ("<a>10\u00a0\u2009000\u3000x\r\n y</a>".encode(), "10 000 x y"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><!DOCTYPE a PUBLIC 'p' 's'><a q='>'>t</a>", "t"),
        ("<a>é</a>".encode("utf-16"), "é"),
        ("<?xml version='1.0' encoding='iso-8859-1'?><a>é</a>".encode("latin-1"), "é"),
    ],
)
def test_text_is_decoded(raw: bytes, text: str) -> None:
    assert read_markup(raw, ALL).own_text(0) == text


@pytest.mark.parametrize(
    "raw",
    [
        b"<a>&nbsp;</a>",
        b"<a q='&x;'/>",
        b"<p:a/>",
        b"<a p:q='1'/>",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><a/>",
        b"<a><b></a>",
    ],
)
def test_what_only_a_parser_understands_is_left_to_it(raw: bytes) -> None:
    assert scan(raw, ALL) is None or raw == b"<a><b></a>"
    with pytest.raises(BadXmlError):
        read_markup(raw, ALL)


def test_opaque_and_detailed_elements() -> None:
    vocabulary = Vocabulary(["a"], opaque=["refs"], detailed=["math"])
    doc = scanned(b"<b><refs>1<a>2</a></refs><math><mi>x</mi></math><a/><i>3</i></b>", vocabulary)
    assert doc.tag_names == ["", "refs", "math", "", "a"]
    assert [doc.own_text(row) for row in range(5)] == ["12x3", "12", "x", "x", ""]


def test_marks_leave_control_characters_and_no_rows() -> None:
    marks = {"spaced": ["break"], "raised": ["sup"], "lowered": ["sub"], "link": ["xref"]}
    vocabulary = Vocabulary([], marks=marks)
    doc = scanned(
        b'<p>H<sub>2</sub><break/>x<sup>2</sup><xref ref-type="bibr">1</xref><xref rid="q">z</xref></p>', vocabulary
    )
    assert doc.text == "H\x062\x07 x\x042\x05\x011\x02z"
    assert doc.tag_names == ["", "xref"]
    assert doc.solid(0) == len("H2x21z")


def test_lengths_do_not_carry_over_from_one_document_to_the_next() -> None:
    long, short = b"<a>" + b"<b>word</b> " * 5000 + b"</a>", b"<a><b>x</b></a>"
    first = scanned(long)
    assert scanned(short).text == "x"
    assert first.text.count("word") == 5000
    assert len(first.tags) == 5001


def test_names_and_prefixes() -> None:
    doc = scanned(f'<p:a xmlns:p="u" p:q="1" id="2"><p:b/>{string.ascii_letters}</p:a>'.encode())
    assert (doc.root_name(), doc.tag_names, doc.attributes(0)["q"]) == ("a", ["a", "b"], "1")
    assert doc.find(0, "b") == 1
    assert doc.find(-1, "b") == -1
    assert doc.children(-1) == []


@given(st.text(st.sampled_from("abcdefgh  ~\t\n\r\u00e9\u2003>]\x7f"), max_size=80))
def test_every_run_of_white_space_is_one_space_wherever_it_stands(text: str) -> None:
    markup = scan(f"<x>{text}</x>".encode(), Vocabulary(["x"]))
    assert markup is not None
    assert markup.text == re.sub(r"[ \t\n\r\u2003]+", " ", text)
    assert markup.solid(0) == len("".join(text.split()))


def test_links_are_all_rids_with_the_element_around_them() -> None:
    raw = b"""<a rid='x'><u rid = "one  two"/><sec><i><xref ref-type="bibr" id="q" rid="r&amp;1">1</xref></i><b rid=""/>
    <refs><sec rid="in-opaque"/></refs></sec><u arid="no" grid='no' x:rid="no" xmlns:x="y"/><math rid="z"/></a>"""
    vocabulary = Vocabulary(NAMES, opaque=["refs"], marks={"link": ["xref"]})
    doc = scan(raw, vocabulary)
    assert doc is not None
    found = [(raw[begin:end].decode(), doc.name(row)) for begin, end, row in doc.links.T.tolist()]
    # By libxml2: every attribute of that name in no namespace, and the innermost element around it that has a row.
    expected = []
    for element in etree.fromstring(raw).iter():
        if (rid := element.get("rid")) is not None:
            outer = [element, *element.iterancestors()]
            inside = [
                each for each in outer if each.tag in NAMES and "refs" not in [up.tag for up in each.iterancestors()]
            ]
            expected.append((rid.replace("&", "&amp;"), inside[0].tag))
    assert found == expected
