"""Papers of a list in token shards, `inspect TOKENS|RUN --ids FILE`: which rows hold them, how often a run saw those.

A token shard holds the documents of a corpus shard in its order, so the corpus says which they are; rows and the order
of training are arithmetic. A paper that was dropped as a duplicate is held by its survivor, which is named as such.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import storage
from corpus.arrays.types import Numbers
from corpus.assemble.paper_ids import COLUMNS, PaperIds, read_paper_ids
from corpus.errors import CorruptError, UsageError
from corpus.records import doc_key, paper_keys, pmc_key, pubmed_key
from corpus.stage.manifest import SPLITS, Manifest, has_manifest, read_manifest
from corpus.storage import parquet
from tokenizer.megatron import read_index
from tokenizer.mixture import plan_mixture
from tokenizer.token_rows import TokenRows
from train.checkpoint.skipped import batch_of, batches_of, read_skipped
from train.job import JOB, Job, read_job
from train.loop.metrics import METRICS, read_metrics

_STAND_INS = ("exact_duplicate", "near_duplicate", "same_id", "full_text_kept")


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldPaper:
    """One document of a split's stream: its tokens [start, end) and the rows that hold some of them."""

    doc_id: str
    split: str
    shard: str  # of the token shard, without its ending
    number: int  # of the document in it
    start: int  # in the stream of the split [tokens]
    end: int
    instead_of: tuple[str, ...]  # ids of listed papers that it stands for

    def rows(self, seq_length: int) -> range:
        """Return the rows that the document lies in; the last may be beyond the last full one."""
        return range(self.start // seq_length, (self.end - 1) // seq_length + 1)


def papers_text(path: str, ids: str, corpus: str | None = None) -> str:
    """Return where the papers of a list lie in a `pack`, or in that of a run with how often it saw them.

    corpus: the `assemble` that was packed; found beside when not given. Raises UsageError when it is not there.
    """
    job = read_job(path) if storage.exists(storage.join(path, JOB)) else None
    tokens = job.tokens if job else path
    if not has_manifest(tokens):
        raise UsageError(f"{tokens}: no finished `pack` there; give --ids the directory of a `pack` or of a run")
    packed = read_manifest(tokens, "pack")
    if job and packed.fingerprint != job.tokens_fingerprint:
        raise UsageError(f"{tokens}: not the tokens that {path} was trained on; pack them again as they were")
    place = _corpus_of(tokens, packed, corpus)
    wanted = read_paper_ids((ids,), "--ids")
    found = list(_held(tokens, packed, place, wanted))
    seen = _times_seen(path, job, tokens, found) if job else None
    seq_length = int(packed.summary["seq_length"])
    lines = [line for paper in found for line in _paper_lines(paper, seq_length, seen)]
    counts = Counter(paper.split for paper in found)
    spread = ", ".join(f"{split} {counts[split]:,}" for split in SPLITS if counts[split]) or "none of them"
    rows = len({(paper.split, row) for paper in found for row in paper.rows(seq_length)})
    told = f"{len(wanted):,} ids listed; {len(found):,} documents hold them ({spread}), in {rows:,} rows"
    return "\n".join([*lines, f"{told} of {seq_length:,} tokens; {place} says which document is which"])


def _corpus_of(tokens: str, packed: Manifest, corpus: str | None) -> str:
    """Return the directory of the corpus that was packed: the one given, or one beside the tokens."""
    fingerprint = next(item.fingerprint for item in packed.inputs if item.name == "assemble")
    above = storage.join(tokens, "..", "..", "corpus")
    near = [storage.join(above, name) for name in storage.list_names(above)] if storage.exists(above) else []
    for place in [corpus] if corpus else sorted(near):
        if has_manifest(place) and read_manifest(place).fingerprint == fingerprint:
            return place if storage.is_remote(place) else os.path.normpath(place)
    said = f"is not the corpus that {tokens} was packed from" if corpus else "no corpus beside it is the one packed"
    raise UsageError(f"{corpus or tokens}: {said} (assemble, {fingerprint[:12]}); give it as --corpus DIR")


def _held(tokens: str, packed: Manifest, corpus: str, wanted: PaperIds) -> Iterator[HeldPaper]:
    """Yield the documents that hold papers of a list, split by split in the order of the stream."""
    assembled = read_manifest(corpus, "assemble")
    instead = _stand_ins(corpus, assembled, wanted)
    for split in SPLITS:
        before = 0
        indices = packed.paths(tokens, f"{split}_index")
        for path, index_path in zip(assembled.paths(corpus, split), indices, strict=True):
            index = read_index(index_path)
            table = _documents(path, len(index.lengths))
            ids = table.column("doc_id").to_pylist()
            hits = np.flatnonzero(wanted.rows(table) | np.array([name in instead for name in ids], bool))
            for number in hits.tolist():
                start = before + int(index.starts[number])
                yield HeldPaper(
                    doc_id=ids[number],
                    split=split,
                    shard=storage.base_name(index_path).removesuffix(".idx"),
                    number=number,
                    start=start,
                    end=start + int(index.lengths[number]),
                    instead_of=tuple(sorted(instead.get(ids[number], ()))),
                )
            before += index.num_tokens


def _documents(path: str, packed: int) -> pa.Table:
    """Return the ids of a corpus shard's documents that were packed: all but those without text."""
    table = parquet.read_table(path, columns=["doc_id", *COLUMNS])
    if table.num_rows != packed:
        filled = pc.greater(pc.binary_length(parquet.read_table(path, columns=["text"]).column("text")), 0)
        table = table.filter(filled)
    if table.num_rows != packed:
        raise CorruptError(f"{path}: {table.num_rows:,} documents, and {packed:,} in its token shard; verify both")
    return table


def _stand_ins(corpus: str, assembled: Manifest, wanted: PaperIds) -> dict[str, set[str]]:
    """Return the survivors of listed papers that were dropped as duplicates, each with the ids that it stands for."""
    listed = np.concatenate([pubmed_key(wanted.pmids), pmc_key(wanted.pmcids, np.zeros_like(wanted.pmcids))])
    found: dict[str, set[str]] = {}
    for path in assembled.paths(corpus, "decisions"):
        table = parquet.read_table(path, columns=["doc_id", "reason", "survivor"])
        table = table.filter(pc.is_in(table.column("reason"), pa.array(_STAND_INS)))
        keys = np.array([doc_key(name) for name in table.column("doc_id").to_pylist()], np.uint64)
        hits = np.isin(paper_keys(keys), listed)
        for row in table.filter(pa.array(hits)).to_pylist():
            found.setdefault(row["survivor"], set()).add(row["doc_id"])
    return found


def _times_seen(path: str, job: Job, tokens: str, found: Sequence[HeldPaper]) -> tuple[Numbers, int]:
    """Return how often each training row was read by a run so far, int64[num_rows], and its steps.

    The batches are replayed: which rows a step reads depends on the step and on what was left out alone.
    """
    rows, steps = TokenRows(tokens, "train"), _steps_done(path)
    order, counts = plan_mixture(rows, job.config.source_weights), np.zeros(len(rows), np.int64)
    batches, left_out = job.config.batches, batches_of(read_skipped(path))
    if any(paper.split == "train" for paper in found):
        for step in range(steps):
            places = batches.places(batch_of(step, left_out))
            np.add.at(counts, order.rows_in(places, seed=job.config.seed), 1)
    return counts, steps


def _steps_done(path: str) -> int:
    """Return the optimizer steps that a run's metrics state."""
    if not storage.exists(storage.join(path, METRICS)):
        raise CorruptError(f"{path}: no {METRICS}, which says how many steps it trained; put it back from a copy")
    return max((int(line["step"]) for line in read_metrics(path) if "loss" in line), default=0)


def _paper_lines(paper: HeldPaper, seq_length: int, seen: tuple[Numbers, int] | None) -> Iterator[str]:
    """Yield the lines about one document."""
    rows = paper.rows(seq_length)
    span = f"row {rows[0]:,}" if len(rows) == 1 else f"rows {rows[0]:,} to {rows[-1]:,}"
    place = (
        f"{paper.shard}, document {paper.number:,}: tokens {paper.start:,} to {paper.end:,} of {paper.split}, {span}"
    )
    instead = f" (stands for {', '.join(paper.instead_of)})" if paper.instead_of else ""
    yield f"{paper.doc_id}{instead}: {place}"
    if seen is not None and paper.split != "train":
        yield "  never trained on"
    elif seen is not None:
        counts, steps = seen
        own = counts[rows[0] : rows[-1] + 1].tolist()
        own += [0] * (len(rows) - len(own))  # behind the last full row
        least, most = min(own), max(own)
        times = f"{most:,} times" if least == most else f"{least:,} to {most:,} times"
        yield f"  read {times} in {steps:,} steps"
