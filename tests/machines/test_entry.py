"""The command as it is installed, by a wheel and from a checkout, beside a user's modules of our names."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.cli.test_odd_places import put

# A console script as pip writes it, where what is installed comes behind PYTHONPATH and the standard library.
SCRIPT = """
import sys
first = next(at for at, place in enumerate(sys.path) if place.endswith("site-packages"))
sys.path.insert(first, {folder!r})
from {module} import {name}
sys.exit({name}())
"""


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


def entry(project: dict[str, Any]) -> str:
    """Return the entry point `module:name` of the command."""
    found: str = project["project"]["scripts"]["corpuscle"]
    return found


def unpacked(project: dict[str, Any], repository: Path, folder: Path) -> Path:
    """Lay out what a wheel holds; returns the folder."""
    for name in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        source = repository / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(exist_ok=True)
            shutil.copy(source, folder / name)
    return folder


def beside(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a user whose PYTHONPATH has modules of all our names."""
    shadows = put(tmp_path / "shadows", "corpus", "pipelines", "tokenizer", "train")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [shadows, os.environ.get("PYTHONPATH")]))}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["wheel", "checkout"])
def test_modules_of_our_names_in_pythonpath_are_not_ours(
    way: str, project: dict[str, Any], repository: Path, tmp_path: Path
) -> None:
    folder = unpacked(project, repository, tmp_path / "site-packages") if way == "wheel" else repository
    module, _, name = entry(project).partition(":")
    script = tmp_path / "bin" / "corpuscle"
    script.parent.mkdir()
    script.write_text(SCRIPT.format(folder=str(folder), module=module, name=name), encoding="utf-8")
    environment = {**beside(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    for words in (["--version"], ["doctor"]):
        done = subprocess.run(
            [sys.executable, str(script), *words], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert f"{folder}/corpus/arrays/" in done.stdout  # `doctor` says where compiled kernels are kept: whose it is


@pytest.mark.slow
def test_the_installed_command_goes_all_the_way_beside_them(project: dict[str, Any], tmp_path: Path) -> None:
    (found,) = {one.value for one in entry_points(group="console_scripts", name="corpuscle")} or {""}
    if found != entry(project):
        pytest.skip("installed before pyproject.toml named its entry point: make installs it again")
    command = Path(sysconfig.get_path("scripts"), "corpuscle")
    sample = [sys.executable, "-c", "from corpus.synthetic.sample.write import write_sample; write_sample('raw')"]
    subprocess.run(sample, cwd=tmp_path, check=True)
    words = ["extract", "--pubmed", "raw/pubmed", "--output", "records", "--", "--direct_num_workers=2"]
    done = subprocess.run(
        [str(command), *words], cwd=tmp_path, env=beside(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "records" / "manifest.json").exists()
