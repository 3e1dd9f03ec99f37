"""Which articles go into which shard: a function of what was chosen and of the earlier store's shards."""

import dataclasses
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import parquet, storage
from corpus.fetch.articles import Shop, Slot
from corpus.fetch.details import Detail
from corpus.fetch.listing import Ids, Listing
from corpus.fetch.plan import ranges
from corpus.ncbi.store import INDEX
from corpus.schema import from_batch

_LAST_ID = 1 << 62


class Slots:
    """The articles of all shards, in the order of ids: those chosen, and those that only the earlier store has."""

    def __init__(self, *, files: Sequence[str], chosen: Ids, listed: Ids, shop: Shop, date: str) -> None:
        self._files, self._chosen, self._listed, self._shop, self._date = files, chosen, listed, shop, date
        self._first_last = [_bounds(path) for path in files]
        self._table = lru_cache(maxsize=2)(parquet.read_table)

    def groups(self) -> Iterator[list[Slot]]:
        """Yield the slots of one shard after the other."""
        size = self._shop.config.articles_per_shard
        borders = self._shop.previous.borders(INDEX)
        empty = Listing(
            pmcids=self._chosen,
            versions=np.zeros(len(self._chosen), np.int32),
            etags=np.zeros((len(self._chosen), 16), np.uint8),
            num_rows=0,
            num_others=0,
        )
        spans = ranges(empty, size, borders) if len(self._chosen) else []
        for number, span in enumerate(spans):
            begin = 0 if number == 0 else span.start_id
            end = spans[number + 1].start_id - 1 if number + 1 < len(spans) else _LAST_ID
            yield self._group(self._chosen[span.first : span.last], begin, end)
        if not spans:
            lost = self._vanished(0, _LAST_ID)
            yield from [lost[at : at + size] for at in range(0, len(lost), size)]

    def _group(self, ids: Ids, begin: int, end: int) -> list[Slot]:
        old = {(row.pmcid, row.version, row.etag): row for row in self._shop.previous.rows(begin, end)}
        slots = []
        for detail in self._details(ids):
            row = old.get((detail.pmcid, detail.version, detail.etag))
            slots.append(Slot(detail=detail, old=dataclasses.replace(row, vanished="") if row else None))
        slots += self._vanished(begin, end)
        return sorted(slots, key=lambda slot: slot.key[:2])

    def _vanished(self, begin: int, end: int) -> list[Slot]:
        """Return the articles of the earlier store that the inventory no longer lists, marked."""
        rows = list(self._shop.previous.rows(begin, end))
        there = np.isin(np.array([row.pmcid for row in rows], np.int64), self._listed)
        lost = [row for row, is_there in zip(rows, there, strict=True) if not is_there]
        return [Slot(detail=None, old=dataclasses.replace(row, vanished=row.vanished or self._date)) for row in lost]

    def _details(self, ids: Ids) -> list[Detail]:
        first, last = int(ids[0]), int(ids[-1])
        found: list[Detail] = []
        for path, (start, end) in zip(self._files, self._first_last, strict=True):
            if start <= last and first <= end:
                table = self._table(path)
                found += from_batch(table.filter(pc.is_in(table["pmcid"], value_set=pa.array(ids))), Detail)
        return sorted(found, key=lambda detail: detail.pmcid)


def _bounds(path: str) -> tuple[int, int]:
    _, start, end, *_ = storage.base_name(path).split("-")
    return int(start), int(end)
