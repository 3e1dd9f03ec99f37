"""Words and names read piece by piece are those that the patterns find in the whole text."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpus.dedup import worded_text
from corpus.dedup.worded_text import Wording, wording, words_by_pattern
from tests.support.dedup_truth import abstracts, full_texts, with_copies

# What the rules look at around a place: dashes, digits, brackets, sentence ends, white space of all kinds, folds.
TELLING = [
    *("-", "−", "–", "—", "5", "3", "٣", "10", "²", "₂", "½", ".05", "0.5", "1,200", "(5)", "(2+)", "+/-", "±", "<="),
    *(
        r"\pm",
        "&nbsp;",
        "&#10;",
        "&minus;",
        "&beta;",
        "&",
        "´",
        "\u0301",
        "ß",
        "Straße",
        "α",
        "B",
        "IL-6",
        "CD4+",
        "x^2",
    ),
    *("Uppsala", "uppsala", "UPPSALA", "Lund", "lund", "the", "The", "patients", "V_max", "水平", "ไทย", "℃", "\u200b"),
    *(" ", "  ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u2009", "\u2028", ".", ":", ";", "“", "(", "[", "'", ")", ","),
    *("->", "\u00ad", "•", "/"),
]
TEXTS = st.lists(st.one_of(st.just(" "), st.sampled_from(TELLING), st.text(max_size=3)), max_size=24).map("".join)


def read(text: str) -> Wording:
    return wording(lambda: text)


def names_of(text: str, words: Iterable[str]) -> set[str]:
    found = read(text)
    return {word for word in words if found.is_name(word)}


def names_asked_alone(text: str, words: Iterable[str]) -> set[str]:
    """Return the same, each word asked of a text of which nothing was asked before."""
    return {word for word in words if read(text).is_name(word)}


@example("3 - 5")
@example("mean 3 − 5\nof 7 – 2")
@example("3\n- 5")
@example("3  - 5")
@example("a 3´- 5")
@example("3&nbsp;- 5")
@example(r"a \pm 5 mm < 3")
@example("of Lund and “Uppsala”. Malmö was\nnot")
@example("THE LONGER PATIENTS OF UPPSALA\nin Lund")
@given(TEXTS)
def test_pieces_say_what_the_whole_text_says(text: str) -> None:
    found, (words, title, names) = read(text), words_by_pattern(text)
    assert (found.words, found.title) == (words, title)
    assert names_of(text, words) == names_asked_alone(text, words) == names
    assert not found.is_name("nowhere")


def test_a_full_memory_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worded_text, "_REMEMBERED", 10)
    texts = [f"{k} - {k + 1} rats of Lund and {k} mice of Uppsala" for k in range(30)]
    for text in texts:
        assert read(text).words == words_by_pattern(text)[0]
    assert len(worded_text._remembered()) <= 10 + len(texts[0].split())


@pytest.mark.real_data
def test_real_texts_and_their_copies(real_data: Path) -> None:
    texts = [*list(abstracts(real_data))[::297], *full_texts(real_data, 8)]
    for text in with_copies(texts, seed=6):
        found, (words, title, names) = read(text), words_by_pattern(text)
        assert (found.words, found.title) == (words, title)
        assert names_of(text, {*words}) == names
