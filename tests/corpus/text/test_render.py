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
        AbstractPart(label="What is known?", text="Little."),
        AbstractPart(type="plain-language-summary", text="For all."),
        AbstractPart(type="Publisher", language="fre", text="Pour tous."),
    )
    text = render(record(title="[Title].", vernacular_title="Titre.", abstracts=parts, copyright="© X"))
    assert text == "[Title].\n\nMETHODS: We did.\n\nPlain.\n\nBare.\n\nWhat is known? Little."


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
    assert render(record(title="T", body=body, floats=floats, back=back), floats="captions") == (
        "T\n\n## Introduction\n\nFirst.\n\n- one\n\nKey points\n\n- two\n\nTable 1. Ages.\n\n### Details\n\nE = mc²\n\n"
        "a b\nc\n\nSaid.\n\n###### Deep\n\n- last\n\nFig. 2. Cells."
    )


def test_letters_are_normalised_without_losing_scripts_or_greek() -> None:
    raw = "Cafe\u0301 10⁻³ µm H₂O β Å\u00ad\u200b\ufeff x\u00a0y"
    assert render(record(title=raw)) == "Café 10⁻³ μm H₂O β Å x y"


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
    assert render(paper) == "T\n\nText.\n\nF"
    assert render(paper, floats="captions") == "T\n\nTable 1. Doses\n\nText.\n\nF"
    assert render(paper, floats="tables") == "T\n\nTable 1. Doses\nDose | n\n5 mg |  | 7\n\nText.\n\nF"


def test_a_caption_stands_behind_the_paragraph_that_cites_it_first() -> None:
    body = (
        block("heading", "Results", 1),
        block("paragraph", "See Figure 2."),
        block("paragraph", "See Figure 1."),
        block("paragraph", "End."),
    )
    floats = (
        Float(kind="figure", label="Figure 1", caption="One.", position=0, cited=3),
        Float(kind="figure", label="Figure 2", caption="Two.", cited=2),
        Float(kind="figure", label="Figure 3", caption="Three.", position=3, cited=4),
    )
    assert render(record(body=body, floats=floats)) == (
        "## Results\n\nSee Figure 2.\n\nFigure 2. Two.\n\nSee Figure 1.\n\nFigure 1. One.\n\nEnd.\n\nFigure 3. Three."
    )


def item(text: str, mark: str = "", level: int = 0) -> Block:
    return Block(kind=BlockKind.LIST_ITEM, text=text, mark=mark, level=level)


def test_lists_keep_numbers_and_nesting() -> None:
    body = (
        item("Wash.", "1."),
        item("Dry.", "2."),
        item("By air.", "a.", 1),
        item("in rain", level=2),
        item("or sun", level=2),
        item("10. Rest.", "10."),
        item("then eat", level=1),
        item("Hay.", level=0),
        item("and oats", level=1),
        item("(a) first", "(a)"),
        item("1.5 mg", "1."),
        item("2.", "2."),
    )
    assert render(record(body=body)) == (
        "1. Wash.\n2. Dry.\n   a. By air.\n      - in rain\n      - or sun\n10. Rest.\n    - then eat\n- Hay.\n"
        "  - and oats\n(a) first\n1. 1.5 mg\n2."
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Conflict of interest: none declared.", ""),
        ("Funding. This work was supported by the state.", ""),
        ("Authors’ contributions: AB designed the study and wrote the first draft.", ""),
        ("Data availability: The data are available from the authors.", ""),
        ("Funding: Primary care is paid for by the state.", "Funding: Primary care is paid for by the state."),
        ("Conflict resolution: none of them did.", "Conflict resolution: none of them did."),
        ("Funding of care grew. It was supported by all.", "Funding of care grew. It was supported by all."),
    ],
)
def test_declarations_under_run_in_headings_are_left_out(text: str, left: str) -> None:
    body = (block("paragraph", "First."), block("paragraph", text))
    assert render(record(title="T", body=body)) == f"T\n\nFirst.\n\n{left}".rstrip()


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


def test_labelled_parts_about_the_making_are_left_out_by_kind() -> None:
    labels = (
        "FUNDING",
        "STUDY FUNDING/COMPETING INTEREST(S):",
        "TRIAL REGISTRATION",
        "ETHICS AND DISSEMINATION",
        "AIM",
    )
    parts = tuple(AbstractPart(label=label, text=f"About {label[:5]}.") for label in labels)
    paper = record(title="T", abstracts=parts)
    registered = "TRIAL REGISTRATION: About TRIAL.\n\n"
    rest = "ETHICS AND DISSEMINATION: About ETHIC.\n\nAIM: About AIM."
    assert render(paper) == f"T\n\n{registered}{rest}"
    assert render(paper, kept=()) == f"T\n\n{rest}"
    long = record(title="T", abstracts=(AbstractPart(label="FUNDING", text="word " * 900),))
    assert "FUNDING: word" in render(long)


@pytest.mark.parametrize(("kind", "heading"), [("ethics", "Ethics statement"), ("abbreviations", "Abbreviations")])
def test_options_keep_or_drop_a_kind_of_section(kind: str, heading: str) -> None:
    paper = record(
        title="T", body=(block("heading", heading, 1), block("paragraph", "Said."), block("heading", "X", 1))
    )
    assert render(paper, kept={kind}) == f"T\n\n## {heading}\n\nSaid."
    assert render(paper, kept=()) == "T"


@pytest.mark.parametrize(
    "text",
    [
        "I have read this submission. I believe that I have an appropriate level of expertise to confirm that it is "
        "of an acceptable scientific standard.",
        "In the interests of transparency, eLife includes the editorial decision letter and author responses.",
        "E-mail: heidi@example.org",
        "*Correspondence: Heidi, Alp 1, heidi@example.org",
        "DOI: http://dx.doi.org/10.7554/eLife.00003.001",
        "Supplementary data are available at JXB online.",
        "The pre-publication history for this paper can be accessed here:",
    ],
)
def test_what_journals_print_in_every_paper_is_left_out(text: str) -> None:
    said = "Correspondence between rates was close. Video abstracts were read."
    paper = record(title="T", body=(block("paragraph", text), block("paragraph", said)))
    assert render(paper) == f"T\n\n{said}"
