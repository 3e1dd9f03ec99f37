"""The XML policy: attacks and damage are refused by name, mixed content becomes one line by the written rules."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from corpus.ncbi.markup.parse import BadXmlError, parse, read_markup
from corpus.ncbi.pubmed.text import line
from corpus.ncbi.pubmed.vocabulary import VOCABULARY
from corpus.reasons import RejectReason

BOMB = b'<!DOCTYPE a [<!ENTITY a "%s">%s]><a>&g;</a>' % (
    b"x" * 1000,
    b"".join(b'<!ENTITY %c "%s">' % (98 + level, b"&%c;" % (97 + level) * 20) for level in range(6)),
)


def line_of(raw: bytes) -> str:
    return line(read_markup(raw, VOCABULARY), 0)


def text_of(content: str) -> str:
    return line_of(f'<r xmlns:mml="m" xmlns:x="y">{content}</r>'.encode())


def reason_of(raw: bytes, root: frozenset[str] | None = None) -> RejectReason:
    with pytest.raises(BadXmlError) as caught:
        parse(raw, root=root)
    assert caught.value.detail
    return caught.value.reason


@pytest.mark.parametrize(
    "raw",
    [
        BOMB,
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>unused</a>',
        b'<!DOCTYPE a [<!ENTITY % x "y">]><a>unused</a>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/hostname"> %x;]><a/>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'.encode("utf-16"),
    ],
)
def test_entity_declarations_are_refused(raw: bytes) -> None:
    assert reason_of(raw) is RejectReason.ENTITY_DECLARATION


def test_external_dtd_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "evil.dtd").write_text('<!ENTITY x "SECRET"><!ATTLIST a b CDATA "SECRET">')
    for system in (str(tmp_path / "evil.dtd"), (tmp_path / "evil.dtd").as_uri()):
        doctype = f'<!DOCTYPE a SYSTEM "{system}">'
        element = parse(f"{doctype}<a>text</a>".encode())
        assert element.get("b") is None
        assert reason_of(f"{doctype}<a>&x;</a>".encode()) is RejectReason.BAD_XML


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"text",
        b"<a>",
        b"<a><b></a>",
        b"<a/><a/>",
        b"<a/>trailing",
        b"<a>&alpha;</a>",
        b"<a>a & b</a>",
        b"<a>a < b</a>",
        b"<a>\xff\xfe</a>",
        b"<a>caf\xe9</a>",
        b"<a>\xc0\xaf</a>",
        b"<a>\x00</a>",
        b"<a>\x08</a>",
        b"<a>&#1;</a>",
        b"<a b='1' b='2'/>",
        b"<a><m:b/></a>",
    ],
)
def test_damage_is_refused_and_never_repaired(raw: bytes) -> None:
    assert reason_of(raw) is RejectReason.BAD_XML


def test_root_is_checked() -> None:
    assert parse(b"<article/>", root=frozenset({"article"})).tag == "article"
    assert parse(b'<n:article xmlns:n="u"/>', root=frozenset({"article"})) is not None
    assert reason_of(b"<html>503</html>", root=frozenset({"article"})) is RejectReason.BAD_ROOT


def test_size_limits_are_lifted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    long = b"<a>" + b"x" * 11_000_000 + b"</a>"
    assert len(line_of(long)) == 11_000_000
    deep = b"<b>" * 1500 + b"x" + b"</b>" * 1500
    assert line_of(deep) == "x"
    assert reason_of(b"<b>" * 3000 + b"</b>" * 3000) is RejectReason.BAD_XML
    monkeypatch.setattr("corpus.ncbi.markup.parse.BYTE_CAP", 1000)
    assert reason_of(long) is RejectReason.TOO_LARGE


@pytest.mark.parametrize("markup", ["sup", "b", "p", "mml:math", "alternatives"])
def test_deep_nesting_of_any_markup_neither_crashes_nor_loses_text(markup: str) -> None:
    content = f"<{markup}>" * 900 + "core" + f"</{markup}>" * 900
    assert "core" in text_of(f"{content}tail")
    assert text_of(f"{content} tail").endswith("tail")


def test_comments_and_instructions_leave_no_hole() -> None:
    assert text_of("A<!-- c -->B<?pi x?>C<![CDATA[ <D> ]]>") == "ABC <D>"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "Role of <i>TP53</i> and Ca<sup>2+</sup> in <i>E.</i> <b>coli</b>.",
            "Role of TP53 and Ca²⁺ in E. coli.",
        ),
        ("<i>anti</i>-p<b>5</b>3", "anti-p53"),
        ("10<sup>5</sup> H<sub>2</sub>O 10<sup>-3</sup> PO<sub>4</sub><sup>3−</sup>", "10⁵ H₂O 10⁻³ PO₄³⁻"),
        ("V<sub>max</sub>, V<sub>max</sub>imal, k<sub>on/off</sub>", "V_max, V_(max)imal, k_(on/off)"),
        ("3<sup>rd</sup> p53<sup>-/-</sup> X<sup>®</sup>", "3rd p53-/- X®"),
        ("x<sup>1-3</sup> <sup>99m</sup>Tc <sup>14</sup>C", "x^(1-3) ⁹⁹ᵐTc ¹⁴C"),
        ("a<sup> 2 </sup>b", "a ² b"),
        ("a<sup/>b<sub> </sub>c", "ab c"),
        ("<sup><i>n</i></sup> x<sup><i>k</i></sup>", "ⁿ x^k"),
        ("one<p>two</p>three<break/>four", "one two three four"),
        ("  many \n\t spaces\u00a0here ", "many spaces here"),
        ("<x:i>kept</x:i><x:sub>2</x:sub>", "kept₂"),
        (
            "m <mml:math><mml:mfrac><mml:mrow><mml:mi>a</mml:mi><mml:mo>+</mml:mo><mml:mi>b</mml:mi></mml:mrow>"
            "<mml:mi>c</mml:mi></mml:mfrac></mml:math>, next",
            "m (a+b)/c, next",
        ),
        (
            "<alternatives><graphic/><tex-math>\\documentclass{a} \\begin{document}$$a^2$$\\end{document}</tex-math>"
            "<mml:math><mml:msup><mml:mi>a</mml:mi><mml:mn>2</mml:mn></mml:msup></mml:math></alternatives> = b",
            "a² = b",
        ),
        ("<alternatives><graphic/><textual-form>shown</textual-form></alternatives>!", "shown!"),
        ("<alternatives><graphic/></alternatives>tail", "tail"),
    ],
)
def test_mixed_content(content: str, expected: str) -> None:
    assert text_of(content) == expected


LETTERS = st.text(st.sampled_from("ab Z09+-é²α \n"), max_size=6)
INLINE = st.recursive(
    LETTERS, lambda inner: st.tuples(st.sampled_from(["i", "b", "u", "sc"]), inner, inner), max_leaves=12
)


def markup(tree: str | tuple[str, object, object]) -> str:
    if isinstance(tree, str):
        return tree
    tag, inside, tail = tree
    return f"<{tag}>{markup(inside)}</{tag}>{markup(tail)}"  # type: ignore[arg-type]


@settings(deadline=None)
@given(INLINE)
def test_inline_markup_changes_no_character(tree: str | tuple[str, object, object]) -> None:
    raw = f"<r>{markup(tree)}</r>".encode()
    oracle = " ".join("".join(etree.fromstring(raw).itertext()).split())
    assert line_of(raw) == oracle


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_parse_or_are_refused(raw: bytes) -> None:
    try:
        parse(b"<a>" + raw + b"</a>")
    except BadXmlError as error:
        assert error.reason in (RejectReason.BAD_XML, RejectReason.ENTITY_DECLARATION)  # noqa: PT017


def test_entities_of_a_dtd_are_refused_with_a_way_out_that_works(tmp_path: Path) -> None:
    (tmp_path / "a.dtd").write_text('<!ENTITY mdash "&#8212;">', "utf-8")
    file = tmp_path / "a.xml"
    file.write_text('<!DOCTYPE r SYSTEM "a.dtd"><r>A &mdash; B</r>', "utf-8")
    with pytest.raises(BadXmlError) as caught:
        parse(file.read_bytes())
    assert "'mdash' not defined" in caught.value.detail
    assert "xmllint --loaddtd --noent" in caught.value.detail
    # What xmllint does by these options, for it need not be installed where tests run.
    tree = etree.parse(file, etree.XMLParser(load_dtd=True, resolve_entities=True))
    assert parse(etree.tostring(tree)).text == "A — B"
