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
    edges = candidate_edges(*bucket_rows(keys, sets, bands, only_equal=are_notices(column)))
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
