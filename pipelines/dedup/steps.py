"""The steps of `dedup` as DoFns: an element is a file of anyone's corpus, a block of rows, or a receipt.

What stands between the hashes of documents and the verified pairs is `pipelines.assemble.search`, as in `assemble`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from corpus.arrays.types import Keys, Numbers
from corpus.assemble.other_corpus import OtherCorpus
from corpus.dedup.candidates import bounded_candidate_edges
from corpus.foreign.conclude import check_signed, conclude_file
from corpus.foreign.config import DedupConfig
from corpus.foreign.fates import ForeignFates, decide_foreign, lengths_of
from corpus.foreign.files import ForeignFile
from corpus.foreign.keys import foreign_keys, foreign_places
from corpus.foreign.reading import texts_at
from corpus.foreign.signing import (
    buckets_of,
    field_names,
    listed_ranks,
    read_listed,
    sign_file,
    signed_rows,
)
from corpus.records import are_other
from corpus.stage.workspace import Receipt, Workspace
from pipelines.assemble.blocks import (
    BUCKET,
    REQUEST,
    Blocks,
    gather,
    gather_pairs,
    read_verified,
    runs,
    scatter,
    texts_block,
)
from pipelines.assemble.search import other_requests, planned_blocks
from pipelines.beam.exchange import read_blocks
from pipelines.beam.metering import count, count_books

ID_ROW = np.dtype([("one", "<u8"), ("two", "<u8"), ("key", "<u8")])
WEIGHED_BYTES = 1500  # of text that count as one document where verifications are cut
_NOTICE_MARK = np.uint64((1 << 63) - 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class DedupPlan:
    """What every step knows."""

    workspace: Workspace
    config: DedupConfig
    files: tuple[ForeignFile, ...]
    num_partitions: int
    other: OtherCorpus

    @property
    def threshold(self) -> float:
        """Return the Jaccard similarity that makes a duplicate."""
        return self.config.threshold

    @property
    def containment(self) -> float | None:
        """Return the share of the smaller text in the larger that makes one too, None for none."""
        return self.config.containment

    @property
    def rules(self) -> bool:
        """Say whether twins are kept apart, and notices."""
        return self.config.twins == "apart"

    @property
    def num_ranks(self) -> int:
        """Return the number of columns of a survivor rank."""
        return len(self.config.keep) + 2


class DedupStep(beam.DoFn):
    """A step that knows the plan."""

    def __init__(self, plan: DedupPlan) -> None:
        self._plan = plan


class SignFile(DedupStep):
    """file → (partition, BUCKET rows); on `ids`: (partition, ID_ROW rows); on `receipts`: (0, its receipt)."""

    def process(self, element: int) -> Iterator[Any]:
        plan = self._plan
        receipt = sign_file(element, plan.files[element], plan.workspace, plan.config)
        for signed in signed_rows(element, plan.workspace, plan.config):
            keys = foreign_keys(element, signed["place"].astype(np.int64))
            hashes, owners = buckets_of(signed, keys)
            rows = np.zeros(len(hashes), BUCKET)
            rows["hash"], rows["key"] = hashes, owners
            count("bucket rows", len(rows))
            yield from scatter(rows, rows["hash"], plan.num_partitions)
            has_id = signed["id"].any(axis=1)
            ids = np.zeros(int(has_id.sum()), ID_ROW)
            ids["one"], ids["two"], ids["key"] = signed["id"][has_id, 0], signed["id"][has_id, 1], keys[has_id]
            for pair in scatter(ids, ids["one"], plan.num_partitions):
                yield beam.pvalue.TaggedOutput("ids", pair)
        yield beam.pvalue.TaggedOutput("receipts", (0, receipt))


class FindRepeated(beam.DoFn):
    """(partition, ID_ROW blocks) → keys of the documents whose id one with a smaller key has."""

    def process(self, element: tuple[int, Blocks]) -> Iterator[bytes]:
        rows = np.sort(gather(element[1], ID_ROW), order=["one", "two", "key"])
        same = (rows["one"][1:] == rows["one"][:-1]) & (rows["two"][1:] == rows["two"][:-1])
        if same.any():
            yield rows["key"][1:][same].tobytes()


class FindForeignCandidates(beam.DoFn):
    """(partition, BUCKET blocks) → (0, candidate pairs), of documents whose id is their own alone."""

    def process(self, element: tuple[int, Blocks], repeated: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
        without = repeated_keys(repeated)

        def rows() -> Iterator[np.ndarray]:
            for block in read_blocks(element[1]):
                found = np.frombuffer(block, BUCKET)
                yield found[~np.isin(found["key"] & _NOTICE_MARK, without)] if len(without) else found

        for edges in bounded_candidate_edges(rows):
            if len(edges):
                yield 0, edges.tobytes()


class PlanForeign(DedupStep):
    """(0, candidate pairs) → (block, its pairs); `requests`: (file, REQUEST rows); `other_requests`: by that file."""

    def process(self, element: tuple[int, Blocks]) -> Iterator[Any]:
        blocks, wanted = planned_blocks(gather_pairs(element[1]), self._weights)
        yield from blocks
        for file, block in other_requests(wanted):
            yield beam.pvalue.TaggedOutput("other_requests", (file, block))
        own = wanted[~are_other(wanted["key"])]
        for file, start, end in runs(foreign_places(own["key"])[0]):
            yield beam.pvalue.TaggedOutput("requests", (file, own[start:end].tobytes()))

    def _weights(self, keys: Keys) -> Numbers:
        return 1 + lengths_of(self._plan.workspace)(keys) // WEIGHED_BYTES


class FetchForeignTexts(DedupStep):
    """(file, REQUEST rows) → (block, texts and ranks of the documents asked for)."""

    def process(self, element: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
        number, request = element
        plan, wanted = self._plan, np.frombuffer(request, REQUEST)  # ascending by key
        places = foreign_places(wanted["key"])[1]
        texts = pa.chunked_array([texts_at(plan.files[number], field_names(plan.config), places)])
        listed = read_listed(number, plan.workspace)
        at = np.searchsorted(listed.column("place").to_numpy(), places)
        ranks = listed_ranks(listed.take(pa.array(at)), wanted["key"])
        for block in np.unique(wanted["block"]).tolist():
            asked = wanted["block"] == block
            yield block, texts_block(pa.array(wanted["key"][asked]), texts.filter(pa.array(asked)), ranks[asked])


class CheckSigned(DedupStep):
    """(0, receipts of all files) → 0, once nothing is wrong with them; before any search."""

    def process(self, element: tuple[int, Iterable[Receipt]], repeated: Iterable[bytes]) -> Iterator[int]:
        check_signed(element[1], len(repeated_keys(repeated)), self._plan.config)
        yield 0


class ResolveForeign(DedupStep):
    """(0, verified pairs) → numbers so far; the fates of all documents go to disk."""

    def process(self, element: tuple[int, Blocks], _checked: int) -> Iterator[dict[str, int]]:
        plan = self._plan
        edges = read_verified(element[1])
        fates = decide_foreign(edges, plan.workspace, num_ranks=plan.num_ranks)
        fates.save(plan.workspace)
        yield {
            "verified_pairs": len(edges),
            "twins_kept_apart": edges.num_twins,
            "clusters": len(np.unique(fates.outcome.cluster)),
            "documents_in_clusters": int((~are_other(fates.outcome.member)).sum()),
        }


class WriteFile(DedupStep):
    """file → (0, receipt) of all that comes of it."""

    _fates: ForeignFates | None = None

    def process(
        self, element: int, _numbers: dict[str, int], repeated: Iterable[bytes]
    ) -> Iterator[tuple[int, Receipt]]:
        plan = self._plan
        if self._fates is None:  # the side input says that they are written; once a worker
            self._fates = ForeignFates.load(plan.workspace)
        without = repeated_keys(repeated)
        file = plan.files[element]
        yield 0, count_books(conclude_file(element, file, plan.workspace, plan.config, self._fates, without))


class CommitDedup(DedupStep):
    """All receipts → the manifest."""

    def process(self, element: tuple[int, Iterable[Receipt]], numbers: dict[str, int]) -> None:
        plan = self._plan
        receipts = sorted(element[1], key=lambda receipt: receipt.task)
        signed = [receipt for receipt in receipts if receipt.task.startswith("sign/")]
        found: Counter[str] = Counter()
        for receipt in receipts:
            found.update(receipt.facts.get("duplicates", {}))
        summary = {
            "files": len(plan.files),
            "documents": sum(receipt.facts["documents"] for receipt in signed),
            "text_bytes": sum(receipt.facts["text_bytes"] for receipt in signed),
            "duplicates": dict(sorted(found.items())),
            **numbers,
        }
        plan.workspace.commit(receipts, summary=summary)


def repeated_keys(blocks: Iterable[bytes]) -> Keys:
    """Return the keys of all blocks, ascending."""
    return np.unique(np.frombuffer(b"".join(blocks), np.uint64))
