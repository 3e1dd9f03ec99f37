"""Titles and abstracts of PubMed: one line by written rules, bold run-in labels, copyright sentences."""

import pytest

from corpus.ncbi.markup.parse import read_markup
from corpus.ncbi.pubmed.fields import RecordReader
from corpus.ncbi.pubmed.vocabulary import VOCABULARY
from corpus.records import BackPart, Kind, Record

MATH = '<mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML">%s</mml:math>'


def read(inside: str, *, kind: Kind = Kind.CITATION) -> Record:
    """Return the record of an Article's (or BookDocument's) content."""
    around = {
        Kind.CITATION: "<PubmedArticle><MedlineCitation><PMID>1</PMID><Article>%s</Article></MedlineCitation>"
        "</PubmedArticle>",
        Kind.BOOK: "<PubmedBookArticle><BookDocument><PMID>1</PMID>%s</BookDocument></PubmedBookArticle>",
    }
    doc = read_markup((around[kind] % inside).encode(), VOCABULARY)
    return RecordReader(doc).read(0, kind=kind, file="f", offset=0, position=0)


def parts(abstract: str) -> list[tuple[str, str]]:
    return [(part.label, part.text) for part in read(f"<Abstract>{abstract}</Abstract>").abstracts]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Role of<i> TP53</i> and Ca<sup>2+</sup> in<i> E. coli</i>", "Role of TP53 and Ca²⁺ in E. coli"),
        ("H<sub>2</sub>O, 10<sup>5</sup> and V<sub>max</sub>", "H₂O, 10⁵ and V_max"),
        ("<i>Ca<sub>v</sub></i>1.2 channels", "Ca_(v)1.2 channels"),
        ("p53<sup>-/-</sup> mice, the 19<sup>th</sup> time", "p53-/- mice, the 19th time"),
        (f"of {MATH % '<mml:mi>x</mml:mi> <mml:mn>2</mml:mn> '} = 5", "of x2 = 5"),
        (f"of {MATH % '<mml:mi>x</mml:mi> '}, seen", "of x, seen"),
        (f"(of{MATH % '<mml:mi>x</mml:mi>'})", "(of x)"),
        ("a<DispFormula>E = mc<sup>2</sup></DispFormula>b", "a E = mc² b"),
        ("  two\n  lines\u00a0here ", "two lines here"),
        ("&lt;i&gt; stays &amp;amp;", "<i> stays &amp;"),
        ("a<b>b<i>c<u>d</u>e</i>f</b>g", "abcdefg"),
        ("[Not Available].", ""),
        ("[Not available]", ""),
        ("Not available in stores.", "Not available in stores."),
    ],
)
def test_title(title: str, expected: str) -> None:
    assert read(f"<ArticleTitle>{title}</ArticleTitle>").title == expected


@pytest.mark.parametrize(
    ("abstract", "expected"),
    [
        ("<b>BACKGROUND</b>: We ask.", [("BACKGROUND", "We ask.")]),
        ("<b>Aim:</b> We ask. <b>Methods:</b> We did.", [("Aim", "We ask."), ("Methods", "We did.")]),
        ("<b>Background</b>We ask.<b>Results</b>We saw.", [("Background", "We ask."), ("Results", "We saw.")]),
        ("<b>Trial design</b>We did.", [("Trial design", "We did.")]),
        ("First. <b>Results.</b> Then <b>this</b> came.", [("", "First."), ("Results", "Then this came.")]),
        ("<b>Results</b> - Ten <i>E. coli</i>.", [("Results", "Ten E. coli.")]),
        ("<b>目的</b>：研究 <i>E. coli</i>。<b>方法</b>：试验。", [("目的", "研究 E. coli。"), ("方法", "试验。")]),
        ("asked in rats\n<b>Methods</b>\nWe did.", [("", "asked in rats"), ("Methods", "We did.")]),
        # Bold that is no label.
        ("<b>BRCA1</b> is a gene.", [("", "BRCA1 is a gene.")]),
        ("Seen. <b>p53</b> was high.", [("", "Seen. p53 was high.")]),
        ("<b>Results</b> of the trial.", [("", "Results of the trial.")]),
        ("the <b>Methods</b> We did", [("", "the Methods We did")]),
        ("x<b>Methods:</b> y", [("", "xMethods: y")]),
        ("<b>10:</b> x", [("", "10: x")]),
        ("<b>A label that goes on for far more words than labels do:</b> x",
         [("", "A label that goes on for far more words than labels do: x")]),
    ],
)  # fmt: skip
def test_bold_run_in_labels(abstract: str, expected: list[tuple[str, str]]) -> None:
    assert parts(f"<AbstractText>{abstract}</AbstractText>") == expected
    for label in ("", "UNASSIGNED", "Unlabelled"):
        labelled = parts(f'<AbstractText Label="{label}" NlmCategory="UNASSIGNED">{abstract}</AbstractText>')
        assert labelled == [(found or label, text) for found, text in expected]


def test_a_label_of_its_own_is_enough() -> None:
    assert parts('<AbstractText Label="AIM"><b>Results:</b> x</AbstractText>') == [("AIM", "Results: x")]


def test_copyright_lines_stand_apart_and_once() -> None:
    record = read(
        "<Abstract><AbstractText Label='A'>One. © 2004 X, Inc.</AbstractText><AbstractText Label='B'>Two. © 2005 Y."
        "</AbstractText><CopyrightInformation>© 2005 Y.</CopyrightInformation></Abstract>"
    )
    assert [part.text for part in record.abstracts] == ["One. © 2004 X, Inc.", "Two."]
    assert record.copyright == "© 2005 Y."


def test_a_book_keeps_the_titles_of_its_sections() -> None:
    sections = (
        "<Sections><Section><SectionTitle>One <i>a</i></SectionTitle><Section><SectionTitle>Inner</SectionTitle>"
        "</Section></Section><Section><SectionTitle>Two</SectionTitle></Section></Sections>"
    )
    record = read(f"<Book><BookTitle>B</BookTitle></Book>{sections}", kind=Kind.BOOK)
    assert (record.title, record.journal) == ("B", "B")
    assert record.back == (BackPart(kind="contents", text="One a\nInner\nTwo"),)
    assert record.body == ()


def test_deep_content_costs_no_recursion_error() -> None:
    deep = "<b>" * 1500 + "x<sup>2</sup>" + "</b>" * 1500
    assert read(f"<ArticleTitle>{deep}</ArticleTitle>").title.startswith("x")
