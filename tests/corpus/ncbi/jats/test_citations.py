"""Citations leave no debris; author-year citations and numbers that the sentence needs stay."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.jats_samples import jats, read, text


def cite(label: str) -> str:
    """Return a link to the reference list."""
    return f'<xref ref-type="bibr" rid="r">{label}</xref>'


def raised(label: str) -> str:
    """Return a raised link."""
    return f"<sup>{cite(label)}</sup>"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"As shown [{cite('1')},{cite('2')}–{cite('4')}].", "As shown."),
        (f"As shown [{cite('1')}, {cite('2')}], and so on", "As shown, and so on"),
        (f"As shown ({cite('1')}; {cite('2')}) before", "As shown before"),
        (f"As shown {cite('[5]')}, {cite('[6]')}.", "As shown."),
        (f"As shown [{cite('[5]')}, {cite('[6]')}].", "As shown."),
        (f"As shown [[{cite('20')}],26-27].", "As shown."),
        (f"As shown [\n\t{cite('1')}\n\t–\n\t{cite('2')}\n]. Next", "As shown. Next"),
        (f"Therapy{raised('12')} works", "Therapy works"),
        (f"Therapy <sup>{cite('12')},{cite('13')}</sup>, works", "Therapy, works"),
        (f"therapy{raised('1')}<sup>,</sup>{raised('2')}the rest", "therapy the rest"),
        (f"done.{cite('<sup>3</sup>')}<sup>–</sup>{cite('<sup>5</sup>')} Next", "done. Next"),
        (f"done<sup>(</sup>{cite('<sup>3</sup>')}<sup>)</sup>, next", "done, next"),
        (f"pain.\n<sup>(</sup>\n{raised('1')}\n<sup>-</sup>\n{raised('3')}\n<sup>)</sup>\nNext", "pain. Next"),
        (f"knowledge (TEK, [{cite('5')}]) of", "knowledge (TEK) of"),
        (f"Smith et al.{raised('5')}. Then", "Smith et al. Then"),
        (f"fails.{cite('1')} The", "fails. The"),
        (f"effective.{cite('8')},{cite('9')} The", "effective. The"),
        (f"study{cite('4')} showed", "study showed"),
        (f"anti-inflammatory,{raised('4')}, neuro", "anti-inflammatory, neuro"),
        (f"known (see refs. {cite('5')} and {cite('6')}) well", "known well"),
        (f"known (e.g., [{cite('5')}]) well", "known well"),
        (f"as described in [{cite('5')}], then", "as described in [5], then"),
        (f"see ref. {cite('5')}.", "see ref. 5."),
        (f"report ([{cite('7')}]; p. 216), so", "report ([7]; p. 216), so"),
        (f"shown (Smith et al. {cite('2018')}; {cite('Jones, 2019a')}).", "shown (Smith et al. 2018; Jones, 2019a)."),
        (f"by Smith et al. ({cite('2018')}), who", "by Smith et al. (2018), who"),
        (f"10<sup>5</sup> cells{raised('7')}", "10⁵ cells"),
        (f"people (Duncan, 2003{cite(' ▶')}). More", "people (Duncan, 2003). More"),
        (f"nothing ({cite('')}) here", "nothing here"),
        (
            'See <xref ref-type="fig" rid="f1">Figure 1</xref><fig><label>Figure 1</label></fig>. Next',
            "See Figure 1. Next",
        ),
        ("CO<sub>2</sub> [3] of the text's own", "CO₂ [3] of the text's own"),
    ],
)
def test_citation(content: str, expected: str) -> None:
    assert text(content) == expected


def test_links_without_a_type_are_citations_when_they_point_to_a_reference() -> None:
    body = '<p>Known [<xref rid="r1">1</xref>], see <xref rid="t1">2</xref>.</p>'
    record = read(jats(body=body, after='<back><ref-list><ref id="r1"/></ref-list></back>'))
    assert record.body[0].text == "Known, see 2."


_WORDS = st.lists(st.sampled_from(["alpha", "beta", "gamma"]), min_size=1, max_size=3).map(" ".join)
_CITATION = st.lists(st.integers(1, 99).map(lambda number: cite(str(number))), min_size=1, max_size=4).flatmap(
    lambda links: st.sampled_from(
        [" [" + ",".join(links) + "]", "<sup>" + ",".join(links) + "</sup>", " (" + "; ".join(links) + ")"]
    )
)


@given(st.lists(st.tuples(_WORDS, _CITATION, st.sampled_from([" ", ". ", ", "])), min_size=1, max_size=5))
def test_removing_citations_leaves_exactly_the_words_and_their_punctuation(pieces: list[tuple[str, str, str]]) -> None:
    content = "".join(words + citation + stop for words, citation, stop in pieces)
    expected = "".join(words + stop for words, _, stop in pieces)
    assert text(content) == re.sub(r"\s+", " ", expected).strip()
