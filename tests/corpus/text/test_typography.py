"""The folds of typography: what is folded, what is not, and Unicode's own forms as the oracle where they agree."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.text.typography import ACCENTS, SAME, fold, fold_scripts, folds

FOLDING = st.text(
    st.sampled_from("aeo ßBxu1290.,-^_()/" + "₂⁵⁻⁺½ﬁ１．±≤≠→×βΔςéÅＡ𝛽СйºĲ™µμ①①\u00ad\u200b\u0301\u0338℃㎎")
)


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("CO₂ H₂O₂ Ca²⁺", "CO2 H2O2 Ca2+"),
        ("10⁻³ kg⁻¹ cm²", "10-3 kg-1 cm2"),
        ("10⁵ 2½ 3₂", "10^5 2_1/2 3_2"),
        ("NF-κB TGF-β1 Δψ ς", "NF-kappaB TGF-beta1 Deltapsi sigma"),
        ("TGF-ß1 TGFß Straße WEIẞ", "TGF-beta1 TGFbeta Strasse WEIss"),
        ("µg μM μ-opioid µΩ", "microg microM mu-opioid microOmega"),
        ("ﬁbrin ﬂow Ĳ ⅔ Ⅳ", "fibrin flow IJ 2/3 IV"),
        ("naïve Sjögren Ångström Łódź Møller", "naive Sjogren Angstrom Lodz Moller"),
        ("5 ± 2 ≤ ≥ → ≈ 3×4", "5 +/- 2 <= >= -> ~ 3x4"),
        ("IL‑6 5–10 −5 non‐smoker", "IL-6 5-10 -5 non-smoker"),
        ("im\u00admuno\u200bblot Prozac®", "immunoblot Prozac"),
        ("ＤＮＡ１．５％", "DNA1.5%"),
        ("37 ℃ 37 º", "37 °C 37 °"),
        ("СО2 в крови", "CO2 b kpobи"),
        ("𝛽 𝑥 ℓ ㎎", "beta x l mg"),
        ("a\u00a0b\u2009c", "a b c"),
    ],
)
def test_what_is_drawn_alike_is_alike(written: str, folded: str) -> None:
    assert fold(written) == folded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10⁵", "105"),
        ("10₅", "105"),
        ("10⁻³", "10³"),
        ("2½", "21/2"),
        ("−5", "5"),
        ("α", "β"),
        ("µg", "mg"),
        ("cm²", "cm³"),
        ("CD4⁺", "CD4⁻"),
        ("≤", "≥"),
        ("≠", "="),
        ("H₂O", "H₂O₂"),
        ("мой", "мои"),
        ("one—two", "one-two"),
    ],
)
def test_true_differences_stay(one: str, other: str) -> None:
    assert fold(one) != fold(other)
    assert fold_scripts(one) != fold_scripts(other)


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_its_own_fold(text: str) -> None:
    assert fold(text) == fold_scripts(text) == text


@settings(deadline=None, max_examples=300)
@given(st.one_of(FOLDING, st.text()))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    once = fold(text)
    assert fold(once) == once


def test_folds_are_those_of_unicode_but_for_what_the_table_says() -> None:
    checked = 0
    for character in folds().keys() - SAME.keys() - ACCENTS:
        plain = "".join(part for part in unicodedata.normalize("NFKD", character) if part not in ACCENTS)
        assert fold(character) == fold(plain)
        checked += plain.isascii()
    assert checked > 1500


def test_greek_letters_and_signs_stay_for_those_who_read_words() -> None:
    assert fold_scripts("NF-κB ≤ 5 ± 10⁵ naïve µg ß") == "NF-κB ≤ 5 ± 10^5 naive μg β"
