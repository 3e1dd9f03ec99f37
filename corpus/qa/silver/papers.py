"""Papers of a corpus: one part of its records, joined with what `assemble` decided, to candidates and counts.

The rows of a part of decisions are those of the part of records, in their order: that says which records are documents
of the corpus, and what stands in them by structure (title, labelled parts) instead of by the look of a text.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from corpus.assemble.contamination import EvaluationIndex, find_contamination
from corpus.errors import CorruptError
from corpus.qa.silver.candidate import Candidate, SilverDrop, SilverKind
from corpus.qa.silver.config import SilverConfig
from corpus.qa.silver.recipes import Paper, make_candidate, paper_of
from corpus.records import Record
from corpus.stage.reading import check_content
from corpus.storage import parquet
from corpus.storage.schema import from_batch

BATCH_ROWS = 4000
READ = (
    *("doc_id", "source", "kind", "pmid", "pmcid", "doi", "title", "abstracts", "journal", "title_language"),
    *("file", "position"),
)
UNREAD = tuple(name for name in Record.__struct_fields__ if name not in READ)
_KEPT = ("doc_id", "kept", "cluster")


@dataclass(kw_only=True, slots=True)
class Tally:
    """What became of papers, by kind and reason; a paper is counted once for each kind."""

    papers: int = 0
    dropped: dict[str, Counter[str]] = field(default_factory=lambda: {kind: Counter() for kind in SilverKind})

    def drop(self, kind: str, reason: SilverDrop, count: int = 1) -> None:
        """Count papers that give no question of a kind."""
        self.dropped[kind][reason] += count

    def add(self, papers: int, dropped: dict[str, dict[str, int]]) -> None:
        """Add the counts of another tally."""
        self.papers += papers
        for kind, counts in dropped.items():
            self.dropped[kind].update(counts)


def read_papers(records: str, decisions: str, *, digests: tuple[str, str]) -> Iterator[tuple[list[Record], list[str]]]:
    """Yield (records, clusters) of the documents of a part; records, decisions: paths, digests: their SHA-256.

    Raises CorruptError when the files are not the manifests', or not of each other.
    """
    decided = parquet.read_table(decisions, _KEPT)
    check_content(decisions, digests[1])
    first = 0
    for batch in parquet.iter_batches(records, READ, BATCH_ROWS):
        own = decided.slice(first, batch.num_rows)
        if not own.column("doc_id").combine_chunks().equals(batch.column("doc_id")):
            raise CorruptError(f"{decisions}: its rows are not those of {records}; assemble the records again")
        kept = own.column("kept").combine_chunks()
        clusters = own.column("cluster").combine_chunks().filter(kept).to_pylist()
        yield from_batch(batch.filter(kept), Record, without=UNREAD), clusters
        first += batch.num_rows
    if first != decided.num_rows:
        raise CorruptError(f"{decisions}: {decided.num_rows} rows, {records} has {first}; assemble the records again")
    check_content(records, digests[0])


def candidates_of(
    records: list[Record], clusters: list[str], config: SilverConfig, index: EvaluationIndex | None, tally: Tally
) -> Iterator[Candidate]:
    """Yield what some documents of the corpus give, and count those that give nothing."""
    tally.papers += len(records)
    papers: list[Paper] = []
    for record, cluster in zip(records, clusters, strict=True):
        paper = paper_of(record, cluster)
        if isinstance(paper, Paper):
            papers.append(paper)
            continue
        for kind in SilverKind:
            tally.drop(kind, paper)
    found = _contaminated(papers, index, config.evaluation_share)
    for paper in papers:
        for kind in SilverKind:
            reason = found.get(paper.record.doc_id)
            made = reason if reason is not None else make_candidate(paper, kind, seed=config.seed)
            if isinstance(made, Candidate):
                yield made
            else:
                tally.drop(kind, made)


def _contaminated(papers: list[Paper], index: EvaluationIndex | None, share: float) -> dict[str, SilverDrop]:
    """Return why papers may give no question, by document id: a test item is made from it, or stands in it."""
    if index is None or not papers:
        return {}
    columns = {
        "doc_id": pa.array([one.record.doc_id for one in papers], pa.string()),
        "source": pa.array([str(one.record.source) for one in papers], pa.string()),
        "pmid": pa.array([one.record.pmid for one in papers], pa.int64()),
        "pmcid": pa.array([one.record.pmcid for one in papers], pa.int64()),
        "doi": pa.array([one.record.doi for one in papers], pa.string()),
        "text": pa.array([f"{one.title}\n\n{one.abstract}" for one in papers], pa.string()),
    }
    rows = find_contamination(pa.table(columns), index, share=share).to_pylist()
    found = {row["doc_id"]: SilverDrop.CONTAMINATED_BY_TEXT for row in rows}
    return found | {row["doc_id"]: SilverDrop.CONTAMINATED_BY_ID for row in rows if row["by"] != "ngram"}
