"""The table of drop rules: batch tests against exact ones, declared columns against read ones, and a rule made up."""

from collections.abc import Collection
from dataclasses import replace as with_fields
from enum import StrEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from corpus.assemble import rules
from corpus.assemble.config import AssembleConfig
from corpus.assemble.decide import Document, EarlyDecision, decide, unread_columns
from corpus.assemble.decide_batch import decide_batch
from corpus.assemble.rules import RULES, DropRule
from corpus.assemble.updates import VERDICT
from corpus.pile.pile_text import PileText
from corpus.reasons import PileDrop
from corpus.records import AbstractPart, Kind, Record, Source
from corpus.storage.schema import from_batch
from corpus.text.render import RENDERED, render
from tests.support.random_records import BATCHES, CONFIGS, as_batch

COLUMNS = Record.__struct_fields__
LIVE = np.zeros(9, VERDICT)


def with_only(record: Record, columns: Collection[str]) -> Record:
    """Return a record of which nothing can be read but some columns."""
    bare = replace(record)
    for name in COLUMNS:
        if name not in columns:
            getattr(Record, name).__delete__(bare)
    return bare


@settings(deadline=None, max_examples=300)
@given(BATCHES, CONFIGS, st.sets(st.sampled_from(COLUMNS)))
def test_what_a_rule_drops_its_batch_test_lets_through(
    batch: tuple[Record, ...], config: AssembleConfig, others: set[str]
) -> None:
    texts = [render(record, floats=config.floats) for record in batch]
    for rule in RULES:
        read = as_batch(batch).select([name for name in COLUMNS if name in {"doc_id", *rule.columns, *others}])
        dropped = [bool(rule.drops(record, text, config)) for record, text in zip(batch, texts, strict=True)]
        may_drop = rule.may_drop(read, config).tolist()
        assert all(may or not drop for may, drop in zip(may_drop, dropped, strict=True)), f"{rule.reason}: passed over"
        if rule.exact:
            assert may_drop == dropped, f"{rule.reason}: an exact batch test drops what `drops` keeps"
        if rule.safe_words is not None:
            words = [len(text.split()) for text, drop in zip(texts, dropped, strict=True) if drop]
            assert all(count < rule.safe_words(config) for count in words), f"{rule.reason}: drops texts that are safe"


@settings(deadline=None, max_examples=300)
@given(BATCHES, CONFIGS, st.sampled_from(list(RENDERED)))
def test_rules_renderers_and_documents_read_no_column_that_they_do_not_name(
    batch: tuple[Record, ...], config: AssembleConfig, profile: Any
) -> None:
    config = config.model_copy(update={"profile": profile})
    read = [name for name in COLUMNS if name not in unread_columns(config)]
    for row, record in enumerate(batch):
        text = render(record, floats=config.floats)
        assert render(with_only(record, RENDERED[profile]), profile, floats=config.floats) == render(
            record, profile, floats=config.floats
        )
        for rule in RULES:
            bare = with_only(record, rule.columns)
            assert rule.drops(bare, text, config) == rule.drops(record, text, config), rule
        assert decide(with_only(record, read), row, LIVE[0], config) == decide(record, row, LIVE[0], config)


@given(BATCHES, st.sampled_from([PileText(text="word"), PileText(reason=PileDrop.BOOK)]))
def test_profile_pile_reads_no_column_that_it_does_not_name(batch: tuple[Record, ...], pile: PileText) -> None:
    config = AssembleConfig(profile="pile")
    read = [name for name in COLUMNS if name not in unread_columns(config)]
    for record in batch:
        assert decide(with_only(record, read), 0, LIVE[0], config, pile) == decide(record, 0, LIVE[0], config, pile)


class MadeUp(StrEnum):
    """A word that no rule has."""

    SPOILED = "spoiled"


SPOILED = DropRule(
    reason=MadeUp.SPOILED,  # type: ignore[arg-type]  # not on the page of reasons
    columns=("file",),
    drops=lambda record, text, config: record.file == "spoiled.xml",
)


def decided(records: list[Record], config: AssembleConfig) -> tuple[list[Any], list[Any]]:
    """Return what records become one by one, and as a batch without the columns that nobody reads."""
    alone = [decide(record, row, LIVE[row], config) for row, record in enumerate(records)]
    batch = as_batch(records).drop_columns(list(unread_columns(config)))
    documents, early = decide_batch(batch, first_row=0, verdicts=LIVE[: len(records)], config=config)
    together = [*from_batch(documents, Document), *from_batch(early, EarlyDecision)]
    return alone, sorted(together, key=lambda made: made.row)


@pytest.mark.parametrize("floats", ["captions", "tables"])
@pytest.mark.parametrize("place", [0, 3, len(RULES)])
def test_a_rule_made_up_on_the_spot_drops(place: int, floats: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    long = (AbstractPart(text="word " * 30),)
    first = Record(doc_id="pmid:1", source=Source.PUBMED, kind=Kind.CITATION, pmid=1, title="T", abstracts=long)
    first = replace(first, file="spoiled.xml")
    others = [replace(first, doc_id="pmid:2", pmid=2, file="good.xml"), replace(first, doc_id="pmid:3", pmid=3)]
    others.append(replace(first, doc_id="pmid:4", pmid=4, abstracts=()))
    config = AssembleConfig(floats=floats)
    alone, together = decided([first, *others], config)
    assert alone == together
    assert [getattr(made, "reason", "") for made in together] == ["", "", "", "no_text"]
    assert "file" in unread_columns(config)

    monkeypatch.setattr(rules, "RULES", (*RULES[:place], SPOILED, *RULES[place:]))
    assert "file" not in unread_columns(config)
    alone, together = decided([first, *others], config)
    assert alone == together
    last = "spoiled" if place == 0 else "no_text"
    assert [getattr(made, "reason", "") for made in together] == ["spoiled", "", "spoiled", last]


def test_a_rule_that_hides_a_column_is_an_error_and_not_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record(doc_id="pmid:1", source=Source.PUBMED, kind=Kind.CITATION, pmid=1, file="spoiled.xml")
    record = replace(record, abstracts=(AbstractPart(text="word " * 30),))
    monkeypatch.setattr(rules, "RULES", (*RULES, with_fields(SPOILED, columns=())))
    with pytest.raises(AttributeError, match="file"):
        decide_batch(as_batch([record]), first_row=0, verdicts=LIVE[:1], config=AssembleConfig())
