"""The oracles and the neutral score themselves: what they must notice, and what is only notation."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from corpus.ncbi.pubmed.reader import read_pubmed
from corpus.records import AbstractPart, Kind, Record, Source
from tests.benchmarks.conformance import Pieces, judge
from tests.benchmarks.peers_text import Extract, tokens
from tests.support.jats_lead_ins import CITED, without_lead_ins, without_own_citation
from tests.support.jats_oracle import Score, compare, read_source
from tests.support.jats_samples import jats
from tests.support.pubmed_oracle import Citation, Part, Text, compare_file, differences

ONE = "The first paragraph of this article is long enough to be known again by a run of its own letters."
TWO = "The second paragraph is just as long as the first one, and says in other words that hearts beat on."
LINES = (ONE, TWO, "At 10⁵ cells in H₂O.", "Figure 1", "A caption.")
FIGURE = '<fig id="F1"><label>Figure 1</label><caption><p>A caption.</p></caption></fig>'
BODY = f'<p>{ONE}</p><p>{TWO}<xref ref-type="bibr">12</xref></p><p>At 10<sup>5</sup> cells in H<sub>2</sub>O.</p>'


def score(*lines: str) -> Score:
    return compare(read_source(jats(body=BODY + FIGURE)), text="\n".join(lines), body="\n".join(lines))


def test_a_whole_text_has_no_fault() -> None:
    found = score(*LINES)
    assert found.kept == found.words == sum(len(tokens(line)) for line in LINES)
    assert found == replace(found, invented=(), lost=(), misplaced=(), repeated=())
    assert found.paragraphs == 2


def test_each_fault_of_a_text_is_noticed() -> None:
    one, two, *rest = LINES
    assert score(one.rstrip(".") + two, *rest).invented == ("lettersthe",)
    assert score(one, two.replace("on.", "on12"), *rest).invented == ("on12",)
    assert score(one, two, "At 105 cells in H₂O.", *rest[1:]).invented == ("105",)
    assert len(score(two, one, *rest).misplaced) == 1
    assert len(score(one, two, one, *rest).repeated) == 1
    lost = score(one, *rest)
    assert (len(lost.lost), lost.words - lost.kept) == (1, len(tokens(two)))
    assert score(one, two, rest[0], rest[2]).kept == score(*LINES).kept - len(tokens("Figure 1"))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("shown (see e.g. [@], p. 12) before", "shown before"),
        ("shown [reviewed in ref. (@)] before", "shown before"),
        ("a film [reproduced with permission from Ref. @].", "a film ."),
        ("shown (Table 2; cf. [@]) before", "shown Table 2; before"),
        ("(for a longer account of them, see [@])", ""),
        ("a median of 5 [@,326–262,348] copies", "a median of 5 ,326–262,348 copies"),
        ("as seen in [@] before", "as seen in before"),
        ("(see [@] in our own mice)", "(see in our own mice)"),
        ("(see Table 2)", "(see Table 2)"),
        ("items (although see [@] for a list of all items) count", "items count"),
        ("items (similarly reported elsewhere [@]; n = 5) count", "items ; n = 5 count"),
        ("seen before, e.g. [@], [@]. Others, e.g. [@] and ours", "seen before . Others, e.g. and ours"),
        ("by block (@, 28, @) and (6, [@])", "by block and 6,"),
    ],
)
def test_only_what_points_to_a_citation_goes_with_it(text: str, left: str) -> None:
    got = without_lead_ins(text.replace("@", CITED)).replace(CITED, " ")
    assert " ".join(got.split()) == left


@pytest.mark.parametrize(
    ("tail", "left"),
    [
        (" © 2018 The Authors. Sleep Published by Wiley & Sons, Inc.", ""),
        (" J Sleep 2017;10(1):41-44. Copyright © 2017 J Sleep.", ""),
        (" J Sleep 10:41–44, 2017.", ""),
        (" J Rest 2017;11(1):41-44.", " J Rest 2017;11(1):41-44."),
        (" Theirs is © Wiley.", " Theirs is © Wiley."),
    ],
)
def test_an_abstract_ends_before_its_notice_and_its_own_citation(tail: str, left: str) -> None:
    assert without_own_citation(f"Mice sleep at 10:41 at night.{tail}", volume="10", page="41") == (
        f"Mice sleep at 10:41 at night.{left}"
    )


def test_the_word_abstract_above_one_is_no_word_of_it() -> None:
    abstract = "<abstract><title>Abstract</title><sec><title>Summary</title><p>Mice sleep.</p></sec></abstract>"
    assert read_source(jats(meta=abstract)).words == Counter(["summary", "mice", "sleep"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10⁵ cells", "10^5^ cells"),
        ("10⁻³ and x²", "10^(-3) and x^{2}"),
        ("Ca²⁺ in H₂O", "Ca2+ in H~2~O".replace("~", "")),
        ("V_max", r"V_{\text{max}}"),
        ("(a+b)/c is α", r"$\frac{a + b}{c}$ is \alpha"),
        ("FEF_(25(D1))", "FEF25(D1)"),
    ],
)
def test_notation_is_no_difference(one: str, other: str) -> None:
    assert tokens(one) == tokens(other)


def test_digits_that_run_together_are_a_difference() -> None:
    assert tokens("10⁵") != tokens("105")
    assert tokens("p 53") != tokens("p53")


def test_the_neutral_score_notices_each_fault() -> None:
    expected = Pieces(
        ordered=("Methods", "We counted all beats."),
        anywhere=("A caption.",),
        absent=("no text",),
        cited=frozenset(["12"]),
    )

    def of(*body: str) -> str:
        return judge(expected, Extract(body=body))

    assert of("Methods", "We counted [12] all beats.", "A caption.") == ""
    assert of("A caption.", "METHODS", "*We* counted all beats 12.") == ""
    assert of("MethodsWe counted all beats.", "A caption.").startswith("not there")
    assert of("Methods", "We counted all12 beats.", "A caption.").startswith("not there")
    assert of("We counted all beats.", "Methods", "A caption.").startswith("out of order")
    assert of("Methods", "We counted all beats.") == "not there: 'A caption.'"
    assert of("Methods", "We counted all beats.", "We counted all beats.", "A caption.").startswith("twice")
    assert of("Methods", "We counted [,] all beats.", "A caption.") == "empty brackets"
    assert of("Methods", "We counted all beats.", "A caption.", "no text").startswith("no text of this article")


@pytest.mark.parametrize("label", ["", "UNASSIGNED", "Unlabelled"])
@pytest.mark.parametrize("category", ["", "UNASSIGNED", "BACKGROUND"])
@pytest.mark.parametrize("tag", ["b", "bold"])
def test_the_pubmed_oracle_takes_bold_labels_and_no_others(tmp_path: Path, label: str, category: str, tag: str) -> None:
    raw = (
        '<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID Version="1">1</PMID><Article><ArticleTitle>T'
        f'</ArticleTitle><Abstract><AbstractText Label="{label}" NlmCategory="{category}">We counted. <{tag}>Methods:'
        f"</{tag}> By hand. <{tag}>Results</{tag}>: Many <i>more</i>.</AbstractText></Abstract></Article>"
        "</MedlineCitation></PubmedArticle></PubmedArticleSet>"
    )
    (tmp_path / "pubmed26n0001.xml").write_text(raw)
    [(citation, faults)] = compare_file(tmp_path / "pubmed26n0001.xml")
    assert faults == []
    [record] = read_pubmed(str(tmp_path / "pubmed26n0001.xml"))
    assert [part.label for part in record.abstracts][1:] == ["Methods", "Results"]
    parts = record.abstracts
    wrong = [
        (*parts[:2], structs.replace(parts[2], label="more", text="Results: Many .")),
        (parts[0], parts[2], parts[1]),
        (parts[0], structs.replace(parts[1], label="By", text="Methods hand."), parts[2]),
        parts[:2],
        (*parts, parts[0]),
    ]
    assert all(differences(citation, structs.replace(record, abstracts=item)) for item in wrong)


def test_the_pubmed_oracle_notices_each_fault() -> None:
    scripts = frozenset(["sup"])
    citation = Citation(
        pmid=1,
        book=False,
        title=Text(text="At rest."),
        vernacular=Text(),
        parts=(Part(type="main", language="", label="AIM", category="", text=Text(text="10 5 cells", inside=scripts)),),
        copyrights=0,
    )
    part = AbstractPart(label="AIM", text="10 ^(5) cells")
    record = Record(doc_id="pmid:1", source=Source.PUBMED, kind=Kind.CITATION, title="At rest.", abstracts=(part,))
    assert differences(citation, record) == []
    wrong = [
        structs.replace(record, title="At  rest."),
        structs.replace(record, vernacular_title="Au repos."),
        structs.replace(record, abstracts=()),
        structs.replace(record, abstracts=(structs.replace(part, label=""),)),
        structs.replace(record, abstracts=(structs.replace(part, text="105 cells"),)),
        structs.replace(record, abstracts=(structs.replace(part, type="PIP"),)),
    ]
    assert all(differences(citation, item) for item in wrong)
