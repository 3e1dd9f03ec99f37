"""Figures of question answering: scores beside what can be had without reading, calibration, positions, learning."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pipelines.report.measure_qa import AnsweredGroup
from pipelines.report.plots import COLORS, legend_beside_title, svg_figure

_SEEDS = ("#4f81bd", "#c0504d", "#9bbb59", "#8064a2", "#e0a030", "#4bacc6")  # one after the other
_BASELINES = {"majority": "|", "longest": "x", "random": "."}


def scores_figure(groups: Sequence[AnsweredGroup]) -> str:
    """Return each group's accuracy with its interval, and marks where models stand that read nothing."""

    def draw(axes: Axes) -> None:
        places = np.arange(len(groups))[::-1]
        for place, one in zip(places, groups, strict=True):
            middle = 100 * one.accuracy
            spread = [[max(0.0, middle - 100 * one.low)], [max(0.0, 100 * one.high - middle)]]
            axes.errorbar([middle], [place], xerr=spread, fmt="D", color=COLORS["pmc"], capsize=3)
            axes.annotate(f"{middle:.1f}", (middle, place), (0, 6), textcoords="offset points", ha="center")
        for name, mark in _BASELINES.items():
            known = [(100 * one.baselines[name], place) for one, place in zip(groups, places, strict=True)
                     if name in one.baselines]  # fmt: skip
            if known:
                axes.plot(*zip(*known, strict=True), mark, color=COLORS["all"], label=name, markersize=8)
        axes.set_yticks(places, [one.name for one in groups])
        axes.set_ylim(-0.6, len(groups) - 0.3)
        axes.set_xlabel("accuracy, %")
        axes.grid(axis="y", visible=False)
        legend_beside_title(axes)

    return svg_figure("accuracy, 95 %", draw, height=0.45 * len(groups) + 1.1)


def calibration_figure(group: AnsweredGroup) -> str:
    """Return accuracy by the chosen option's probability, in bins of equal numbers of answers."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 100], [0, 100], "--", color=COLORS["training"], linewidth=1)
        sure, right = (100 * np.array([getattr(one, name) for one in group.bins]) for name in ("sure", "right"))
        error = "" if group.calibration_error is None else f"calibration error {100 * group.calibration_error:.1f} %"
        axes.plot(sure, right, "o-", color=COLORS["pmc"], label=error)
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 100)
        axes.set_xlabel("probability of the chosen option, %")
        axes.set_ylabel("right, %")
        legend_beside_title(axes)

    return svg_figure(f"calibration: {group.name}", draw)


def position_figure(group: AnsweredGroup) -> str:
    """Return how often each option is right, how often it is chosen, and how often it is found when it is right."""

    def draw(axes: Axes) -> None:
        found = {
            "is right": group.gold_share,
            "is chosen": group.chosen_share,
            "found when right": group.found_share,
        }
        colors = (COLORS["training"], COLORS["pmc"], COLORS["pubmed"])
        places = np.arange(len(group.gold_share))
        for number, ((name, values), color) in enumerate(zip(found.items(), colors, strict=True)):
            axes.bar(places + 0.27 * (number - 1), 100 * np.array(values), 0.25, color=color, label=name)
        axes.set_xticks(places, group.options)
        axes.set_ylabel("% of questions")
        axes.grid(axis="x", visible=False)
        legend_beside_title(axes)

    return svg_figure(f"options: {group.name}", draw)


def curves_figures(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return the training loss, and the accuracy on dev, of each run over its steps; metrics by the run's name."""
    found = [_curves("training loss", "loss", "nats a question", runs, 1.0)]
    if any("dev_accuracy" in line for lines in runs.values() for line in lines):
        found.append(_curves("accuracy on dev", "dev_accuracy", "%, ringed: the pass that is kept", runs, 100.0))
    return found


def _curves(title: str, key: str, unit: str, runs: Mapping[str, Sequence[Mapping[str, Any]]], scale: float) -> str:
    def draw(axes: Axes) -> None:
        for number, (name, lines) in enumerate(runs.items()):
            color = _SEEDS[number % len(_SEEDS)]
            points = [(line["step"], scale * line[key]) for line in lines if line.get(key) is not None]
            if not points:
                continue
            axes.plot(*zip(*points, strict=True), ".-", color=color, linewidth=1, markersize=4, label=name)
            kept = next((line["kept_step"] for line in lines if "kept_step" in line), None)
            if key != "loss" and (ringed := [point for point in points if point[0] == kept]):
                axes.plot(*ringed[0], "o", color=color, markersize=10, fillstyle="none")
        axes.set_xlabel("step")
        axes.set_ylabel(unit)
        if len(runs) <= len(_SEEDS):
            legend_beside_title(axes)

    return svg_figure(title, draw)
