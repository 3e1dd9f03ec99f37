"""The floor plan: which room imports which (`tests.support.house`), as an SVG and as a Markdown table.

The picture takes `train` and `pipelines` as one room each and leaves out arrows that follow from others; the table
has all of both.
"""

from collections.abc import Iterable, Iterator

from tests.support import house
from tests.support.house import Graph

WHOLE = ("train", "pipelines")  # drawn as one room each
NOUNS = "corpus"  # its loose modules

_WIDTH, _HEIGHT = 108, 34  # of a box
_COLUMN, _FLOOR = 128, 84  # from box to box, from floor to floor
_MARGIN = 40

Place = tuple[int, int]


def drawing(graph: Graph) -> str:
    """Return the plan as an SVG; the rooms of a floor stand in the order of the alphabet."""
    plan = _together(graph)
    floor = house.floors(plan)
    top = max(floor.values())
    rows = [sorted(room for room in plan if floor[room] == level) for level in range(1, top + 1)]
    width = 2 * _MARGIN + _COLUMN * max(map(len, rows))
    place = {
        room: ((width - _COLUMN * len(row)) // 2 + _COLUMN * column + _COLUMN // 2, _MARGIN + _FLOOR * (top - level))
        for level, row in enumerate(rows, 1)
        for column, room in enumerate(row)
    }
    arrows = [_arrow(place[room], place[other]) for room in sorted(plan) for other in sorted(_needed(plan, room))]
    boxes = [_box(room, place[room]) for room in sorted(plan)]
    return "\n".join([_head(width, 2 * _MARGIN + _FLOOR * (top - 1) + _HEIGHT), *arrows, *boxes, "</svg>", ""])


def table(graph: Graph) -> str:
    """Return the plan as a Markdown table, the highest floor first."""
    return "\n".join(["| floor | room | imports |", "|---|---|---|", *_rows(graph), ""])


def _rows(graph: Graph) -> Iterator[str]:
    """Yield a row a room; the rooms inside one of `WHOLE` stand below it, without a floor of their own."""
    plan = _together(graph)
    floor = house.floors(plan)
    for room in sorted(plan, key=lambda room: (-floor[room], room)):
        yield f"| {floor[room]} | `{room}` | {_list(plan[room])} |"
        if room in WHOLE:
            inside = sorted(part for part in graph if part.startswith(f"{room}/"))
            yield from (f"| | `{part}` | {_list(graph[part])} |" for part in inside)


def _list(rooms: Iterable[str]) -> str:
    return ", ".join(f"`{room}`" for room in sorted(rooms)) or "–"


def _together(graph: Graph) -> dict[str, frozenset[str]]:
    """Return the graph with the rooms inside those of `WHOLE` as one."""
    of = {room: next((whole for whole in WHOLE if room.startswith(f"{whole}/")), room) for room in graph}
    return {
        room: frozenset(of[other] for part in graph if of[part] == room for other in graph[part]) - {room}
        for room in dict.fromkeys(of.values())
    }


def _needed(plan: Graph, room: str) -> set[str]:
    """Return the rooms that a room imports and reaches by no other way."""
    return {other for other in plan[room] if not any(other in _below(plan, third) for third in plan[room])}


def _below(plan: Graph, room: str) -> set[str]:
    return set(plan[room]).union(*(_below(plan, other) for other in plan[room]))


def _head(width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="13" text-anchor="middle">\n'
        '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#888"/></marker></defs>\n'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
    )


def _box(room: str, place: Place) -> str:
    x, y = place
    name = "records, ids, …" if room == NOUNS else room.removeprefix("corpus/")
    fill = "#eaf2fb" if room.startswith("corpus") else "#fdf1e0"
    return (
        f'<rect x="{x - _WIDTH // 2}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="5" fill="{fill}" '
        f'stroke="#667"/><text x="{x}" y="{y + 22}">{name}</text>'
    )


def _arrow(start: Place, end: Place) -> str:
    (x, y), (to_x, to_y) = start, end
    y += _HEIGHT
    bend = (to_y - y) // 2
    aside = _COLUMN * 3 // 4 if to_y - y > _FLOOR and abs(x - to_x) < _WIDTH else 0  # around the boxes between
    return (
        f'<path d="M{x} {y}C{x + aside} {y + bend} {to_x + aside} {to_y - bend} {to_x} {to_y}" '
        'fill="none" stroke="#999" marker-end="url(#end)"/>'
    )
