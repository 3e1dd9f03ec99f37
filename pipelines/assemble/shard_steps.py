"""The last steps of `assemble` as DoFns: decisions, shards, and the commit."""

import os
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindows

from corpus.assemble import facts
from corpus.assemble.change_feed import leave_feed
from corpus.assemble.other_ids import load_survivor_ids
from corpus.assemble.shards import place, shard_blocks, write_shard
from corpus.assemble.tags import ClusterPlaces
from corpus.dedup.resolve import Outcome
from corpus.stage.manifest import SPLITS, has_manifest, read_manifest
from corpus.stage.workspace import Receipt
from pipelines.assemble.blocks import Blocks
from pipelines.assemble.steps import CONFLICTS, OUTCOME, PartStep, Resolved, Step
from pipelines.beam.exchange import read_blocks
from pipelines.beam.metering import count, count_books

BLOCKS_BYTES = 64 << 20  # of kept documents that wait in a worker until they are cut by shard


class Place(PartStep):
    """part → receipt of its decisions; on the output `blocks`: (shard, Arrow stream of kept documents).

    The documents of several parts go into one block of a shard: a part of 500 articles has less than one for each
    of two thousand shards.
    """

    _outcome: Outcome | None = None
    _other_ids: Mapping[int, str] = MappingProxyType({})
    _clusters: ClusterPlaces | None = None

    def start_bundle(self) -> None:
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0

    def process(self, element: int, resolved: Resolved) -> Iterator[Any]:
        plan = self._plan
        if self._outcome is None:  # the side input says that it is written; once a worker, not once a part
            self._outcome = Outcome.load(plan.workspace.path(OUTCOME))
            if plan.other.files:
                self._other_ids = load_survivor_ids(plan.workspace)
            if plan.config.duplicates == "tag":
                self._clusters = ClusterPlaces.load(plan.workspace)
        receipt, kept = place(
            part=element,
            stem=plan.records.names[element],
            outcome=self._outcome,
            shards=resolved.shards,
            workspace=plan.workspace,
            config=plan.config,
            other_ids=self._other_ids,
            clusters=self._clusters,
        )
        yield 0, count_books(receipt)
        self._waiting.append(kept)
        self._waiting_bytes += kept.nbytes
        if self._waiting_bytes >= BLOCKS_BYTES:
            for pair in self._take():
                yield beam.pvalue.TaggedOutput("blocks", pair)

    def finish_bundle(self) -> Iterator[Any]:
        for pair in self._take():
            yield beam.pvalue.TaggedOutput("blocks", GlobalWindows.windowed_value(pair))

    def _take(self) -> Iterator[tuple[int, bytes]]:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        yield from shard_blocks(waiting)


def empty_blocks(resolved: Resolved) -> Iterator[tuple[int, bytes]]:
    """Yield (shard, nothing) for each shard, so that one whose range holds no document is written too."""
    yield from ((number, b"") for number in range(resolved.shards.num_all))


class WriteShard(Step):
    """(shard, Arrow streams) → receipt."""

    def process(self, element: tuple[int, Blocks], resolved: Resolved) -> Iterator[tuple[int, Receipt]]:
        number, blocks = element
        full = (block for block in read_blocks(blocks) if block)
        plan = self._plan
        receipt = write_shard(
            number,
            full,
            shards=resolved.shards,
            workspace=plan.workspace,
            stems=plan.records.names,
            tags=plan.config.duplicates == "tag",
        )
        names = map(facts.text_bytes, SPLITS)
        count("text bytes in shards", sum(receipt.facts.get(name, 0) for name in names))
        if not self._plan.keep_shards:
            for part in receipt.parts:
                os.unlink(self._plan.workspace.path(part.path))
        yield 0, receipt


class Commit(Step):
    """All receipts → the manifest."""

    def process(self, element: tuple[int, Iterable[Receipt]], resolved: Resolved) -> None:
        conflicts = self._plan.workspace.finished(CONFLICTS)
        assert conflicts is not None, "the step before left a receipt of the list of conflicts"
        receipts = sorted([*element[1], conflicts], key=lambda receipt: receipt.task)
        summary = facts.added_up([resolved.facts, *(receipt.facts for receipt in receipts)])
        workspace = self._plan.workspace
        if workspace.beside and has_manifest(workspace.output):
            old = read_manifest(workspace.output, workspace.stage)
            if old.fingerprint != workspace.fingerprint:
                leave_feed(workspace, old, [part for receipt in receipts for part in receipt.parts])
        workspace.commit(receipts, summary=summary)
