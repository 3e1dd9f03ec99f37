"""The steps of `assemble` as DoFns: each calls one plain function and cuts what it returns into blocks.

Elements are numbers of parts, blocks (`pipelines.assemble.blocks`) and receipts. Texts lie in files of their own
(`corpus.assemble.text_store`); those of candidates cross a shuffle on their way to verification, in compressed
blocks, and what is known of the kept documents does on its way to their shard, with the text only where shards cannot
read it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from corpus.arrays.columns import doc_keys
from corpus.arrays.hashing import GOLDEN
from corpus.arrays.lookup import index_in_sorted
from corpus.assemble import facts
from corpus.assemble.config import AssembleConfig
from corpus.assemble.contamination import evaluation_facts, stated_index
from corpus.assemble.cut import PAPER_MARK, merged_marks, paper_marks, stated_cut
from corpus.assemble.documents import key_rows, make_documents, work_path
from corpus.assemble.fates import decide_fates
from corpus.assemble.full_text_join import RANKED_COLUMNS, rank_table
from corpus.assemble.id_conflicts import Conflict, conflict_counts, find_conflicts
from corpus.assemble.inputs import RecordParts
from corpus.assemble.other_corpus import NO_OTHER, OtherCorpus
from corpus.assemble.other_ids import save_survivor_ids
from corpus.assemble.retractions import retracted_entities
from corpus.assemble.splits import Shards, plan_shards
from corpus.assemble.tags import beside_survivors, places_in_clusters
from corpus.assemble.text_store import read_texts
from corpus.assemble.updates import KEY, VERDICT, fold
from corpus.dedup.survivor_rank import RANK_COLUMNS
from corpus.records import are_other, is_pmc
from corpus.stage.workspace import WORK, Receipt, Workspace
from corpus.storage import parquet
from corpus.storage.array_files import load_arrays
from corpus.storage.schema import to_table
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
from pipelines.beam.metering import count

CONFLICTS = "id_conflicts.parquet"
OUTCOME = f"{WORK}/outcome.npy"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What every step knows."""

    workspace: Workspace
    config: AssembleConfig
    records: RecordParts
    ranks: tuple[int, ...]  # of each part's file, in the order in which files apply
    num_partitions: int  # of the fold and of the buckets
    other: OtherCorpus = NO_OTHER
    keep_shards: bool = True  # False in a rehearsal: a shard is written, hashed and removed

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
        """Say that twins are kept apart, and notices."""
        return True

    @property
    def num_ranks(self) -> int:
        """Return the number of columns of a survivor rank."""
        return len(RANK_COLUMNS)

    def document_paths(self) -> list[str]:
        """Return the full paths of the documents parts."""
        return [path for path, _ in self.text_paths()]

    def text_paths(self) -> list[tuple[str, str]]:
        """Return the full paths of the documents parts, and of the texts that belong to them."""
        places = ((work_path("documents", stem), work_path("texts", stem)) for stem in self.records.names)
        return [(self.workspace.path(documents), self.workspace.path(texts)) for documents, texts in places]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """What the last steps wait for: the fates are on disk, and these are the shards and the numbers so far."""

    facts: dict[str, int]
    shards: Shards


class Step(beam.DoFn):
    """A step that knows the plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan


class PartStep(Step):
    """A step whose elements are parts of records, of one source each."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.part_names = plan.records.names


class ReadKeys(PartStep):
    """part → (partition, KEY rows)."""

    def process(self, element: int) -> Iterator[tuple[int, bytes]]:
        plan = self._plan
        cut = stated_cut(plan.config, plan.workspace)
        keys = key_rows(plan.records, part=element, rank=plan.ranks[element], cut=cut)
        # Fibonacci hashing: neighbouring PMIDs go to different partitions.
        mixed = keys["entity"] * GOLDEN
        yield from scatter(keys, mixed, self._plan.num_partitions)


class FoldState(beam.DoFn):
    """(partition, KEY blocks) → (part, VERDICT rows); on `retracted`: such entities; on `marks`: PAPER_MARK rows."""

    def process(self, element: tuple[int, Blocks]) -> Iterator[Any]:
        keys = gather(element[1], KEY)
        verdicts = fold(keys)
        if len(named := retracted_entities(keys, verdicts)):
            yield beam.pvalue.TaggedOutput("retracted", named.tobytes())
        if len(marks := paper_marks(keys, verdicts)):
            yield beam.pvalue.TaggedOutput("marks", marks.tobytes())
        for part, start, end in runs(verdicts["part"]):
            yield part, verdicts[start:end].tobytes()


class MakeDocuments(PartStep):
    """(part, VERDICT blocks) → (partition, BUCKET rows); the documents go to disk."""

    def process(
        self, element: tuple[int, Blocks], retracted: Iterable[bytes], marks: Iterable[bytes]
    ) -> Iterator[tuple[int, bytes]]:
        part, blocks = element
        verdicts = gather(blocks, VERDICT)
        verdicts = verdicts[np.argsort(verdicts["row"])]
        plan = self._plan
        make_documents(
            plan.records,
            part=part,
            verdicts=verdicts,
            retracted=np.unique(np.frombuffer(b"".join(retracted), np.uint64)),
            workspace=plan.workspace,
            config=plan.config,
            marks=merged_marks(np.frombuffer(b"".join(marks), PAPER_MARK)),
        )
        arrays = load_arrays(plan.workspace.path(work_path("buckets", plan.records.names[part])))
        rows = np.zeros(len(arrays["keys"]), BUCKET)
        rows["hash"], rows["key"] = arrays["hashes"], arrays["keys"]
        count("bucket rows", len(rows))
        yield from scatter(rows, rows["hash"], plan.num_partitions)


class PlanVerification(Step):
    """(0, candidate pairs) → (block, its pairs); on `requests`: (part, REQUEST rows); on `other_requests`: by file."""

    def process(self, element: tuple[int, Blocks]) -> Iterator[Any]:
        blocks, wanted = planned_blocks(gather_pairs(element[1]), _weights)
        yield from blocks
        for file, block in other_requests(wanted):
            yield beam.pvalue.TaggedOutput("other_requests", (file, block))
        for part, path in enumerate(self._plan.document_paths()):
            table = parquet.read_table(path, columns=["doc_key"])
            at = index_in_sorted(doc_keys(table), wanted["key"])
            here = wanted[np.sort(at[at >= 0])]
            if len(here):
                yield beam.pvalue.TaggedOutput("requests", (part, here.tobytes()))


class FetchTexts(PartStep):
    """(part, REQUEST rows) → (block, texts and ranks of the documents asked for)."""

    def process(self, element: tuple[int, bytes]) -> Iterator[tuple[int, bytes]]:
        part, request = element
        wanted = np.frombuffer(request, REQUEST)  # ascending by key
        stem, workspace = self._plan.records.names[part], self._plan.workspace
        columns = [*RANKED_COLUMNS, "text_start"]
        table = parquet.read_table(workspace.path(work_path("documents", stem)), columns=columns)
        keys = doc_keys(table)
        table = table.take(pa.array(np.flatnonzero(index_in_sorted(keys, wanted["key"]) >= 0))).sort_by("doc_key")
        # Whether a citation is joined is not known yet; ranks only choose whom a large component is compared with.
        ranks = rank_table(table, np.zeros(table.num_rows, bool))
        places = (table.column(name).to_numpy() for name in ("text_start", "length"))
        texts = read_texts(workspace.path(work_path("texts", stem)), *places)
        for block in np.unique(wanted["block"]).tolist():
            asked = wanted["block"] == block
            yield block, texts_block(pa.array(wanted["key"][asked]), texts.filter(pa.array(asked)), ranks[asked])


class Resolve(Step):
    """(0, verified pairs) → `Resolved`; the outcome goes to one file."""

    def process(self, element: tuple[int, Blocks]) -> Iterator[Resolved]:
        plan = self._plan
        paths = plan.document_paths()
        fates = decide_fates(read_verified(element[1]), plan.text_paths(), by_id=plan.config.profile != "pile")
        outcome = fates.outcome
        if plan.config.duplicates == "tag":
            outcome = beside_survivors(outcome)
            places_in_clusters(outcome, fates.join, paths).save(plan.workspace)
        outcome.save(plan.workspace.path(OUTCOME))
        if plan.other.files:
            save_survivor_ids(outcome, plan.workspace)
        conflicts = find_conflicts(paths)
        parquet.write_table(plan.workspace.path(CONFLICTS), to_table(conflicts, Conflict))
        file = plan.workspace.measure(CONFLICTS, role="id_conflicts", rows=len(conflicts))
        plan.workspace.finish(Receipt(task=CONFLICTS, parts=(file,)))
        shards = plan_shards(paths, outcome, plan.config)
        counts = {
            **conflict_counts(conflicts),
            **evaluation_facts(stated_index(plan.config, plan.workspace)),
            **shards.facts(),
            facts.VERIFIED_PAIRS: len(fates.edges),
            facts.TWINS_KEPT_APART: fates.edges.num_twins,
            facts.ABSTRACTS_BESIDE_FULL_TEXTS: len(fates.join.beside),
            **{facts.full_text_found_by(name): found for name, found in fates.join.found_by.items()},
        }
        yield Resolved(facts=counts, shards=shards)


def _weights(keys: np.ndarray) -> np.ndarray:
    """Return as how many citations the text of each document counts: an article is as long as 25; others may be."""
    return np.where(is_pmc(keys) | are_other(keys), 25, 1)
