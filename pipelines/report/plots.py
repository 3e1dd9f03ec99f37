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

# Okabe and Ito's, which colour-blind readers tell apart; the page has brighter ones for the dark.
COLORS: Final = {
    **{"pubmed": "#d55e00", "pmc": "#0072b2", "training": "#8fa8bf", "all": "#222222"},
    **{"commercial": "#009e73", "open": "#e69f00", "other": "#999999"},
}
COLORS_OF: Final = {**COLORS, "dead letters": COLORS["pubmed"], "duplicates": COLORS["pmc"]}  # of whatever has a name
SMOOTH_POINTS: Final = 400  # of a training loss of many steps
_SVG_ID: Final = re.compile(r'(id="|url\(#|href="#)([\w-]+)')
# What matplotlib draws in black, white and grey has the colours of the page, which are others in the dark.
_PAGE_COLORS: Final = {
    "#000000": "currentColor",
    "#262626": "currentColor",
    COLORS["all"]: "currentColor",
    "#ffffff": "var(--card)",
    "#e4e4e4": "var(--rule)",
    **{COLORS[name]: f"var(--{name})" for name in COLORS if name != "all"},
}
_SVG_COLOR: Final = re.compile(rf"(?:{'|'.join(_PAGE_COLORS)})(?![0-9a-f])")

# Text stays text, so that it can be searched; ids depend on nothing but the figure.
_STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "corpuscle",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
}
Draw = Callable[[Axes], None]


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


def speed_figure(timings: Sequence[Mapping[str, Any]]) -> str:
    """Return the throughput of a run over its steps, and its median."""
    known = [(line["step"], line["tokens_per_second"]) for line in timings if "tokens_per_second" in line]

    def draw(axes: Axes) -> None:
        steps, speeds = zip(*known, strict=True)
        axes.plot(steps, speeds, ".-", color=COLORS["commercial"], label=f"median {np.median(speeds):,.0f}")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("step")
        axes.set_ylabel("tokens a second, all ranks")
        thousands(axes.yaxis)
        legend_beside_title(axes)

    return svg_figure("throughput", draw)


def _smoothed(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of consecutive points, at most `SMOOTH_POINTS` of them."""
    pieces = np.array_split(points, min(len(points), SMOOTH_POINTS))
    return np.array([piece[-1, 0] for piece in pieces]), np.array([piece[:, 1].mean() for piece in pieces])


def legend_beside_title(axes: Axes) -> None:
    """Put the legend beside the title, where it hides nothing."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, fontsize=8, columnspacing=1)


def color_of(source: str) -> str:
    """Return the colour of a source, or of another kind of rows, grey for an unknown one."""
    return COLORS_OF.get(source, "#7f7f7f")


def thousands(axis: Any) -> None:
    """Write the numbers of an axis with separators."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def svg_figure(title: str, draw: Draw, *, height: float = 2.9) -> str:
    """Draw one figure of 6.2 by `height` inches; return the element `<svg>` with ids of its own."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(6.2, height), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold")
        draw(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    prefix = re.sub(r"\W", "-", title)
    text = _SVG_ID.sub(rf"\g<1>{prefix}-\g<2>", text[text.index("<svg") :])
    return _SVG_COLOR.sub(lambda found: _PAGE_COLORS[found[0]], text)
