"""Documents and early decisions of a batch of records, column by column: what `decide` says, mostly without it.

The rules live in `corpus.assemble.rules` and the rendering in `corpus.text.render`, one record at a time. A record
becomes a Python object only where their batch tests do not settle it: it may be dropped, its text is not plain, or the
text is tagged. The default of a rule is that it may drop, so one without a batch test is slow and never passed over.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.columns import equals, numbers, string_spans
from corpus.arrays.types import Keys, Rows
from corpus.assemble.config import AssembleConfig
from corpus.assemble.cut import CUT_REASONS, Cuts
from corpus.assemble.decide import CARRIED, Document, EarlyDecision, decide, unread_columns
from corpus.assemble.inputs import pile_texts
from corpus.assemble.rules import abstract_lengths, are_tagged, have_body, screen
from corpus.assemble.updates import DROP_REASONS, OUTDATED, RevisionStatus
from corpus.dedup.notices import are_notices
from corpus.reasons import DropReason
from corpus.records import Kind, Record, Source, doc_key, pmc_doc_id, pmc_key, pubmed_key
from corpus.storage.schema import from_batch, schema_of, to_table
from corpus.text.render_batch import RenderedTexts, render_batch


def decide_batch(
    batch: pa.RecordBatch,
    *,
    first_row: int,
    verdicts: np.ndarray,
    config: AssembleConfig,
    cuts: Cuts | None = None,
) -> tuple[pa.Table, pa.Table]:
    """Return (documents, early decisions) of consecutive records.

    Decisions are in row order; documents are not: those looked at one by one come last, as putting them between the
    others would copy the texts of all.
    batch: the columns of `Record`, those in `unread_columns` or not, and for profile pile those of `pile_texts`;
    verdicts: VERDICT[num_records] of these rows; first_row: of the batch in its part; cuts: of `cut_codes`.
    """
    live = verdicts["code"] == RevisionStatus.LIVE
    documents, early = [], [_outdated(batch, np.flatnonzero(~live), first_row, verdicts)]
    if cuts is not None and len(cut := np.flatnonzero(live & (cuts >= 0))):
        early.append(_early(batch, cut, first_row, [CUT_REASONS[code] for code in cuts[cut].tolist()]))
        live = live & (cuts < 0)
    open_rows = live
    if config.profile == "clean" and config.floats != "tables":
        screened = screen(batch, live, config)
        for reason, mask in screened.dropped:
            early.append(_early(batch, np.flatnonzero(mask), first_row, [reason] * int(mask.sum())))
            open_rows = open_rows & ~mask
        wanted = screened.passed & ~are_tagged(batch, config)
        texts = render_batch(
            batch,
            floats=config.floats,
            kept=config.kept_sections,
            without=config.without_sections,
            wanted=wanted,
            min_words=screened.safe_words,
        )
        settled = wanted & ~texts.handed_back & (texts.num_words >= screened.safe_words)
        documents.append(_documents(batch, np.flatnonzero(settled), first_row, texts, config))
        open_rows = open_rows & ~settled
    made, dropped = _one_by_one(batch, np.flatnonzero(open_rows), first_row, verdicts, config)
    return pa.concat_tables([*documents, made]), _in_order([*early, dropped])


def _documents(
    batch: pa.RecordBatch, rows: Rows, first_row: int, texts: RenderedTexts, config: AssembleConfig
) -> pa.Table:
    """Return the documents of records whose text is there."""
    taken = batch.select(list(CARRIED.values())).take(pa.array(rows))
    columns: dict[str, Any] = {name: taken.column(column) for name, column in CARRIED.items()}
    columns["text"] = _side_by_side(texts.texts, rows)
    columns["sections"] = texts.sections.take(pa.array(rows))
    columns["doc_key"] = pa.array(_doc_keys(taken).astype(np.int64))
    columns["row"] = pa.array(rows + first_row)
    columns["full_text"] = pa.array(equals(taken.column("kind"), Kind.ARTICLE) & have_body(batch)[rows])
    columns["abstract_length"] = pa.array(abstract_lengths(batch, config)[rows])
    columns["notice"] = pa.array(are_notices(columns["text"]))
    columns["length"] = pc.binary_length(columns["text"]).cast(pa.int64())
    schema = schema_of(Document)
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _side_by_side(texts: pa.StringArray, rows: Rows) -> pa.StringArray:
    """Return the texts of some rows without a copy: those of all others are empty, so nothing lies between."""
    octets, bounds = string_spans(texts)
    return pa.StringArray.from_buffers(
        len(rows), pa.py_buffer(np.append(bounds[rows], bounds[-1])), pa.py_buffer(octets)
    )


def _doc_keys(batch: pa.RecordBatch) -> Keys:
    """Return the keys of the records' ids; only sub-articles need their id to be read."""
    pmids, pmcids, versions = (numbers(batch.column(name)) for name in ("pmid", "pmcid", "version"))
    keys = np.where(equals(batch.column("source"), Source.PUBMED), pubmed_key(pmids), pmc_key(pmcids, versions))
    for row in np.flatnonzero(equals(batch.column("kind"), Kind.SUB_ARTICLE)).tolist():
        keys[row] = doc_key(batch.column("doc_id")[row].as_py())
    return keys


def _outdated(batch: pa.RecordBatch, rows: Rows, first_row: int, verdicts: np.ndarray) -> pa.Table:
    """Return the decisions on records that are not alive; the record that stands for an outdated one is named."""
    codes = [RevisionStatus(code) for code in verdicts["code"][rows].tolist()]
    taken = batch.select(["doc_id", "source", "pmcid"]).take(pa.array(rows))
    survivors = taken.column("doc_id").to_pylist()
    for k in np.flatnonzero(~equals(taken.column("source"), Source.PUBMED)).tolist():
        survivors[k] = pmc_doc_id(taken.column("pmcid")[k].as_py(), int(verdicts["live_version"][rows[k]]))
    survivors = [name if code in OUTDATED else "" for name, code in zip(survivors, codes, strict=True)]
    return _early(batch, rows, first_row, [DROP_REASONS[code] for code in codes], survivors)


def _early(
    batch: pa.RecordBatch,
    rows: Rows,
    first_row: int,
    reasons: Sequence[DropReason],
    survivors: Sequence[str] | None = None,
) -> pa.Table:
    """Return the early decisions on some rows of a batch."""
    taken = batch.select(["doc_id", "source", "kind"]).take(pa.array(rows))
    columns = {name: taken.column(name) for name in taken.schema.names}
    columns |= {"row": pa.array(rows + first_row), "reason": pa.array([str(reason) for reason in reasons], pa.string())}
    columns["survivor"] = pa.array(list(survivors) if survivors is not None else [""] * len(rows), pa.string())
    schema = schema_of(EarlyDecision)
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _one_by_one(
    batch: pa.RecordBatch, rows: Rows, first_row: int, verdicts: np.ndarray, config: AssembleConfig
) -> tuple[pa.Table, pa.Table]:
    """Return the documents and decisions of records that are looked at one by one."""
    if not len(rows):
        return schema_of(Document).empty_table(), schema_of(EarlyDecision).empty_table()
    documents: list[Document] = []
    early: list[EarlyDecision] = []
    unread = unread_columns(config)
    read = batch.select([name for name in batch.schema.names if name not in unread]).take(pa.array(rows))
    records = from_batch(read, Record, without=unread)
    for row, record, pile in zip(rows.tolist(), records, pile_texts(read), strict=True):
        made = decide(record, row + first_row, verdicts[row], config, pile)
        (documents if isinstance(made, Document) else early).append(made)  # type: ignore[arg-type]
    return to_table(documents, Document), to_table(early, EarlyDecision)


def _in_order(tables: Sequence[pa.Table]) -> pa.Table:
    filled = [table for table in tables if table.num_rows]
    if len(filled) < 2:
        return (filled or tables)[0]
    table = pa.concat_tables(filled)
    return table.take(pa.array(np.argsort(table.column("row").to_numpy())))
