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
        (f"report ([{cite('7')}]; p. 216), so", "report, so"),
        (f"shown (Smith et al. {cite('2018')}; {cite('Jones, 2019a')}).", "shown (Smith et al. 2018; Jones, 2019a)."),
        (f"by Smith et al. ({cite('2018')}), who", "by Smith et al. (2018), who"),
        (f"10<sup>5</sup> cells{raised('7')}", "10⁵ cells"),
        (f"people (Duncan, 2003{cite(' ▶')}). More", "people (Duncan, 2003). More"),
        (f"nothing ({cite('')}) here", "nothing here"),
        (
            'See <xref ref-type="fig" rid="f1">Figure 1</xref><fig><label>Figure 1</label></fig>. Next',
            "See Figure 1. Next",
        ),
        (f"genes (p53; [{cite('5')}]) and (Pv02; [{cite('6')}]) on", "genes (p53) and (Pv02) on"),
        (f"cited ([{cite('5')}], p53) well", "cited well"),
        (f"this trait (6, [{cite('52')}]), but ({cite('16')}, 28, {cite('29')}) too", "this trait (6), but too"),
        (f"(by one as that of [{cite('31')}] or\u00a0[{cite('32')}]) so", "(by one as that of [31] or [32]) so"),
        (f"shown (by Alm [{cite('31')}] or [{cite('32')}]) so", "shown (by Alm) so"),
        ("CO<sub>2</sub> [3] of the text's own", "CO₂ [3] of the text's own"),
    ],
)
def test_citation(content: str, expected: str) -> None:
    assert text(content) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            f"climb <b>well</b> {cite('1')}. They swim {cite('1')}, {cite('2')}, and sit {cite('1')},{cite('2')} here.",
            "climb well. They swim, and sit here.",
        ),
        (f"Failures are given in [{cite('1')}] and [{cite('2')}].", "Failures are given in [1] and [2]."),
        (
            f"Principles are given by [{cite('1')}, {cite('2')}], and {cite('[3]')}.",
            "Principles are given by [1, 2], and [3].",
        ),
        (
            f"Results were reported by.<sup>[{cite('1')}]</sup> Next we walked.",
            "Results were reported by [1]. Next we walked.",
        ),
        (f"therapy<sup>{cite('12')}(p34)</sup> alike", "therapy alike"),
        (f"therapy<sup>{cite('2')}(pp15,35-40)</sup> alike", "therapy alike"),
        (f"therapy [{cite('2')}, p. 15] alike", "therapy alike"),
        (f"therapy [{cite('2')}: 15–17] alike", "therapy alike"),
        (f"therapy<sup>{cite('2')}(p3),{cite('5')}(pp6-7)</sup>. Next", "therapy. Next"),
        (f"as in ref.<sup>{cite('12')}</sup> A new", "as in ref. 12 A new"),
        (f"as in refs.<sup>{cite('12')},{cite('13')}</sup>, and so", "as in refs. 12,13, and so"),
        (f"burning (ref. <sup>{cite('12')}</sup>). So", "burning. So"),
        (f"burning (as of 2015, ref. <sup>{cite('12')}</sup>). So", "burning (as of 2015). So"),
        (f"as described in<sup>{cite('12')}</sup> with", "as described in [12] with"),
        (f"reported by <sup>{cite('12')},{cite('13')}</sup>.", "reported by [12,13]."),
        (f"(for review see<sup>{cite('12')}</sup>). So", "So"),
        (f"drinks (for review see<sup>{cite('12')}</sup>). So", "drinks. So"),
        (f"Verde et al. {cite('5')} found", "Verde et al. found"),
        (f"fell [{cite('1')}] and [{cite('2')}].", "fell."),
        (f"fell {cite('1')} and {cite('2')}, but", "fell, but"),
        (f"see refs. {cite('1')}, {cite('2')} and {cite('3')}.", "see refs. 1, 2 and 3."),
        (f"asthma ([{cite('1')}] and unpublished data) was", "asthma (unpublished data) was"),
        (
            f"asthma ([{cite('1')}], Jing Yuan, personal communication) was",
            "asthma (Jing Yuan, personal communication) was",
        ),
        (f"asthma (Figure 1; see also [{cite('1')}, {cite('2')}]) was", "asthma (Figure 1) was"),
        (f"asthma (see [{cite('1')}]; Figure 1) was", "asthma (Figure 1) was"),
        (f"asthma (data from Smith and [{cite('1')}]) was", "asthma (data from Smith) was"),
        (f"asthma (see e.g. [{cite('1')}], but see [{cite('2')}]) was", "asthma was"),
        (f"Several exist, e.g. [{cite('1')}].", "Several exist."),
        (f"Several exist, e.g., [{cite('1')}], in men; see e.g. [{cite('2')}, {cite('3')}].", "Several exist, in men."),
        (f"We met e.g. [{cite('1')}] and [{cite('2')}] there.", "We met e.g. [1] and [2] there."),
        (f"asthma (reviewed by [{cite('1')}]).", "asthma."),
        (f"asthma (as described in [{cite('1')}]).", "asthma."),
        (f"asthma (see the recent reviews by [{cite('1')}, {cite('2')}]).", "asthma."),
        (f"asthma (see [{cite('1')}] for more details).", "asthma."),
        (f"asthma (see [{cite('1')}] and [{cite('2')}] for the methods).", "asthma."),
        (f"asthma (see Table 2 for details, [{cite('1')}]).", "asthma (see Table 2 for details)."),
        (f"asthma (obtained from ({cite('1')})).", "asthma (obtained from (1))."),
        (f"asthma [\ufeff{cite('1')}, \u200e{cite('2')}].", "asthma."),
        (f"images (from 8 to 90, [{cite('1')}]) to validate", "images (from 8 to 90) to validate"),
        (f"images (from 8 to 90 [{cite('1')}]) to validate", "images (from 8 to 90) to validate"),
        (f"what they have to [{cite('1')}].", "what they have to."),
        (f"of diet (e.g. ours<sup>(</sup>\n{cite('<sup>1</sup>')}\n<sup>)</sup>).", "of diet (e.g. ours)."),
        (f"Later, [{cite('1')}] showed that", "Later, [1] showed that"),
        (f"in men. [{cite('1')}] reported that", "in men. [1] reported that"),
        (f"in men, [{cite('1')}] but not", "in men, but not"),
        (f"Smith et al. [{cite('1')}] reported that", "Smith et al. reported that"),
        (f"Smith et al., [{cite('1')}] reported that", "Smith et al., reported that"),
        (f"such as [{cite('1')}]", "such as [1]"),
        (f"BMJ papers [{cite('w1')}–{cite('w3')}] say", "BMJ papers say"),
        (f"text<sup>{cite('S5')}</sup> say", "text say"),
        (f"text<sup>{cite('a')}</sup> say", "text say"),
        (f"see ref. {cite('A')} and", "see ref. A and"),
        (f"(Jones {cite('2001')}{cite('a')}, {cite('b')}) and", "(Jones 2001a, b) and"),
        (f"many [{cite('1024')}] and [{cite('1025')}–{cite('1027')}].", "many."),
        (f"Linnaeus ({cite('1758')}) named", "Linnaeus (1758) named"),
        (f"4 mo {cite('1')}{cite('2')}. One climbed ({cite('3')}).", "4 mo. One climbed."),
        (f"shown in Table {cite('1')} and Figure {cite('2')}.", "shown in Table 1 and Figure 2."),
        (f"shown (Smith {cite('5')}, Jones {cite('6')}) here", "shown (Smith, Jones) here"),
        (f"shown (Smith, {cite('5')}) here", "shown (Smith) here"),
        (f"men<sup>{cite('1')}</sup> and women<sup>{cite('2')}</sup>.", "men and women."),
        (f"men<sup>{cite('1')}</sup> and<sup>{cite('2')}</sup>.", "men."),
        (f"10<sup>5</sup> in <sup>13</sup>C men{raised('5')}", "10⁵ in ¹³C men"),
        (f"reviewed elsewhere ([{cite('1')}–{cite('3')}] and references therein).", "reviewed elsewhere."),
        (f"in the study of {cite('5')}, we", "in the study of 5, we"),
        (f"in a study {cite('5')} of men", "in a study of men"),
        (f"In study [{cite('5')}] men", "In study [5] men"),
        (f"fell [{cite('1')}-5] by", "fell by"),
        (f"fell {cite('1')}–5 by", "fell by"),
        (f"fell [{cite('5')}, {cite('6')}; Table 2] by", "fell [Table 2] by"),
        (f"fell [{cite('5')}, chapter 3] by", "fell by"),
        (f"values (n = 5; {cite('6')}).", "values (n = 5)."),
        (f"in [{cite('5')}], [{cite('6')}] and in [{cite('7')}] men", "in [5], [6] and in [7] men"),
        (f"see also [{cite('5')}].", "see also [5]."),
        (f"refer the [{cite('5')}].", "refer the [5]."),
        (f"fell,<sup>{cite('5')}</sup> and", "fell, and"),
        (f"with <sup>{cite('5')}</sup> and", "with [5] and"),
        (f"from the others ({cite('5')}) and ({cite('6')})", "from the others"),
        (f"reported by {cite('<sup>12</sup>')}<sup>,</sup>{cite('<sup>13</sup>')}.", "reported by [12,13]."),
    ],
)
def test_no_number_and_no_hole_is_left(content: str, expected: str) -> None:
    assert text(content) == expected


@pytest.mark.parametrize("kind", ["bib", "other", "fig", "table", "sec", "supplementary-material"])
@pytest.mark.parametrize("name", ["r1", "ref12", "B12", "CR12", "pone.0001-bib12", "bb0012", "cit0012"])
def test_a_link_to_a_reference_is_a_citation_whatever_its_type(kind: str, name: str) -> None:
    link = f'<xref ref-type="{kind}" rid="{name}">12</xref>'
    body = f'<p>Known [{link}] and bare {link}, see <xref ref-type="{kind}" rid="elsewhere">2</xref>.</p>'
    record = read(jats(body=body, after=f'<back><ref-list><ref id="{name}"/></ref-list></back>'))
    assert record.body[0].text == "Known and bare, see 2."


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
