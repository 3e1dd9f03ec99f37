"""Labels lose what closes them, and nothing else."""

import pytest

from corpus.notices import plain_label


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Background.", "Background"),
        ("RESULTS:", "RESULTS"),
        ("AIM :", "AIM"),
        ("Methods.:", "Methods"),
        ("Why?", "Why?"),
        ("Care in the U.S.", "Care in the U.S."),
        ("Smith et al.", "Smith et al."),
        ("...", ""),
        ("", ""),
    ],
)
def test_label(label: str, expected: str) -> None:
    assert plain_label(label) == expected
