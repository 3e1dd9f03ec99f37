"""The house, measured from the source: rooms, which room imports which, floors and circles.

A room is a package of the road with all that lies below it (`ROOMS`); an arrow A → B says that some module of A
imports one of B, at the top of a file, inside a function or for types alone. A room stands one floor above the highest
that it imports.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TOP_ROOMS = ("corpus", "tokenizer", "pipelines", "train")
ROOMS = (
    *("corpus", "corpus/arrays", "corpus/storage", "corpus/stage", "corpus/ncbi/markup", "corpus/ncbi/archives"),
    *(
        "corpus/ncbi/pubmed",
        "corpus/ncbi/jats",
        "corpus/compiled",
        "corpus/pile",
        "corpus/fetch",
        "corpus/extract",
        "corpus/text",
    ),
    *(
        "corpus/dedup",
        "corpus/assemble",
        "corpus/foreign",
        "corpus/passages",
        "corpus/publish",
        "corpus/synthetic",
        "corpus/qa",
        "corpus/qa/silver",
        "tokenizer",
    ),
    *("train", "train/model", "train/data", "train/checkpoint", "train/loop", "train/launch", "train/plan"),
    *("train/health", "train/export", "train/generate", "train/qa"),
    *("pipelines", "pipelines/beam", "pipelines/assemble", "pipelines/dedup", "pipelines/passages"),
    *("pipelines/inspection", "pipelines/report", "pipelines/workflow", "pipelines/cli"),
)
Graph = Mapping[str, frozenset[str]]


def module_files() -> dict[str, Path]:
    """Return the file of each module of the four top rooms, by its dotted name."""
    found = [path for top in TOP_ROOMS for path in sorted((REPOSITORY / top).rglob("*.py"))]
    return {_dotted(path): path for path in found}


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def imported_names(path: Path) -> Iterator[tuple[str, int]]:
    """Yield (imported name, level of a relative import) for every import of a file, wherever it stands.

    `from a.b import c` yields `a.b.c`, which may name a module or something in one.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module or ''}.{alias.name}", node.level) for alias in node.names)


def module_graph() -> dict[str, frozenset[str]]:
    """Return the modules that each module imports; a name that a room's `__init__` exports counts as that room."""
    files = module_files()
    graph = {}
    for module, path in files.items():
        names = (name for name, level in imported_names(path) if not level)
        found = (name if name in files else name.rpartition(".")[0] for name in names)
        graph[module] = frozenset(name for name in found if name in files and name != module)
    return graph


def room_of(path: Path) -> str:
    """Return the room that a file stands in: the longest of `ROOMS` that its path begins with."""
    folders = {str(folder) for folder in path.relative_to(REPOSITORY).parents}
    return max((room for room in ROOMS if room in folders), key=len)


def room_graph() -> dict[str, frozenset[str]]:
    """Return the other rooms that each room imports."""
    rooms = {module: room_of(path) for module, path in module_files().items()}
    arrows: dict[str, set[str]] = {room: set() for room in ROOMS}
    for module, targets in module_graph().items():
        arrows[rooms[module]] |= {rooms[target] for target in targets} - {rooms[module]}
    return {room: frozenset(targets) for room, targets in arrows.items()}


def circles(graph: Graph) -> list[list[str]]:
    """Return every set of two or more nodes that reach each other, sorted."""
    reached = {node: _reachable(graph, node) for node in graph}
    together = {node: sorted(other for other in reached[node] if node in reached[other]) for node in graph}
    return [members for node, members in sorted(together.items()) if len(members) > 1 and members[0] == node]


def _reachable(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    ahead = [start]
    while ahead:
        for target in graph.get(ahead.pop(), ()):
            if target not in found:
                found.add(target)
                ahead.append(target)
    return found


def floors(graph: Graph) -> dict[str, int]:
    """Return the floor of each node of a graph without circles: 1 for one that imports nothing."""
    floor: dict[str, int] = {}
    while len(floor) < len(graph):
        ready = [node for node in graph if node not in floor and all(other in floor for other in graph[node])]
        assert ready, "a circle has no floor"
        floor |= {node: 1 + max((floor[other] for other in graph[node]), default=0) for node in ready}
    return floor
