"""Compiled readers: the same records as from the sources, and never in place of sources that are others."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpus.compiled.build import CannotCompileError, build
from corpus.compiled.builds import COMMAND, LIBRARY, MODULES, PACKAGE, STAMP, build_name, file_of, fingerprint
from tests.conftest import REPOSITORY

SHOWN = (
    "import json; from corpus.ncbi import COMPILED; from corpus.ncbi.jats.accounts import solid, __file__\n"
    "print(json.dumps([__file__, COMPILED.found, solid('a b')]))"
)


@pytest.fixture(scope="session")
def built() -> Path:
    """Return the build of these sources, made once; skips on a machine that cannot make one."""
    try:
        return build()
    except CannotCompileError as error:
        pytest.skip(f"cannot compile here: {error}")


@pytest.fixture
def copy(tmp_path: Path, built: Path) -> Path:
    """Return a folder with a copy of the package that has a build of its own."""
    shutil.copytree(PACKAGE, tmp_path / "corpus", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(built, build_of(tmp_path))
    return tmp_path


def build_of(folder: Path) -> Path:
    name = build_name(fingerprint(folder / "corpus"))
    return folder / "corpus" / "compiled" / "__pycache__" / "builds" / name


def run(folder: Path, *words: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "CORPUSCLE_PURE"}
    kept |= {"XDG_CACHE_HOME": str(folder / "caches"), "PYTHONPATH": str(folder), **environment}
    ran = subprocess.run([sys.executable, *words], cwd=folder, env=kept, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def shown(folder: Path, **environment: str) -> list[Any]:
    """Return where a compiled module was loaded from, what is said of that, and what a function of it returns."""
    answer: list[Any] = json.loads(run(folder, "-c", SHOWN, **environment))
    return answer


@pytest.mark.slow
def test_records_are_the_same_as_from_the_sources(built: Path) -> None:
    data = Path(os.environ.get("CORPUSCLE_DATA") or REPOSITORY.parent / "shared" / "data")
    words = ["-m", "tests.support.reader_digest", *([str(data)] if (data / "pmc").is_dir() else [])]
    compiled, pure = (json.loads(run(REPOSITORY, *words, CORPUSCLE_PURE=off)) for off in ("", "1"))
    assert compiled["file"] == str(built / file_of("corpus.ncbi.jats.lines"))
    assert pure["file"] == str(PACKAGE / "ncbi" / "jats" / "lines.py")
    assert compiled["digests"] == pure["digests"]


@pytest.mark.slow
def test_an_edited_source_is_what_runs(copy: Path) -> None:
    compiled = shown(copy)
    assert compiled == [str(build_of(copy) / file_of("corpus.ncbi.jats.accounts")), compiled[1], 2]
    assert compiled[1].startswith("used")
    source = copy / "corpus" / "ncbi" / "jats" / "accounts.py"
    source.write_text(source.read_text(encoding="utf-8").replace("    if text.isalnum():", "    return 77\n    if 0:"))
    assert shown(copy) == [str(source), "not used, those that are built are of other sources or another Python", 77]


def test_all_sources_decide(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "corpus", ignore=shutil.ignore_patterns("__pycache__"))
    found = {fingerprint(tmp_path / "corpus")}
    for module in (*MODULES, "corpus.records", "corpus.ncbi.markup.parse"):
        path = tmp_path / f"{module.replace('.', '/')}.py"
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        found.add(fingerprint(tmp_path / "corpus"))
    assert len(found) == len(MODULES) + 3


def test_no_compiled_function_returns_a_generator_expression() -> None:
    """mypyc makes a list of one, and all records of a file would be in memory at once."""
    found, count = set(), 0
    for name in MODULES:
        tree = ast.parse((PACKAGE.parent / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8"))
        returned = [node.value for node in ast.walk(tree) if isinstance(node, (ast.Return, ast.YieldFrom))]
        found |= {name for value in returned if isinstance(value, ast.GeneratorExp)}
        count += len(returned)
    assert count > 300
    assert found <= {"corpus.ncbi.markup.tex_names"}  # a table of names, at import


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [_cut, _flip, Path.unlink], ids=["cut", "one bit", "gone"])
@pytest.mark.parametrize("name", [file_of(LIBRARY), file_of("corpus.ncbi.jats.body"), STAMP])
def test_a_damaged_build_is_left_alone(copy: Path, name: str, damage: Callable[[Path], None]) -> None:
    if (name, damage) == (STAMP, _flip):
        pytest.skip("one bit of a stamp may change nothing that counts")
    damage(build_of(copy) / name)
    file, found, value = shown(copy)
    assert file.endswith(".py")
    assert found.startswith("not ")
    assert value == 2


@pytest.mark.slow
def test_it_is_switched_off_by_the_environment_and_by_what_was_imported_before(copy: Path) -> None:
    assert shown(copy, CORPUSCLE_PURE="1")[1] == "switched off by CORPUSCLE_PURE"
    assert shown(copy, CORPUSCLE_PURE="0")[0].endswith(".so")
    before = "import sys; sys.modules['corpus.ncbi.pubmed.text'] = sys\n"
    assert json.loads(run(copy, "-c", before + SHOWN))[1] == "not used, their sources were imported before"


def test_a_machine_without_a_compiler_is_told_so_and_goes_on(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "corpus", ignore=shutil.ignore_patterns("__pycache__"))
    said = run(tmp_path, "-m", "corpus.compiled.build", CC="/nowhere/cc")
    assert said == (
        "the readers stay pure Python, a quarter slower: no C compiler (/nowhere/cc): install gcc, or name one in CC; "
        f"then: {COMMAND}\n"
    )
    odd = run(tmp_path, "-m", "corpus.compiled.build", CC="/nowhere/çc", PYTHONIOENCODING="ascii")
    assert "no C compiler (/nowhere/\\xe7c)" in odd
    assert shown(tmp_path)[1] == "not built"
