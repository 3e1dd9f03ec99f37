"""A loss curve as a small SVG: training and validation loss over tokens, with a table of numbers in its text."""

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT = 56, 16
TOP, BOTTOM = 34, 44
COLORS = {"training": "#9db4c8", "pubmed": "#c0504d", "pmc": "#4f81bd", "all": "#222222"}
LETTER = 6.2  # width of a letter at most, at the size of labels
SMOOTH = 10  # steps that a point of the training loss is the mean of

Points = list[tuple[float, float]]


def loss_svg(metrics: Sequence[Mapping[str, Any]], *, tokens_per_step: int, title: str) -> str:
    """Return the SVG of the lines of a metrics.jsonl."""
    trained = [(line["step"], line["loss"]) for line in metrics if "loss" in line]
    curves: dict[str, Points] = {"training": _smooth(trained)}
    for name, key in (("pubmed", "_pubmed"), ("pmc", "_pmc"), ("all", "")):
        key = f"validation_loss{key}"
        curves[name] = [(line["step"], line[key]) for line in metrics if key in line]
    last = max(step for step, _ in trained)
    values = [value for points in curves.values() for _, value in points]
    low, high = int(min(values) * 2) / 2, -(-max(values) * 2 // 1) / 2
    parts = [_grid(low, high, last * tokens_per_step)]
    for number, (name, points) in enumerate(curves.items()):
        placed = [(_x(step / last), _y(value, low, high)) for step, value in points]
        parts.append(_line(placed, COLORS[name], dots=name != "training"))
        label = name if name == "training" else f"validation, {name}: {points[-1][1]:.2f}" if points else name
        parts.append(_text(WIDTH - RIGHT - 190, TOP + 18 + 16 * number, label, COLORS[name]))
    parts.append(_text(LEFT, 20, title, "#222222", size=13))
    style = 'font-family="sans-serif" font-size="11"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {style}>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>"]) + "\n"


def _smooth(points: Points) -> Points:
    groups = [points[start : start + SMOOTH] for start in range(0, len(points), SMOOTH)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(value: float, low: float, high: float) -> float:
    return round(TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)


def _grid(low: float, high: float, tokens: int) -> str:
    parts = []
    steps = round((high - low) * 2)
    for half in range(steps + 1):
        value = low + half / 2
        y = _y(value, low, high)
        parts.append(f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" stroke="#e4e4e4"/>')
        parts.append(_text(LEFT - 30, y + 4, f"{value:.1f}", "#555555"))
    for quarter in range(5):
        label = f"{tokens * quarter / 4e6:.2f} M"
        half = LETTER * len(label) / 2
        x = min(_x(quarter / 4) - half, WIDTH - 2 * half - 2)  # the last one would leave the picture
        parts.append(_text(round(x, 1), HEIGHT - BOTTOM + 18, label, "#555555"))
    parts.append(_text(LEFT, HEIGHT - 8, "tokens trained; loss in nats a token", "#555555"))
    return "\n".join(parts)


def _line(points: Points, color: str, *, dots: bool) -> str:
    path = " ".join(f"{x},{y}" for x, y in points)
    line = f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.6"/>'
    marks = [f'<circle cx="{x}" cy="{y}" r="2.6" fill="{color}"/>' for x, y in points] if dots else []
    return "\n".join([line, *marks])


def _text(x: float, y: float, text: str, color: str, *, size: int = 11) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x}" y="{y}" fill="{color}" font-size="{size}">{escaped}</text>'
