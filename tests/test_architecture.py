"""The rules of the house, read from the source: who may import whom, how long things may be, what is documented."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.cli.app import app

REPOSITORY = Path(__file__).resolve().parent.parent
ROOMS = ("corpus", "tokenizer", "pipelines", "train")
MAY_IMPORT = {
    "corpus": {"corpus"},
    "tokenizer": {"corpus", "tokenizer"},
    "pipelines": {"corpus", "tokenizer", "pipelines", "apache_beam"},
    "train": {"corpus", "tokenizer", "train", "torch", "deepspeed"},
}
# The front door calls every room, and imports it only when its verb is called.
FRONT_DOOR = {
    *("pipelines/cli/app.py", "pipelines/cli/models.py", "pipelines/workflow/run.py", "pipelines/workflow/config.py"),
    *("pipelines/workflow/demo.py", "pipelines/inspection/stages.py", "pipelines/inspection/verification.py"),
    "pipelines/inspection/doctor.py",
}
WATCHED = {*ROOMS, "apache_beam", "torch", "deepspeed", "tests"}
TOP_LEVEL = {
    *ROOMS, "tests", "configs", "docs", ".ci", "pyproject.toml", "README.md", "Makefile", "LICENSE", "CHANGELOG.md",
    "CONTRIBUTING.md", "constraints.txt", ".gitignore", ".git-blame-ignore-revs", ".pre-commit-config.yaml",
}  # fmt: skip
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MAX_FILE_LINES, MAX_FUNCTION_LINES = 300, 40
VERBS = (
    *("fetch", "extract", "assemble", "tokenizer", "pack", "train", "export", "generate", "plan", "run", "demo"),
    *("verify", "inspect", "report", "account", "compare", "rehearse", "doctor"),
)

FILES = sorted(path for folder in (*ROOMS, "tests") for path in (REPOSITORY / folder).rglob("*.py"))
MODULES = [path for path in FILES if path.relative_to(REPOSITORY).parts[0] in ROOMS]


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Yield (imported module, nesting level of a relative import) for every import in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level


def test_files_and_functions_are_short() -> None:
    long = [name_of(path) for path in FILES if len(path.read_text().splitlines()) > MAX_FILE_LINES]
    for path in FILES:
        found = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, FUNCTIONS)]
        sizes = [(node.name, (node.end_lineno or 0) - node.lineno + 1) for node in found]
        long += [f"{name_of(path)}: {name}, {size} lines" for name, size in sizes if size > MAX_FUNCTION_LINES]
    assert not long


def test_rooms_import_only_what_they_may() -> None:
    wrong = []
    for path in MODULES:
        room = path.relative_to(REPOSITORY).parts[0]
        at_the_door = name_of(path) in FRONT_DOOR
        allowed = MAY_IMPORT[room] | ({"train"} if at_the_door else set())
        for module, level in imports_of(path):
            top = module.partition(".")[0]
            if level or (top in WATCHED and top not in allowed):
                wrong.append(f"{name_of(path)} imports {'.' * level}{module}")
    assert not wrong


def test_modules_and_what_they_offer_are_documented() -> None:
    bare = []
    for path in MODULES:
        tree = ast.parse(path.read_text())
        public = [node for node in tree.body if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and node.name[0] != "_"]
        bare += [f"{name_of(path)}: {node.name}" for node in public if ast.get_docstring(node) is None]
        if not ast.get_docstring(tree):
            bare.append(name_of(path))
        if path.name == "__init__.py":
            logic = [node for node in tree.body[1:] if not isinstance(node, (ast.ImportFrom, ast.Assign))]
            assert not logic, f"{name_of(path)} holds more than a docstring and what the room offers"
    assert not bare


def test_nothing_is_left_undone() -> None:
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b|except:\s*$|except (Base)?Exception:\s*pass", re.MULTILINE)
    assert not [name_of(path) for path in FILES if marks.search(path.read_text())]


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
