"""Figures of a report, drawn by matplotlib as SVG that stands in the page: no script, no other file, no font."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from corpus.dedup.minhash import bands_for, collision_curve
from pipelines.report.measure import DecisionCounts, SampledShards

COLORS: Final = {"pubmed": "#c0504d", "pmc": "#4f81bd", "training": "#9db4c8", "all": "#222222"}
SMOOTH_POINTS: Final = 400  # of a training loss of many steps
_SVG_ID: Final = re.compile(r'(id="|url\(#|href="#)([\w-]+)')
# What matplotlib draws in black, white and grey has the colours of the page, which are others in the dark.
_PAGE_COLORS: Final = {
    "#000000": "currentColor",
    "#262626": "currentColor",
    COLORS["all"]: "currentColor",
    "#ffffff": "var(--page)",
    "#e4e4e4": "var(--rule)",
}
_SVG_COLOR: Final = re.compile(rf"(?:{'|'.join(_PAGE_COLORS)})(?![0-9a-f])")

# Text stays text, so that it can be searched; ids depend on nothing but the figure.
_STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "corpuscle",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
}
Draw = Callable[[Axes], None]


def funnel_figure(decided: DecisionCounts) -> str:
    """Return bars of the reasons why records were dropped, by source."""
    counts = decided.by_source
    reasons = sorted(
        {reason for by_reason in counts.values() for reason in by_reason} - {"kept"},
        key=lambda reason: sum(by_reason.get(reason, 0) for by_reason in counts.values()),
    )
    rows = [*reasons, "kept"]

    def draw(axes: Axes) -> None:
        left = np.zeros(len(rows))
        for source in sorted(counts):
            width = np.array([counts[source].get(reason, 0) for reason in rows])
            axes.barh(rows, width, left=left, color=_color(source), label=source)
            left += width
        for place, total in enumerate(left):
            axes.annotate(f" {total:,.0f}", (total, place), va="center")
        axes.set_xlim(right=left.max() * 1.15)
        axes.grid(axis="y", visible=False)
        _thousands(axes.xaxis)
        legend_beside_title(axes)

    return svg_figure("records by fate", draw, height=0.25 * len(rows) + 0.9)


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
            color=[_color(source) for source in sampled.years],
            label=list(sampled.years),
        )
        _thousands(axes.yaxis)
        legend_beside_title(axes)

    return svg_figure("documents by year", draw)


def lengths_figure(sampled: SampledShards) -> str:
    """Return the share of documents of each source by the length of the text."""

    def draw(axes: Axes) -> None:
        for source, lengths in sampled.lengths.items():
            edges = np.geomspace(max(1, lengths.min()), lengths.max() + 1, 60)
            weights = np.full(len(lengths), 100 / len(lengths))
            label = f"{source}, median {np.median(lengths):,.0f}"
            axes.hist(lengths, bins=list(edges), weights=weights, color=_color(source), alpha=0.7, label=label)
        axes.set_xscale("log")
        axes.set_xlabel("UTF-8 bytes of the text")
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


def duplicates_figure(decided: DecisionCounts) -> str:
    """Return the sizes of clusters; what was dropped alone counts as a pair."""
    edges = (2, 3, 4, 6, 11, 101, 1001)
    names = ("2", "3", "4–5", "6–10", "11–100", "101–1,000", "> 1,000")

    def draw(axes: Axes) -> None:
        counts = np.diff([*np.searchsorted(decided.cluster_sizes, edges), len(decided.cluster_sizes)])
        bars = axes.bar(names, counts, color=COLORS["pmc"])
        axes.bar_label(bars, [f"{count:,}" for count in counts])
        axes.set_xlabel("documents in a cluster, the kept one included")
        axes.grid(axis="x", visible=False)

    return svg_figure("clusters of duplicates", draw)


def scores_figure(decided: DecisionCounts, threshold: float) -> str:
    """Return the exact similarities of the near-duplicates that were dropped."""

    def draw(axes: Axes) -> None:
        axes.hist(
            decided.scores, bins=list(np.linspace(min(threshold, decided.scores.min()), 1, 41)), color=COLORS["pmc"]
        )
        axes.set_xlabel("exact Jaccard similarity with the document kept")

    return svg_figure("near-duplicates dropped", draw)


def loss_figure(metrics: Sequence[Mapping[str, Any]]) -> str:
    """Return the training and validation losses of a run over its steps."""
    trained = [(line["step"], line["loss"]) for line in metrics if "loss" in line]

    def draw(axes: Axes) -> None:
        steps, losses = _smoothed(np.array(trained, float))
        axes.plot(steps, losses, color=COLORS["training"], label="training")
        for name, key in (("pubmed", "_pubmed"), ("pmc", "_pmc"), ("all", "")):
            points = [
                (line["step"], line[f"validation_loss{key}"]) for line in metrics if f"validation_loss{key}" in line
            ]
            if points:
                x, y = zip(*points, strict=True)
                axes.plot(x, y, ".-", color=COLORS[name], label=f"{name} {y[-1]:.3f}")
        axes.set_xlabel("step")
        axes.set_ylabel("nats a token")
        legend_beside_title(axes)

    return svg_figure("loss", draw)


def norm_figure(metrics: Sequence[Mapping[str, Any]]) -> str:
    """Return the gradient norm and the learning rate of a run over its steps."""
    known = [line for line in metrics if line.get("gradient_norm") is not None]

    def draw(axes: Axes) -> None:
        steps = [line["step"] for line in known]
        axes.plot(steps, [line["gradient_norm"] for line in known], color=COLORS["training"], label="gradient norm")
        axes.set_yscale("log")
        axes.set_xlabel("step")
        other = axes.twinx()
        other.plot(steps, [line["learning_rate"] for line in known], color=COLORS["pubmed"], label="learning rate")
        other.grid(visible=False)
        axes.figure.legend(loc="upper right", frameon=False, ncols=2)

    return svg_figure("gradient norm and learning rate", draw)


def _smoothed(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of consecutive points, at most `SMOOTH_POINTS` of them."""
    pieces = np.array_split(points, min(len(points), SMOOTH_POINTS))
    return np.array([piece[-1, 0] for piece in pieces]), np.array([piece[:, 1].mean() for piece in pieces])


def legend_beside_title(axes: Axes) -> None:
    """Put the legend beside the title, where it hides nothing."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, fontsize=8, columnspacing=1)


def _color(source: str) -> str:
    return COLORS.get(source, "#7f7f7f")


def _thousands(axis: Any) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def svg_figure(title: str, draw: Draw, *, height: float = 2.9) -> str:
    """Draw one figure of 6.2 by `height` inches; return the element `<svg>` with ids of its own."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(6.2, height), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title, loc="left", fontsize=10)
        draw(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    prefix = re.sub(r"\W", "-", title)
    text = _SVG_ID.sub(rf"\g<1>{prefix}-\g<2>", text[text.index("<svg") :])
    return _SVG_COLOR.sub(lambda found: _PAGE_COLORS[found[0]], text)
