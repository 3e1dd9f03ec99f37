"""From records to documents: which records are alive, what text they give, which rules drop them at once.

One call reads one Parquet part of records with the verdicts on its rows and writes three intermediate files:
documents (the text and what is known of it), early decisions (what was dropped and why) and bucket rows
(what the document brings to the search for duplicates).
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from corpus import parquet, storage
from corpus.config import AssembleConfig
from corpus.dedup.candidates import bucket_rows
from corpus.dedup.minhash import band_hashes, bands_for, signatures
from corpus.dedup.shingles import normalize, shingle
from corpus.ncbi.inputs import file_rank
from corpus.pile import rules
from corpus.profiles import render
from corpus.quality import reason_to_drop, tagged
from corpus.records import Kind, Record, Source, doc_key, part_number, pmc_doc_id
from corpus.schema import from_batch, to_table
from corpus.state import KEY, OUTDATED, REASONS, Code
from corpus.workspace import WORK, Receipt, Workspace

PUBMED_ENTITY, PMC_ENTITY = 1 << 60, 2 << 60
BATCH_ROWS = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One document on its way to a corpus shard."""

    doc_id: str
    source: str  # pubmed or pmc
    kind: str
    text: str
    license: str
    year: int | None
    journal: str
    pmid: int | None
    pmcid: int | None
    doi: str | None
    retracted: bool
    doc_key: int
    row: int  # of the record in its part
    version: int
    manuscript: bool
    full_text: bool  # an article with a body
    length: int  # of the text, in UTF-8 bytes


# What a corpus shard keeps of a document.
SHARD_COLUMNS = ("doc_id", "source", "kind", "text", "license", "year", "journal", "pmid", "pmcid", "doi", "retracted")


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlyDecision:
    """A record that never became a document."""

    row: int
    doc_id: str
    source: str
    kind: str
    reason: str
    survivor: str  # of an outdated record: the document id of the record that is alive; else ""


def work_path(name: str, part: int) -> str:
    """Return the path, relative to the stage's output, of an intermediate file of a records part."""
    suffix = "npz" if name == "buckets" else "parquet"
    return f"{WORK}/{name}/part-{part:05d}.{suffix}"


def file_ranks(paths: tuple[str, ...]) -> list[int]:
    """Return the place of each records part in the order in which NCBI's files apply."""
    stems = [storage.base_name(path).removesuffix(".parquet") for path in paths]
    order = sorted(range(len(paths)), key=lambda part: file_rank(stems[part]))
    ranks = [0] * len(paths)
    for rank, part in enumerate(order):
        ranks[part] = rank
    return ranks


def key_rows(path: str, *, part: int, rank: int) -> np.ndarray:
    """Return KEY[num_records] of a records part: who each record speaks of, and in which order it counts."""
    table = parquet.read_table(path, columns=["doc_id", "kind", "pmid", "pmcid", "version", "position"])
    kinds = np.asarray(table.column("kind").to_pylist(), dtype=object)
    article = np.isin(kinds, [Kind.ARTICLE, Kind.SUB_ARTICLE])
    ids = [table.column(name).fill_null(0).to_numpy().astype(np.uint64) for name in ("pmid", "pmcid")]
    keys = np.zeros(table.num_rows, KEY)
    keys["entity"] = np.where(article, np.uint64(PMC_ENTITY) | ids[1], np.uint64(PUBMED_ENTITY) | ids[0])
    keys["version"] = table.column("version").to_numpy()
    keys["position"] = table.column("position").to_numpy()
    keys["row"] = np.arange(table.num_rows)
    keys["rank"], keys["part"] = rank, part
    for row in np.flatnonzero(kinds == Kind.SUB_ARTICLE):
        keys["sub_article"][row] = part_number(doc_key(table.column("doc_id")[row].as_py()))
    keys["deletion"], keys["article"] = kinds == Kind.DELETION, article
    return keys


def make_documents(
    path: str, *, part: int, verdicts: np.ndarray, workspace: Workspace, config: AssembleConfig
) -> Receipt:
    """Write the documents, early decisions and bucket rows of one records part.

    verdicts: VERDICT[num_records], in row order. A finished task is not done again.
    """
    task = f"documents/{part:05d}"
    if done := workspace.finished(task):
        return done
    documents: list[Document] = []
    early: list[EarlyDecision] = []
    first = 0
    for batch in parquet.iter_batches(path, batch_size=BATCH_ROWS):
        for row, record in enumerate(from_batch(batch, Record), start=first):
            made = _decide(record, row, verdicts[row], config)
            (documents if isinstance(made, Document) else early).append(made)  # type: ignore[arg-type]
        first += batch.num_rows
    assert first == len(verdicts), f"{path}: {first} rows, {len(verdicts)} verdicts"
    table = to_table(documents, Document)
    parquet.write_table(workspace.path(work_path("documents", part)), table)
    parquet.write_table(workspace.path(work_path("early", part)), to_table(early, EarlyDecision))
    hashes, keys = _buckets(table, config)
    save_arrays(workspace.path(work_path("buckets", part)), hashes=hashes, keys=keys)
    rows = {"documents": len(documents), "early": len(early), "buckets": len(keys)}
    parts = [workspace.measure(work_path(name, part), role=name, rows=rows[name]) for name in rows]
    return workspace.finish(Receipt(task=task, parts=tuple(parts)))


def save_arrays(path: str, **arrays: np.ndarray) -> None:
    """Write arrays as one .npz file that appears whole."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    with storage.write_atomic(path) as sink:
        sink.write(buffer.getbuffer())


def load_arrays(path: str) -> dict[str, np.ndarray]:
    """Read the arrays of a file written by `save_arrays`."""
    with storage.open_read(path) as source, np.load(io.BytesIO(source.read()), allow_pickle=False) as arrays:
        return dict(arrays)


def _decide(record: Record, row: int, verdict: np.void, config: AssembleConfig) -> Document | EarlyDecision:
    code = Code(verdict["code"])
    reason: Any = REASONS.get(code)
    text = ""
    if reason is None:
        text = render(record, config.profile, floats=config.floats)
        pile = config.profile == "pile"
        reason = rules.reason_to_drop(record) if pile else reason_to_drop(record, text, config)
    if reason is not None:
        return EarlyDecision(
            row=row,
            doc_id=record.doc_id,
            source=str(record.source),
            kind=str(record.kind),
            reason=str(reason),
            survivor=_live_id(record, int(verdict["live_version"])) if code in OUTDATED else "",
        )
    text = text if config.profile == "pile" else tagged(record, text, config)
    return Document(
        doc_id=record.doc_id,
        source=str(record.source),
        kind=str(record.kind),
        text=text,
        license=record.license,
        year=record.year,
        journal=record.journal,
        pmid=record.pmid,
        pmcid=record.pmcid,
        doi=record.doi,
        retracted=record.retracted,
        doc_key=doc_key(record.doc_id),
        row=row,
        version=record.version,
        manuscript=record.manuscript,
        full_text=record.kind == Kind.ARTICLE and any(block.text for block in record.body),
        length=len(text.encode()),
    )


def _live_id(record: Record, live_version: int) -> str:
    """Return the id of the record that is alive for an outdated one: the versions of a citation share theirs."""
    if record.source != Source.PMC:
        return record.doc_id
    assert record.pmcid is not None, "an article has a PMC id"
    return pmc_doc_id(record.pmcid, live_version)


def _buckets(table: pa.Table, config: AssembleConfig) -> tuple[np.ndarray, np.ndarray]:
    if config.profile == "pile":  # The Pile removed no duplicates from these two sources
        return np.zeros(0, np.uint64), np.zeros(0, np.uint64)
    num_bands, rows = bands_for(config.threshold)
    shingles = shingle(normalize(table.column("text")))
    bands = band_hashes(signatures(shingles), num_bands, rows)
    return bucket_rows(table.column("doc_key").to_numpy().astype(np.uint64), shingles, bands)
