"""Accuracy against the size of the model, a panel a set: PNG or SVG by matplotlib, the same bytes each time."""

import math
from collections.abc import Sequence
from typing import Any, Final

from corpus import storage
from corpus.errors import UsageError
from corpus.qa.results import ResultRow, ResultTable

_COLORS: Final = {"fine-tuned": "#4f81bd", "few-shot": "#c0504d", "zero-shot": "#e0a030"}
_OURS: Final = "#222222"
_DECADES: Final = 1.5  # that a label is wide
_STYLE: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "corpuscle",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw_results(tables: Sequence[ResultTable], path: str) -> None:
    """Write the figure; models of undisclosed size stand right of the line. Raises UsageError for another ending."""
    if not path.lower().endswith((".png", ".svg")):
        raise UsageError(f"{path}: which form is this? Give a name that ends in .png or .svg")
    import matplotlib
    from matplotlib.figure import Figure

    columns = min(4, len(tables))
    lines = math.ceil(len(tables) / columns)
    with matplotlib.rc_context(_STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(3.2 * columns, 2.8 * lines), layout="constrained")
        for number, table in enumerate(tables, start=1):
            _panel(figure.add_subplot(lines, columns, number), table)
        kind = path.rpartition(".")[2].lower()
        unset = {"svg": ("Date", "Creator", "Format", "Type"), "png": ("Software",)}[kind]
        with storage.write_atomic(path) as sink:
            figure.savefig(sink, format=kind, dpi=160, metadata=dict.fromkeys(unset))


def _panel(axes: Any, table: ResultTable) -> None:
    """Draw one set: a model by its size, people and constants as lines across."""
    models = [row for row in table.rows if row.ours or row.method in _COLORS]
    sizes = [row.parameters for row in models if row.parameters]
    right = max(sizes, default=1e9) * 10
    at = {id(row): row.parameters or right for row in models}
    axes.set_title(table.title, loc="left", fontsize=7)
    axes.set_xscale("log")
    axes.set_xlim(min(at.values(), default=right) / 2, right * 60)
    for row in table.rows:
        if id(row) in at:
            _point(axes, row, at[id(row)])
        else:
            axes.axhline(100 * row.accuracy, color="#888888", linewidth=0.6, linestyle="--")
            axes.annotate(_label(row), (right * 60, 100 * row.accuracy), ha="right", fontsize=5.5, color="#666666")
    if len(sizes) < len(models):
        axes.axvline(right / 3, color="#bbbbbb", linewidth=0.6, linestyle=":")
    axes.set_xlabel("parameters" + (" (right of the line: not known)" if len(sizes) < len(models) else ""))
    axes.set_ylabel("accuracy, %")
    low, high = axes.get_ylim()
    for row, height in _label_heights(models, at, (high - low) / 32):
        axes.annotate(
            _label(row), (at[id(row)], height), (4, -2), textcoords="offset points", fontsize=5.5, color=_color(row)
        )


def _point(axes: Any, row: ResultRow, size: float) -> None:
    axes.errorbar(
        [size],
        [100 * row.accuracy],
        yerr=[[100 * max(0.0, row.accuracy - row.low)], [100 * max(0.0, row.high - row.accuracy)]],
        color=_color(row),
        marker="D" if row.ours else "o" if row.open_weights else "s",
        markersize=4.5 if row.ours else 3.5,
        linewidth=0.8,
    )


def _label_heights(rows: Sequence[ResultRow], at: dict[int, float], gap: float) -> list[tuple[ResultRow, float]]:
    """Return the height of each label: that of its point, or as much higher as the labels below it need."""
    placed: list[tuple[ResultRow, float]] = []
    for row in sorted(rows, key=lambda one: (one.accuracy, one.model)):
        near = [height for other, height in placed if abs(math.log10(at[id(row)] / at[id(other)])) < _DECADES]
        placed.append((row, max([100 * row.accuracy, *(height + gap for height in near)])))
    return placed


def _color(row: ResultRow) -> str:
    return _OURS if row.ours else _COLORS[row.method]


def _label(row: ResultRow) -> str:
    return f"{row.model} {row.value}"
