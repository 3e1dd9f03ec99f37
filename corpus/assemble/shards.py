"""Shards and decisions: from documents and the outcome of the search for duplicates to the files of the corpus.

`corpus.assemble.splits` says to which split and shard a document belongs, by its id and cluster alone, so any worker
count gives the same bytes.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.columns import doc_keys
from corpus.arrays.lookup import index_in_sorted, stable_group_order
from corpus.arrays.types import Keys, Mask
from corpus.assemble import facts
from corpus.assemble.config import AssembleConfig
from corpus.assemble.contamination import place_report
from corpus.assemble.decide import SHARD_COLUMNS, Document, EarlyDecision
from corpus.assemble.documents import work_path
from corpus.assemble.other_ids import named
from corpus.assemble.personal import place_personal_data
from corpus.assemble.splits import Shards, order_of, split_of
from corpus.assemble.tags import TAGS, ClusterPlaces, Tag, all_kept, with_tags
from corpus.assemble.text_store import gather_texts, read_texts
from corpus.dedup.resolve import Outcome
from corpus.reasons import DUPLICATE_REASONS
from corpus.records import doc_id
from corpus.stage import task_progress
from corpus.stage.license_table import count_licenses
from corpus.stage.manifest import SPLITS, Books, Part
from corpus.stage.workspace import Receipt, Workspace
from corpus.storage import parquet
from corpus.storage.files import is_remote
from corpus.storage.ipc import from_block, to_block
from corpus.storage.schema import schema_of, to_table


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What became of one record; every record has one."""

    doc_id: str
    source: str
    kind: str
    kept: bool  # in a shard
    reason: str  # "" when kept, else a `corpus.reasons.DropReason`
    survivor: str  # kept document that stands for a duplicate (against:… elsewhere), or the newer record; else ""
    matched: str  # what `score` compares with: the survivor, or a citation it took in; if kept: the full text beside
    score: float | None  # exact Jaccard similarity of word 5-shingles with `matched`
    cluster: str  # smallest id of the documents that resemble each other; its own id when alone
    split: str  # train, validation or test when kept


_TEXT = schema_of(Document).field("text")
DECISION_COLUMNS = [field.name for field in fields(Decision)]


def place(
    *,
    part: int,
    stem: str,
    outcome: Outcome,
    shards: Shards,
    workspace: Workspace,
    config: AssembleConfig,
    other_ids: Mapping[int, str] = MappingProxyType({}),
    clusters: ClusterPlaces | None = None,
) -> tuple[Receipt, pa.Table]:
    """Write the decisions on one records part; return their receipt and its kept documents.

    The table holds `SHARD_COLUMNS`, the hash by which a shard is ordered (`order`) and the number of the shard
    (`shard`). In a local directory, which all workers see, it says where each text lies (`part`, `text_start`,
    `length`) instead of holding it. other_ids: of `corpus.assemble.other_ids`. With `clusters` all documents are kept,
    with `corpus.assemble.tags.TAGS` beside.
    """
    table = parquet.read_table(workspace.path(work_path("documents", stem)))
    early = parquet.read_table(workspace.path(work_path("early", stem)))
    keys = doc_keys(table)
    kept, split = pa.array(_are_kept(keys, outcome, config)), split_of(keys, outcome, config)
    decided = _document_decisions(table, outcome, split, other_ids)
    if clusters is not None:
        table = with_tags(table, decided, clusters, outcome)
        decided = all_kept(decided, pa.array(SPLITS).take(pa.array(split)))
    rows = pa.concat_tables([decided, _early_decisions(early)])
    decisions = rows.take(pa.array(np.argsort(rows.column("row").to_numpy()))).select(DECISION_COLUMNS)
    path = f"decisions/part-{part:05d}.parquet"
    parquet.write_table(workspace.path(path), decisions.combine_chunks())
    parts = [workspace.measure(path, role="decisions", rows=decisions.num_rows)]
    counts = {facts.ABSTRACTS_THE_PILE_RULE_DROPS: pc.sum(table.filter(kept).column("pmc_id_anywhere")).as_py() or 0}
    for report, found in _reports(part, stem, workspace, config):
        parts.append(report)
        counts |= found
    receipt = Receipt(task=f"decisions/{part:05d}", parts=tuple(parts), books=_books(decisions), facts=counts)
    task_progress.add(workspace.output, "decided", decisions.num_rows)
    placed = table.append_column("order", pa.array(order := order_of(keys, config.seed)))
    placed = placed.append_column("shard", pa.array(shards.numbers(order, split))).filter(kept)
    return workspace.finish(receipt), _with_texts(placed, part, workspace.path(work_path("texts", stem)))


def _reports(
    part: int, stem: str, workspace: Workspace, config: AssembleConfig
) -> Iterator[tuple[Part, Mapping[str, int]]]:
    """Yield (file, numbers) of the reports asked for: of evaluation items, of personal data."""
    if config.evaluation:
        yield place_report(part, stem, workspace)
    if config.pii != "off":
        yield place_personal_data(part, stem, workspace)


def _are_kept(keys: Keys, outcome: Outcome, config: AssembleConfig) -> Mask:
    """Say of each document whether it goes to a shard."""
    return np.ones(len(keys), np.bool_) if config.duplicates == "tag" else outcome.index_of(keys) < 0


def _with_texts(kept: pa.Table, part: int, path: str) -> pa.Table:
    """Return what crosses the shuffle of kept documents: with their texts only where a shard cannot read them."""
    tags = [name for name in TAGS if name in kept.column_names]
    columns = ["order", "shard", *(name for name in SHARD_COLUMNS if name != "text"), *tags]
    if is_remote(path):
        starts, lengths = (kept.column(name).to_numpy() for name in ("text_start", "length"))
        return kept.select(columns).append_column(_TEXT, read_texts(path, starts, lengths))
    parts = pa.array(np.full(kept.num_rows, part))
    return kept.select([*columns, "text_start", "length"]).append_column("part", parts)


def shard_blocks(tables: Sequence[pa.Table]) -> Iterator[tuple[int, bytes]]:
    """Yield (shard number, Arrow stream) for the kept documents of some parts; a shard is a range of the hash."""
    if not tables:
        return
    table = pa.concat_tables(tables)
    number = table.column("shard").to_numpy()
    by_shard = stable_group_order(number, int(number.max(initial=0)) + 1)
    table = table.drop_columns(["shard"]).take(pa.array(by_shard)).combine_chunks()
    number = number[by_shard]
    bounds = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(number)]
    for start, end in pairwise(bounds if len(number) else []):
        yield int(number[start]), to_block(table.slice(start, end - start))


def write_shard(
    number: int,
    blocks: Iterable[bytes],
    *,
    shards: Shards,
    workspace: Workspace,
    stems: Sequence[str],
    tags: bool = False,
) -> Receipt:
    """Write one corpus shard from the blocks that came for it, in the order of the hash of (seed, id).

    stems: of all records parts; tags: whether the documents have some. Raises CorruptError for a file of texts that
    ends before one of them.
    """
    split, path = shards.name(number)
    task = f"shard/{path}"
    if done := workspace.finished(task):
        return done
    tables = [table for block in blocks if (table := from_block(block)).num_rows]
    table = pa.concat_tables(tables) if tables else _empty_shard(tags=tags)
    table = table.take(pa.array(np.argsort(table.column("order").to_numpy())))
    if "text" not in table.column_names:
        paths = [workspace.path(work_path("texts", stem)) for stem in stems]
        places = (table.column(name).to_numpy() for name in ("part", "text_start", "length"))
        table = table.append_column(_TEXT, gather_texts(paths, *places))
    table = table.select([*SHARD_COLUMNS, *(TAGS if tags else ())])
    parquet.write_table(workspace.path(path), table)
    task_progress.add(workspace.output, "in shards", table.num_rows)
    counts: dict[str, Any] = {facts.documents(split): table.num_rows, facts.text_bytes(split): _num_bytes(table)}
    for source in ("pubmed", "pmc"):
        counts[facts.documents(split, source)] = pc.sum(pc.equal(table.column("source"), source)).as_py() or 0
    text_bytes = pc.binary_length(table.column("text"))
    counts[facts.LICENSES] = {
        split: count_licenses(table.column("source"), table.column("license"), text_bytes=text_bytes)
    }
    part = workspace.measure(path, role=split, rows=table.num_rows)
    return workspace.finish(Receipt(task=task, parts=(part,), facts=counts))


def _document_decisions(table: pa.Table, outcome: Outcome, split: np.ndarray, other_ids: Mapping[int, str]) -> pa.Table:
    """Return the decision on each document; split: positions in SPLITS."""
    keys = doc_keys(table)
    dropped = outcome.index_of(keys)
    lost = np.flatnonzero(dropped >= 0)
    reasons, survivors, matched = ([""] * len(keys) for _ in range(3))
    scores: list[float | None] = [None] * len(keys)
    of_lost = (outcome.reason, outcome.survivor, outcome.matched, outcome.score)
    columns = (column[dropped[lost]].tolist() for column in of_lost)
    for row, reason, survivor, match, score in zip(lost.tolist(), *columns, strict=True):
        reasons[row] = str(DUPLICATE_REASONS[reason])
        survivors[row], matched[row] = named(survivor, other_ids), named(match, other_ids)
        scores[row] = None if math.isnan(score) else score
    at = index_in_sorted(keys, outcome.beside)
    for row in np.flatnonzero((at >= 0) & (dropped < 0)).tolist():
        matched[row] = doc_id(outcome.beside_full_texts[at[row]])
    clusters, cluster_keys = table.column("doc_id").to_pylist(), outcome.clusters_of(keys)
    for row in np.flatnonzero(cluster_keys != keys).tolist():
        clusters[row] = doc_id(cluster_keys[row])
    split = np.where(dropped >= 0, len(SPLITS), split)
    return _decision_table(
        table,
        kept=pa.array(dropped < 0),
        reason=pa.array(reasons, pa.string()),
        survivor=pa.array(survivors, pa.string()),
        matched=pa.array(matched, pa.string()),
        score=pa.array(scores, pa.float64()),
        cluster=pa.array(clusters, pa.string()),
        split=pa.array([*SPLITS, ""]).take(pa.array(split)),
    )


def _early_decisions(early: pa.Table) -> pa.Table:
    nothing = pa.array([""] * early.num_rows, pa.string())
    return _decision_table(
        early,
        kept=pa.array(np.zeros(early.num_rows, bool)),
        reason=early.column("reason"),
        survivor=early.column("survivor"),
        matched=nothing,
        score=pa.nulls(early.num_rows, pa.float64()),
        cluster=early.column("doc_id"),
        split=nothing,
    )


def _decision_table(table: pa.Table, **columns: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return decisions with the row of each; the ids come from the table, the rest is given."""
    known = {name: table.column(name) for name in ("row", "doc_id", "source", "kind")} | columns
    schema = schema_of(Decision).append(schema_of(EarlyDecision).field("row"))
    return pa.Table.from_arrays([known[name] for name in schema.names], schema=schema)


def _empty_shard(*, tags: bool) -> pa.Table:
    table = to_table([], Document).append_column("order", pa.array([], pa.uint64()))
    for one in schema_of(Tag) if tags else ():
        table = table.append_column(one, pa.array([], one.type))
    return table


def _books(decisions: pa.Table) -> Books:
    counts = pc.value_counts(decisions.filter(pc.invert(decisions.column("kept"))).column("reason")).to_pylist()
    dropped = {count["values"]: count["counts"] for count in counts}
    return Books(
        read=decisions.num_rows,
        kept=decisions.num_rows - sum(dropped.values()),
        dropped=dict(sorted(dropped.items())),
    )


def _num_bytes(table: pa.Table) -> int:
    return int(pc.sum(pc.binary_length(table.column("text"))).as_py() or 0)
