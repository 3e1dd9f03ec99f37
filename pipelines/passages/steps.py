"""The steps of `passages` as DoFns: an element is a part of the input, or a partition of hashes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from corpus.arrays.types import Hashes
from corpus.passages.config import PassagesConfig
from corpus.passages.counting import (
    HASH_ROW,
    PassageCounts,
    finished_passages,
    frequent_hashes,
    merge,
    top,
)
from corpus.passages.folding import passage_hashes
from corpus.passages.reading import PassageSource
from corpus.passages.rows import CountRow, Passage
from corpus.passages.tasks import finish_passages, hash_part, hashed_rows, tallied_batches, tally_part
from corpus.stage.workspace import Receipt, Workspace
from corpus.storage.ipc import from_block, to_block
from corpus.storage.schema import from_batch, to_table
from pipelines.assemble.blocks import Blocks, gather, runs, scatter
from pipelines.beam.exchange import read_blocks
from pipelines.beam.metering import count, count_books


@dataclass(frozen=True, kw_only=True, slots=True)
class PassagesPlan:
    """What every step knows."""

    workspace: Workspace
    config: PassagesConfig
    sources: tuple[PassageSource, ...]
    num_partitions: int


class PassagesStep(beam.DoFn):
    """A step that knows the plan."""

    def __init__(self, plan: PassagesPlan) -> None:
        self._plan = plan


class HashPart(PassagesStep):
    """part → (partition, HASH_ROW rows); on `receipts`: (0, its receipt)."""

    def process(self, element: int) -> Iterator[Any]:
        plan = self._plan
        receipt = hash_part(element, plan.sources[element], plan.workspace, plan.config)
        for rows in hashed_rows(element, receipt, plan.workspace, HASH_ROW):
            count("passage hashes", len(rows))
            yield from scatter(rows, rows["hash"], plan.num_partitions)
        yield beam.pvalue.TaggedOutput("receipts", (0, count_books(receipt)))


class FindFrequent(PassagesStep):
    """(partition, HASH_ROW blocks) → the hashes that stand in enough documents, as bytes."""

    def process(self, element: tuple[int, Blocks]) -> Iterator[bytes]:
        found = frequent_hashes(gather(element[1], HASH_ROW), self._plan.config.min_documents)
        if len(found):
            yield found.tobytes()


class TallyPart(PassagesStep):
    """part → (partition, tallies of its frequent passages); on `receipts`: (0, its receipt)."""

    def process(self, element: int, frequent: Iterable[bytes]) -> Iterator[Any]:
        plan = self._plan
        receipt = tally_part(element, plan.sources[element], _hashes(frequent), plan.workspace, plan.config)
        for batch in tallied_batches(element, plan.workspace):
            folded = batch.column("folded").cast(pa.large_string())
            hashes = passage_hashes(folded, batch.column("paragraph").to_numpy(zero_copy_only=False))
            partitions = (hashes >> np.uint64(32)) * np.uint64(plan.num_partitions) >> np.uint64(32)
            order = np.argsort(partitions, kind="stable")
            for number, start, end in runs(partitions[order]):
                yield number, to_block(pa.table(batch.take(pa.array(order[start:end])).columns, batch.schema))
        yield beam.pvalue.TaggedOutput("receipts", (0, receipt))


class MergeTallies(PassagesStep):
    """(partition, blocks of tallies) → (0, its first passages and how many there are)."""

    def process(self, element: tuple[int, Blocks]) -> Iterator[tuple[int, bytes]]:
        config, tallies = self._plan.config, PassageCounts()
        for block in read_blocks(element[1]):
            for row in from_batch(from_block(block), CountRow):
                merge(tallies, row, config)
        found = list(finished_passages(tallies, config))
        table = to_table(top(found, config.most), Passage)
        yield 0, to_block(table.replace_schema_metadata({b"found": str(len(found))}))


class CommitPassages(PassagesStep):
    """(0, blocks of passages) → the list and the manifest; receipts: of both passes."""

    def process(self, element: tuple[int, Blocks], receipts: Iterable[tuple[int, Receipt]]) -> None:
        config, numbers = self._plan.config, [0]
        found = top(_passages(element[1], numbers), config.most)
        own = sorted((receipt for _, receipt in receipts), key=lambda receipt: receipt.task)
        facts = {"passages_found": sum(numbers), "min_documents": config.min_documents}
        finish_passages(self._plan.workspace, found, own, facts)


def _passages(blocks: Blocks, numbers: list[int]) -> Iterator[Passage]:
    """Yield the passages of all partitions; how many each had goes to `numbers`."""
    for block in read_blocks(blocks):
        if block:
            table = from_block(block)
            numbers.append(int(table.schema.metadata[b"found"]))
            yield from from_batch(table, Passage)


def _hashes(blocks: Iterable[bytes]) -> Hashes:
    """Return the hashes of all blocks, ascending."""
    return np.unique(np.frombuffer(b"".join(blocks), np.uint64))
