"""Batches are decided as records are: the columns against `decide` and `render`, one record after the other."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from corpus.assemble.config import AssembleConfig
from corpus.assemble.decide import Document, EarlyDecision, decide, unread_columns
from corpus.assemble.decide_batch import decide_batch
from corpus.assemble.updates import VERDICT, RevisionStatus
from corpus.records import AbstractPart, Block, BlockKind, Kind, Record, Source
from corpus.storage.schema import from_batch
from corpus.text.headings import OPTIONAL
from corpus.text.render import render, render_sections
from corpus.text.render_batch import render_batch
from corpus.text.section_kinds import ALL_KINDS
from tests.support.random_records import BATCHES, CONFIGS, as_batch


@settings(deadline=None, max_examples=300)
@given(
    BATCHES,
    st.sampled_from(["figures", "captions", "none"]),
    st.sets(st.sampled_from(OPTIONAL)),
    st.sets(st.sampled_from(ALL_KINDS)),
)
def test_batch_text_is_the_records_text(
    batch: tuple[Record, ...], floats: str, kept: set[str], without: set[str]
) -> None:
    made = render_batch(as_batch(batch), floats=floats, kept=kept, without=without)
    for record, text, words, handed_back, sections in zip(
        batch, made.texts.to_pylist(), made.num_words, made.handed_back, made.sections.to_pylist(), strict=True
    ):
        expected, stretches = render_sections(record, floats=floats, kept=kept, without=without)
        expected, stretches = ("", ()) if handed_back else (expected, stretches)
        assert text == expected
        assert words == len(expected.split())
        assert sections == [asdict(one) for one in stretches]


def test_common_text_is_not_handed_back() -> None:
    plain = Record(
        doc_id="pmid:1",
        source=Source.PUBMED,
        kind=Kind.CITATION,
        title="TNF-α and β-catenin (±5 µg, 10⁵)",
        abstracts=(AbstractPart(label="METHODS", text="It was\n seen — “twice” – in naïve cells."),),
    )
    assert render_batch(as_batch([plain]), floats="captions").handed_back.tolist() == [False]


@settings(deadline=None, max_examples=300)
@given(BATCHES, CONFIGS, st.lists(st.sampled_from(list(RevisionStatus)), min_size=6, max_size=6))
def test_batch_is_decided_as_each_record(
    batch: tuple[Record, ...], config: AssembleConfig, codes: list[RevisionStatus]
) -> None:
    verdicts = np.zeros(len(batch), VERDICT)
    for row, record in enumerate(batch):
        notice = record.kind is Kind.DELETION
        live = RevisionStatus.SUPERSEDED if codes[row] is RevisionStatus.DELETION_NOTICE else codes[row]
        verdicts[row] = (0, row, 4, RevisionStatus.DELETION_NOTICE if notice else live)
    expected = [decide(record, row + 10, verdicts[row], config) for row, record in enumerate(batch)]
    read = as_batch(batch).drop_columns(list(unread_columns(config)))
    documents, early = decide_batch(read, first_row=10, verdicts=verdicts, config=config)
    assert from_batch(documents.sort_by("row"), Document) == [made for made in expected if isinstance(made, Document)]
    assert from_batch(early, EarlyDecision) == [made for made in expected if isinstance(made, EarlyDecision)]


@pytest.mark.parametrize("profile", ["clean", "pile"])
def test_a_slice_of_a_batch_is_read_as_it_stands(profile: str) -> None:
    record = Record(doc_id="pmid:1", source=Source.PUBMED, kind=Kind.CITATION, pmid=1)
    record = replace(record, title="A title", abstracts=(AbstractPart(text="word " * 20),))
    others = [replace(record, doc_id=f"pmid:{number}", pmid=number, title=f"No {number}") for number in range(2, 7)]
    whole = as_batch([record, *others])
    for name, values in {"pile_text": [f"text {k}" for k in range(6)], "pile_reason": [""] * 5 + ["pile_book"]}.items():
        whole = whole.append_column(name, pa.array(values)) if profile == "pile" else whole
    config = AssembleConfig(profile=profile)
    made, _ = decide_batch(whole.slice(2, 3), first_row=2, verdicts=np.zeros(3, VERDICT), config=config)
    full, _ = decide_batch(whole, first_row=0, verdicts=np.zeros(6, VERDICT), config=config)
    assert made.to_pylist() == full.to_pylist()[2:5]
    assert full.num_rows == (5 if profile == "pile" else 6)
    assert profile == "clean" or made.column("text").to_pylist() == ["text 2", "text 3", "text 4"]


STOCK = "The online version of this article contains supplementary material."


def test_stock_sentences_and_short_texts_leave_nothing_between_the_others() -> None:
    base = Record(doc_id="pmid:1", source=Source.PUBMED, kind=Kind.CITATION, pmid=1, title="One two three four")
    parts = [(AbstractPart(label="A", text=text),) for text in (f"{STOCK} Or not.", f" {STOCK}\n", "short", "five six")]
    rows = [replace(base, doc_id=f"pmid:{k}", pmid=k, abstracts=part) for k, part in enumerate(parts, start=1)]
    body = (Block(kind=BlockKind.HEADING, text="Files", depth=1), Block(kind=BlockKind.PARAGRAPH, text=STOCK))
    rows.append(replace(rows[0], doc_id="pmid:5", pmid=5, body=body))
    made = render_batch(as_batch(rows), floats="figures")
    assert made.texts.to_pylist() == [render(row) for row in rows]
    assert not made.handed_back.any()
    assert made.texts[1].as_py() == "One two three four"
    assert "Files" not in made.texts[4].as_py()
    config = AssembleConfig(min_words=6, languages=())
    documents, _ = decide_batch(as_batch(rows), first_row=0, verdicts=np.zeros(5, VERDICT), config=config)
    assert documents.column("text").to_pylist() == [render(row) for row in rows if len(render(row).split()) >= 6]
