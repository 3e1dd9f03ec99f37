"""Rendering: the clean profile's form, and that it neither invents, repeats nor reorders words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import UsageError
from corpus.records import AbstractPart, BackPart, Block, BlockKind, Cell, Float, Kind, Record, Source
from corpus.text.render import render


def record(**fields: object) -> Record:
    return Record(doc_id="pmid:1", source=Source.PUBMED, kind=Kind.CITATION, **fields)  # type: ignore[arg-type]


def block(kind: str, text: str, depth: int = 0) -> Block:
    return Block(kind=BlockKind(kind), text=text, depth=depth)


def test_abstract_with_labels() -> None:
    parts = (
        AbstractPart(label="METHODS:", category="METHODS", text="We did."),
        AbstractPart(label="UNLABELLED", category="UNASSIGNED", text="Plain."),
        AbstractPart(text="Bare."),
        AbstractPart(label="EMPTY", text=""),
        AbstractPart(type="plain-language-summary", text="For all."),
        AbstractPart(type="Publisher", language="fre", text="Pour tous."),
    )
    text = render(record(title="[Title].", vernacular_title="Titre.", abstracts=parts, copyright="© X"))
    assert text == "[Title].\n\nMETHODS: We did.\n\nPlain.\n\nBare."


def test_article_with_body_captions_and_back_matter() -> None:
    body = (
        block("heading", "Introduction", 1),
        block("paragraph", "First."),
        block("list_item", "one"),
        block("list_item", "two"),
        block("heading", "Details", 2),
        block("formula", "E = mc²"),
        block("preformat", "  a   b\n\n c "),
        block("quote", "Said."),
        block("heading", "Deep", 9),
        block("list_item", "last"),
    )
    floats = (
        Float(kind="table", label="Table 1", caption="Ages.", rows=((Cell(text="9"),),), position=4),
        Float(kind="figure", label="Fig. 2.", caption="Cells.", position=-1),
        Float(kind="box", caption="Key points", position=3),
        Float(kind="figure", label="Figure 3", position=1),
        Float(kind="supplement", label="S1", caption="A file.", position=1),
    )
    back = (BackPart(kind="ack", text="Thanks."),)
    assert render(record(title="T", body=body, floats=floats, back=back)) == (
        "T\n\n## Introduction\n\nFirst.\n\n- one\n\nKey points\n\n- two\n\nTable 1. Ages.\n\n### Details\n\nE = mc²\n\n"
        "a b\nc\n\nSaid.\n\n###### Deep\n\n- last\n\nFig. 2. Cells."
    )


def test_letters_are_normalised_without_losing_scripts_or_greek() -> None:
    raw = "Cafe\u0301 10⁻³ µm H₂O β Å\u00ad\u200b\ufeff x\u00a0y"
    assert render(record(title=raw)) == "Café 10⁻³ µm H₂O β Å x y"


def test_records_without_text() -> None:
    assert render(record()) == ""
    assert render(record(vernacular_title="Titre.")) == "Titre."


def test_unknown_profile() -> None:
    with pytest.raises(UsageError, match="choose one of clean"):
        render(record(), "raw")


WORDS = st.lists(st.integers(0, 10**9).map(lambda number: f"w{number}"), min_size=1, max_size=5)
BLOCKS = st.lists(st.tuples(st.sampled_from(list(BlockKind)), st.integers(0, 8), WORDS), max_size=8)


def stands_over_something(
    index: int, blocks: list[tuple[BlockKind, int, list[str]]], captions: list[tuple[int, list[str]]]
) -> bool:
    """Say whether a block is no heading, or one with a paragraph or a caption before the next heading not below it."""
    kind, depth, _ = blocks[index]
    if kind is not BlockKind.HEADING:
        return True
    for after in range(index + 1, len(blocks)):
        if any(place == after for place, _ in captions):
            return True
        if blocks[after][0] is not BlockKind.HEADING:
            return True
        if blocks[after][1] <= depth:
            return False
    return False


@settings(deadline=None)
@given(WORDS, BLOCKS, st.lists(st.tuples(st.integers(-1, 9), WORDS), max_size=3))
def test_every_word_once_and_in_order(
    title: list[str], blocks: list[tuple[BlockKind, int, list[str]]], captions: list[tuple[int, list[str]]]
) -> None:
    body = tuple(Block(kind=kind, depth=depth, text="  ".join(words)) for kind, depth, words in blocks)
    floats = tuple(Float(kind="figure", caption=" ".join(words), position=place) for place, words in captions)
    text = render(record(title=" ".join(title), body=body, floats=floats))
    found = [word for word in text.split() if word.startswith("w")]
    expected = list(title)
    for index in range(len(body) + 1):
        for place, words in captions:
            if place == index or (index == len(body) and not 0 <= place < len(body) and place != index):
                expected += words
        if index < len(body):
            expected += blocks[index][2] if stands_over_something(index, blocks, captions) else []
    assert found == expected
    assert text == text.strip()
    assert all(line == line.strip() for line in text.split("\n"))
    assert "\n\n\n" not in text


def test_floats_by_option() -> None:
    rows = ((Cell("Dose", header=True), Cell("n", colspan=2)), (Cell("5 mg"), Cell(""), Cell("7")))
    floats = (
        Float(kind="table", label="Table 1", caption="Doses", rows=rows, position=0),
        Float(kind="figure", caption="F"),
    )
    paper = record(title="T", body=(Block(kind=BlockKind.PARAGRAPH, text="Text."),), floats=floats)
    assert render(paper, floats="none") == "T\n\nText."
    assert render(paper) == "T\n\nTable 1. Doses\n\nText.\n\nF"
    assert render(paper, floats="tables") == "T\n\nTable 1. Doses\nDose | n\n5 mg |  | 7\n\nText.\n\nF"


def test_stock_paragraphs_are_left_out() -> None:
    stock = (
        "The online version of this article (10.1007/s1) contains supplementary material, "
        "which is available to authorized users."
    )
    parts = (AbstractPart(text="Aim."), AbstractPart(label="ELECTRONIC SUPPLEMENTARY MATERIAL", text=stock))
    body = (Block(kind=BlockKind.PARAGRAPH, text=f"Electronic supplementary material {stock}"),)
    assert render(record(title="T", abstracts=parts, body=body)) == "T\n\nAim."
    assert render(record(title="T", body=(Block(kind=BlockKind.PARAGRAPH, text=f"{stock} And more."),))).endswith(
        "And more."
    )


@pytest.mark.parametrize(
    "heading", ["Competing interests", "5. Authors’ Contributions:", "IV. Funding", "SUPPLEMENTARY MATERIAL"]
)
def test_administrative_sections_are_left_out(heading: str) -> None:
    body = (
        block("heading", "Results", 1),
        block("paragraph", "We saw."),
        block("heading", heading, 1),
        block("paragraph", "AB wrote."),
        block("heading", "Of the second author", 2),
        block("list_item", "CD read."),
        block("heading", "Discussion", 1),
        block("paragraph", "So be it."),
    )
    floats = (Float(kind="figure", label="Figure 1", caption="Cells.", position=5),)
    text = render(record(title="T", body=body, floats=floats))
    assert text == "T\n\n## Results\n\nWe saw.\n\nFigure 1. Cells.\n\n## Discussion\n\nSo be it."


def test_a_long_section_is_no_declaration() -> None:
    body = (block("heading", "Funding", 1), block("paragraph", "Money. " * 300))
    assert render(record(title="T", body=body)).startswith("T\n\n## Funding\n\nMoney.")


def test_headings_over_nothing_are_left_out() -> None:
    body = (
        block("heading", "Methods", 1),
        block("heading", "Cells", 2),
        block("heading", "Mice", 2),
        block("paragraph", "Ten."),
        block("heading", "Appendix", 1),
        block("heading", "Files", 2),
    )
    outside = (Float(kind="figure", caption="Seen.", position=-1),)
    text = render(record(title="T", body=body, floats=outside))
    assert text == "T\n\n## Methods\n\n### Mice\n\nTen.\n\nSeen."
