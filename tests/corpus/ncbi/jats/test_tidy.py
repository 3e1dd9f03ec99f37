"""Citations are tidied fast where they stand alone in their brackets: as all are, and lines of any length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.ncbi.jats.citations import tidy, tidy_alone, tidy_in_passes

_PLAIN = st.sampled_from(
    ["word", "gamma ray", "Later", "in", "and", "see", "Table 1", "et al.", "e.g.", "0.5", "(a word)"]
)
_NUMBERS = st.sampled_from(["[\x015\x02]", "[\x015\x02,\x016\x02]", "(\x011\x02–\x014\x02)", "\x03", "\x03,\x03"])
_SENTENCES = st.lists(
    st.one_of(_PLAIN, _NUMBERS, st.sampled_from([" ", " ", ", ", ". ", ";"])), min_size=1, max_size=12
)


@given(_SENTENCES.map("".join))
def test_the_fast_way_of_tidying_says_what_the_slow_one_says(raw: str) -> None:
    line = " ".join(raw.split())
    fast = tidy_alone(line)
    if fast is not None:
        assert fast == tidy_in_passes(line)


@pytest.mark.parametrize(
    "repeated", ["see ", "for a, see ", "and ", "p. 5, ", "e.g. ", "for details ", ", ", "5, ", "cited by ", "see the "]
)
def test_brackets_of_any_length_are_read(repeated: str) -> None:
    """By a pattern that can read a text in two ways for each repetition this would never end."""
    text, _ = tidy(f"word ({repeated * 5000}\x015\x02 x) word")
    assert text.startswith("word")
    assert text.endswith("x) word")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("weight (0.07 [\x0141\x02]) was", "weight (0.07) was"),
        ("median = 124,621 [\x0123\x02,326–262,348] copies", "median = 124,621 [23,326–262,348] copies"),
        ("fell [[\x0120\x02],26,27] by", "fell by"),
        ("fell [\x01101\x02,102–104,105] by", "fell by"),
    ],
)
def test_a_measurement_is_no_reference(line: str, expected: str) -> None:
    assert tidy(line)[0] == expected
