"""Counting of passages in two passes, of which neither holds more than a part of them.

The first pass reduces a passage to its hash and counts the documents of each: what few documents hold, nearly all there
is, is known by that. The second pass reads again, and counts by the folded texts themselves what the first one left, so
two texts of one hash are two passages, and no count is an estimate.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Any, Final

import numpy as np
import pyarrow as pa

from corpus.arrays.types import Hashes
from corpus.passages.config import PassagesConfig
from corpus.passages.reading import CutBatch
from corpus.passages.rows import CountRow, Passage, PassageKind, RuleCount

HASH_ROW: Final = np.dtype([("hash", "<u8"), ("documents", "<u2")])  # packed: ten bytes
MOST_TALLIES: Final = 50_000  # passages that are counted in memory before they are passed on


def hash_rows(batch: CutBatch, config: PassagesConfig) -> np.ndarray:
    """Return HASH_ROW[num_hashes] of a batch: in how many of its documents each passage stands; ascending."""
    wanted = batch.long_enough(config.min_characters)
    pairs = np.zeros(int(wanted.sum()), [("hash", "<u8"), ("owner", "<i8")])
    pairs["hash"], pairs["owner"] = batch.hashes[wanted], batch.owner_numbers()[wanted]
    hashes, counts = np.unique(np.unique(pairs)["hash"], return_counts=True)
    rows = np.zeros(len(hashes), HASH_ROW)
    rows["hash"], rows["documents"] = hashes, counts  # a batch has 4,000 documents at most
    return rows


def frequent_hashes(rows: np.ndarray, min_documents: int) -> Hashes:
    """Return the hashes, ascending, that stand in so many documents; rows: HASH_ROW of all documents."""
    order = np.argsort(rows["hash"], kind="stable")
    hashes, documents = rows["hash"][order], rows["documents"][order].astype(np.int64)
    if not len(hashes):
        return hashes.copy()
    starts = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]])
    return hashes[starts][np.add.reduceat(documents, starts) >= min_documents]


@dataclass(kw_only=True, slots=True)
class PassageCount:
    """What is known of one passage so far; two of them add up to one, in any order."""

    documents: int = 0
    occurrences: int = 0
    alone: int = 0
    bytes: int = 0
    stay: int = 0
    shown: tuple[str, str] = ("", "")  # the smallest (document id, text)
    examples: list[str] = field(default_factory=list)  # the smallest document ids
    rules: Counter[str] = field(default_factory=Counter)

    def add(self, doc_id: str, text: str, rule: str, *, alone: bool, is_new: bool, examples: int) -> None:
        """Count an occurrence; is_new: it is the first one in its document."""
        self.shown = min(self.shown, (doc_id, text)) if self.occurrences else (doc_id, text)
        self.occurrences += 1
        self.alone += alone
        self.bytes += len(text.encode("utf-8", "surrogatepass"))
        if rule:
            self.rules[rule] += 1
        else:
            self.stay += 1
        if is_new:
            self.documents += 1
            if len(self.examples) < examples or doc_id < self.examples[-1]:
                self.examples = nsmallest(examples, {*self.examples, doc_id})

    def take(self, other: "PassageCount", examples: int) -> None:
        """Count what another tally of the same passage has counted elsewhere."""
        self.shown = min(self.shown, other.shown) if self.occurrences else other.shown
        for name in ("documents", "occurrences", "alone", "bytes", "stay"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.examples = nsmallest(examples, {*self.examples, *other.examples})
        self.rules.update(other.rules)


PassageCounts = dict[tuple[bool, str], PassageCount]  # by paragraph or not, and folded text


def tally_batch(batch: CutBatch, frequent: Hashes, config: PassagesConfig, tallies: PassageCounts) -> None:
    """Count the passages of a batch whose hash is among some (ascending) into tallies."""
    found = np.flatnonzero(batch.long_enough(config.min_characters) & _among(batch.hashes, frequent))
    last: dict[tuple[bool, str], int] = {}
    for k, folded in zip(found.tolist(), batch.folded.take(pa.array(found)).to_pylist(), strict=True):
        key, owner = (batch.paragraphs[k], folded), batch.owners[k]
        tally = tallies.get(key)
        if tally is None:
            tally = tallies[key] = PassageCount()
        is_new = last.get(key) != owner
        last[key] = owner
        doc_id, alone = batch.doc_ids[owner], batch.alone[k]
        tally.add(doc_id, batch.texts[k], batch.rules[k], alone=alone, is_new=is_new, examples=config.examples)


def _among(hashes: Hashes, ascending: Hashes) -> Any:
    if not len(ascending):
        return np.zeros(len(hashes), np.bool_)
    places = np.minimum(np.searchsorted(ascending, hashes), len(ascending) - 1)
    return ascending[places] == hashes


def merge(tallies: PassageCounts, row: CountRow, config: PassagesConfig) -> None:
    """Add what a row says of a passage to the tallies of many."""
    other = PassageCount(
        documents=row.documents,
        occurrences=row.occurrences,
        alone=row.alone,
        bytes=row.bytes,
        stay=row.stay,
        shown=(row.doc_id, row.text),
        examples=list(row.examples),
        rules=Counter({count.rule: count.occurrences for count in row.rules}),
    )
    key = (row.paragraph, row.folded)
    if own := tallies.get(key):
        own.take(other, config.examples)
    else:
        tallies[key] = other


def tally_rows(tallies: PassageCounts) -> list[CountRow]:
    """Return tallies as rows, in an order of their own."""
    return [
        CountRow(
            paragraph=paragraph,
            folded=folded,
            documents=tally.documents,
            occurrences=tally.occurrences,
            alone=tally.alone,
            bytes=tally.bytes,
            stay=tally.stay,
            doc_id=tally.shown[0],
            text=tally.shown[1],
            examples=tuple(tally.examples),
            rules=_counted(tally),
        )
        for (paragraph, folded), tally in sorted(tallies.items(), key=lambda item: item[0])
    ]


def _counted(tally: PassageCount) -> tuple[RuleCount, ...]:
    rules = sorted(tally.rules.items(), key=lambda item: (-item[1], item[0]))
    return tuple(RuleCount(rule=rule, occurrences=count) for rule, count in rules)


def passage_of(key: tuple[bool, str], tally: PassageCount) -> Passage:
    """Return the row of a passage that is counted to the end."""
    rules = _counted(tally)
    return Passage(
        kind=PassageKind.PARAGRAPH if key[0] else PassageKind.SENTENCE,
        text=tally.shown[1],
        folded=key[1],
        documents=tally.documents,
        occurrences=tally.occurrences,
        alone=tally.alone,
        bytes=tally.bytes,
        examples=tuple(tally.examples),
        rule=rules[0].rule if 2 * tally.stay < tally.occurrences else "",
        stay=tally.stay,
        rules=rules,
    )


def order_of(passage: Passage) -> tuple[int, int, str, str]:
    """Return the place of a passage in the list: in most documents first, then of most bytes."""
    return -passage.documents, -passage.bytes, passage.kind, passage.folded


def top(passages: Iterable[Passage], most: int) -> list[Passage]:
    """Return the first passages by `order_of`, holding twice as many at most."""
    kept: list[Passage] = []
    for passage in passages:
        kept.append(passage)
        if len(kept) >= 2 * most:
            kept = sorted(kept, key=order_of)[:most]
    return sorted(kept, key=order_of)[:most]


def finished_passages(tallies: PassageCounts, config: PassagesConfig) -> Iterator[Passage]:
    """Yield the passages that stand in enough documents; hashes that met by chance are gone now."""
    for key, tally in tallies.items():
        if tally.documents >= config.min_documents:
            yield passage_of(key, tally)
