"""What is decided by one look at a whole line, or not looked at: the same as without the look."""

import re
from collections.abc import Callable
from itertools import pairwise
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpus.ncbi import COMPILED
from corpus.ncbi.archives import article_sets
from corpus.ncbi.jats import body, citation_needs, lines, usual_citations
from corpus.ncbi.jats import citation_words as words
from corpus.ncbi.jats.accounts import Accounts
from corpus.ncbi.jats.citations import tidy
from corpus.ncbi.jats.reader import read_parts
from corpus.records import Record

_TOLD = sorted({*words.TELLING, *words.CLAUSE_WORDS})
_WORDS = st.one_of(
    st.sampled_from(
        ["others", "cells", "et al.", "cf", "Ucf", "(al.", "Later,", "(a", "b)", "50%", "x-", "”", "é", "5"]
    ),
    st.sampled_from([*_TOLD, *map(str.upper, _TOLD), *map(str.title, _TOLD)]),
)
_CITED = st.sampled_from(
    [
        *(
            "[\x015\x02]",
            "[\x015\x02,\x016\x02]",
            "[\x015\x02, \x0116a\x02]",
            "(\x011\x02–\x014\x02)",
            "[\x0111–13\x02]",
        ),
        *("\x0124\x02", "\x03", "[ \x015\x02 ]", "(see \x015\x02)", "(\x01Roe et al., 2007\x02)", "Roe (\x012015\x02)"),
        *(
            "\x01S5\x02",
            "(\x0120150\x02)",
            "\x01a\x02",
            "\x01\x02",
            "[\x011024\x02]",
            "\x01 2001 \x02",
            "[\x015\x02; \x016\x02]",
        ),
    ]
)
_SCRIPTED = st.sampled_from(["\x06\x032\x07", "\x06max\x07", "\x042+\x05", "\x04\x015\x02,\x016\x02\x05", "\x04,\x05"])
_BETWEEN = st.sampled_from([" ", " ", " ", ", ", ". ", ".", ";", ": ", " and ", " (", ") ", "", " showed that ", ".. "])
_GROUPS = st.sampled_from(["[\x015\x02]", "[\x015\x02,\x016\x02]", "[\x015\x02, \x0116a\x02]", "(\x011\x02–\x014\x02)"])
_CLAUSES = st.tuples(
    st.one_of(st.sampled_from(["others", "cells", "et al.", "PCR)", "50%"]), _WORDS),
    st.sampled_from([" ", " ", ""]),
    st.one_of(_GROUPS, _GROUPS, _CITED),
    st.sampled_from([". ", ", ", " and ", " showed that ", " is ", "; ", ": ", " ", ".", ") ", " (", ""]),
).map("".join)
_LINES = st.tuples(
    st.sampled_from(["this was what they knew of ", "they had (as well as ", ""]),
    st.lists(_CLAUSES, min_size=1, max_size=4).map(" so ".join),
    st.sampled_from(["", "the end.", " ) too", "more [x] and"]),
).map("".join)
_ANY_LINES = st.one_of(
    _LINES, st.lists(st.one_of(_WORDS, _CITED, _BETWEEN, _SCRIPTED), min_size=1, max_size=14).map("".join)
)


def _collapsed(raw: str) -> str:
    return " ".join(raw.split())


def _is_usual(line: str) -> bool:
    return "\x01" in line and not re.search("[\x03-\x07\x0e\x0f]", line)


@given(_LINES.map(_collapsed).filter(_is_usual))
@example("this was what others found [\x015\x02] and they did")
@example("this was what was found by Roe et al. [\x015\x02] and they did")
def test_a_line_of_usual_citations_is_what_tidy_makes_of_it(line: str) -> None:
    usual = usual_citations.tidy_usual(line)
    if usual is not None:
        assert usual == tidy(line)


def test_most_citations_are_usual() -> None:
    line = "this was what others found [\x015\x02,\x016\x02]. Roe et al. [\x017\x02] saw more [\x018\x02–\x0111\x02]."
    expected = "this was what others found. Roe et al. saw more."
    assert usual_citations.tidy_usual(line) == (expected, len("[5,6][7][8–11]"))


def _decided(line: str, *, in_cell: bool) -> tuple[str, dict[str, int]]:
    accounts = Accounts(1000)
    return lines.decide(line, accounts, in_cell=in_cell), accounts.counts


@given(_ANY_LINES.map(_collapsed), st.booleans())
@example("as said (\x01Roe et al., 2007\x02; \x01Doe, 2008\x02) and Poe (\x012009\x02)", False)
def test_a_line_is_decided_as_without_shortcuts(line: str, in_cell: bool) -> None:
    short = _decided(line, in_cell=in_cell)
    with (
        mock.patch.object(lines, "names_authors", return_value=False),
        mock.patch.object(lines, "tidy_usual", return_value=None),
    ):
        assert short == _decided(line, in_cell=in_cell)


@given(st.lists(st.one_of(_WORDS, _CITED, _BETWEEN), min_size=1, max_size=8))
def test_a_citation_that_is_needed_may_be(parts: list[str]) -> None:
    line = _collapsed("".join(parts))
    places = [0, *(found.end() for found in re.finditer("[\\[(]?[\x01\x03][^\x02\x03]*[\x02]?[\\])]?", line))]
    for pos, end in pairwise(places):
        start = line.find("[", pos, end)
        if start >= 0 and citation_needs.is_needed(line, start, end):
            assert citation_needs.may_be_needed(line[pos:start])


@given(st.text(alphabet="aB5 ,.()[];:\x85é•", max_size=30))
@example("word ( a")
@example("word [a ] b")
def test_a_text_that_holds_no_layout_loses_none(text: str) -> None:
    gaps = ("( ", " )", "[ ", " ]", " ,", " .")
    assert body._may_hold_layout(text) == any(gap in text for gap in gaps)
    if not body._may_hold_layout(text):
        assert body._LAYOUT.sub("", text) == text


_TAGS = ["<article>", "<article x='>'>", "<j:article\n>", "</article>", "<article/>", "<article-meta>", "<!--", "-->"]


@given(st.lists(st.sampled_from([*_TAGS, "<![CDATA[", "]]>", "article ", "<x>"]), max_size=10).map("".join))
def test_a_set_that_mentions_no_two_articles_holds_none(content: str) -> None:
    raw = f"<pmc-articleset>{content}</pmc-articleset>".encode()
    several = article_sets._holds_several(raw)
    with mock.patch.object(article_sets, "_MENTION", re.compile(b"")):
        assert several == article_sets._holds_several(raw)


def _article(rid: str) -> bytes:
    return (
        "<article><front><article-meta><article-id pub-id-type='pmc'>1</article-id></article-meta></front><body>"
        f"<p>First <xref ref-type='fig' rid='F9'>9</xref>.</p><p>Then <xref ref-type='fig' rid='{rid}'>1</xref>.</p>"
        "<p>Last.</p><fig id='F1'><label>1</label></fig></body></article>"
    ).encode()


@pytest.mark.parametrize("rid", ["F1", "F2 F1", " F1", "F1\n", "F2\tF1", "F2\n  F1"])
def test_a_link_to_several_floats_cites_each(rid: str) -> None:
    record = read_parts(_article(rid), file="PMC1.xml")[0]
    assert isinstance(record, Record)
    assert [item.cited for item in record.floats] == [2]


@pytest.mark.skipif(COMPILED.folder is not None, reason="calls within compiled code do not meet a function put in")
def test_the_shortcuts_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the comparisons above compare two ways."""
    taken = set[str]()

    def watched(name: str) -> Callable[[str], object]:
        way = getattr(lines, name)

        def watch(line: str) -> object:
            if found := way(line):
                taken.add(name)
            return found

        return watch

    for name in ("names_authors", "tidy_usual"):
        monkeypatch.setattr(lines, name, watched(name))
    _decided("this was what others found [\x015\x02], at once.", in_cell=False)
    _decided("this was what (\x01Roe et al., 2007\x02) found.", in_cell=False)
    assert taken == {"names_authors", "tidy_usual"}
