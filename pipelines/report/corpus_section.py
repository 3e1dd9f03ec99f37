"""The part of a report that is about an assembled corpus: figures, tables and texts."""

from collections.abc import Iterator, Mapping
from typing import Any

from corpus.stage.manifest import SPLITS, Manifest
from pipelines.report import plots
from pipelines.report.elements import Figure, Table
from pipelines.report.measure import Decided, Sampled, read_decisions, sample_shards

Parts = tuple[list[Figure], dict[str, Table], list[tuple[str, str]]]


def corpus_parts(base: str, manifest: Manifest) -> Parts:
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


def _figures(decided: Decided, sampled: Sampled, manifest: Manifest) -> Iterator[Figure]:
    shards = sum(part.role == "train" for part in manifest.parts)
    measured = f"{sampled.num_documents:,} documents of {sampled.num_shards} of {shards:,} training shards."
    yield Figure(svg=plots.funnel_figure(decided), caption="All records.")
    if sampled.num_documents:
        yield Figure(svg=plots.years_figure(sampled), caption=measured)
        yield Figure(svg=plots.lengths_figure(sampled), caption=measured)
    if manifest.config["profile"] == "pile":
        return
    threshold = manifest.config["threshold"]
    yield Figure(svg=plots.collision_figure(threshold), caption="Exact comparison decides; this says what is compared.")
    if len(decided.cluster_sizes):
        dropped = int(decided.cluster_sizes.sum()) - len(decided.cluster_sizes)
        yield Figure(svg=plots.duplicates_figure(decided), caption=f"{dropped:,} duplicates dropped.")
    if len(decided.scores):
        yield Figure(svg=plots.scores_figure(decided, threshold))


def _splits(manifest: Manifest) -> Table:
    """Return documents and text of every split and source."""
    rows = []
    numbers = manifest.summary
    for split in SPLITS:
        if f"{split}_documents" in numbers:
            by_source = [f"{numbers.get(f'{split}_documents_{source}', 0):,}" for source in ("pubmed", "pmc")]
            shards = sum(part.role == split for part in manifest.parts)
            whole = (
                f"{numbers[f'{split}_documents']:,}",
                f"{numbers[f'{split}_text_bytes'] / 1e6:,.1f}",
                f"{shards:,}",
            )
            rows.append((split, *by_source, *whole))
    return Table(head=("split", "pubmed", "pmc", "documents", "text, MB", "shards"), rows=rows)


def _licenses(sampled: Sampled) -> Table:
    rows = []
    for source, counts in sampled.licenses.items():
        total = sum(counts.values())
        rows += [(f"{source}: {name}", f"{count:,}", f"{100 * count / total:.1f} %") for name, count in counts.items()]
    return Table(head=("licence, in the shards measured", "documents", "of the source"), rows=rows)


def _dropped(decided: Decided) -> Table:
    rows = [
        (row["reason"], row["doc_id"], row["survivor"], "" if row["score"] is None else f"{row['score']:.3f}")
        for row in decided.examples
    ]
    return Table(head=("reason", "record", "survivor", "Jaccard"), rows=rows, text=True)


def _heading(row: Mapping[str, Any]) -> str:
    facts = [row["doc_id"], row["journal"], str(row["year"] or ""), row["license"], f"{row['characters']:,} characters"]
    return " · ".join(fact for fact in facts if fact)
