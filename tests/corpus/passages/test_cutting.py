"""Sentences by rule: where a line is cut, where not, and that nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.passages.cutting import cut_sentences
from corpus.passages.reading import text_lines


@pytest.mark.parametrize(
    "sentences",
    [
        ["All authors read it.", "They approved it."],
        ["Is it so?", "It is!", "5 mice died."],
        ["He said “no.”", "(They left.)", "“So be it.”"],
        ["As in Smith et al. Nature is kind, e.g. Mice, cf. Fig. 2 and J. Smith of the U.S. Army."],
        ["P < 0.05 was significant.", "Data are means."],
        ["1. Introduction to mice", ],
        ["2.1. Kept mice.", "They ate."],
        ["小鼠死亡。", "没有人知道！", "为什么？"],
        ["It was vitamin A. Then B came."],  # a capital letter may be a name: the rule cannot know
        ["no capital. so one sentence"],
    ],
)  # fmt: skip
def test_lines_are_cut_where_sentences_end(sentences: list[str]) -> None:
    joint = "" if "。" in sentences[0] else " "
    assert cut_sentences(joint.join(sentences)) == sentences


PIECES = st.sampled_from(["A", "b", "et al", "1", ".", "?", "。", "”", "(", ")", " ", "Fig", "U.S"])


@given(st.lists(PIECES, max_size=30))
def test_nothing_is_lost(pieces: list[str]) -> None:
    line = " ".join("".join(pieces).split())
    sentences = cut_sentences(line)
    assert "".join(sentences).replace(" ", "") == line.replace(" ", "")
    assert all(sentences)
    assert all(sentence == sentence.strip() for sentence in sentences)


def test_headings_are_no_lines_and_bullets_are_taken_off() -> None:
    text = "A title\n\nBACKGROUND: Mice.\n\n## Methods\n\n- one  thing\n  - another\n2. a third\n\n####### no heading"
    lines = ["A title", "BACKGROUND: Mice.", "one thing", "another", "2. a third", "####### no heading"]
    assert list(text_lines(text)) == lines
