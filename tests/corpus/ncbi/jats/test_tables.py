"""Floats: figures, tables with their cells as written, supplements, and where they stood."""

from corpus.records import Cell, Float
from tests.support.jats_samples import jats, read


def test_table_keeps_cells_spans_headers_and_notes() -> None:
    body = (
        "<p>See <xref ref-type='table' rid='t'>Table 1</xref>.</p><table-wrap><label>Table 1</label>"
        "<caption><title>Doses.</title>"
        "<p>In mg.</p></caption><table><thead><tr><th rowspan='2'>Drug</th><th colspan='2'>Dose<hr/></th></tr>"
        "<tr><td>low</td><td>high</td></tr></thead><tbody><tr><td>A<sup>a</sup></td><td>1.5<break/>(0.2)</td>"
        "<td><p>10</p><p>20</p></td></tr><tr><td/><td colspan='x'>[<xref ref-type='bibr' rid='r'>4</xref>]</td>"
        "<td>Smith<sup><xref ref-type='bibr' rid='r'>5</xref></sup></td></tr></tbody></table>"
        "<table-wrap-foot><fn><label><sup>a</sup></label><p>Oral.</p></fn><p>n = 3</p>"
        "</table-wrap-foot></table-wrap><p>After.</p>"
    )
    record = read(jats(body=body))
    assert [block.text for block in record.body] == ["See Table 1.", "After."]
    assert record.floats == (
        Float(
            kind="table",
            label="Table 1",
            caption="Doses.\nIn mg.",
            rows=(
                (Cell(text="Drug", rowspan=2, header=True), Cell(text="Dose", colspan=2, header=True)),
                (Cell(text="low", header=True), Cell(text="high", header=True)),
                (Cell(text="A^a"), Cell(text="1.5 (0.2)"), Cell(text="10 20")),
                (Cell(), Cell(text="[4]"), Cell(text="Smith")),
            ),
            footnotes=("^a Oral.", "n = 3"),
            position=1,
        ),
    )


def test_cals_tables_and_alternatives() -> None:
    cals = (
        "<table-wrap><alternatives><graphic/><table><tgroup><colspec colname='c1'/><colspec colname='c2'/><thead><row>"
        "<entry namest='c1' nameend='c2'>Both</entry></row></thead><tbody><row>"
        "<entry morerows='1'>x</entry><entry>y</entry>"
        "</row></tbody></tgroup></table></alternatives></table-wrap>"
    )
    assert read(jats(body=cals)).floats[0].rows == (
        (Cell(text="Both", colspan=2, header=True),),
        (Cell(text="x", rowspan=2), Cell(text="y")),
    )


def test_figures_stand_where_they_stood_and_split_nothing() -> None:
    figure = (
        "<fig><label>Figure {0}</label><caption><p>Caption {0}.</p></caption><graphic/><attrib>By us</attrib></fig>"
    )
    body = (
        f"<sec><title>T</title>{figure.format(1)}<p>Start {figure.format(2)} and end.</p>"
        f"<p>{figure.format(3)}Last.</p></sec>"
        f"{figure.format(4)}"
    )
    after = f"<floats-group>{figure.format(5)}<boxed-text><p>Boxed.</p></boxed-text></floats-group>"
    record = read(jats(body=body, after=after))
    assert [block.text for block in record.body] == ["T", "Start and end.", "Last."]
    assert [(item.label, item.position) for item in record.floats] == [
        ("Figure 1", 1),
        ("Figure 2", 2),
        ("Figure 3", 2),
        ("Figure 4", 3),
        ("Figure 5", -1),
        ("", -1),
    ]
    assert record.floats[0] == Float(
        kind="figure", label="Figure 1", caption="Caption 1.", footnotes=("By us",), position=1
    )
    assert record.floats[-1] == Float(kind="box", caption="Boxed.")


def test_groups_supplements_and_empty_floats() -> None:
    body = (
        "<fig-group><label>Figure 1</label><caption><p>All.</p></caption><fig><label>A</label></fig>"
        "<fig><label>B</label></fig>"
        "</fig-group><supplementary-material><label>S1</label><media><caption><p>Film.</p></caption></media>"
        "</supplementary-material><supplementary-material><media/></supplementary-material>"
        "<p>x <media><caption><p>Clip.</p>"
        "</caption></media></p>"
    )
    found = read(jats(body=body)).floats
    assert [(item.kind, item.label, item.caption) for item in found] == [
        ("figure", "Figure 1", "All."),
        ("figure", "A", ""),
        ("figure", "B", ""),
        ("supplement", "S1", "Film."),
        ("supplement", "", "Clip."),
    ]


def test_floats_of_the_back_matter_are_kept() -> None:
    after = "<back><app-group><app><title>A</title><fig><label>Figure A1</label></fig></app></app-group></back>"
    record = read(jats(body="<p>x</p>", after=after))
    assert record.floats == (Float(kind="figure", label="Figure A1"),)
    assert [part.title for part in record.back] == ["A"]


def test_an_array_of_abbreviations_becomes_lines() -> None:
    glossary = (
        "<back><glossary><array><tbody><tr><td>BP</td><td>blood pressure</td></tr></tbody></array></glossary></back>"
    )
    assert read(jats(after=glossary)).back[0].text == "BP: blood pressure"
