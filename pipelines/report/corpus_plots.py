"""Figures of an assembled corpus: fates, years, journals, licences, lengths, duplicates."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from corpus.dedup.minhash import bands_for, collision_curve
from corpus.licenses import allows
from pipelines.inspection.line_counts import SIZE_CLASSES
from pipelines.report.measure import Figures as Sizes
from pipelines.report.measure import SampledShards, Scores
from pipelines.report.plots import COLORS, color_of, legend_beside_title, svg_figure, thousands

LICENSES_SHOWN = 12


def fates_figure(counts: Mapping[str, Mapping[str, int]], title: str = "records dropped, by reason") -> str:
    """Return how many records each reason took away, by source; the axis counts in powers of ten, or one hides all."""
    sources = sorted(counts)
    reasons = sorted(
        {reason for by_reason in counts.values() for reason in by_reason} - {"kept"},
        key=lambda reason: sum(by_reason.get(reason, 0) for by_reason in counts.values()),
    )

    def draw(axes: Axes) -> None:
        height = 0.8 / len(sources)
        for number, source in enumerate(sources):
            places = [place + 0.4 - (number + 0.5) * height for place in range(len(reasons))]
            widths = [counts[source].get(reason, 0) for reason in reasons]
            axes.barh(places, widths, height=height * 0.92, color=color_of(source), label=source, left=0.7)
            for place, width in zip(places, widths, strict=True):
                if width:
                    axes.annotate(f" {width:,}", (width + 0.7, place), va="center", fontsize=8)
        axes.set_yticks(range(len(reasons)), reasons)
        axes.set_xscale("log")
        most = max((counts[source].get(reason, 0) for source in sources for reason in reasons), default=1)
        axes.set_xlim(0.7, max(most, 1) * 8)
        thousands(axes.xaxis)
        axes.grid(axis="y", visible=False)
        legend_beside_title(axes)

    return svg_figure(title, draw, height=0.32 * max(len(reasons), 1) + 1.0)


def journals_figure(sampled: SampledShards) -> str:
    """Return the journals with most documents, by source."""
    names = [name for name, _ in reversed(sampled.journals)]

    def draw(axes: Axes) -> None:
        left = np.zeros(len(names))
        for source in sampled.lengths:
            width = np.array([counts.get(source, 0) for _, counts in reversed(sampled.journals)])
            axes.barh(names, width, left=left, color=color_of(source), label=source)
            left += width
        for place, total in enumerate(left):
            axes.annotate(f" {total:,.0f}", (total, place), va="center", fontsize=8)
        axes.set_yticks(range(len(names)), [name if len(name) <= 44 else f"{name[:42]}…" for name in names])
        axes.set_xlim(right=left.max() * 1.15)
        axes.grid(axis="y", visible=False)
        thousands(axes.xaxis)
        axes.legend(loc="lower right", frameon=False, fontsize=8)

    return svg_figure("largest journals", draw, height=0.25 * len(names) + 0.9)


def licenses_figure(licenses: Mapping[str, Mapping[str, int]]) -> str:
    """Return the text under each licence, and whether that allows commercial use; licence → text_bytes, documents."""
    rows = sorted(licenses.items(), key=lambda item: item[1]["text_bytes"])[-LICENSES_SHOWN:]

    def draw(axes: Axes) -> None:
        for use in ("commercial", "open", "other"):
            own = [(place, row) for place, (name, row) in enumerate(rows) if use_of(name) == use]
            if own:
                sizes = [row["text_bytes"] / 1e6 for _, row in own]
                axes.barh([place for place, _ in own], sizes, color=COLORS[use], label=_USES[use])
        for place, (_, row) in enumerate(rows):
            size = row["text_bytes"] / 1e6
            amount = f"{size:,.1f}" if size >= 1 else f"{size:.2g}"  # a few abstracts are not "0.0 MB"
            said = f" {amount} MB, {row['documents']:,} document{'s' * (row['documents'] != 1)}"
            axes.annotate(said, (size, place), va="center", fontsize=8)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_xlim(right=max(row["text_bytes"] for _, row in rows) / 1e6 * 1.6)
        axes.set_xlabel("text, MB")
        axes.grid(axis="y", visible=False)
        axes.legend(loc="lower right", frameon=False, fontsize=8)

    return svg_figure("licences", draw, height=0.28 * len(rows) + 1.2)


_USES = {"commercial": "commercial use", "open": "not commercial", "other": "none stated, or none of CC"}


def use_of(license_name: str) -> str:
    """Return what a licence allows: commercial, open (any of Creative Commons), or other."""
    return next((use for use in ("commercial", "open") if allows(license_name, use)), "other")


def years_figure(sampled: SampledShards) -> str:
    """Return documents by year of publication and source."""

    def draw(axes: Axes) -> None:
        known = [years for years in sampled.years.values() if len(years)]
        if not known:
            return
        edges = np.arange(min(map(min, known)), max(map(max, known)) + 2) - 0.5
        axes.hist(
            list(sampled.years.values()),
            bins=list(edges),
            stacked=True,
            color=[color_of(source) for source in sampled.years],
            label=list(sampled.years),
        )
        thousands(axes.yaxis)
        legend_beside_title(axes)

    return svg_figure("documents by year", draw)


def lengths_figure(sampled: SampledShards) -> str:
    """Return the share of documents of each source by the length of the text."""

    def draw(axes: Axes) -> None:
        for source, lengths in sampled.lengths.items():
            edges = np.geomspace(max(1, lengths.min()), lengths.max() + 1, 48)
            weights = np.full(len(lengths), 100 / len(lengths))
            label = f"{source}, median {np.median(lengths):,.0f}"
            axes.hist(lengths, bins=list(edges), weights=weights, color=color_of(source), alpha=0.7, label=label)
        axes.set_xscale("log")
        axes.set_xlabel("words of the text")
        axes.set_ylabel("% of the source's documents")
        legend_beside_title(axes)

    return svg_figure("length of documents", draw)


def collision_figure(threshold: float) -> str:
    """Return how likely two texts of a Jaccard similarity are compared exactly."""

    def draw(axes: Axes) -> None:
        bands, rows = bands_for(threshold)
        curve = collision_curve(bands, rows, 100)
        axes.plot([similarity for similarity, _ in curve], [chance for _, chance in curve], color=COLORS["pmc"])
        axes.axvline(threshold, color=COLORS["pubmed"], linestyle=":", label=f"threshold {threshold:g}")
        axes.set_xlabel(f"Jaccard similarity; {bands} bands of {rows} values")
        axes.set_ylabel("P(candidate)")
        legend_beside_title(axes)

    return svg_figure("which pairs MinHash proposes", draw)


def duplicates_figure(cluster_sizes: Sizes) -> str:
    """Return the sizes of clusters, ascending; what was dropped alone counts as a pair."""
    edges, names = zip(*SIZE_CLASSES, strict=True)

    def draw(axes: Axes) -> None:
        counts = np.diff([*np.searchsorted(cluster_sizes, edges), len(cluster_sizes)])
        bars = axes.bar(names, counts, color=COLORS["pmc"])
        axes.bar_label(bars, [f"{count:,}" for count in counts])
        axes.set_xlabel("documents in a cluster, the kept one included")
        axes.grid(axis="x", visible=False)

    return svg_figure("clusters of duplicates", draw)


def scores_figure(scores: Scores, threshold: float, title: str = "near-duplicates dropped") -> str:
    """Return the exact similarities of the near-duplicates that were dropped."""

    def draw(axes: Axes) -> None:
        axes.hist(scores, bins=list(np.linspace(min(threshold, scores.min()), 1, 41)), color=COLORS["pmc"])
        axes.set_xlabel("exact Jaccard similarity with the document kept")

    return svg_figure(title, draw)
