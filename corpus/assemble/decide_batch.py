"""From a batch of records and the verdicts on them to documents and early decisions, column by column.

The rules live in `corpus.assemble.rules` and `corpus.text.render`, one record at a time. Here stands what lets most
records pass without becoming Python objects: a record that surely is a document (no rule can drop it), surely has no
text, or was decided by the state of PubMed is settled by columns; every other one is asked in the plain way. So a
rule is written once, and this file only says when it cannot hold.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.assemble.config import AssembleConfig
from corpus.assemble.decide import SHARD_COLUMNS, Document, EarlyDecision, decide
from corpus.assemble.inputs import pile_texts
from corpus.assemble.rules import NOTICE_ARTICLE_TYPES, NOTICE_PUBLICATION_TYPES
from corpus.assemble.updates import DROP_REASONS, OUTDATED, RevisionStatus
from corpus.reasons import DropReason
from corpus.records import Kind, Record, Source, doc_key, pmc_doc_id, pmc_key, pubmed_key
from corpus.storage.schema import from_batch, schema_of, to_table
from corpus.text.render_batch import CleanTexts, clean_texts

_CARRIED = (
    "version",
    "manuscript",
    "pmc_id_anywhere",
    "id_conflict",
)  # from a record to its document, besides what shards hold

# Columns that no rule asks for and no document carries: a fifth of what reading citations costs.
_UNREAD = (
    *("back", "languages", "mesh", "keywords", "links", "parent", "title_language", "accounts", "file", "offset"),
    "position",
)

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def unread(config: AssembleConfig) -> tuple[str, ...]:
    """Return the columns of records that `decide_batch` does without."""
    return _UNREAD


def decide_batch(
    batch: pa.RecordBatch, *, first_row: int, verdicts: np.ndarray, config: AssembleConfig
) -> tuple[pa.Table, pa.Table]:
    """Return (documents, early decisions) of consecutive records.

    Decisions are in row order; documents are not: those looked at one by one come last, as putting them between the
    others would copy the texts of all.
    batch: the columns of `Record`, and for profile pile those of `pile_texts`; verdicts: VERDICT[num_records] of these
    rows; first_row: of the batch in its part.
    """
    live = verdicts["code"] == RevisionStatus.LIVE
    documents, early = [], [_outdated(batch, np.flatnonzero(~live), first_row, verdicts)]
    asked = live
    if config.profile == "clean" and config.floats != "tables":
        plain = live & _passes(batch, config)
        textless = live & ~_has_text(batch) & ~_is_notice(batch) & ~_is(batch, "kind", Kind.DELETION)
        wanted = plain & ~textless
        texts = clean_texts(batch, floats=config.floats, wanted=wanted, min_words=config.min_words)
        settled = wanted & ~texts.handed_back & (texts.num_words >= config.min_words)
        documents.append(_documents(batch, np.flatnonzero(settled), first_row, texts))
        early.append(_early(batch, np.flatnonzero(textless), first_row, [DropReason.NO_TEXT] * int(textless.sum())))
        asked = live & ~settled & ~textless
    made, dropped = _asked(batch, np.flatnonzero(asked), first_row, verdicts, config)
    return pa.concat_tables([*documents, made]), _in_order([*early, dropped])


def _passes(batch: pa.RecordBatch, config: AssembleConfig) -> Mask:
    """Say of which records no rule but that of too few words can hold, whatever their text."""
    passes = ~_is(batch, "kind", Kind.DELETION) & ~_is_notice(batch)
    if config.retracted != "keep":
        passes &= ~_bools(batch, "retracted")
    if config.ocr == "drop":
        passes &= ~_bools(batch, "ocr")
    if config.sub_articles == "drop":
        passes &= ~_is(batch, "kind", Kind.SUB_ARTICLE)
    if config.license != "any":
        passes &= _is(batch, "source", Source.PUBMED) & _is(batch, "license", "") & _is(batch, "copyright", "")
    if config.languages:
        passes &= _among(batch.column("text_language"), ["", *config.languages])
    return passes


def _is_notice(batch: pa.RecordBatch) -> Mask:
    types = batch.column("publication_types")
    noticed = _among(types.flatten(), sorted(NOTICE_PUBLICATION_TYPES))
    notice = np.bincount(_list_rows(types)[noticed], minlength=batch.num_rows) > 0
    return notice | _among(batch.column("article_type"), sorted(NOTICE_ARTICLE_TYPES))


def _has_text(batch: pa.RecordBatch) -> Mask:
    abstracts = batch.column("abstracts")
    parts = dict(zip((field.name for field in abstracts.type.value_type), abstracts.flatten().flatten(), strict=True))
    main = _among(parts["type"], ["main"]) & (pc.binary_length(parts["text"]).to_numpy(zero_copy_only=False) > 0)
    return (np.bincount(_list_rows(abstracts)[main], minlength=batch.num_rows) > 0) | _has_body(batch)


def _documents(batch: pa.RecordBatch, rows: Rows, first_row: int, texts: CleanTexts) -> pa.Table:
    """Return the documents of records whose text is there."""
    names = [name for name in SHARD_COLUMNS if name != "text"]
    taken = batch.select([*names, *_CARRIED]).take(pa.array(rows))
    columns: dict[str, Any] = {name: taken.column(name) for name in names}
    columns["text"] = _side_by_side(texts.texts, rows)
    columns["doc_key"] = pa.array(_doc_keys(taken).astype(np.int64))
    columns["row"] = pa.array(rows + first_row)
    columns |= {name: taken.column(name) for name in _CARRIED}
    columns["full_text"] = pa.array(_is(taken, "kind", Kind.ARTICLE) & _has_body(batch)[rows])
    columns["length"] = pc.binary_length(columns["text"]).cast(pa.int64())
    schema = schema_of(Document)
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _side_by_side(texts: pa.StringArray, rows: Rows) -> pa.StringArray:
    """Return the texts of some rows without a copy: those of all others are empty, so nothing lies between."""
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int32)
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(np.append(bounds[rows], bounds[-1])), data)


def _has_body(batch: pa.RecordBatch) -> Mask:
    body = batch.column("body")
    filled = pc.binary_length(pc.struct_field(body.flatten(), "text")).to_numpy(zero_copy_only=False) > 0
    return np.bincount(_list_rows(body)[filled], minlength=batch.num_rows) > 0


def _doc_keys(batch: pa.RecordBatch) -> npt.NDArray[np.uint64]:
    """Return the keys of the records' ids; only sub-articles need their id to be read."""
    numbers = {name: _numbers(batch, name) for name in ("pmid", "pmcid", "version")}
    pubmed = _is(batch, "source", Source.PUBMED)
    keys = np.where(pubmed, pubmed_key(numbers["pmid"]), pmc_key(numbers["pmcid"], numbers["version"]))
    for row in np.flatnonzero(_is(batch, "kind", Kind.SUB_ARTICLE)).tolist():
        keys[row] = doc_key(batch.column("doc_id")[row].as_py())
    return keys


def _outdated(batch: pa.RecordBatch, rows: Rows, first_row: int, verdicts: np.ndarray) -> pa.Table:
    """Return the decisions on records that are not alive; the record that stands for an outdated one is named."""
    codes = [RevisionStatus(code) for code in verdicts["code"][rows].tolist()]
    taken = batch.select(["doc_id", "source", "pmcid"]).take(pa.array(rows))
    survivors = taken.column("doc_id").to_pylist()
    article = ~_is(taken, "source", Source.PUBMED)
    for k in np.flatnonzero(article).tolist():
        survivors[k] = pmc_doc_id(taken.column("pmcid")[k].as_py(), int(verdicts["live_version"][rows[k]]))
    survivors = [name if code in OUTDATED else "" for name, code in zip(survivors, codes, strict=True)]
    return _early(batch, rows, first_row, [DROP_REASONS[code] for code in codes], survivors)


def _early(
    batch: pa.RecordBatch, rows: Rows, first_row: int, reasons: Sequence[str], survivors: Sequence[str] | None = None
) -> pa.Table:
    taken = batch.select(["doc_id", "source", "kind"]).take(pa.array(rows))
    columns = {name: taken.column(name) for name in taken.schema.names}
    columns |= {"row": pa.array(rows + first_row), "reason": pa.array([str(reason) for reason in reasons], pa.string())}
    columns["survivor"] = pa.array(list(survivors) if survivors is not None else [""] * len(rows), pa.string())
    schema = schema_of(EarlyDecision)
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _asked(
    batch: pa.RecordBatch, rows: Rows, first_row: int, verdicts: np.ndarray, config: AssembleConfig
) -> tuple[pa.Table, pa.Table]:
    """Return the documents and decisions of records that are looked at one by one."""
    if not len(rows):
        return schema_of(Document).empty_table(), schema_of(EarlyDecision).empty_table()
    documents: list[Document] = []
    early: list[EarlyDecision] = []
    taken = batch.take(pa.array(rows))
    for row, record, pile in zip(rows.tolist(), from_batch(taken, Record), pile_texts(taken), strict=True):
        made = decide(record, row + first_row, verdicts[row], config, pile)
        (documents if isinstance(made, Document) else early).append(made)  # type: ignore[arg-type]
    return to_table(documents, Document), to_table(early, EarlyDecision)


def _in_order(tables: Sequence[pa.Table]) -> pa.Table:
    filled = [table for table in tables if table.num_rows]
    if len(filled) < 2:
        return (filled or tables)[0]
    table = pa.concat_tables(filled)
    return table.take(pa.array(np.argsort(table.column("row").to_numpy())))


def _is(batch: pa.RecordBatch, name: str, value: str) -> Mask:
    return np.asarray(pc.equal(batch.column(name), str(value)).to_numpy(zero_copy_only=False), bool)


def _among(column: pa.Array, values: Sequence[str]) -> Mask:
    return np.asarray(pc.is_in(column, pa.array(values, pa.string())).to_numpy(zero_copy_only=False), bool)


def _bools(batch: pa.RecordBatch, name: str) -> Mask:
    return np.asarray(batch.column(name).to_numpy(zero_copy_only=False), bool)


def _numbers(batch: pa.RecordBatch, name: str) -> npt.NDArray[np.uint64]:
    return np.asarray(pc.fill_null(batch.column(name), 0).to_numpy(zero_copy_only=False)).astype(np.uint64)


def _list_rows(lists: pa.ListArray) -> Rows:
    """Return the row of each element of a column of lists."""
    return np.repeat(np.arange(len(lists)), np.diff(np.asarray(lists.offsets)))
