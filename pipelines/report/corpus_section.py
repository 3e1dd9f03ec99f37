"""Section of a report about an assembled corpus: manifest and files to figures, tables and texts."""

from collections.abc import Iterator, Mapping
from typing import Any

from corpus.assemble import facts
from corpus.stage.manifest import SPLITS, Manifest
from pipelines.report import plots
from pipelines.report.elements import ReportFigure, ReportTable
from pipelines.report.measure import DecisionCounts, SampledShards, read_decisions, sample_shards

Contents = tuple[list[ReportFigure], dict[str, ReportTable], list[tuple[str, str]]]


def corpus_contents(base: str, manifest: Manifest) -> Contents:
    """Return the figures, the tables and the texts to read of a corpus."""
    decided, sampled = read_decisions(base, manifest), sample_shards(base, manifest)
    tables = {
        "splits": _splits(manifest),
        "licences": _licenses(sampled),
        "some of what was dropped": _dropped(decided),
    }
    texts = [
        (_heading(row), row["text"] + (" …" if row["characters"] > len(row["text"]) else ""))
        for row in sampled.examples
    ]
    return list(_figures(decided, sampled, manifest)), tables, texts


def _figures(decided: DecisionCounts, sampled: SampledShards, manifest: Manifest) -> Iterator[ReportFigure]:
    shards = sum(part.role == "train" for part in manifest.parts)
    measured = f"{sampled.num_documents:,} documents of {sampled.num_shards} of {shards:,} training shards."
    yield ReportFigure(svg=plots.funnel_figure(decided), caption="All records.")
    if sampled.num_documents:
        yield ReportFigure(svg=plots.years_figure(sampled), caption=measured)
        yield ReportFigure(svg=plots.lengths_figure(sampled), caption=measured)
    if manifest.config["profile"] == "pile":
        return
    threshold = manifest.config["threshold"]
    yield ReportFigure(
        svg=plots.collision_figure(threshold), caption="Exact comparison decides; this says what is compared."
    )
    if len(decided.cluster_sizes):
        dropped = int(decided.cluster_sizes.sum()) - len(decided.cluster_sizes)
        yield ReportFigure(svg=plots.duplicates_figure(decided), caption=f"{dropped:,} duplicates dropped.")
    if len(decided.scores):
        yield ReportFigure(svg=plots.scores_figure(decided, threshold))


def _splits(manifest: Manifest) -> ReportTable:
    """Return documents and text of every split and source."""
    rows = []
    numbers = manifest.summary
    for split in SPLITS:
        if facts.documents(split) in numbers:
            by_source = [f"{numbers.get(facts.documents(split, source), 0):,}" for source in ("pubmed", "pmc")]
            shards = sum(part.role == split for part in manifest.parts)
            whole = (
                f"{numbers[facts.documents(split)]:,}",
                f"{numbers[facts.text_bytes(split)] / 1e6:,.1f}",
                f"{shards:,}",
            )
            rows.append((split, *by_source, *whole))
    return ReportTable(head=("split", "pubmed", "pmc", "documents", "text, MB", "shards"), rows=rows)


def _licenses(sampled: SampledShards) -> ReportTable:
    rows = []
    for source, counts in sampled.licenses.items():
        total = sum(counts.values())
        rows += [(f"{source}: {name}", f"{count:,}", f"{100 * count / total:.1f} %") for name, count in counts.items()]
    return ReportTable(head=("licence, in the shards measured", "documents", "of the source"), rows=rows)


def _dropped(decided: DecisionCounts) -> ReportTable:
    rows = [
        (row["reason"], row["doc_id"], row["survivor"], "" if row["score"] is None else f"{row['score']:.3f}")
        for row in decided.examples
    ]
    return ReportTable(head=("reason", "record", "survivor", "Jaccard"), rows=rows, text=True)


def _heading(row: Mapping[str, Any]) -> str:
    about = [row["doc_id"], row["journal"], str(row["year"] or ""), row["license"], f"{row['characters']:,} characters"]
    return " · ".join(fact for fact in about if fact)
