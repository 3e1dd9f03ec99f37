"""Words in scripts with and without spaces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.text.words import count_words, has_words, is_character

SCRIPTS = st.text(st.sampled_from("ab 1-.,(\n" + "目的：观察。（か゚カーｶ、ก็ที่ฯກຂម្ញុំကို་བཀ한국" + "é—"))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \n", 0),
        ("Cells - were kept.", 4),
        ("目的：观察血糖（空腹）。", 8),
        ("「方法」", 2),
        ("IL-6水平升高", 5),
        ("介入群では、", 5),
        ("ก็ที่ดี", 3),
        ("ភាសា", 2),
        ("မြန်မာ", 3),
        ("한국어 텍스트", 2),
        ("Δψ — naïve", 3),
        ("𠀀𠀁", 2),
    ],
)
def test_words_are_counted_as_a_reader_counts_them(text: str, count: int) -> None:
    assert count_words(text) == count


@settings(deadline=None)
@given(st.one_of(SCRIPTS, st.text()), st.integers(0, 30))
def test_enough_words_are_as_many_as_are_counted(text: str, least: int) -> None:
    assert has_words(text, least) == (count_words(text) >= least)
    if not any(is_character(ord(letter)) for letter in text):
        assert count_words(text) == len(text.split())
