"""A small corpus with the records that it is made of, as `extract` and `assemble` leave them, for `qa silver`."""

from collections.abc import Sequence
from pathlib import Path

from corpus.assemble.shards import Decision
from corpus.records import AbstractPart, Kind, Record, Source
from corpus.stage.manifest import Books, Input, Manifest
from corpus.stage.workspace import Receipt, plan_stage
from corpus.storage import parquet
from corpus.storage.schema import to_table

FILLER = "Of the many who took part most came back after a year and said what they had seen there in some detail"


def paper(number: int, title: str, *, journal: str = "J", conclusion: str = "", context: str = FILLER) -> Record:
    """Return a citation of some PMID; with a conclusion its abstract has parts, else one text."""
    parts = [AbstractPart(label="METHODS", category="METHODS", text=f"{context} number {number} of all.")]
    parts.append(AbstractPart(label="RESULTS", category="RESULTS", text=f"{FILLER} in year {number}."))
    if conclusion:
        parts.append(AbstractPart(label="CONCLUSION", category="CONCLUSIONS", text=conclusion))
    return Record(
        doc_id=f"pmid:{number}", source=Source.PUBMED, kind=Kind.CITATION, pmid=number, title=title,
        abstracts=tuple(parts), journal=journal, title_language="en", file="pubmed.xml.gz", position=number,
    )  # fmt: skip


def write_silver_corpus(base: Path, parts: Sequence[Sequence[Record]], *, dropped: frozenset[str] = frozenset(),
                        clusters: dict[str, str] | None = None) -> tuple[str, str]:  # fmt: skip
    """Commit records and a corpus of all of them but some; returns (corpus, records)."""
    records = _records(base / "records", parts)
    config = {"dropped": sorted(dropped), "clusters": clusters or {}}
    inputs = [Input(name="extract", fingerprint=records.fingerprint)]
    workspace, _ = plan_stage(str(base / "corpus"), stage="assemble", revision=1, config=config, inputs=inputs)
    made = []
    for number, part in enumerate(parts):
        name = f"decisions/part-{number:05d}.parquet"
        rows = [_decision(one, dropped, clusters or {}) for one in part]
        parquet.write_table(workspace.path(name), to_table(rows, Decision))
        made.append(workspace.measure(name, role="decisions", rows=len(part)))
    count = sum(map(len, parts))
    books = Books(read=count, kept=count - len(dropped), dropped={"too_short": len(dropped)})
    workspace.commit([Receipt(task="all", parts=tuple(made), books=books)], summary={})
    return str(base / "corpus"), str(base / "records")


def _records(base: Path, parts: Sequence[Sequence[Record]]) -> Manifest:
    config = {"records": [[one.doc_id + one.title for one in part] for part in parts]}
    workspace, _ = plan_stage(str(base), stage="extract", revision=1, config=config, inputs=[])
    made = []
    for number, part in enumerate(parts):
        name = f"records/part-{number:05d}.parquet"
        parquet.write_table(workspace.path(name), to_table(list(part), Record))
        made.append(workspace.measure(name, role="records", rows=len(part)))
    return workspace.commit([Receipt(task="all", parts=tuple(made))], summary={})


def _decision(one: Record, dropped: frozenset[str], clusters: dict[str, str]) -> Decision:
    kept = one.doc_id not in dropped
    return Decision(
        doc_id=one.doc_id, source=str(one.source), kind=str(one.kind), kept=kept, reason="" if kept else "too_short",
        survivor="", matched="", score=None, cluster=clusters.get(one.doc_id, one.doc_id),
        split="train" if kept else "",
    )  # fmt: skip
