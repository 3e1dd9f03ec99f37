"""Section of a report about an assembled corpus: manifest and files to figures, tables and texts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.filesize import decimal

from corpus.assemble import facts
from corpus.stage.license_table import add_licenses
from corpus.stage.manifest import SPLITS, Manifest
from pipelines.inspection.summaries import short
from pipelines.report import corpus_plots as plots
from pipelines.report.elements import ReportFigure, ReportTable, ReportTile
from pipelines.report.measure import DecisionCounts, SampledShards, read_decisions, sample_shards


@dataclass(frozen=True, kw_only=True, slots=True)
class CorpusContents:
    """What a page shows of a corpus."""

    tiles: Sequence[ReportTile]
    figures: Sequence[ReportFigure]
    tables: Mapping[str, ReportTable]
    texts: Sequence[tuple[str, str]]


def corpus_contents(base: str, manifest: Manifest) -> CorpusContents:
    """Return the tiles, the figures, the tables and the texts to read of a corpus."""
    decided, sampled = read_decisions(base, manifest), sample_shards(base, manifest)
    tables = {
        "splits": _splits(manifest),
        "licences": _licenses(manifest, sampled),
        "some of what was dropped": _dropped(decided),
    }
    texts = [
        (_heading(row), row["text"] + (" …" if row["characters"] > len(row["text"]) else ""))
        for row in sampled.examples
    ]
    return CorpusContents(
        tiles=list(_tiles(manifest, sampled)),
        figures=list(_figures(decided, sampled, manifest)),
        tables=tables,
        texts=texts,
    )


def _tiles(manifest: Manifest, sampled: SampledShards) -> Iterator[ReportTile]:
    """Yield what a corpus holds; words are counted where texts were measured, and projected by bytes to the rest."""
    numbers, books = manifest.summary, manifest.books
    splits = [split for split in SPLITS if facts.documents(split) in numbers]
    by_source = {
        source: sum(numbers.get(facts.documents(split, source), 0) for split in splits) for source in ("pubmed", "pmc")
    }
    yield ReportTile(number=short(books.kept), label="documents", note=f"of {books.read:,} records")
    yield ReportTile(number=short(by_source["pmc"]), label="full texts", note=f"and {by_source['pubmed']:,} abstracts")
    text = sum(numbers[facts.text_bytes(split)] for split in splits)
    words = sum(int(lengths.sum()) for lengths in sampled.lengths.values())
    measured = sampled.text_bytes
    if measured:
        about = "" if measured == text else ", about"
        note = f"{words * text / measured / max(1, books.kept):,.0f} a document"
        yield ReportTile(number=short(round(words * text / measured)), label=f"words{about}", note=note)
    yield ReportTile(number=decimal(text), label="text", note=f"in {len(splits)} splits")


def _licenses_of_all(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Return documents and bytes of text by licence, of all splits and sources, where the manifest states them."""
    whole = add_licenses(manifest.summary.get("licenses", {}).values())
    found: dict[str, dict[str, int]] = {}
    for licenses in whole.values():
        for name, counts in licenses.items():
            own = found.setdefault(name, dict.fromkeys(counts, 0))
            for what, count in counts.items():
                own[what] += count
    return found


def _figures(decided: DecisionCounts, sampled: SampledShards, manifest: Manifest) -> Iterator[ReportFigure]:
    shards = sum(part.role == "train" for part in manifest.parts)
    measured = f"{sampled.num_documents:,} documents of {sampled.num_shards} of {shards:,} training shards."
    if manifest.books.dropped:
        kept = f"{manifest.books.kept:,} of {manifest.books.read:,} records are kept; the axis counts in powers of ten."
        yield ReportFigure(svg=plots.fates_figure(decided.by_source), caption=kept)
    if licenses := _licenses_of_all(manifest):
        yield ReportFigure(svg=plots.licenses_figure(licenses), caption="All documents, as they state it themselves.")
    if sampled.num_documents:
        yield ReportFigure(svg=plots.years_figure(sampled), caption=measured)
        yield ReportFigure(svg=plots.lengths_figure(sampled), caption=measured)
        if sampled.journals:
            yield ReportFigure(svg=plots.journals_figure(sampled), caption=measured)
    if manifest.config["profile"] == "pile":
        return
    threshold = manifest.config["threshold"]
    yield ReportFigure(
        svg=plots.collision_figure(threshold), caption="Exact comparison decides; this says what is compared."
    )
    if len(decided.cluster_sizes):
        dropped = int(decided.cluster_sizes.sum()) - len(decided.cluster_sizes)
        yield ReportFigure(
            svg=plots.duplicates_figure(decided.cluster_sizes), caption=f"{dropped:,} duplicates dropped."
        )
    if len(decided.scores):
        yield ReportFigure(svg=plots.scores_figure(decided.scores, threshold))


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


def _licenses(manifest: Manifest, sampled: SampledShards) -> ReportTable:
    """Return documents and text by source and licence, exact where the manifest states them."""
    if "licenses" in manifest.summary:
        whole = add_licenses(manifest.summary["licenses"].values())
        exact = [
            (f"{source}: {name}", f"{counts['documents']:,}", f"{counts['text_bytes'] / 1e6:,.1f}")
            for source, licenses in whole.items()
            for name, counts in sorted(licenses.items(), key=lambda item: -item[1]["documents"])
        ]
        return ReportTable(head=("licence", "documents", "text, MB"), rows=exact)
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
