"""Plan of shards: which articles go into which, a function of what was chosen and of the earlier store's shards."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from corpus import storage
from corpus.fetch.pmc.article_shards import Group, ShardSources, Slot
from corpus.fetch.pmc.candidates import cut, is_in
from corpus.fetch.pmc.inventory_rows import PmcIds
from corpus.fetch.pmc.metadata_rows import Detail
from corpus.ncbi.archives.article_store import INDEX, IndexRow
from corpus.storage import parquet
from corpus.storage.schema import from_batch

LAST_ID = 1 << 62
_BATCH = 1024  # rows of metadata read at once


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardPlan:
    """The articles of all shards, in the order of ids: those chosen, and those that only the earlier store has.

    `files` hold the metadata of the chosen; `chosen` and `listed` (all that the inventory lists) are sorted ids.
    """

    files: Sequence[str]
    chosen: PmcIds
    listed: PmcIds
    sources: ShardSources
    date: str
    older: Mapping[int, int] = field(default_factory=dict)  # the version that counts, where it is not the newest

    def groups(self) -> Iterator[Group]:
        """Yield the slots of one shard after the other."""
        size = self.sources.config.articles_per_shard
        spans = cut(self.chosen, size, self.sources.previous.borders(INDEX)) if len(self.chosen) else []
        starts = [int(self.chosen[first]) for first, _ in spans]
        for number, (first, last) in enumerate(spans):
            begin = 0 if number == 0 else starts[number]
            end = starts[number + 1] - 1 if number + 1 < len(spans) else LAST_ID
            yield self._group(self.chosen[first:last], begin, end)
        if not spans:
            lost = self._vanished(list(self.sources.previous.rows(0, LAST_ID)))
            for at in range(0, len(lost), size):
                yield Group(slots=lost[at : at + size], texts=pa.array([], pa.binary()))

    def _group(self, ids: PmcIds, begin: int, end: int) -> Group:
        rows = list(self.sources.previous.rows(begin, end))
        old = {(row.pmcid, row.version, row.etag): row for row in rows}
        details, texts = self._details(ids)
        slots = []
        for number, detail in enumerate(details):
            row = old.get((detail.pmcid, detail.version, detail.etag))
            kept = dataclasses.replace(row, vanished="") if row else None
            slots.append(Slot(detail=detail, old=kept, text=number))
        slots += self._vanished(rows)
        return Group(slots=sorted(slots, key=lambda slot: slot.key[:2]), texts=texts)

    def _vanished(self, rows: Sequence[IndexRow]) -> list[Slot]:
        """Return those articles of the earlier store that the inventory no longer lists, marked."""
        there = is_in(np.array([row.pmcid for row in rows], np.int64), self.listed)
        lost = [row for row, is_there in zip(rows, there, strict=True) if not is_there]
        return [Slot(detail=None, old=dataclasses.replace(row, vanished=row.vanished or self.date)) for row in lost]

    def _details(self, ids: PmcIds) -> tuple[list[Detail], pa.Array]:
        """Return the metadata of some ids, and apart from it, compact, their JSON."""
        first, last = int(ids[0]), int(ids[-1])
        details: list[Detail] = []
        texts = [pa.array([], pa.binary())]
        for path in self.files:
            start, end = _bounds(path)
            if start <= last and first <= end:
                for batch in parquet.iter_batches(path, batch_size=_BATCH):
                    wanted = batch.filter(pa.array(is_in(batch.column("pmcid").to_numpy(), ids)))
                    wanted = wanted.filter(pa.array(self._counts(wanted), pa.bool_()))
                    details += from_batch(wanted, Detail, without=("json",))
                    texts.append(wanted.column("json"))
        if self.older:  # files of older versions lie beside those of the newest
            order = sorted(range(len(details)), key=lambda place: details[place].pmcid)
            return [details[place] for place in order], pa.concat_arrays(texts).take(pa.array(order, pa.int64()))
        return details, pa.concat_arrays(texts)

    def _counts(self, rows: pa.RecordBatch) -> list[bool]:
        """Say of each row whether its version is the one that counts."""
        pairs = zip(rows.column("pmcid").to_pylist(), rows.column("version").to_pylist(), strict=True)
        return [self.older.get(pmcid, version) == version for pmcid, version in pairs]


def _bounds(path: str) -> tuple[int, int]:
    start, end = storage.base_name(path).split("-")[1:3]
    return int(start), int(end)
