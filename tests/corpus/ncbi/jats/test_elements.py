"""Every element of JATS has a decision, unknown ones are read by their place, and the decisions do what they say."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.ncbi.jats.accounts import DROPPED, KEPT
from corpus.ncbi.jats.rules import Reader
from corpus.ncbi.jats.vocabulary import DECISIONS, JATS
from tests.support.jats_samples import blocks, jats, read, text

NAMES = Path(__file__).resolve().parents[3] / "data" / "jats_elements.txt"
PUBLISHED = [
    name for line in NAMES.read_text("utf-8").splitlines() if not line.startswith("#") for name in line.split()
]
OVERLAYS = ("opaque", "detailed", "sec_types")  # say more of names that are decided elsewhere


def decided() -> list[str]:
    return [
        name for group in DECISIONS if group not in OVERLAYS for names in DECISIONS[group].values() for name in names
    ]


def test_every_published_name_has_a_decision() -> None:
    known = {*decided(), *DECISIONS["opaque"][""], *DECISIONS["detailed"][""]}
    assert len(PUBLISHED) > 280
    assert set(PUBLISHED) - known == set()
    both = {"article-title", "year"}  # read by name in the front, set apart in running text
    assert sorted([*set(decided()), *both]) == sorted(decided()), "two decisions on one name"
    assert "" not in JATS.ids


def test_every_group_has_a_rule_and_every_dropped_name_an_account() -> None:
    for group in ("blocks", "by_place", "forms", "inline"):
        for names in DECISIONS[group].values():
            assert set(names) <= Reader.RULES.keys() | {"xref"}
    for account, names in DECISIONS["dropped"].items():
        assert account in DROPPED or account in KEPT
        assert set(names) <= Reader.RULES.keys()
    accounts = {"keywords", "references", "article_metadata", "author_metadata"}
    assert accounts <= KEPT | DROPPED.keys()
    assert DECISIONS["sec_types"].keys() - accounts == {"footnotes", "back", "once"}


def test_unknown_elements_are_blocks_among_blocks_and_words_in_a_sentence() -> None:
    assert blocks("<sec><title>T</title><foo>One.</foo><bar>Two.</bar></sec>") == [
        ("heading", 1, "T"),
        ("paragraph", 1, "One."),
        ("paragraph", 1, "Two."),
    ]
    assert text("A <foo>new</foo> word, H<foo>2</foo>O.") == "A new word, H2O."
    assert text("A <foo><bar>very</bar><bar>new</bar></foo> word.") == "A very new word."
    assert blocks("<foo><bar>One.</bar><bar>Two.</bar></foo><p>Three.</p>") == [
        ("paragraph", 0, "One."),
        ("paragraph", 0, "Two."),
        ("paragraph", 0, "Three."),
    ]
    assert blocks("<foo>All of <italic>this</italic> is <bar>one</bar> line.</foo>") == [
        ("paragraph", 0, "All of this is one line.")
    ]


def test_unknown_elements_are_named() -> None:
    record = read(jats(body="<foo>One.</foo><p><x:bar xmlns:x='u'>b</x:bar><foo>c</foo></p>"))
    assert record.unknown_elements == ("bar", "foo")
    assert (
        read(
            jats(body="<p>a <italic>b</italic></p><sec><p><named-content>c</named-content></p></sec>")
        ).unknown_elements
        == ()
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a <strike>b</strike>c", "a c"),
        ("a 12<strike>–</strike>12 cycle", "a 12–12 cycle"),
        ("<styled-content style='text-decoration: line-through'>10</styled-content>20 mg", "20 mg"),
        ("<styled-content style-type='strikethrough'>10</styled-content>20 mg", "20 mg"),
        ("<styled-content style='fixed-case'>DNA</styled-content> of", "DNA of"),
        ("10<sup><strike>2</strike>3</sup> cells", "10³ cells"),
        (
            "<overline>AB</overline> and <italic><overline>x</overline></italic><sub>i</sub>",
            "A\u0305B\u0305 and x\u0305_i",
        ),
        ("<overline>x<sub>i</sub></overline>", "x\u0305_i"),
        ("<overline>a whole line over words</overline>", "a whole line over words"),
        ("<ruby><rb>東京</rb><rt>とうきょう</rt></ruby>", "東京 (とうきょう)"),
        ("<ruby><rb>東京</rb><rp>(</rp><rt>とうきょう</rt><rp>)</rp></ruby>", "東京(とうきょう)"),
        (
            "the <abbrev>WHO<def><p>World Health Organization</p></def></abbrev> said",
            "the WHO (World Health Organization) said",
        ),
        (
            "the World Health Organization (<abbrev>WHO<def><p>World Health Organization</p></def></abbrev>) said",
            "the World Health Organization (WHO) said",
        ),
        ("a letter <private-char><glyph-data>0101</glyph-data></private-char>here", "a letter here"),
        (
            "by <institution-wrap><institution-id>ROR</institution-id><institution>X</institution></institution-wrap>.",
            "by X.",
        ),
        ("at <address><addr-line>1 Road</addr-line><country>Chile</country></address> now", "at 1 Road Chile now"),
        ("see <related-article>this paper</related-article> too", "see this paper too"),
        ("on <date><day>1</day><month>May</month><year>2020</year></date>.", "on 1 May 2020."),
        ("We ran <code>f(x)</code>.", "We ran f(x)."),
    ],
)
def test_elements_of_a_sentence(written: str, expected: str) -> None:
    assert text(written) == expected


def test_code_with_lines_or_alone_is_a_block() -> None:
    assert blocks("<p>We ran <code>f(x)\ng(x)</code> then.</p>")[1] == ("preformat", 0, "f(x)\ng(x)")
    assert blocks("<p><code>f(x)</code></p>") == [("preformat", 0, "f(x)")]
    assert blocks("<sec><code>f(x)</code><code>g(x)</code></sec>") == [
        ("preformat", 1, "f(x)"),
        ("preformat", 1, "g(x)"),
    ]


def test_questions_and_answers_stand_apart() -> None:
    question = (
        "<question-wrap><question><label>1</label><p>Why?</p><option><label>a</label><p>So.</p></option></question>"
        "<answer><p>a</p></answer><explanation><p>Hence.</p></explanation></question-wrap>"
    )
    assert [found for _, _, found in blocks(question)] == ["1 Why?", "a So.", "a", "Hence."]


def test_what_stands_beside_the_metadata_of_the_front_is_back_matter() -> None:
    raw = jats(body="<p>Text.</p>").replace(
        b"</front>",
        b"<glossary><title>Terms</title><def-list><def-item><term>CI</term><def><p>interval</p></def></def-item>"
        b"</def-list></glossary><ack><p>Thanks.</p></ack><fn-group><fn><p>A note.</p></fn></fn-group></front>",
    )
    found = [(part.kind, part.title, part.text) for part in read(raw).back]
    assert found == [("glossary", "Terms", "CI: interval"), ("ack", "", "Thanks."), ("footnote", "", "A note.")]


PARTS = {"sub-article", "response", "article", "front", "back", "body"}  # of an article, and records of their own
ELEMENTS = st.sampled_from(sorted({*PUBLISHED, "foo", "tp-name"} - PARTS - set(DECISIONS["blocks"]["floating"])))
TREES = st.recursive(
    st.sampled_from(["word ", "x", "1", ""]),
    lambda inner: st.builds(
        lambda name, parts: f"<{name}>{''.join(parts)}</{name}>", ELEMENTS, st.lists(inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(TREES, max_size=4))
def test_any_tree_of_elements_is_read_and_accounted_for(trees: list[str]) -> None:
    record = read(jats(body="".join(trees)))
    solid = len("".join(re.sub("<[^>]*>", "", "".join(trees)).split()))
    counted = {account.name: account.characters for account in record.accounts}
    assert sum(counted.values()) == solid + len("123Atitle")
    assert all(count > 0 for count in counted.values()), counted
