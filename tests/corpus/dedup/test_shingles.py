"""Shingles: the compiled kernel against a plain-Python reading of the same rule, and the rule itself by example."""

import re
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup import shingle_kernels as kernel
from corpus.dedup.lowercase_kernels import small_letters
from corpus.dedup.shingles import Shingles, normalize, shingle
from corpus.text.typography import GREEK, SIGNS, fold, folds
from corpus.text.words import UNSPACED, is_character

MASK = (1 << 64) - 1
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"
ASCII_SIGNS = "+<>=%^~"
GOLDEN = ["0e2740ecaad4cb1f", "397f252a90807c00", "7a749b43a28afc90", "d3e8e2b021fc0f70", "ef6d5d681ac14260"]


def points(*ranges: tuple[int, int]) -> frozenset[str]:
    return frozenset(chr(point) for first, last in ranges for point in range(first, last + 1))


INDEX = frozenset(DIGITS + ASCII_SIGNS + "°±²³µ¹×‰") | points((0x370, 0x3FF), (0x2070, 0x209F), (0x2190, 0x22FF))
PLAIN = (
    frozenset(" .,;:!?()[]{}\"'`\\|\x7f¡¢£¤¥¦§¨©«¬¯´¶·¸»¿\u1680")
    | points((0, 31), (0x80, 0xA0), (0x2000, 0x206F), (0x3000, 0x3003), (0x3008, 0x3011))
) - INDEX


OPERATORS = frozenset("+<>=~%/*#&$°÷‰") | points((0x2190, 0x22FF))
THOUSANDS = re.compile(r"(?<![0-9.,])[1-9][0-9]{0,2}(?:,[0-9]{3}(?![0-9])){1,4}")
CHARACTER = "\x01"  # stands for any character of a script without spaces


def unspaced(character: str) -> bool:
    return any(first <= ord(character) < last for first, last in UNSPACED)


def parts_unspaced(character: str) -> bool:
    return unspaced(character) and unicodedata.category(character)[0] not in "LNM"


def seen(character: str) -> str:
    """Return what the kernel's neighbours see of a character: a space where it only parts words."""
    if is_character(ord(character)):
        return CHARACTER
    return " " if character >= "\x80" and (character in PLAIN or parts_unspaced(character)) else character


def is_letter(character: str) -> bool:
    beyond = character >= "\x80" and character not in PLAIN and not is_character(ord(character))
    return character in LETTERS or (beyond and not parts_unspaced(character))


def reference_segments(text: str) -> list[list[tuple[str, str]]]:
    """Return the words of a normalised text, each a list of (segment, delimiter after it)."""
    words: list[list[tuple[str, str]]] = []
    segment, word, joined = "", [], False

    text, before = fold(THOUSANDS.sub(lambda found: found[0].replace(",", ""), text)).lower(), " "
    for position, character in enumerate(text + " "):
        after = seen((text + "  ")[position + 1])
        unit = "." if character == "·" else character
        before, previous = seen(unit), before
        inside = previous in DIGITS and after in DIGITS
        if unspaced(character) and previous == CHARACTER and unicodedata.category(character)[0] == "M":
            words[-1], before = [(words[-1][0][0] + character, "")], CHARACTER
            continue
        if unit in "^_" and (is_letter(previous) or is_letter(after) or after in "+-"):
            before = previous
            continue
        if unit == "-":
            if is_letter(previous) and is_letter(after):
                word, segment, joined = [*word, (segment, unit)], "", True
                continue
            if previous != "/" and after != ">":
                unit = " " if inside or (previous <= " " and after <= " ") else unit
                segment += unit.strip()
                if unit == "-":
                    continue
        elif character in ".,·":
            if inside or (character == "." and after in DIGITS and not is_letter(previous)):
                segment, before = segment + ("." if inside else "0."), "."
                continue
            unit = " "
        alone = unit in OPERATORS or unit == "-" or (unit == "x" and inside) or is_character(ord(unit))
        if alone or unit in PLAIN or parts_unspaced(character):
            words += [[*word, (segment, "")]] if segment or joined else []
            words += [[(unit, "")]] if alone else []
            segment, word, joined = "", [], False
        else:
            segment += unit
    return words


def mixed(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & MASK
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    return value ^ value >> 33


def segment_hash(segment: str) -> int:
    value = 0
    for character in segment:
        value = (value ^ ord(character)) * 0x9E3779B97F4A7C15 & MASK
    return mixed(value ^ 0xCBF29CE484222325)


def polynomial(values: list[int], factor: int) -> int:
    total = 0
    for value in values:
        total = (total * factor + value) & MASK
    return total


def reference_sets(text: str) -> tuple[list[int], int]:
    """Return (ascending shingle hashes, text hash) with Python integers."""
    words = reference_segments(text)
    hashes = [polynomial([segment_hash(s) + ord(d or "\0") for s, d in word], 0xC2B2AE3D27D4EB4F) for word in words]
    size = min(5, len(hashes))
    grams = [hashes[k : k + size] for k in range(len(hashes) - size + 1)] if hashes else []
    position = 0xD6E8FEB86659FD93
    shingles = sorted({mixed(polynomial(gram, position)) for gram in grams})
    return shingles, mixed(polynomial(hashes, position))


# Folds that leave a trace in the hash of the whole text.
TOLD_APART = {
    character for character, form in {**folds(), **SIGNS, **GREEK}.items() if form not in ("", " ", "-", "/", "·")
} | {"ß"}


def shingles_of(*texts: str) -> Shingles:
    return shingle(normalize(pa.array(texts, pa.string())))


FOLDED = "₂⁵⁻⁺½ﬁ１．±≤≠→×βéＡ𝛽СoßĲ™"
SPACELESS = "中文か゚、。ก็ที่ฯကို်ខ្ញុំ々々〇ｶ𠀀"
awkward = st.text(
    alphabet=st.sampled_from("aivx" * 3 + "µμβ19" + " " * 6 + ".,:·;-–/+%<>('’—…^\u00ad\u200b\u00a0é中😀" + FOLDED)
)
mixed_scripts = st.text(st.sampled_from(SPACELESS + FOLDED + "a1-_ "))
sentences = st.lists(
    st.sampled_from(
        ["the", "a", "ii", "BRCA1", "IL-6", "non-smokers", "TGF-beta", "without", "Ca2+", "p<.05", "1,5", "5–10"]
    )
).map(" ".join)
numbers = st.lists(
    st.sampled_from(
        [*"p<=5.,-–±×x+ ", ".05", "1,234", "0,125", "12,345,678", "987,654,321,098,765,432", "+/-", "->", "½"]
    )
).map("".join)


def test_every_folded_character_is_read_by_the_rule() -> None:
    characters = sorted({*folds(), *SIGNS, *GREEK, *"ßµμa1-"})
    texts = [one + after for one in characters for after in ("ß", "µß", "1", "-b", "α")]
    normal = normalize(pa.array([*texts, *("ß" + one for one in characters)]))
    found = shingle(normal)
    ours = [found.hashes[found.offsets[d] : found.offsets[d + 1]].tolist() for d in range(len(found))]
    assert ours == [reference_sets(text)[0] for text in normal.to_pylist()]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(awkward, sentences, mixed_scripts, numbers, st.text()), max_size=5))
def test_kernel_equals_the_plain_reading_of_the_rule(texts: list[str]) -> None:
    normal = normalize(pa.array(texts, pa.string()))
    found = shingle(normal)
    assert len(found) == len(texts)
    assert found.offsets[0] == 0
    assert found.offsets[-1] == len(found.hashes)
    for d, text in enumerate(normal.to_pylist()):
        hashes, whole = reference_sets(text)
        assert found.hashes[found.offsets[d] : found.offsets[d + 1]].tolist() == hashes
        if not TOLD_APART.intersection(text):
            assert int(found.texts[d]) == whole


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=8), st.data())
def test_slices_chunks_and_string_types_do_not_matter(texts: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(texts)))
    whole = shingles_of(*texts)
    padded = pa.array(["left out", *texts, "left out"], pa.large_string()).slice(1, len(texts))
    chunked = pa.chunked_array([pa.array(texts[:cut], pa.string()), pa.array(texts[cut:], pa.string())])
    for other in (shingle(normalize(padded)), shingle(normalize(chunked)), shingle(normalize(padded).slice(0))):
        assert np.array_equal(whole.hashes, other.hashes)
        assert np.array_equal(whole.offsets, other.offsets)
        assert np.array_equal(whole.texts, other.texts)
    tail = shingle(normalize(padded).slice(cut))
    assert np.array_equal(tail.hashes, whole.hashes[whole.offsets[cut] :])


@settings(deadline=None)
@given(st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalize(pa.array([text], pa.string()))
    assert normalize(once).equals(once)


def test_empty_and_null_documents_have_no_shingle() -> None:
    found = shingle(normalize(pa.array([None, "", " .,; ", "word"], pa.string())))
    assert found.counts.tolist() == [0, 0, 0, 1]
    assert len(shingle(normalize(pa.array([], pa.string())))) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("BRCA1", "BRCA2"),
        ("Ca2+", "Ca2"),
        ("IL-6", "IL-10"),
        ("IL-6", "IL6"),
        ("p<0.05", "p>0.05"),
        ("p < 0.05", "p > 0.05"),
        ("-5 mV", "5 mV"),
        ("1.5 mg", "15 mg"),
        ("1,5 mg", "15 mg"),
        ("dilution 1:100", "dilution 1100"),
        ("20% of", "20 of"),
        ("±5", "5"),
        ("37 °C", "37 C"),
        ("5 µg", "5 mg"),
        ("α-synuclein", "β-synuclein"),
        ("10²", "102"),
        ("CD25+", "CD25-"),
    ],
)
def test_digits_and_signs_tell_words_apart(one: str, other: str) -> None:
    found = shingles_of(one, other)
    assert found.texts[0] != found.texts[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('(BRCA1), "IL-6"; p53.', "brca1 il-6 P53"),
        ("word,word", "word, word"),
        ("IL\u20116 and 5–10", "IL-6 and 5-10"),
        ("−5 mV", "-5 mV"),
        ("p = 0·05", "p = 0.05"),
        ("5 µg", "5 μg"),
        ("immuno\u00adhisto\u200bchemistry", "immunohistochemistry"),
        ("caf\u0065\u0301", "CAFÉ"),
        ("a\u00a0b\u2009c", "a b c"),
        ("patient’s “own”", 'patient\'s "own"'),
        ("one—two", "one two"),
    ],
)
def test_typography_does_not_matter(one: str, other: str) -> None:
    found = shingles_of(one, other)
    assert found.texts[0] == found.texts[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("p<0.05", "p < 0.05"),
        ("p<0.05", "P< .05"),
        ("p≤0·05", "p <= .05"),
        ("5±2 and 7±3", "5 ± 2 and 7 +/- 3"),
        ("22%", "22 %"),
        ("37°C", "37 ° C"),
        ("n=30, r=-0.5", "n = 30, r = -.5"),
        ("1,52 vs. 11,65 (0,125)", "1.52 vs. 11.65 (0.125)"),
        ("1,200 of 12,345,678", "1200 of 12345678"),
        ("5-10 mg, 5–10 mg", "5 - 10 mg, 5 – 10 mg"),
        ("3×4 cm", "3 x 4 cm"),
        ("mg/kg", "mg / kg"),
        ("A→B", "A -> B"),
        ("CD4 + T cells", "CD4+ T cells"),
        ("goats — a review", "goats – a review"),
    ],
)
def test_the_way_numbers_and_operators_are_set_does_not_matter(one: str, other: str) -> None:
    found = shingles_of(one, other)
    assert found.hashes[: found.offsets[1]].tolist() == found.hashes[found.offsets[1] :].tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(
            ("5 ± 2", "5 + 2"),
            ("5 ± 2", "5 2"),
            ("5+2", "52"),
            ("x ≠ 5", "x = 5"),
            ("a/b", "ab"),
            ("IL-6 -5", "IL-6 5"),
        ),
        *(("1,52", "152"), ("1,2345", "12345"), ("0,125", "0125"), ("1.200", "1200"), ("-.05", ".05")),
    ],
)
def test_signs_that_say_something_are_words(one: str, other: str) -> None:
    found = shingles_of(one, other)
    assert found.hashes[: found.offsets[1]].tolist() != found.hashes[found.offsets[1] :].tolist()


def test_hashes_are_the_same_on_every_machine() -> None:
    found = shingles_of("Interleukin-6 (IL-6) rose by 20 % in BRCA1 carriers.")
    assert [f"{value:016x}" for value in found.hashes.tolist()] == GOLDEN
    assert kernel.SHINGLE_WORDS == 5


def test_a_huge_repetitive_document_is_no_trap() -> None:
    found = shingles_of("a b " * 200_000, " ".join(str(k) for k in range(100_000)))
    assert found.counts.tolist() == [2, 99_996]
    second = found.hashes[found.offsets[1] :]
    assert np.all(second[:-1] < second[1:])


def lower_case(texts: list[str]) -> list[str]:
    """Return texts in small letters, by Arrow's Unicode tables, and in NFC, by Python's."""
    return [
        unicodedata.normalize("NFC", text) for text in pc.utf8_lower(pa.array(texts, pa.large_string())).to_pylist()
    ]


COMPOSING = st.sampled_from(
    [*"AaÉÅıİẞΣςſKÅ\u0301\u0327\u1161가각\u11a8Ⱥⱥµ·Ǆ漢😀𝐀ﬁ", "\u0f71\u0f72", "\u09c7\u09be", "\u1e9b\u0323"]
)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.lists(st.one_of(COMPOSING, st.characters(exclude_categories=["Cs"])), max_size=12).map("".join), max_size=6
    )
)
def test_normal_form_is_small_letters_in_nfc(texts: list[str]) -> None:
    array = pa.array([*texts, None], pa.large_string())
    expected = lower_case([*texts, ""])
    assert normalize(array).to_pylist() == expected
    assert normalize(array.slice(len(texts) // 2)).to_pylist() == expected[len(texts) // 2 :]


def test_every_character_of_the_table_is_in_small_letters_and_nfc_beside_any_letter() -> None:
    plain = [chr(point) for point in range(0x3000)]
    texts = [left + one + right for one in plain for left, right in (("", ""), ("E", "\u0301"), ("q", "Z"), ("Α", "ß"))]
    array = pa.array(texts, pa.large_string())
    assert normalize(array).to_pylist() == lower_case(texts)
    assert np.count_nonzero(small_letters()) > 4000
