"""White space that a serializer puts around scripts is no space of the text; that of the text stays."""

import pytest

from tests.support.jats_samples import text


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("<italic>k</italic>\n<sub>cat</sub> was", "k_cat was"),
        ("<italic>V</italic>\r\n  <sub>\n    max</sub>\n, and", "V_max, and"),
        ("5 × 10\n<sup>−8</sup>\n.", "5 × 10⁻⁸."),
        ("(<italic>Yy1</italic>\n<sup>\n<italic>fl</italic>\n</sup>\n) mice", "(Yy1^fl) mice"),
        ("χ<sub>3</sub>\n<sup>2</sup>\n= 9", "χ₃² = 9"),
        ("MRI\n<sub>base\n</sub>volume", "MRI_base volume"),
        ("cm\n<sup>3</sup>\n] and", "cm³] and"),
        ("(indiv<sup>\n<bold>1</bold>\n</sup><bold>_MO)</bold>", "(indiv¹_MO)"),
        # what is no layout
        ("labelled with\n<sup>13</sup>C and\n<sup>99m</sup>Tc", "labelled with ¹³C and ⁹⁹ᵐTc"),
        ("the end.\n<sup>a</sup>Values", "the end. ^(a)Values"),
        ("one line<break/>\n<sup>2</sup> of", "one line ² of"),
        ("the <sup>a</sup> mark", "the ^a mark"),
        ("p<sup>2</sup> .05", "p² .05"),
        ("of 5\n<italic>m</italic> length", "of 5 m length"),
    ],
)
def test_layout_around_scripts(written: str, expected: str) -> None:
    assert text(written) == expected


def test_a_script_that_begins_with_a_script_keeps_its_marks() -> None:
    assert text("x<sup>\n<sub>1</sub>\n</sup>\n, y") == "x₁, y"
