"""Intermediate files of one records part: keys for the fold, documents, texts, early decisions and bucket rows.

`make_documents` writes four intermediate files: documents (what is known of them, and where their text begins), their
texts, early decisions (what was dropped and why) and bucket rows (what the document brings to the search for
duplicates).
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.columns import among, bools, doc_keys, equals, numbers
from corpus.arrays.types import Hashes, Keys, Mask
from corpus.assemble.config import AssembleConfig
from corpus.assemble.contamination import Contamination, EvaluationIndex, find_contamination, stated_index
from corpus.assemble.cut import NO_CUT, NO_MARKS, Cut, Marks, cut_codes, own_marks, row_marks
from corpus.assemble.decide import Document, EarlyDecision, unread_columns
from corpus.assemble.decide_batch import decide_batch
from corpus.assemble.inputs import RecordParts
from corpus.assemble.personal import handle_personal_data
from corpus.assemble.retractions import Entities, mark_retracted, retracted_rows
from corpus.assemble.splits import order_of
from corpus.assemble.text_store import write_texts
from corpus.assemble.updates import ALLOWED, KEY, OUTDATED, PMC_ENTITY, PUBMED_ENTITY, file_rank
from corpus.dedup.candidates import bucket_rows
from corpus.dedup.minhash import band_hashes, bands_for, sign
from corpus.dedup.shingles import normalize
from corpus.licenses import allows
from corpus.reasons import DropReason
from corpus.records import Kind, doc_key, part_number
from corpus.stage import task_progress
from corpus.stage.workspace import WORK, Receipt, Workspace
from corpus.storage import parquet
from corpus.storage.array_files import save_arrays
from corpus.storage.schema import schema_of, to_table

FILES = ("documents", "texts", "early", "buckets", "contamination", "personal")
PIECE_ROWS = 4096  # documents that are signed at once: what they need in between stays near the processor
WORK_LEVEL = 1  # of zstd: what the stage removes at its end is written at twice the speed and a fifth larger

_SUFFIXES = {"buckets": "npy", "texts": "txt"}


def work_path(name: str, stem: str) -> str:
    """Return the path, relative to the stage's output, of an intermediate file of the records part of this stem."""
    return f"{WORK}/{name}/{stem}.{_SUFFIXES.get(name, 'parquet')}"


def file_ranks(names: Sequence[str]) -> list[int]:
    """Return the place of each records part in the order in which NCBI's files apply; names: their stems."""
    order = sorted(range(len(names)), key=lambda part: file_rank(names[part]))
    ranks = [0] * len(names)
    for rank, part in enumerate(order):
        ranks[part] = rank
    return ranks


def key_rows(parts: RecordParts, *, part: int, rank: int, cut: Cut = NO_CUT) -> np.ndarray:
    """Return KEY[num_records] of a records part: who each record speaks of, and in which order it counts."""
    table = parts.keys(part, more=cut.columns) if cut.columns else parts.keys(part)
    kind = table.column("kind")
    article, sub_article = among(kind, [Kind.ARTICLE, Kind.SUB_ARTICLE]), equals(kind, Kind.SUB_ARTICLE)
    pmids, pmcids = numbers(table.column("pmid")), numbers(table.column("pmcid"))
    keys = np.zeros(table.num_rows, KEY)
    pubmed, pmc = np.uint64(PUBMED_ENTITY) | pmids, np.uint64(PMC_ENTITY) | pmcids
    keys["entity"] = np.where(article, pmc, pubmed)
    retracted = table.column("retracted").to_numpy()
    if cut.withdrawn is not None:
        retracted = retracted | cut.withdrawn.rows(table)
    other, known = np.where(article, pubmed, pmc), np.where(article, pmids, pmcids) > 0
    keys["retracted"], keys["marks"] = retracted, own_marks(table, cut)
    keys["other"] = np.where((retracted | (keys["marks"] > 0)) & known, other, 0)
    keys["version"] = table.column("version").to_numpy()
    if cut.use != "any":
        allowing = [name for name in table.column("license").unique().to_pylist() if allows(name, cut.use)]
        usable = equals(kind, Kind.ARTICLE) & among(table.column("license"), allowing)
        keys["version"] += np.where(usable, ALLOWED, 0).astype(np.uint32)
    keys["position"] = table.column("position").to_numpy()
    keys["row"] = np.arange(table.num_rows)
    keys["rank"], keys["part"] = rank, part
    for row in np.flatnonzero(sub_article):
        keys["sub_article"][row] = part_number(doc_key(table.column("doc_id")[row].as_py()))
    keys["deletion"], keys["article"] = equals(kind, Kind.DELETION), article
    return keys


def make_documents(
    parts: RecordParts,
    *,
    part: int,
    verdicts: np.ndarray,
    retracted: Entities,
    workspace: Workspace,
    config: AssembleConfig,
    marks: np.ndarray = NO_MARKS,
) -> Receipt:
    """Write the documents, their texts, early decisions and bucket rows of one records part.

    verdicts: VERDICT[num_records], in row order; retracted: `corpus.assemble.retractions.retracted_entities` of all
    parts, marks: `corpus.assemble.cut.paper_marks` of them. A task that was finished with the same records, verdicts,
    retractions, marks and evaluation sets is not done again: it is independent of the other parts.
    """
    stem = parts.names[part]
    task = f"documents/{stem}"
    facts = {"records": parts.digests[part], "verdicts": _digest(verdicts)}
    index = stated_index(config, workspace)
    facts["evaluation"] = index.digest if index else hashlib.sha256().hexdigest()
    marked = retracted_rows(parts.keys(part), retracted) if len(retracted) else np.zeros(len(verdicts), bool)
    facts["retractions"] = hashlib.sha256(marked.tobytes()).hexdigest()
    told = row_marks(parts.keys(part), marks) if len(marks) else np.zeros(len(verdicts), np.uint8)
    facts["cut"] = hashlib.sha256(told.tobytes()).hexdigest()
    of = " ".join(facts.values())
    if done := workspace.finished(task, of=of):
        return done
    table, decided = _decided(parts, part, verdicts, marked, told, config)
    task_progress.add(workspace.output, "records read", len(verdicts))
    _write_files(table, decided, stem, index, workspace=workspace, config=config)
    files = [workspace.measure_work(work_path(name, stem)) for name in FILES]
    return workspace.finish(Receipt(task=task, work=tuple(files), facts=facts), of=of)


def _write_files(
    table: pa.Table,
    decided: pa.Table,
    stem: str,
    index: EvaluationIndex | None,
    *,
    workspace: Workspace,
    config: AssembleConfig,
) -> None:
    """Write all intermediate files of a part from its documents and early decisions."""
    found = _contamination(table, index, config)
    if config.contaminated == "remove" and found.num_rows:
        table, decided = _without(table, decided, found.column("doc_id"))
    table, personal = handle_personal_data(table, config)
    for name, rows in (("contamination", found), ("personal", personal), ("early", decided)):
        parquet.write_table(workspace.path(work_path(name, stem)), rows, level=WORK_LEVEL)
    hashes, keys = _buckets(table, config)
    write_documents(table, stem, workspace=workspace, seed=config.seed)
    save_arrays(workspace.path(work_path("buckets", stem)), hashes=hashes, keys=keys)


def write_documents(table: pa.Table, stem: str, *, workspace: Workspace, seed: int) -> None:
    """Write the documents of a part (the columns of `Document`) in row order, and apart from them their texts."""
    order = order_of(doc_keys(table), seed)
    starts = write_texts(workspace.path(work_path("texts", stem)), table.column("text"), order)
    table = table.drop_columns(["text"]).append_column("text_start", pa.array(starts))
    table = table.take(pa.array(np.argsort(table.column("row").to_numpy(), kind="stable")))
    parquet.write_table(workspace.path(work_path("documents", stem)), table, level=WORK_LEVEL)


def _decided(
    parts: RecordParts, part: int, verdicts: np.ndarray, marked: np.ndarray, told: Marks, config: AssembleConfig
) -> tuple[pa.Table, pa.Table]:
    """Return (documents, early decisions) of a part, in row order.

    marked: bool[num_records], retracted elsewhere; told: `row_marks`.
    """
    # A part may be without rows: a file of nothing but dead letters, or the last one of a tar.
    documents, early = [schema_of(Document).empty_table()], [schema_of(EarlyDecision).empty_table()]
    first = 0
    for batch in parts.batches(part, without=unread_columns(config)):
        end = first + batch.num_rows
        batch = mark_retracted(batch, marked[first:end])
        cuts = cut_codes(batch, told[first:end], config.where)
        made = decide_batch(batch, first_row=first, verdicts=verdicts[first:end], config=config, cuts=cuts)
        documents.append(made[0])
        early.append(made[1])
        first = end
    assert first == len(verdicts), f"{parts.names[part]}: {first} rows, {len(verdicts)} verdicts"
    return pa.concat_tables(documents), pa.concat_tables(early)


def _digest(verdicts: np.ndarray) -> str:
    """Return the SHA-256 of what the fold says of a part's rows, wherever the part stands."""
    named = np.where(np.isin(verdicts["code"], OUTDATED), verdicts["live_version"], 0)  # of no meaning for others
    digest = hashlib.sha256(verdicts["code"].tobytes())
    digest.update(named.astype("<u4").tobytes())
    return digest.hexdigest()


def _contamination(table: pa.Table, index: EvaluationIndex | None, config: AssembleConfig) -> pa.Table:
    if index is None:
        return to_table([], Contamination)
    return find_contamination(table.sort_by("row"), index, share=config.evaluation_share)


def _without(table: pa.Table, decided: pa.Table, ids: pa.ChunkedArray) -> tuple[pa.Table, pa.Table]:
    """Return the documents without some, and the early decisions with those, these in row order."""
    gone = pc.is_in(table.column("doc_id"), ids.combine_chunks())
    lost = table.filter(gone)
    columns = {name: lost.column(name) for name in ("row", "doc_id", "source", "kind")}
    columns["reason"] = pa.array([str(DropReason.CONTAMINATED)] * lost.num_rows, pa.string())
    columns["survivor"] = pa.array([""] * lost.num_rows, pa.string())
    moved = pa.Table.from_arrays([columns[name] for name in decided.schema.names], schema=decided.schema)
    return table.filter(pc.invert(gone)), pa.concat_tables([decided, moved]).sort_by("row")


def _buckets(table: pa.Table, config: AssembleConfig) -> tuple[np.ndarray, np.ndarray]:
    if config.profile == "pile":  # The Pile removed no duplicates from these two sources
        return np.zeros(0, np.uint64), np.zeros(0, np.uint64)
    pieces = [_piece_buckets(piece, config) for piece in table.to_batches(max_chunksize=PIECE_ROWS)]
    hashes, keys = ([np.zeros(0, np.uint64), *(piece[column] for piece in pieces)] for column in range(2))
    return np.concatenate(hashes), np.concatenate(keys)


def _piece_buckets(batch: pa.RecordBatch, config: AssembleConfig) -> tuple[np.ndarray, np.ndarray]:
    return bucket_rows_of(doc_keys(batch), batch.column("text"), bools(batch.column("notice")), config.threshold)


def bucket_rows_of(keys: Keys, texts: pa.Array, notices: Mask, threshold: float) -> tuple[Hashes, Keys]:
    """Return what documents of some texts bring to the search: (bucket hashes, document keys)."""
    signed = sign(normalize(texts))
    bands = band_hashes(signed.signatures, *bands_for(threshold))
    return bucket_rows(keys, signed, bands, notices=notices)
