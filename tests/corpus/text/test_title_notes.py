"""What indexers wrote behind titles: gone from texts, by record and by column alike, and nothing else with it."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.records import Kind, Record, Source
from corpus.text.render import render
from corpus.text.render_batch import render_batch
from corpus.text.title_notes import without_note, without_notes
from tests.support.random_records import as_batch

TITLES = [
    ("[Tumours of the kidney (author's transl)].", "[Tumours of the kidney]."),
    ("[Tumours of the kidney (AUTHORS TRANSL)].", "[Tumours of the kidney]."),
    ("[Tumours of the kidney (author' transl)].", "[Tumours of the kidney]."),
    ("[Tumours of the kidney (author’s transl.)]", "[Tumours of the kidney]"),
    ("Tumours of the kidney (author's transl).", "Tumours of the kidney."),
    ("Receptors in man [proceedings].", "Receptors in man."),
    ("Receptors in man [ Proceedings]", "Receptors in man"),
    ("Proceedings of a meeting on goats.", "Proceedings of a meeting on goats."),
    ("[Proceedings].", "[Proceedings]."),
    ("What the (author's transl) means", "What the (author's transl) means"),
    ("Goats (Capra).", "Goats (Capra)."),
]


@pytest.mark.parametrize(("title", "expected"), TITLES)
def test_a_note_behind_a_title_goes_and_nothing_else(title: str, expected: str) -> None:
    record = Record(doc_id="pmid:1", source=Source.PUBMED, kind=Kind.CITATION, title=title)
    assert without_note(title) == expected
    assert render(record) == expected
    assert render_batch(as_batch([record]), floats="none").texts.to_pylist() == [expected]


PIECES = st.sampled_from(["Goats", " ", "(", "[", "author's transl", "proceedings", ")", "]", ".", "é"])


@given(st.lists(st.none() | st.lists(PIECES, max_size=8).map("".join), max_size=5))
def test_columns_lose_what_titles_lose(titles: list[str | None]) -> None:
    expected = [None if title is None else without_note(title) for title in titles]
    assert without_notes(pa.array(titles, pa.string())).to_pylist() == expected
