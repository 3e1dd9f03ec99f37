"""The rules of the house, read from the source: who may import whom, how long things may be, what is documented."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

from pipelines.cli.app import app
from tests.support import house
from tests.support.house import REPOSITORY

ROOMS = house.TOP_ROOMS
# The floor plan: which rooms a room may import besides itself. What is not listed is forbidden; what is listed is used.
MAY_IMPORT = {
    # The nouns, and below every stage: numbers, files, the machinery of a stage.
    "corpus": "corpus/compiled",
    "corpus/arrays": "",
    "corpus/compiled": "corpus/arrays",
    "corpus/storage": "corpus",
    "corpus/stage": "corpus corpus/storage",
    # From NCBI's files to records: bytes in, records out, no stage.
    "corpus/ncbi/markup": "corpus corpus/arrays",
    "corpus/ncbi/archives": "corpus corpus/storage corpus/stage corpus/ncbi/markup",
    "corpus/ncbi/pubmed": "corpus corpus/storage corpus/ncbi/markup corpus/ncbi/archives",
    "corpus/ncbi/jats": "corpus corpus/arrays corpus/ncbi/markup corpus/ncbi/archives",
    "corpus/pile": "corpus corpus/ncbi/markup",
    # The stages of the corpus, in the order of the road.
    "corpus/fetch": "corpus corpus/arrays corpus/storage corpus/stage corpus/ncbi/markup corpus/ncbi/archives",
    "corpus/extract": (
        "corpus corpus/storage corpus/stage corpus/ncbi/markup corpus/ncbi/archives corpus/ncbi/pubmed "
        "corpus/ncbi/jats corpus/pile corpus/text"
    ),
    "corpus/publish": "corpus corpus/storage corpus/stage",
    "corpus/text": "corpus corpus/arrays",
    "corpus/dedup": "corpus corpus/arrays corpus/storage corpus/text",
    "corpus/assemble": (
        "corpus corpus/arrays corpus/storage corpus/stage corpus/pile corpus/text corpus/dedup corpus/qa"
    ),
    "corpus/foreign": "corpus corpus/arrays corpus/storage corpus/stage corpus/dedup corpus/assemble",
    "corpus/passages": ("corpus corpus/arrays corpus/storage corpus/stage corpus/text corpus/dedup"),
    "corpus/synthetic": "corpus corpus/arrays corpus/storage corpus/stage corpus/assemble",
    "corpus/qa": "corpus corpus/storage corpus/stage corpus/ncbi/markup",
    "corpus/qa/silver": "corpus corpus/storage corpus/stage corpus/text corpus/assemble corpus/qa",
    "tokenizer": "corpus corpus/arrays corpus/storage corpus/stage",
    # From token shards to a model.
    "train": "corpus corpus/storage corpus/stage",
    "train/model": "corpus train",
    "train/data": "corpus tokenizer",
    "train/checkpoint": "corpus corpus/storage corpus/stage train train/model",
    "train/plan": "corpus corpus/stage tokenizer train train/model",
    "train/loop": (
        "corpus corpus/qa corpus/storage corpus/stage tokenizer train train/model train/data train/checkpoint "
        "train/plan"
    ),
    "train/launch": (
        "corpus corpus/arrays corpus/storage corpus/stage tokenizer train train/model train/data train/checkpoint "
        "train/loop train/plan train/export"
    ),
    "train/health": "corpus corpus/storage corpus/stage train train/loop train/launch train/plan",
    "train/export": "corpus corpus/storage corpus/stage tokenizer train train/model train/checkpoint",
    "train/generate": (
        "corpus corpus/storage corpus/stage tokenizer train train/model train/data train/checkpoint train/export"
    ),
    "train/qa": (
        "corpus corpus/qa corpus/storage corpus/stage train train/model train/checkpoint train/plan train/loop "
        "train/launch train/export train/generate"
    ),
    # Beam, and the door: only what calls a training verb knows `train`.
    "pipelines/beam": "corpus corpus/storage corpus/stage",
    "pipelines": "corpus corpus/stage corpus/extract tokenizer pipelines/beam",
    "pipelines/assemble": (
        "corpus corpus/arrays corpus/storage corpus/stage corpus/dedup corpus/assemble corpus/qa pipelines/beam"
    ),
    "pipelines/dedup": (
        "corpus corpus/arrays corpus/stage corpus/dedup corpus/assemble corpus/foreign pipelines/beam "
        "pipelines/assemble"
    ),
    "pipelines/passages": (
        "corpus/arrays corpus/storage corpus/stage corpus/passages pipelines/beam pipelines/assemble"
    ),
    "pipelines/inspection": (
        "corpus corpus/arrays corpus/compiled corpus/storage corpus/stage corpus/ncbi/markup corpus/ncbi/jats "
        "corpus/pile corpus/fetch "
        "corpus/extract corpus/text corpus/dedup corpus/assemble corpus/foreign corpus/qa tokenizer train "
        "train/checkpoint train/loop train/health train/qa"
    ),
    "pipelines/report": (
        "corpus corpus/storage corpus/stage corpus/dedup corpus/assemble corpus/foreign corpus/qa corpus/qa/silver "
        "pipelines/inspection"
    ),
    "pipelines/workflow": (
        "corpus corpus/arrays corpus/storage corpus/stage corpus/fetch corpus/extract corpus/assemble corpus/synthetic "
        "corpus/foreign corpus/passages corpus/qa tokenizer train train/launch train/generate train/qa pipelines "
        "pipelines/beam pipelines/assemble pipelines/dedup pipelines/passages pipelines/inspection pipelines/report"
    ),
    "pipelines/cli": (
        "corpus corpus/arrays corpus/compiled corpus/stage corpus/fetch corpus/extract corpus/publish corpus/qa "
        "corpus/qa/silver tokenizer train train/launch train/plan train/health train/export train/generate train/qa "
        "pipelines pipelines/assemble pipelines/beam pipelines/dedup pipelines/passages pipelines/inspection "
        "pipelines/report pipelines/workflow"
    ),
}
ENGINES = {
    "apache_beam": "pipelines",
    "torch": "train",
    "deepspeed": "train",
}  # and the one top room that may import it
CORPUS_NOUNS = {"__init__", "records", "metadata", "reasons", "ids", "licenses", "notices", "errors", "config"}
TOP_LEVEL = {
    *ROOMS, "tests", "configs", "docs", ".ci", "pyproject.toml", "README.md", "Makefile", "LICENSE", "CHANGELOG.md",
    "CONTRIBUTING.md", "SECURITY.md", "constraints.txt", "corpuscle_command.py", "locks", ".gitignore",
    ".git-blame-ignore-revs", ".pre-commit-config.yaml",
}  # fmt: skip
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_NAMES_MADE = 400, 40, 3
VERBS = (
    *(
        "fetch",
        "qa",
        "extract",
        "join",
        "assemble",
        "dedup",
        "passages",
        "tokenizer",
        "pack",
        "train",
        "export",
        "generate",
        "plan",
        "publish",
        "run",
        "demo",
    ),
    *("verify", "inspect", "report", "account", "compare", "diff", "rehearse", "doctor"),
)

ENTRY = REPOSITORY / "corpuscle_command.py"
FILES = [ENTRY, *sorted(path for folder in (*ROOMS, "tests") for path in (REPOSITORY / folder).rglob("*.py"))]
MODULES = [path for path in FILES if path.relative_to(REPOSITORY).parts[0] in ROOMS]


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def test_files_and_functions_are_short() -> None:
    long = [name_of(path) for path in FILES if len(path.read_text().splitlines()) > MAX_FILE_LINES]
    for path in FILES:
        found = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, FUNCTIONS)]
        sizes = [(node.name, (node.end_lineno or 0) - node.lineno + 1) for node in found]
        long += [f"{name_of(path)}: {name}, {size} lines" for name, size in sizes if size > MAX_FUNCTION_LINES]
    assert not long


def test_no_assignment_makes_more_than_three_names() -> None:
    long = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            targets = node.targets if isinstance(node, ast.Assign) else []
            tuples = [target for target in targets if isinstance(target, (ast.Tuple, ast.List))]
            long += [f"{name_of(path)}:{node.lineno}" for target in tuples if len(target.elts) > MAX_NAMES_MADE]
    assert not long


def test_a_class_or_type_has_a_name_of_its_own() -> None:
    homes: dict[str, list[str]] = {}
    for path in MODULES:
        for name in _types_made(ast.parse(path.read_text())):
            homes.setdefault(name.lstrip("_"), []).append(name_of(path))
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def _types_made(tree: ast.Module) -> list[str]:
    """Return the names of a module's classes, and of what it makes at the top with a name like a class's."""
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return classes + [name for name in names if re.fullmatch(r"_?[A-Z]\w*[a-z]\w*", name)]


def test_rooms_import_what_the_floor_plan_says() -> None:
    planned = {room: frozenset(names.split()) for room, names in MAY_IMPORT.items()}
    found = house.room_graph()
    assert {room: sorted(found[room] - planned[room]) for room in house.ROOMS if found[room] - planned[room]} == {}
    assert {room: sorted(planned[room] - found[room]) for room in house.ROOMS if planned[room] - found[room]} == {}
    assert house.circles(planned) == []


def test_modules_import_each_other_in_no_circle() -> None:
    assert house.circles(house.module_graph()) == []


def test_circles_and_floors_are_seen() -> None:
    graph = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("a"), "d": frozenset("a"), "e": frozenset()}
    assert house.circles(graph) == [["a", "b", "c"]]
    assert house.floors({"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset()}) == {"a": 3, "b": 2, "c": 1}


def test_nothing_imports_tests_an_engine_out_of_its_room_or_a_relative_name() -> None:
    wrong = []
    for path in MODULES:
        for name, level in house.imported_names(path):
            top = name.partition(".")[0]
            if (
                level
                or top == "tests"
                or ENGINES.get(top, path.relative_to(REPOSITORY).parts[0]) != (path.relative_to(REPOSITORY).parts[0])
            ):
                wrong.append(f"{name_of(path)} imports {name}")
    assert not wrong


def test_only_nouns_stand_loose_in_corpus() -> None:
    assert {path.stem for path in (REPOSITORY / "corpus").glob("*.py")} == CORPUS_NOUNS


def test_modules_and_what_they_offer_are_documented() -> None:
    bare = []
    for path in MODULES:
        tree = ast.parse(path.read_text())
        public = [node for node in tree.body if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and node.name[0] != "_"]
        bare += [f"{name_of(path)}: {node.name}" for node in public if ast.get_docstring(node) is None]
        if not ast.get_docstring(tree):
            bare.append(name_of(path))
        if path.name == "__init__.py":
            assert all(map(_is_export, tree.body[1:])), f"{name_of(path)} holds more than what the room offers"
    assert not bare


def _is_export(node: ast.stmt) -> bool:
    """Say whether a statement hands names on: import, `__all__`, or `__getattr__` (PEP 562) where imports are dear."""
    is_lazy = isinstance(node, ast.FunctionDef) and node.name == "__getattr__"
    is_for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    return isinstance(node, (ast.ImportFrom, ast.Assign)) or is_lazy or is_for_types


def test_nothing_is_left_undone() -> None:
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b|except:\s*$|except (Base)?Exception:\s*pass", re.MULTILINE)
    assert not [name_of(path) for path in FILES if marks.search(path.read_text())]


def test_text_files_are_read_and_written_in_an_encoding_that_no_locale_chooses() -> None:
    calls = re.compile(r"\b(?:read_text|write_text)\((?![^\n]*utf-8)(?![^\n]*ascii)")
    shells = [(path, calls.findall(path.read_text(encoding="utf-8"))) for path in MODULES]
    assert not [name_of(path) for path, found in shells if found]


def test_no_step_of_a_pipeline_asks_what_time_it_is() -> None:
    """Machines disagree about it: it may be told, as in a log, and never decides."""
    asks = re.compile(r"\btime\.(time|time_ns|gmtime|localtime|strftime)\(|\b(now|utcnow|today)\(|\b(st_|get)mtime\b")
    rooms = [path for path in MODULES if not path.is_relative_to(REPOSITORY / "train")]
    found = {name_of(path) for path in rooms if asks.search(path.read_text(encoding="utf-8"))}
    told = {"corpus/fetch/http/tally.py", "corpus/storage/http_dates.py", "corpus/stage/events.py"}
    assert found == told | {"corpus/compiled/build.py"}  # the oldest builds go, on this machine


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_are_this_repositorys(room: str) -> None:
    spec = importlib.util.find_spec(room)
    assert spec is not None
    assert spec.origin is not None
    # The package index has distributions of these very names: one of them would be found instead.
    assert Path(spec.origin).resolve() == REPOSITORY / room / "__init__.py"


def test_names_shadow_no_standard_module_at_the_top() -> None:
    import sys

    assert not set(ROOMS) & set(sys.stdlib_module_names)


def test_the_house_has_the_rooms_of_the_plan() -> None:
    tracked = _tracked()
    assert {Path(name).parts[0] for name in tracked} <= TOP_LEVEL


def test_every_verb_has_help_and_stands_in_the_readme() -> None:
    commands = [command.callback for command in app.registered_commands if command.callback is not None]
    groups = {str(group.typer_instance and group.typer_instance.info.name): group for group in app.registered_groups}
    helps = {name: str(group.typer_instance and group.typer_instance.info.help) for name, group in groups.items()}
    helps |= {callback.__name__: callback.__doc__ or "" for callback in commands}
    assert tuple(helps) == VERBS
    assert all(helps.values())
    readme = REPOSITORY / "README.md"
    if readme.exists():
        missing = [verb for verb in VERBS if f"corpuscle {verb}" not in readme.read_text()]
        assert not missing, "verbs that README does not show"


def _tracked() -> list[str]:
    """Return the names of the files that git tracks; skips where there is no git (an unpacked archive)."""
    import shutil
    import subprocess

    if shutil.which("git") is None or not (REPOSITORY / ".git").exists():
        pytest.skip("no git repository here, so no list of tracked files")
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return listed.stdout.split("\n")[:-1]
