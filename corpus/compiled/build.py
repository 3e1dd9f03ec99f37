"""Compiles the readers, once on a machine: `python -m corpus.compiled.build`.

A copy of the sources is compiled, and named after that copy: whatever is edited meanwhile, a build is of what its name
says. It takes its place in one step, and only after a process of its own has imported all of it. Where something is
missing, one line says what, and pure Python goes on as before.
"""

import importlib.util
import io
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from corpus.arrays.cache_folder import is_writable
from corpus.compiled.builds import COMMAND, MODULES, PACKAGE, build_name, fingerprint, is_whole, places, write_stamp

MOST_KEPT: Final = 4  # builds in a place: a process may still run from one of other sources
_TRIAL = (
    "import sys; from pathlib import Path; from importlib import import_module\n"
    "from corpus.compiled.builds import MODULES; from corpus.compiled.loading import CompiledFinder\n"
    "sys.meta_path.insert(0, CompiledFinder(Path(sys.argv[1])))\n"
    "assert all(import_module(name).__file__.endswith('.so') for name in MODULES)"
)


class CannotCompileError(Exception):
    """What is missing on this machine, and what helps."""


def build(tell: Callable[[str], object] = lambda line: None) -> Path:
    """Return the folder of the build of these sources, made if it is not there; raises CannotCompileError."""
    name = build_name(fingerprint())
    if found := next((done for place in places() if is_whole(done := place / name)), None):
        return found
    _check_tools()
    place = next(filter(is_writable, places()), None)
    if place is None:
        raise CannotCompileError(f"none of these folders can be written: {', '.join(map(str, places()))}")
    tell(f"compiling {len(MODULES)} modules of the readers, a minute or two of one core")
    with tempfile.TemporaryDirectory() as folder:
        made = _compile(Path(folder))
        write_stamp(made)
        target = place / build_name(fingerprint(Path(folder, "corpus")))
        _put(made, target)
    _forget_old(place, target)
    return target


def _put(made: Path, target: Path) -> None:
    """Have a build in its place in one step, over a damaged one; another process may have made it meanwhile."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as folder:
        copy = shutil.copytree(made, Path(folder, target.name))
        if is_whole(target):
            return
        shutil.rmtree(target, ignore_errors=True)
        try:
            copy.rename(target)
        except OSError:
            if not is_whole(target):
                raise


def _check_tools() -> None:
    missing = [name for name in ("mypy", "setuptools") if importlib.util.find_spec(name) is None]
    if missing:
        words = " ".join(missing)
        raise CannotCompileError(f"{' and '.join(missing)} missing: python -m pip install {words} -c constraints.txt")
    compiler = shlex.split(os.environ.get("CC") or str(sysconfig.get_config_var("CC") or "cc"))[0]
    if shutil.which(compiler) is None:
        raise CannotCompileError(f"no C compiler ({compiler}): install gcc, or name one in CC")
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        raise CannotCompileError(f"no Python.h in {sysconfig.get_path('include')}: install Python's headers")


def _compile(folder: Path) -> Path:
    """Compile a copy of the sources in a folder, try it, and return where the build lies in there."""
    shutil.copytree(PACKAGE, folder / "corpus", ignore=shutil.ignore_patterns("__pycache__"))
    made = folder / "made"
    _run(folder, "-m", "corpus.compiled.translate", str(made))
    _run(folder, "-c", _TRIAL, str(made))
    return made


def _run(folder: Path, *words: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(folder), "CORPUSCLE_PURE": "1"}
    ran = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, encoding="utf-8", errors="replace"
    )
    if ran.returncode:
        said = (ran.stderr.strip() or ran.stdout.strip()).splitlines()
        raise CannotCompileError(f"the compiler ended with {ran.returncode}: {' '.join(said[-3:])[:500]}")


def _forget_old(place: Path, newest: Path) -> None:
    builds = sorted((path for path in place.iterdir() if path.name[:1] != "."), key=lambda path: path.stat().st_mtime)
    for path in builds[:-MOST_KEPT]:
        if path != newest:
            shutil.rmtree(path, ignore_errors=True)


def build_readers(tell: Callable[[str], object]) -> None:
    """Build, and tell in one line what came of it; a machine without a compiler is no error."""
    try:
        tell(f"the compiled readers are in {build(tell)}")
    except CannotCompileError as error:
        tell(f"the readers stay pure Python, a quarter slower: {error}; then: {COMMAND}")


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a locale without "…" is no reason to end
    build_readers(partial(print, flush=True))
