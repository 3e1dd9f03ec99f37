"""Sections: kinds of headings by hand, offsets that cut the text, and kinds that are left out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.records import AbstractPart, Block, BlockKind, Float, Kind, Record, Source
from corpus.text.render import render, render_sections
from corpus.text.section_kinds import ALL_KINDS, section_kind
from tests.support.random_records import BATCHES

HEADINGS = {
    "introduction": (
        "Introduction|1. Introduction|BACKGROUND|1 Background|Introduction and background|"
        "I. INTRODUCTION|Introduction:|Background and objectives|Rationale|Introduction and aims|"
        "Background and rationale|Objectives|Introduction: overview"
    ),
    "methods": (
        "Methods|2. Materials and Methods|Material & methods|Methods/Design|METHOD|Patients and methods|"
        "STAR Methods|STAR★Methods|Experimental procedures|Experimental|2. Experimental Section|"
        "Subjects and methods|Study design|Online methods|Methodology|Methods and materials|"
        "Statistical analysis|Study design and methods|Methods and analysis|"
        "Methods: setting and population|II. MATERIALS AND METHODS|Design and methods|Data and methods|"
        "Participants and methods|4 Research design and methods|Clinical trial methods|"
        "Methods and study design|Procedures"
    ),
    "results": (
        "Results|3. RESULTS|Result|Findings|3 Results:|III. Results|Experimental results|Main findings|Results (main)"
    ),
    "discussion": (
        "Discussion|4. Discussion|DISCUSSION|General discussion|Discussion and conclusions|Comment|"
        "Discussion & conclusion|5 Discussion and limitations|"
        "Discussion, limitations and future directions|Discussions"
    ),
    "conclusions": (
        "Conclusion|Conclusions|5. CONCLUSIONS|Concluding remarks|Conclusions and recommendations|"
        "Summary and conclusions|Conclusions and future perspectives|In conclusion|Summary|"
        "Conclusions: implications for practice|Overall conclusions"
    ),
    "results and discussion": (
        "Results and discussion|3. Results & Discussion|RESULTS AND DISCUSSIONS|Discussion of the results"
    ),
    "case": ("Case presentation|Case report|Case reports|2. Case description|Case series|Case history"),
    "": (
        "Competing interests|Funding|Methods for estimating prevalence|Effects of drug X|Limitations|"
        "Study area|Ethics|Results of the VISION trial|Introduction of exotic fish|"
        "A case of mistaken identity|Conclusion of the treaty|Background radiation|Key points|"
        "Abbreviations|Acknowledgements|Discussion groups with nurses|Data|Summary table|"
        "Search results by database|Group discussion in schools|Cases and deaths by region|"
        "Methods and results|Genome|Introduction, methods and results|2019|*|"
        "Materials science in dentistry|Method comparison on plasma|Case fatality rate"
    ),
}


@pytest.mark.parametrize(("kind", "headings"), HEADINGS.items())
def test_headings_are_of_the_kind_that_a_reader_names(kind: str, headings: str) -> None:
    assert {heading: section_kind(heading) for heading in headings.split("|")} == dict.fromkeys(
        headings.split("|"), kind
    )


@settings(deadline=None, max_examples=200)
@given(BATCHES, st.sampled_from(["figures", "tables", "none"]), st.sets(st.sampled_from(ALL_KINDS)))
def test_sections_cut_the_text_in_order_and_leave_only_the_title(
    batch: tuple[Record, ...], floats: str, without: set[str]
) -> None:
    for record in batch:
        text, sections = render_sections(record, floats=floats, without=without)
        assert text == render(record, floats=floats, without=without)
        if not record.body:
            assert sections == ()
            continue
        pieces = [text[one.start : one.end] for one in sections]
        assert all(piece == piece.strip("\n") and piece for piece in pieces)
        joined = "\n\n".join(pieces)
        assert text in (joined, text[: len(text) - len(joined)] + joined)
        assert not set(without) & {one.kind for one in sections}
        for one, piece in zip(sections, pieces, strict=True):
            assert one.kind in (section_kind(one.title), "abstract", "captions")
            assert piece.lstrip("#").removeprefix(" ").startswith(one.title)


def heading(text: str, depth: int = 1) -> Block:
    return Block(kind=BlockKind.HEADING, depth=depth, text=text)


def said(text: str, depth: int = 1) -> Block:
    return Block(kind=BlockKind.PARAGRAPH, depth=depth, text=text)


ARTICLE = Record(
    doc_id="pmc:PMC1.1",
    source=Source.PMC,
    kind=Kind.ARTICLE,
    title="Of mice – and men",
    abstracts=(AbstractPart(label="Methods", text="We asked."), AbstractPart(label="Results", text="They said.")),
    body=(
        said("Before any heading.", 0), heading("1. Background"), said("Mice α."),
        heading("2. Methods"), heading("Animals", 2), said("Ten mice."), heading("Results", 2), said("Of the pilot."),
        heading("3. Results"), said("Nine mice."), heading("Funding"), said("None."),
        heading("4. What now?"), said("Men."),
    ),
    floats=(Float(kind="figure", label="Fig 1", caption="A mouse.", position=-1),),
)  # fmt: skip


def shown(**choices: object) -> list[tuple[str, str, str]]:
    text, sections = render_sections(ARTICLE, **choices)  # type: ignore[arg-type]
    return [(one.kind, one.title, text[one.start : one.end]) for one in sections]


def test_an_article_in_sections() -> None:
    assert shown() == [
        ("abstract", "", "Methods: We asked.\n\nResults: They said."),
        ("", "", "Before any heading."),
        ("introduction", "1. Background", "## 1. Background\n\nMice α."),
        ("methods", "2. Methods", "## 2. Methods\n\n### Animals\n\nTen mice.\n\n### Results\n\nOf the pilot."),
        ("results", "3. Results", "## 3. Results\n\nNine mice."),
        ("", "4. What now?", "## 4. What now?\n\nMen."),
        ("captions", "", "Fig 1. A mouse."),
    ]


def test_a_kind_that_is_left_out_goes_with_all_below_it_and_nothing_else_does() -> None:
    whole = shown()
    assert shown(without={"methods"}) == [row for row in whole if row[0] != "methods"]
    assert shown(without={"results", "introduction"}) == [
        row for row in whole if row[0] not in ("results", "introduction")
    ]
    assert "We asked" in render(ARTICLE, without=ALL_KINDS)
