"""The search for duplicates, from bucket rows to verified pairs, for every stage that has documents to compare.

A stage signs its own documents (`pipelines.assemble.steps`, `pipelines.dedup.steps`) and fetches the texts of those
that are candidates; what stands between is here, and knows documents by their keys alone.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

import apache_beam as beam
import numpy as np
import pyarrow as pa

from corpus.arrays.types import EdgeKeys, Keys, Numbers
from corpus.assemble.other_corpus import OtherCorpus
from corpus.dedup.candidates import bounded_candidate_edges, distinct_edges
from corpus.dedup.shingles import normalize, shingle
from corpus.dedup.verify import plan_blocks, verified_edges
from corpus.records import are_other, other_places
from corpus.stage import task_progress
from corpus.stage.workspace import Workspace
from pipelines.assemble.blocks import (
    BUCKET,
    REQUEST,
    Blocks,
    pairs_block,
    read_verification,
    runs,
    verified_block,
)
from pipelines.beam.exchange import read_blocks
from pipelines.beam.metering import count

BLOCK_DOCS = 20_000  # citations whose texts, or as much text, one verification holds at once: about 30 MB
BUCKETS_PER_DOCUMENT = 20  # bands and the exact text, rounded up
PARTITION_BYTES = 32 << 20


class SearchPlan(Protocol):
    """What the search knows of the stage that it works for."""

    @property
    def workspace(self) -> Workspace:
        """Return the stage's directory while it runs."""
        ...

    @property
    def num_partitions(self) -> int:
        """Return the number of partitions of the buckets."""
        ...

    @property
    def other(self) -> OtherCorpus:
        """Return the corpus of `--against`, one without files where there is none."""
        ...

    @property
    def threshold(self) -> float:
        """Return the Jaccard similarity that makes a duplicate."""
        ...

    @property
    def containment(self) -> float | None:
        """Return the share of the smaller text in the larger that makes one too, None for none."""
        ...

    @property
    def rules(self) -> bool:
        """Say whether twins are kept apart, and notices."""
        ...

    @property
    def num_ranks(self) -> int:
        """Return the number of columns of a survivor rank."""
        ...


class SearchStep(beam.DoFn):
    """A step that knows the plan of a search."""

    def __init__(self, plan: SearchPlan) -> None:
        self._plan = plan


def num_partitions(num_docs: int) -> int:
    """Return the number of partitions of the buckets of so many documents."""
    return -(-num_docs * BUCKETS_PER_DOCUMENT * BUCKET.itemsize // PARTITION_BYTES)


class FindCandidates(beam.DoFn):
    """(partition, BUCKET blocks) → (0, candidate pairs); a partition that does not fit in memory is read in slices."""

    def process(self, element: tuple[int, Blocks]) -> Iterator[tuple[int, bytes]]:
        def rows() -> Iterator[np.ndarray]:
            return (np.frombuffer(block, BUCKET) for block in read_blocks(element[1]))

        for edges in bounded_candidate_edges(rows):
            if len(edges):
                yield 0, edges.tobytes()


def planned_blocks(pairs: EdgeKeys, weigh: Callable[[Keys], Numbers]) -> tuple[list[tuple[int, bytes]], np.ndarray]:
    """Return the verifications as (block, its pairs), and REQUEST rows of their documents, ascending by key."""
    edges = distinct_edges(pairs)
    count("candidate pairs", len(edges))
    planned: list[tuple[int, bytes]] = []
    keys, numbers = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint32)]
    for number, block in enumerate(plan_blocks(edges, max_docs=BLOCK_DOCS, weigh=weigh)):
        planned.append((number, pairs_block(block)))
        keys.append(np.unique(block))
        numbers.append(np.full(len(keys[-1]), number, np.uint32))
    wanted = np.zeros(sum(map(len, keys)), REQUEST)
    wanted["key"], wanted["block"] = np.concatenate(keys), np.concatenate(numbers)
    return planned, wanted[np.argsort(wanted["key"])]


def other_requests(wanted: np.ndarray) -> Iterator[tuple[int, bytes]]:
    """Yield (file of another corpus, REQUEST rows) of the documents that are of one."""
    other = wanted[are_other(wanted["key"])]
    for file, start, end in runs(other_places(other["key"])[0]):
        yield file, other[start:end].tobytes()


class Verify(SearchStep):
    """(block, its pairs and texts) → (0, verified pairs)."""

    def process(self, element: tuple[int, Blocks]) -> Iterator[tuple[int, bytes]]:
        edges, table = read_verification(element[1])
        coded = table.column("text").combine_chunks()
        assert isinstance(coded, pa.DictionaryArray), "one dictionary of all texts"
        found = verified_edges(
            edges,
            table.column("key").to_numpy(),
            shingle(normalize(coded.dictionary)),
            texts=coded.dictionary,
            text_of=coded.indices.to_numpy(),
            threshold=self._plan.threshold,
            containment=self._plan.containment,
            ranks=np.stack(table.column("ranks").to_numpy()),
            rules=self._plan.rules,
        )
        count("documents verified", table.num_rows)
        task_progress.add(self._plan.workspace.output, "compared", table.num_rows)
        yield 0, verified_block(found)
