"""`python -m tests.benchmarks`: every benchmark is in its table, every command of the page parses against it."""

import ast
import re
import shlex
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as command
from tests.benchmarks.figures import Figures, Ran, changes, read_figures, write_figures
from tests.benchmarks.registry import BENCHMARKS, HELPERS, PACKAGE, PLACES, Benchmark
from tests.support.house import REPOSITORY

FOLDER = REPOSITORY / "tests" / "benchmarks"
PAGE = (REPOSITORY / "docs" / "benchmarks.md").read_text(encoding="utf-8")
MODULES = {one.module or one.name for one in BENCHMARKS}


def flags_of(module: str) -> set[str]:
    """Return the options that a benchmark takes, read from its source."""
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    added = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument"]
    return {str(word.value) for call in added for word in call.args if isinstance(word, ast.Constant)}


def faults(module: str, words: list[str]) -> list[str]:
    """Return the options among some words that the module does not take."""
    return [word for word in words if word.startswith("--") and word not in flags_of(module)]


def commands_of_the_page() -> list[list[str]]:
    found = re.findall(rf"python -m {re.escape(PACKAGE)}(\.[^`\n]*)", PAGE)
    return [shlex.split(text[1:]) for text in found]


def test_every_benchmark_with_a_main_is_in_the_table() -> None:
    with_main = {path.stem for path in FOLDER.glob("*.py") if '__name__ == "__main__"' in path.read_text("utf-8")}
    assert with_main - {"__main__"} == MODULES | HELPERS
    assert len({one.name for one in BENCHMARKS}) == len(BENCHMARKS)


def test_every_command_of_the_page_parses_against_the_table() -> None:
    commands = commands_of_the_page()
    assert len(commands) > 20
    for module, *words in commands:
        assert module in MODULES, module
        assert not faults(module, words), (module, words)
    assert faults("road", ["--datum", "x"]) == ["--datum"]


@pytest.mark.parametrize("one", BENCHMARKS, ids=lambda one: one.name)
def test_commands_of_the_table_are_what_their_modules_take(one: Benchmark) -> None:
    assert not faults(one.module or one.name, one.arguments.split())
    capitals = [word for word in one.arguments.split() if word.isupper()]
    assert set(capitals) <= set(PLACES)
    assert one.words(dict.fromkeys(PLACES, "x")) == ["x" if word in PLACES else word for word in one.arguments.split()]


def test_what_cannot_run_says_what_helps(tmp_path: Path) -> None:
    data = Benchmark(name="a", arguments="--data DATA", minutes=1)
    assert "--data DIR" in data.missing({"DATA": str(tmp_path)}, has_gpu=False)
    (tmp_path / "pubmed").mkdir()
    assert data.missing({"DATA": str(tmp_path)}, has_gpu=False) == ""
    assert "bench" in Benchmark(name="a", peers=("no_such_peer",), minutes=1).missing({}, has_gpu=True)
    assert "GPU" in Benchmark(name="a", gpu=True, minutes=1).missing({}, has_gpu=False)
    assert "--place RUN=" in Benchmark(name="a", arguments="--run RUN", minutes=1).missing({}, has_gpu=True)


def ran(*lines: str, seconds: float = 10.0) -> Ran:
    return Ran(name="a", command="python a", cpu_seconds=seconds, peak_mb=100, lines=lines)


def test_changes_are_told_by_the_line() -> None:
    before = ran("ours 1,000 texts in 2.0 s", "ZeRO-1 at 5", "", "old 7")
    now = ran("ours 1,000 texts in 3.0 s", "ZeRO-1 at 5", "new 8", seconds=10.5)
    assert list(changes(before, now, least=0.15)) == [
        "ours # texts in # s: 2 → 3 (1.50 ×)",
        "gone: old #",
        "new: new #",
    ]
    assert list(changes(before, before, least=0.0)) == []


def test_a_table_is_kept_and_what_did_not_run_stays(tmp_path: Path) -> None:
    one = Figures(machine="m", versions=("numpy 2",), ran=(ran("1"), ))  # fmt: skip
    path = tmp_path / "x.json"
    write_figures(path, one, None)
    assert read_figures(path) == one
    other = Ran(name="b", command="python b", cpu_seconds=1.0, peak_mb=5, lines=("2",))
    write_figures(path, Figures(machine="n", versions=(), ran=(other,)), one)
    assert read_figures(path).ran == (*one.ran, other)


def test_a_benchmark_runs_and_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table.json"
    assert command.main(["--only", "house", "--save", str(table)]) == 0
    assert "CPU s" in capsys.readouterr().out
    assert command.main(["--only", "house", "--against", str(table), "--least", "0.9"]) == 0
    assert "as in the last table" in capsys.readouterr().out
    assert command.main(["--only", "hous"]) == 2
    assert "house" in capsys.readouterr().err
    (tmp_path / "bad.json").write_text("[]")
    assert command.main(["--list", "--against", str(tmp_path / "bad.json")]) == 2
    assert "--save" in capsys.readouterr().err
    assert command.main(["--list"]) == 0
    assert "passages" in capsys.readouterr().out
