"""What `make demo` asks of pip: torch's build for CPUs when the user names where it lies, and it says so first."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


def write_wheel(folder: Path, version: str) -> None:
    """Write an empty wheel of torch."""
    folder.mkdir(exist_ok=True)
    info = f"torch-{version}.dist-info"
    with zipfile.ZipFile(folder / f"torch-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_pip_takes_a_build_for_cpus_before_the_plain_one_of_the_pinned_version(
    repository: Path, tmp_path: Path
) -> None:
    lines = (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = next(line.removeprefix("torch==") for line in lines if line.startswith("torch=="))
    major, minor, _ = map(int, pinned.split("."))
    write_wheel(tmp_path / "pypi", pinned)
    for version in (f"{pinned}+cpu", f"{major}.{minor + 1}.0+cpu"):  # an index holds newer ones, too
        write_wheel(tmp_path / "cpu", version)
    own = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    folders = [word for name in ("pypi", "cpu") for word in ("--find-links", str(tmp_path / name))]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--no-index"]
    what = ["torch>=2.6", "--constraint", str(repository / "constraints.txt"), "--report", str(tmp_path / "report")]
    subprocess.run([*command, *folders, *what], env={**own, "PIP_CONFIG_FILE": os.devnull}, check=True)
    report = json.loads((tmp_path / "report").read_text(encoding="utf-8"))
    assert [item["metadata"]["version"] for item in report["install"]] == [f"{pinned}+cpu"]


def planned(repository: Path, folder: Path, *words: str) -> list[str]:
    """Return the lines that make would run in a checkout where nothing is installed."""
    if shutil.which("make") is None:
        pytest.skip("no make here")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(repository / name, folder)
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "--dry-run", *words], cwd=folder, env=own, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_make_says_what_it_will_fetch_before_it_does(repository: Path, tmp_path: Path) -> None:
    lines = planned(repository, tmp_path, "demo")
    assert "3 GB to fetch, 6.7 GB on disk" in lines[0]
    assert "TORCH_INDEX=" in lines[1]
    assert "-m venv .venv " in lines[2]


def test_make_takes_torch_from_an_index_or_a_folder(repository: Path, tmp_path: Path) -> None:
    index = "https://index.example/cpu"
    assert any(f"--extra-index-url {index}" in line for line in planned(repository, tmp_path, f"TORCH_INDEX={index}"))
    folder = tmp_path / "wheels"
    folder.mkdir()
    assert any(f"--find-links {folder}" in line for line in planned(repository, tmp_path, f"TORCH_INDEX={folder}"))
    assert not any("--find-links" in line or "index-url" in line for line in planned(repository, tmp_path, "test"))


def test_another_python_has_an_environment_of_its_own(repository: Path, tmp_path: Path) -> None:
    lines = planned(repository, tmp_path, "test", f"PYTHON={sys.executable}")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"{sys.executable} -m venv .venv-{version}" in lines[2]
    assert lines[-1].startswith(f".venv-{version}/bin/python -m pytest")


def test_make_installs_by_hash_when_asked(repository: Path, tmp_path: Path) -> None:
    lines = planned(repository, tmp_path, "test", "HASHED=1")
    locked = next(line for line in lines if "locks/development.txt" in line)
    assert "--require-hashes --no-deps" in locked
    assert not any("--constraint" in line for line in lines)
