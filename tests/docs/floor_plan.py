"""The floor plan: which room imports which, read from the source, as an SVG and as a Markdown table.

A room is a folder of `corpus` (those of `corpus/ncbi` each for itself), or one of the other three packages. A room
stands one floor above the highest room that it imports. Arrows that follow from others are not drawn; the table
has them all.
"""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("corpus", "tokenizer", "pipelines", "train")
NOUNS = "corpus"  # its loose modules: records, ids, errors, …

_WIDTH, _HEIGHT = 108, 34  # of a box
_COLUMN, _FLOOR = 128, 84  # from box to box, from floor to floor
_MARGIN = 40

Rooms = dict[str, frozenset[str]]


@cache
def rooms() -> Rooms:
    """Return the rooms that each room imports from, wherever in a file the import stands."""
    found: dict[str, set[str]] = {}
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            room = room_of(".".join(path.relative_to(REPOSITORY).with_suffix("").parts))
            found.setdefault(room, set()).update(_imported(path))
    plan = {room: frozenset(others - {room}) for room, others in found.items()}
    return {room: others for room, others in plan.items() if others or any(room in more for more in plan.values())}


def room_of(module: str) -> str:
    """Return the room of a module, "" for another package's: `corpus.ncbi.jats.body` is in `corpus/ncbi/jats`."""
    parts = tuple(part for part in module.split(".") if part != "__init__")
    if parts[0] not in PACKAGES or parts[0] != "corpus":
        return parts[0] if parts[0] in PACKAGES else ""
    depth = 3 if parts[1:2] == ("ncbi",) else 2
    while depth > 1 and not REPOSITORY.joinpath(*parts[:depth]).is_dir():
        depth -= 1
    return "/".join(parts[:depth])


def floors(plan: Rooms) -> dict[str, int]:
    """Return the floor of each room, the lowest is 0; raises graphlib.CycleError when rooms import in a circle."""
    floor: dict[str, int] = {}
    for room in TopologicalSorter(plan).static_order():
        floor[room] = max((floor[other] + 1 for other in plan[room]), default=0)
    return floor


def drawing(plan: Rooms) -> str:
    """Return the plan as an SVG."""
    floor = floors(plan)
    top = max(floor.values())
    rows = [sorted(room for room in plan if floor[room] == level) for level in range(top + 1)]
    width = 2 * _MARGIN + _COLUMN * max(map(len, rows))
    place = {
        room: ((width - _COLUMN * len(row)) // 2 + _COLUMN * column + _COLUMN // 2, _MARGIN + _FLOOR * (top - level))
        for level, row in enumerate(rows)
        for column, room in enumerate(row)
    }
    arrows = [_arrow(place[room], place[other]) for room in sorted(plan) for other in sorted(_needed(plan, room))]
    boxes = [_box(room, *place[room]) for room in sorted(plan)]
    return "\n".join([_head(width, _MARGIN + _FLOOR * top + _HEIGHT + _MARGIN), *arrows, *boxes, "</svg>", ""])


def table(plan: Rooms) -> str:
    """Return the plan as a Markdown table, the highest floor first."""
    floor = floors(plan)
    lines = ["| floor | room | imports |", "|---|---|---|"]
    for room in sorted(plan, key=lambda room: (-floor[room], room)):
        others = ", ".join(f"`{other}`" if other == NOUNS else f"`{_short(other)}`" for other in sorted(plan[room]))
        lines += [f"| {floor[room]} | `{room}` | {others or '–'} |"]
    return "\n".join([*lines, ""])


def _imported(path: Path) -> set[str]:
    """Return the rooms of the modules that a file imports; `from a.b import c` may name the module a.b.c."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {room for room in map(room_of, names) if room}


def _needed(plan: Rooms, room: str) -> set[str]:
    """Return the rooms that a room imports and reaches by no other way."""
    return {other for other in plan[room] if not any(other in _below(plan, third) for third in plan[room])}


def _below(plan: Rooms, room: str) -> set[str]:
    return set(plan[room]).union(*(_below(plan, other) for other in plan[room]))


def _short(room: str) -> str:
    """Return a room's name for a box or a list: within `corpus` without it."""
    return room.removeprefix("corpus/") if room != NOUNS else "records, ids, …"


def _head(width: int, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="13" text-anchor="middle">\n'
        '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#888"/></marker></defs>\n'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
    )


def _box(room: str, x: int, y: int) -> str:
    fill = "#eaf2fb" if room.startswith("corpus") else "#fdf1e0"
    return (
        f'<rect x="{x - _WIDTH // 2}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="5" fill="{fill}" '
        f'stroke="#667"/><text x="{x}" y="{y + 22}">{_short(room)}</text>'
    )


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    (x, y), (to_x, to_y) = start, end
    y += _HEIGHT
    bend = (to_y - y) // 2
    aside = _COLUMN * 3 // 4 if to_y - y > _FLOOR and abs(x - to_x) < _WIDTH else 0  # around the boxes between
    return (
        f'<path d="M{x} {y}C{x + aside} {y + bend} {to_x + aside} {to_y - bend} {to_x} {to_y}" '
        'fill="none" stroke="#999" marker-end="url(#end)"/>'
    )
