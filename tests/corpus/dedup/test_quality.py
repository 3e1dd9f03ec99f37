"""How good the search for duplicates is, on real text with seeded copies, against the exact similarity of all pairs."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from corpus.dedup.candidates import bucket_rows, candidate_edges
from corpus.dedup.minhash import band_hashes, bands_for, collision_probability, signatures
from corpus.dedup.notices import are_notices
from corpus.dedup.shingles import normalize, shingle
from corpus.dedup.verify import verified_edges
from tests.support.dedup_truth import abstracts, documented_words, full_texts, shingle_strings, true_pairs, with_copies
from tests.support.dedup_twins import NOTICES, exchanged, hard_twins, swapped

THRESHOLD = 0.8
Pairs = set[tuple[int, int]]


def merged(texts: Sequence[str], threshold: float = THRESHOLD) -> tuple[Pairs, Pairs]:
    """Return (pairs proposed by the bands, pairs merged) of a set of documents, as `assemble` does it."""
    column = pa.array(texts, pa.large_string())
    keys, sets = np.arange(len(texts), dtype=np.uint64), shingle(normalize(column))
    bands = band_hashes(signatures(sets), *bands_for(threshold))
    edges = candidate_edges(*bucket_rows(keys, sets, bands, notices=are_notices(column)))
    found = verified_edges(edges, keys, sets, texts=column, threshold=threshold)
    return set(map(tuple, edges.tolist())), set(zip(found.a.tolist(), found.b.tolist(), strict=True))


def merged_twins(pairs: Sequence[tuple[str, str]]) -> list[int]:
    """Return which of the pairs are merged; each pair is searched among all."""
    _, found = merged([text for pair in pairs for text in pair])
    return [k for k in range(len(pairs)) if (2 * k, 2 * k + 1) in found]


def similarity(one: str, other: str) -> float:
    a, b = (shingle_strings(documented_words(text)) for text in (one, other))
    return len(a & b) / len(a | b)


def no_notices(texts: Iterable[str]) -> list[str]:
    """Return the texts that do not begin like a correction or comment: copies of those are not merged, by design."""
    texts = list(texts)
    return [text for text, notice in zip(texts, are_notices(pa.array(texts)), strict=True) if not notice]


def check_against_the_truth(texts: Sequence[str]) -> None:
    truth = true_pairs(texts, documented_words, THRESHOLD)
    proposed, found = merged(texts)
    recall = len(found & truth.keys()) / len(truth)
    print(f"{len(texts):,} documents, {len(truth):,} pairs of {THRESHOLD} and more: recall {recall:.4f}, ")
    print(
        f"proposed {len(proposed & truth.keys()) / len(truth):.4f}, merged beyond the truth {len(found - truth.keys())}"
    )
    # Equal texts of few words are merged by their hash and are not in the truth.
    assert all(texts[a].split() == texts[b].split() for a, b in found - truth.keys()), "precision is 1"
    assert recall >= 0.995
    bands, rows = bands_for(THRESHOLD)
    expected = np.mean([collision_probability(score, bands, rows) for score in truth.values()])
    assert len(proposed & truth.keys()) >= (expected - 4 / len(truth) ** 0.5) * len(truth)


@pytest.mark.real_data
@pytest.mark.slow
def test_recall_and_precision_on_a_part_of_the_real_text(real_data: Path) -> None:
    texts = no_notices(abstracts(real_data))[::9]
    check_against_the_truth(with_copies(texts, seed=2))


@pytest.mark.real_data
@pytest.mark.exhaustive
def test_recall_and_precision_on_all_of_the_real_text(real_data: Path) -> None:
    check_against_the_truth(with_copies(no_notices(abstracts(real_data)), seed=3))
    check_against_the_truth(with_copies(no_notices(full_texts(real_data)), seed=4, share=0.5))


def test_no_hard_twin_is_merged() -> None:
    twins = hard_twins()
    assert len(twins) >= 200
    assert len({category for category, _, _ in twins}) >= 20
    # All of them resemble each other enough to be merged, were it not for the rules.
    assert all(similarity(one, other) >= THRESHOLD for _, one, other in twins)
    wrong = merged_twins([(one, other) for _, one, other in twins])
    assert [(twins[k][0], twins[k][1][:60]) for k in wrong] == []


def test_notices_are_kept_apart_by_their_beginning_alone() -> None:
    texts = [text for category, *pair in hard_twins() if category in NOTICES for text in pair]
    assert are_notices(pa.array(texts)).all()
    assert not are_notices(
        pa.array([text for category, *pair in hard_twins() if category not in NOTICES for text in pair])
    ).any()


PARAGRAPH = hard_twins()[-1][1].partition("\n\n")[2]  # 200 words that any comment could hold
TEMPLATES = (
    "{title}\n\n[No abstract available]",
    "Correction: {title}\n\n[This corrects the article DOI: 10.1000/{number}.]",
    "Correction.\n\n[This corrects the article DOI: 10.1000/{number}.]",
    "Retraction: {title}\n\n" + PARAGRAPH,
    "Retraction notice to: {title}\n\n" + 3 * (PARAGRAPH + " "),
    "Publisher Correction: {title}\n\n" + PARAGRAPH,
    "Comment on: {title}\n\n" + 3 * (PARAGRAPH + " "),
    "{title}\n\nTrial registration: the protocol was registered. Funding: none was received for this work.",
)


@pytest.mark.parametrize("template", TEMPLATES)
def test_standard_paragraphs_join_nothing_at_any_length(template: str) -> None:
    rng = random.Random(7)
    words = sorted({word for _, one, _ in hard_twins() for word in one.split() if word.isalpha()})
    texts = [template.format(title=" ".join(rng.sample(words, 12)), number=number) for number in range(60)]
    assert merged(texts)[1] == set()


def test_twins_in_a_revised_wording_are_mostly_kept_apart() -> None:
    rng = random.Random(6)
    revised = []
    for _, one, other in hard_twins():
        words = other.split(" ")
        for place in rng.sample(range(40, len(words)), 2):
            words[place] = "moreover"
        if similarity(one, " ".join(words)) >= THRESHOLD:
            revised.append((one, " ".join(words)))
    assert len(merged_twins(revised)) < 0.4 * len(revised)


@pytest.mark.real_data
@pytest.mark.slow
def test_twins_of_real_abstracts_are_kept_apart(real_data: Path) -> None:
    texts = list(abstracts(real_data))[::15]
    pairs = [pair for pair in swapped(texts) if similarity(*pair) >= THRESHOLD]
    assert len(pairs) > 50
    assert merged_twins(pairs) == []
    foreseen = [item for item in exchanged(texts, seed=5) if similarity(*item[:2]) >= THRESHOLD]
    wrong = merged_twins([item[:2] for item in foreseen])
    count, lost = Counter(min(item[2], 2) for item in foreseen), Counter(min(foreseen[k][2], 2) for k in wrong)
    print(f"exchanged once: {lost[1]} of {count[1]} merged; twice or more: {lost[2]} of {count[2]}")
    assert lost[2] <= 0.02 * count[2], "a word exchanged everywhere is seen"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the tumour of the oesophagus", "the tumor of the esophagus"),
        ("levels of TNF-α were", "levels of TNF-alpha were"),
        ("in five patients with", "in 5 patients with"),
        ("an analysis of the", "the analysis of a"),
        ("the IL-6 level was", "the IL6 level was"),
        ("the subjects were asked", "the participants were asked"),
    ],
)
def test_another_spelling_is_a_copy(one: str, other: str) -> None:
    frame = hard_twins()[0][1]
    assert merged_twins([(f"{frame} {one} {frame[:400]}", f"{frame} {other} {frame[:400]}")]) == [0]


FRAME = hard_twins()[0][1]


def merge_in_a_frame(one: str, other: str) -> bool:
    """Say whether an abstract is merged with a copy of it, each with a word of its own at three places."""
    texts = [
        f"{FRAME} The {word} level was high and {word} rose again. {FRAME[:400]} At the end {word} fell once more."
        for word in (one, other)
    ]
    assert similarity(*texts) >= THRESHOLD
    return merged_twins([(texts[0], texts[1])]) == [0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("CO₂", "CO2"), ("CO₂", "CO(2)"), ("Ca²⁺", "Ca2+"), ("Ca²⁺", "Ca(2+)"), ("V_max", "Vmax"), ("L⁻¹", "L-1")),
        *(("10⁻³ M", "10-3 M"), ("10⁻³ M", "10^-3 M"), ("10⁵ cells", "10(5) cells"), ("10⁵ cells", "10^5 cells")),
        *(
            ("TGF-β1", "TGF-ß1"),
            ("TGF-β1", "TGF-beta1"),
            ("NF-κB", "NF-kB"),
            ("NF-κB", "NF-kappaB"),
            ("TNF-α", "TNF-a"),
        ),
        *(
            ("β-cells", "b-cells"),
            ("5 µg", "5 μg"),
            ("5 µg", "5 ug"),
            ("5 µg", "5 microg"),
            ("β-actin", "&#x3b2;-actin"),
        ),
        *(("β-actin", "$\\beta$-actin"), ("p < 0.05", "p &lt; 0.05"), ("p ≤ 0.05", "p <= 0.05"), ("5 ± 2", "5 +/- 2")),
        *(("3 × 4", "3 x 4"), ("0·05", "0.05"), ("1,200 men", "1200 men"), ("½ of", "1/2 of"), ("37 °C", "37 ℃")),
        *(
            ("p<0.05", "p < .05"),
            ("1,52 min", "1.52 min"),
            ("1,234 min", "1.234 min"),
            ("22%", "22 %"),
            ("n=30", "n = 30"),
        ),
        *(
            ("5±2", "5 ± 2"),
            ("CD4+ T", "CD4 + T"),
            ("5-10 mg", "5 – 10 mg"),
            ("LTB₄", "LTB4"),
            ("α2C-receptors", "α₂C-receptors"),
        ),
        *(("naïve", "naive"), ("Sjögren", "Sjogren"), ("Straße", "Strasse"), ("ﬁbrin", "fibrin"), ("ＤＮＡ", "DNA")),
        *(("IL‑6", "IL-6"), ("5–6 mg", "5-6 mg"), ("5′-end", "5'-end"), ("immuno\u00adblot", "immunoblot")),
        *(("СО2", "CO2"), ("37 °C", "37º C")),
    ],
)
def test_other_typography_is_a_copy(one: str, other: str) -> None:
    assert merge_in_a_frame(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("10⁵ cells", "105 cells"), ("10² cells", "102 cells"), ("10⁻³ M", "103 M"), ("10⁻³ M", "10³ M")),
        *(("2½ h", "21/2 h"), ("−5 mV", "5 mV"), ("10-3 M", "10-4 M"), ("cm²", "cm³"), ("H₂O", "H₂O₂"), ("O₂", "O₃")),
        *(("α-actin", "β-actin"), ("TGF-ß1", "TGF-β2"), ("κB", "λB"), ("IFN-γ", "IFN-α"), ("IgG₁", "IgG₂")),
        *(("β-cells", "B-cells"), ("α1 receptor", "A1 receptor"), ("5 µg", "5 mg"), ("5 ug", "5 mg"), ("μM", "nM")),
        *(("5 ± 2", "5 + 2"), ("5±2", "5+2"), ("5 ± 2", "5 - 2"), ("1,52 min", "152 min"), ("p < .05", "p < .5")),
        *(("p ≤ 0.05", "p ≥ 0.05"), ("x ≠ 5", "x = 5"), ("CD4⁺", "CD4⁻"), ("Ca²⁺", "Mg²⁺"), ("¹²⁵I", "¹³¹I")),
    ],
)
def test_what_typography_tells_apart_is_no_copy(one: str, other: str) -> None:
    assert not merge_in_a_frame(one, other)


CHINESE = (
    "观察二甲双胍联合运动干预对糖尿病患者的影响\n\n目的：观察二甲双胍联合运动干预对初诊糖尿病大鼠血糖控制及胰岛素抵抗的影响。方法："
    "将实验动物随机分为观察组和对照组，每组六十只，对照组仅给予饮食指导，观察组在此基础上口服二甲双胍并进行有氧运动。结果：治疗十二"
    "周后观察组空腹血糖、糖化血红蛋白及稳态模型胰岛素抵抗指数均低于对照组，差异有统计学意义。结论：联合干预能够改善血糖控制。"
)


@pytest.mark.parametrize(
    ("other", "copy"),
    [
        (CHINESE + "（本文为重复发表）", True),
        (CHINESE.replace("能够改善", "可以改善"), True),
        (CHINESE.replace("，", ",").replace("：", ":"), True),
        (CHINESE.replace("大鼠", "小鼠"), False),
        (CHINESE[:60], False),
    ],
)
def test_texts_without_spaces_are_compared_by_characters(other: str, copy: bool) -> None:
    assert merged_twins([(CHINESE, other)]) == ([0] if copy else [])


@pytest.mark.parametrize(
    ("one", "other", "copies"), [("immune", "where", True), ("Uppsala", "Lund", False), ("sea", "Lund", True)]
)
def test_a_word_of_the_title_is_a_name_when_it_never_stands_small(one: str, other: str, copies: bool) -> None:
    """Most words of a full text have a capital somewhere, in a heading or the name of a body."""
    body = hard_twins()[0][1].partition("\n\n")[2]
    body += " We thank the Immune Atlas, the Where Foundation, the Sea Institute, Lund and Uppsala for 17 samples."
    texts = [f"Responses of plants to the {word} in a warm year\n\n{body}" for word in (one, other)]
    texts[1] += " Another word is here."
    assert merged_twins([(texts[0], texts[1])]) == ([0] if copies else [])


@pytest.mark.parametrize("words", [1, 4, 5, 8, 11])
def test_short_texts_are_joined_only_when_equal_and_empty_ones_never(words: int) -> None:
    text = " ".join(f"word{number}" for number in range(words))
    _, found = merged(["", "", " .", text, text.upper() + ".", text + " more", "[]"])
    assert found == {(3, 4)}


@pytest.mark.parametrize("word", ["evaluation", "Evaluation"])
def test_capitals_of_titles_are_no_names(word: str) -> None:
    """One title in capitals says nothing of its words, nor do two."""
    body = hard_twins()[0][1].partition("\n\n")[2]
    titles = f"Magnetic Stents in Goats: {word.title()} of Tolerance Against Plain Stents", "Magnetic stents in goats: "
    other = [
        f"{titles[1]}{word} of tolerance against plain stents",
        titles[0].upper(),
        titles[0].replace("Plain", "Simple"),
    ]
    for title in other:
        assert merged_twins([(f"{titles[0]}\n\n{body}", f"{title}\n\n{body} Another word is here.")]) == [0]


ORIGINAL = hard_twins()[0][1]
TITLE, _, ABSTRACT = ORIGINAL.partition("\n\n")


@pytest.mark.parametrize(
    ("notice", "copy"),
    [
        (f"Erratum: {TITLE}\n\n{ABSTRACT}", True),
        (f"Correction to: {TITLE}\n\n{ABSTRACT} The name of an author was wrong.", True),
        (f"Retracted article: {TITLE}\n\n{ABSTRACT}", True),
        (f"Erratum. {TITLE[40:]}\n\n{ABSTRACT[:-40]}", True),
        (f"Erratum: {TITLE}\n\n{ABSTRACT[: len(ABSTRACT) * 4 // 5]}", False),
        (f"Comment on: {TITLE}\n\n{PARAGRAPH}", False),
    ],
)
def test_a_notice_that_prints_a_paper_again_is_its_duplicate(notice: str, copy: bool) -> None:
    assert (merged([ORIGINAL, notice])[1] == {(0, 1)}) == copy


def test_notices_that_print_one_paper_again_are_none_of_one_another() -> None:
    notices = [f"{name}: {TITLE}\n\n{ABSTRACT}" for name in ("Erratum", "Correction", "Corrigendum")]
    assert merged(notices)[1] == set()
    assert merged([*notices, ORIGINAL])[1] == {(k, 3) for k in range(3)}
    # In a component every pair is compared, two errata of one wording too.
    again = [f"Erratum: {TITLE}\n\n{ABSTRACT} {added}" for added in ("A name was wrong.", "One table was left out.")]
    assert merged([*again, ORIGINAL])[1] == {(0, 2), (1, 2)}
