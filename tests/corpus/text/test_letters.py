"""The folding of letters in every rendered text: what goes, what stays, and that columns are folded as texts are."""

import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.records import AbstractPart, Kind, Record, Source
from corpus.text.fold_kernels import fold_table, folded
from corpus.text.letters import FOLDS, SHORTENED, tidy_letters
from corpus.text.render import render
from corpus.text.render_batch import render_batch
from tests.support.random_records import as_batch

HARD = st.text(
    st.sampled_from([*FOLDS, *"ab1 <>&;/#²₂−–α\u200c\u200dمन\uf061\uf0b7\uf0e0\U0001f468\u0301é．"]), max_size=20
)
PIECES = "&lt;|&amp;|&#955;|&alpha;|&no;|<b>|</b>|<br/>|<br >|<sup>|2|</sup>|<i class='x'>|</i>|<a\n>|</a >| |a<b|x&y|µ"
MARKUP = st.lists(st.sampled_from(PIECES.split("|")), max_size=8).map("".join)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("ﬁrst ﬂock, oﬃce, cold‐adapted, non‑milking", "first flock, office, cold-adapted, non-milking"),
        ("5 µm and 5 μm", "5 μm and 5 μm"),
        (
            "Bio\u200cprep \u200eThe\u200f \u202arose\u202c \u2066x\u2069 lo\u00adg\u2061x\ufeff",
            "Bioprep The rose x logx",
        ),
        ("می\u200cخواهم क्\u200dष", "می\u200cخواهم क्\u200dष"),
        ("author\x92s 3\x965 \x93so\x94 \x80", "author’s 3–5 “so” €"),
        ("TNF-\uf061 \uf0b1 2 \uf06dm \uf0a3", "TNF-α ± 2 μm ≤"),
        ("\uf06e a square", "\uf06e a square"),
        ("² ³ ₂ − – ± é α Ａ", "² ³ ₂ − – ± é α Ａ"),
        ("p &lt; 0.05 R&amp;D &alpha; &#946; &#x3b3; &amp;lt;", "p < 0.05 R&D α β γ <"),
        ("<b>Methods:</b> 10<sup>5</sup> H<sub>2</sub>O<br/>x", "Methods: 10⁵ H₂O x"),
        ("the <b> tag, a<b, AT&T; &nonesuch; x &lt y", "the <b> tag, a<b, AT&T; &nonesuch; x &lt y"),
    ],
)
def test_letters(written: str, read: str) -> None:
    assert tidy_letters(written) == read


def test_code_keeps_its_escapes() -> None:
    assert tidy_letters("if (a &lt; b) <b>µ</b>", markup=False) == "if (a &lt; b) <b>μ</b>"


def test_folds_are_those_of_unicode_where_it_has_one() -> None:
    for letter, form in SHORTENED.items():
        compatible = unicodedata.normalize("NFKC", letter)
        assert form in (compatible, "", "-"), hex(ord(letter))
        assert form or unicodedata.category(letter) in ("Cf", "Mn", "Lo", "Cn"), hex(ord(letter))


@settings(deadline=None, max_examples=300)
@given(st.one_of(HARD, MARKUP, st.text()))
def test_a_tidy_text_is_in_nfc_without_folds(text: str) -> None:
    tidy = tidy_letters(text, markup=False)
    assert unicodedata.is_normalized("NFC", tidy)
    assert not set(FOLDS).intersection(tidy)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.one_of(HARD, st.text(st.characters(exclude_categories=["Cs"]))), max_size=6))
def test_columns_are_folded_as_texts_are(texts: list[str]) -> None:
    encoded = [text.encode() for text in texts]
    bounds = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    octets, places = folded(np.frombuffer(b"".join(encoded), np.uint8), bounds, fold_table())
    found = [octets[start:end].tobytes().decode() for start, end in pairwise(places)]
    assert found == ["".join(SHORTENED.get(letter, letter) for letter in text) for text in texts]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.one_of(HARD, MARKUP), min_size=1, max_size=4))
def test_batches_are_folded_as_records_are(texts: list[str]) -> None:
    parts = tuple(AbstractPart(text=text) for text in texts)
    record = Record(doc_id="pmid:1", source=Source.PUBMED, kind=Kind.CITATION, title=texts[0], abstracts=parts)
    made = render_batch(as_batch([record]), floats="captions")
    if not made.handed_back[0]:
        assert made.texts[0].as_py() == render(record)


def test_common_folds_are_not_handed_back() -> None:
    record = Record(
        doc_id="pmid:1", source=Source.PUBMED, kind=Kind.CITATION, title="5 µm ﬁbres, cold‐adapted, p<0.05 R&D"
    )
    made = render_batch(as_batch([record]), floats="captions")
    assert not made.handed_back[0]
    assert made.texts[0].as_py() == "5 μm fibres, cold-adapted, p<0.05 R&D"
