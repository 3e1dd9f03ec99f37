"""The steps of `assemble` that read another corpus as DoFns: what its documents bring to the search, and their texts.

An element is a file of it. Neither holds more than some documents of the file at once: bucket rows and texts leave as
blocks, and of candidates alone the ids go to disk, for the decisions that name them.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from corpus.assemble.documents import bucket_rows_of
from corpus.assemble.other_corpus import OtherTexts
from corpus.assemble.other_ids import OtherId, other_ids_path
from corpus.dedup.notices import are_notices
from corpus.dedup.survivor_rank import other_ranks
from corpus.records import other_keys, other_places
from corpus.storage import parquet
from corpus.storage.schema import to_table
from pipelines.assemble.blocks import BUCKET, REQUEST, scatter, texts_block
from pipelines.assemble.search import SearchPlan, SearchStep
from pipelines.beam.metering import count

HELD_ROWS = 2 << 20  # bucket rows that wait until they are cut by partition: 32 MB
HELD_BYTES = 16 << 20  # of texts that wait until they are cut by verification


class SignOther(SearchStep):
    """file of another corpus → (partition, BUCKET rows)."""

    def process(self, element: int) -> Iterator[tuple[int, bytes]]:
        plan = self._plan
        waiting = [np.zeros(0, BUCKET)]
        for some in plan.other.read(element):
            waiting.append(_bucket_rows(some, element, plan))
            count("documents of the other corpus", len(some.ids))
            if sum(map(len, waiting)) >= HELD_ROWS:
                yield from _scattered(waiting, plan)
                waiting = [np.zeros(0, BUCKET)]
        yield from _scattered(waiting, plan)


class FetchOtherTexts(SearchStep):
    """(file of another corpus, REQUEST rows) → (block, texts and ranks asked for); the ids of these go to disk."""

    def process(self, element: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
        number, request = element
        wanted = np.frombuffer(request, REQUEST)  # ascending by key, so by row
        rows = other_places(wanted["key"])[1]
        ids: list[OtherId] = []
        texts: list[pa.Array] = []
        held, first = 0, 0
        for some in self._plan.other.read(number):
            start, end = np.searchsorted(rows, [some.first_row, some.first_row + len(some.ids)])
            if start == end:
                continue
            own = rows[start:end] - some.first_row
            ids += [OtherId(key=int(wanted["key"][start + k]), id=some.ids[row]) for k, row in enumerate(own.tolist())]
            texts.append(some.texts.take(pa.array(own)).fill_null(""))
            held += texts[-1].nbytes
            if held >= HELD_BYTES:
                yield from _text_blocks(wanted[first:end], texts, self._plan.num_ranks)
                held, first, texts = 0, int(end), []
        yield from _text_blocks(wanted[first:], texts, self._plan.num_ranks)
        parquet.write_table(self._plan.workspace.path(other_ids_path(number)), to_table(ids, OtherId))


def _bucket_rows(some: OtherTexts, number: int, plan: SearchPlan) -> np.ndarray:
    texts = some.texts.fill_null("")
    keys = other_keys(number, some.first_row + np.arange(len(texts)))
    hashes, owners = bucket_rows_of(keys, texts, are_notices(texts) & plan.rules, plan.threshold)
    rows = np.zeros(len(owners), BUCKET)
    rows["hash"], rows["key"] = hashes, owners
    return rows


def _scattered(waiting: list[np.ndarray], plan: SearchPlan) -> Iterator[tuple[int, bytes]]:
    rows = np.concatenate(waiting)
    count("bucket rows", len(rows))
    yield from scatter(rows, rows["hash"], plan.num_partitions)


def _text_blocks(wanted: np.ndarray, texts: Iterable[pa.Array], num_ranks: int) -> Iterator[tuple[int, bytes]]:
    """Yield a block of texts for each verification that asks for some of them."""
    together = pa.chunked_array(list(texts), pa.large_string())
    ranks = other_ranks(wanted["key"], num_ranks)
    for block in np.unique(wanted["block"]).tolist():
        asked = wanted["block"] == block
        yield block, texts_block(pa.array(wanted["key"][asked]), together.filter(pa.array(asked)), ranks[asked])
