"""From documents and their fates to corpus shards: where each kept document goes, and what is said of every other.

The split goes by cluster and by a hash of its smallest id, so that no resemblance crosses it and it stays when the
corpus grows. Inside a split the documents are ordered by a hash of (seed, document id): shards are balanced,
and any worker count gives the same bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from corpus import parquet
from corpus.blocks import from_block, to_block
from corpus.config import AssembleConfig
from corpus.dedup.resolve import REASONS
from corpus.documents import SHARD_COLUMNS, Document, EarlyDecision, work_path
from corpus.lookup import places_in
from corpus.manifest import Books
from corpus.records import doc_id
from corpus.schema import from_batch, to_table
from corpus.workspace import Receipt, Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What became of one record; every record has one."""

    doc_id: str
    source: str
    kind: str
    kept: bool
    reason: str  # "" when kept, else a `corpus.quality.DropReason`
    survivor: str  # the kept document that stands for a duplicate, the newer record for an outdated one; else ""
    matched: str  # the document that `score` compares with: the survivor, or the citation its full text stands for
    score: float | None  # exact Jaccard similarity of word 5-shingles with `matched`
    cluster: str  # smallest id of the documents that resemble each other; its own id when alone
    split: str  # train or validation when kept


@dataclass(frozen=True, kw_only=True, slots=True)
class Shards:
    """How many shards each split has, and the numbers by which the shuffle knows them."""

    num_train: int
    num_validation: int

    @property
    def num_all(self) -> int:
        """Return the number of shards of both splits."""
        return self.num_train + self.num_validation

    def name(self, number: int) -> tuple[str, str]:
        """Return (split, file name) of a shard."""
        if number < self.num_train:
            return "train", f"train/part-{number:05d}-of-{self.num_train:05d}.parquet"
        return "validation", f"validation/part-{number - self.num_train:05d}-of-{self.num_validation:05d}.parquet"


def plan_shards(text_bytes: int, config: AssembleConfig) -> Shards:
    """Return the shards for a corpus of so many bytes of text before any document is dropped."""
    num_train = max(1, -(-text_bytes // (config.shard_mb * 1_000_000)))
    return Shards(num_train=num_train, num_validation=max(1, round(num_train * config.validation)))


def place(
    *, part: int, outcome: dict[str, np.ndarray], shards: Shards, workspace: Workspace, config: AssembleConfig
) -> tuple[Receipt, list[tuple[int, bytes]]]:
    """Write the decisions on one records part; return their receipt and its kept documents as (shard, block) pairs."""
    table = parquet.read_table(workspace.path(work_path("documents", part)))
    early = from_batch(parquet.read_table(workspace.path(work_path("early", part))), EarlyDecision)
    keys = table.column("doc_key").to_numpy().astype(np.uint64)
    member, lost = places_in(keys, outcome["member"]), places_in(keys, outcome["dropped"])
    clusters = np.where(member >= 0, outcome["cluster"][member], keys) if len(outcome["cluster"]) else keys
    kept = lost < 0
    ids = table.column("doc_id").to_pylist()
    cluster_ids = [doc_id(cluster) for cluster in clusters.tolist()]
    validation = np.array([_unit(cluster, config.seed) < config.validation for cluster in cluster_ids], bool)
    rows = _document_decisions(table, lost, outcome, cluster_ids, validation)
    rows += [(item.row, _early_decision(item)) for item in early]
    decisions = [decision for _, decision in sorted(rows, key=lambda row: row[0])]
    name = f"decisions/part-{part:05d}.parquet"
    parquet.write_table(workspace.path(name), to_table(decisions, Decision))
    receipt = Receipt(
        task=f"decisions/{part:05d}",
        parts=(workspace.measure(name, role="decisions", rows=len(decisions)),),
        books=_books(decisions),
    )
    order = np.array([xxhash.xxh3_64_intdigest(name.encode(), config.seed) for name in ids], np.uint64)
    return workspace.finish(receipt), list(_blocks(table, order, kept, validation, shards))


def write_shard(number: int, blocks: Iterable[bytes], *, shards: Shards, workspace: Workspace) -> Receipt:
    """Write one corpus shard from the blocks that came for it, in the order of the hash of (seed, id)."""
    split, name = shards.name(number)
    task = f"shard/{name}"
    if done := workspace.finished(task):
        return done
    tables = [table for block in blocks if (table := from_block(block)).num_rows]
    table = pa.concat_tables(tables) if tables else _empty_shard()
    table = table.sort_by([("order", "ascending"), ("doc_id", "ascending")]).select(SHARD_COLUMNS)
    parquet.write_table(workspace.path(name), table)
    facts = {f"{split}_documents": table.num_rows, f"{split}_text_bytes": _num_bytes(table)}
    for source in ("pubmed", "pmc"):
        facts[f"{split}_documents_{source}"] = pc.sum(pc.equal(table.column("source"), source)).as_py() or 0
    part = workspace.measure(name, role=split, rows=table.num_rows)
    return workspace.finish(Receipt(task=task, parts=(part,), facts=facts))


def _document_decisions(
    table: pa.Table,
    places: np.ndarray,
    outcome: dict[str, np.ndarray],
    cluster_ids: list[str],
    validation: np.ndarray,
) -> list[tuple[int, Decision]]:
    """Return (row, decision) of each document; places: int64[num_rows] into the dropped ones, -1 for the kept."""
    columns = [table.column(name).to_pylist() for name in ("row", "doc_id", "source", "kind")]
    rows = []
    for i, (row, name, source, kind) in enumerate(zip(*columns, strict=True)):
        lost = None if places[i] < 0 else int(places[i])
        score = None if lost is None or np.isnan(outcome["score"][lost]) else float(outcome["score"][lost])
        decision = Decision(
            doc_id=name,
            source=source,
            kind=kind,
            kept=lost is None,
            reason="" if lost is None else str(REASONS[outcome["reason"][lost]]),
            survivor="" if lost is None else doc_id(outcome["survivor"][lost]),
            matched="" if lost is None else doc_id(outcome["matched"][lost]),
            score=score,
            cluster=cluster_ids[i],
            split="" if lost is not None else "validation" if validation[i] else "train",
        )
        rows.append((row, decision))
    return rows


def _early_decision(item: EarlyDecision) -> Decision:
    return Decision(
        doc_id=item.doc_id,
        source=item.source,
        kind=item.kind,
        kept=False,
        reason=item.reason,
        survivor=item.survivor,
        matched="",
        score=None,
        cluster=item.doc_id,
        split="",
    )


def _blocks(
    table: pa.Table, order: np.ndarray, kept: np.ndarray, validation: np.ndarray, shards: Shards
) -> Iterable[tuple[int, bytes]]:
    """Yield (shard number, Arrow stream) for the kept documents; a shard is a range of the hash."""
    split_shards = np.where(validation, shards.num_validation, shards.num_train)
    number = ((order >> np.uint64(32)) * split_shards.astype(np.uint64) >> np.uint64(32)).astype(np.int64)
    number += np.where(validation, shards.num_train, 0)
    table = table.select(SHARD_COLUMNS).append_column("order", pa.array(order))
    for shard in np.unique(number[kept]).tolist():
        yield shard, to_block(table.filter(pa.array(kept & (number == shard))))


def _empty_shard() -> pa.Table:
    return to_table([], Document).append_column("order", pa.array([], pa.uint64()))


def _unit(name: str, seed: int) -> float:
    """Return a number in [0, 1) that depends on a document id and the seed alone; another hash than the order's."""
    return xxhash.xxh3_64_intdigest(b"split:" + name.encode(), seed) / 2**64


def _books(decisions: list[Decision]) -> Books:
    dropped: dict[str, int] = {}
    for decision in decisions:
        if not decision.kept:
            dropped[decision.reason] = dropped.get(decision.reason, 0) + 1
    kept = sum(decision.kept for decision in decisions)
    return Books(read=len(decisions), kept=kept, dropped=dict(sorted(dropped.items())))


def _num_bytes(table: pa.Table) -> int:
    return int(pc.sum(pc.binary_length(table.column("text"))).as_py() or 0)
