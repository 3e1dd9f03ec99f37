"""Counts of passages: equal to a plain count, whatever the batches, the order and the parts; none lost or invented."""

import random
from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.passages.config import PassagesConfig
from corpus.passages.counting import (
    HASH_ROW,
    PassageCounts,
    finished_passages,
    frequent_hashes,
    hash_rows,
    merge,
    order_of,
    tally_batch,
    tally_rows,
    top,
)
from corpus.passages.folding import fold
from corpus.passages.reading import CutBatch
from corpus.passages.rows import CountRow, Passage
from corpus.storage.schema import from_batch, to_table

SENTENCES = st.sampled_from(
    ["We declare none.", "WE DECLARE NONE", "Mice ate it.", "Mice, ate it.", "Ünder 5.", "(so)"]
)
LINES = st.tuples(st.lists(SENTENCES, min_size=1, max_size=3).map(" ".join), st.sampled_from(["", "", "a", "b"]))
DOCUMENTS = st.lists(st.lists(LINES, max_size=5), max_size=12)
CONFIG = PassagesConfig(min_documents=2, min_characters=3, examples=2)


def batches(documents: list[tuple[str, list[tuple[str, str]]]], sizes: random.Random) -> list[CutBatch]:
    """Return documents in batches of any sizes."""
    found = [CutBatch()]
    for doc_id, lines in documents:
        if sizes.random() < 0.4:
            found.append(CutBatch())
        found[-1].add(doc_id, lines)
    return found


def counted(given: list[CutBatch], shuffle: random.Random, config: PassagesConfig = CONFIG) -> list[Passage]:
    """Return the passages as the stage counts them, a part a batch."""
    rows = np.concatenate([np.zeros(0, HASH_ROW), *(hash_rows(batch, config) for batch in given)])
    frequent = frequent_hashes(rows, config.min_documents)
    tallied: list[CountRow] = []
    for batch in given:
        tallies: PassageCounts = {}
        tally_batch(batch, frequent, config, tallies)
        tallied += from_batch(to_table(tally_rows(tallies), CountRow), CountRow)
    shuffle.shuffle(tallied)
    merged: PassageCounts = {}
    for row in tallied:
        merge(merged, row, config)
    return top(finished_passages(merged, config), config.most)


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_counts_are_those_of_a_plain_count(documents: list[list[tuple[str, str]]], chance: random.Random) -> None:
    named = [(f"d{number:02d}", lines) for number, lines in enumerate(documents)]
    chance.shuffle(named)
    given_batches = batches(named, chance)
    found = {(passage.kind == "paragraph", passage.folded): passage for passage in counted(given_batches, chance)}
    holders: dict[tuple[bool, str], list[tuple[str, str, str, bool]]] = defaultdict(list)
    for batch in given_batches:
        folded = fold(batch.texts).to_pylist()
        for k, text in enumerate(batch.texts):
            row = (batch.doc_ids[batch.owners[k]], text, batch.rules[k], batch.alone[k])
            holders[batch.paragraphs[k], folded[k]].append(row)
    expected = {key: rows for key, rows in holders.items() if len({row[0] for row in rows}) >= 2 and len(key[1]) >= 3}
    assert set(found) == set(expected)
    for key, rows in expected.items():
        passage = found[key]
        ids = sorted({row[0] for row in rows})
        assert (passage.documents, passage.occurrences) == (len(ids), len(rows))
        assert passage.bytes == sum(len(row[1].encode()) for row in rows)
        assert passage.alone == sum(row[3] for row in rows)
        assert passage.examples == tuple(ids[:2])
        assert passage.text == min(rows)[1]
        assert passage.stay == sum(not row[2] for row in rows)
        taken = {count.rule: count.occurrences for count in passage.rules}
        assert taken == {rule: sum(row[2] == rule for row in rows) for rule in "ab" if rule in [row[2] for row in rows]}
        assert passage.stay + sum(taken.values()) == passage.occurrences
        assert (passage.rule == "") == (2 * passage.stay >= passage.occurrences)


@given(DOCUMENTS, st.integers(0, 1000), st.integers(0, 1000))
def test_batches_and_orders_do_not_matter(documents: list[list[tuple[str, str]]], one: int, other: int) -> None:
    named = [(f"d{number:02d}", lines) for number, lines in enumerate(documents)]
    lists = [counted(batches(named, random.Random(seed)), random.Random(seed)) for seed in (one, other)]
    assert lists[0] == lists[1] == sorted(lists[0], key=order_of)


def test_two_texts_of_one_hash_are_two_passages() -> None:
    batch = CutBatch()
    for number in range(4):
        batch.add(f"d{number}", [(f"A text of kind {number % 2}.", "")])
    batch.hashes[:] = 7
    config = CONFIG.model_copy(update={"min_documents": 3})
    assert frequent_hashes(hash_rows(batch, config), 3).tolist() == [7]
    assert counted([batch], random.Random(1), config) == []
    assert [passage.documents for passage in counted([batch], random.Random(1))] == [2, 2]


def test_the_list_ends_after_the_first_ones() -> None:
    named = [(f"d{number}", [(f"The text number {part}.", "") for part in range(number, 9)]) for number in range(9)]
    whole = counted(batches(named, random.Random(1)), random.Random(1))
    config = CONFIG.model_copy(update={"most": 3})
    assert [passage.documents for passage in whole] == [9, 8, 7, 6, 5, 4, 3, 2]
    assert counted(batches(named, random.Random(1)), random.Random(2), config) == whole[:3]
