"""The locks name all that is installed, in the versions of `constraints.txt`, with hashes, for every Python."""

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.machines.lock import LOCKS, Report, lock_text, read_lock

PYTHONS = ("3.11", "3.12", "3.13")
# What torch's own build for CUDA brings is pinned by torch alone: a build for CPUs has none of it.
OF_CUDA = re.compile(r"nvidia-|cuda-|triton$")


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]  # type: ignore[no-any-return]


def on(python: str, requirements: Any) -> dict[str, str]:
    """Return the versions by name that hold for a Python."""
    environment = {"python_version": python, "python_full_version": f"{python}.1"}
    chosen = [one for one in requirements if one.marker is None or one.marker.evaluate(environment)]
    versions = {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in chosen}
    assert len(versions) == len(chosen), "one version of a package"
    return versions


def test_the_pythons_are_those_that_the_project_allows(project: dict[str, Any]) -> None:
    allowed = SpecifierSet(project["requires-python"])
    assert [minor for minor in range(8, 20) if allowed.contains(f"3.{minor}.1")] == [11, 12, 13]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_every_need_in_the_version_that_was_tested(
    repository: Path, project: dict[str, Any], name: str, python: str
) -> None:
    lines = (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = on(python, [Requirement(line) for line in lines if not line.startswith("#")])
    locked = on(python, read_lock(name))
    assert {package: version for package, version in locked.items() if pinned.get(package) != version}.keys() == {
        package for package in locked if OF_CUDA.match(package)
    }
    own = [line for extra in LOCKS[name] for line in project["optional-dependencies"][extra]]
    for need in map(Requirement, [*project["dependencies"], *own]):
        if need.name != project["name"]:
            assert need.specifier.contains(locked[canonicalize_name(need.name)]), need


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_of_a_lock_has_a_hash(name: str) -> None:
    assert [str(one) for one, hashes in read_lock(name).items() if not hashes] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_what_its_packages_need_here(name: str) -> None:
    python = ".".join(default_environment()["python_full_version"].split(".")[:2])
    packages = {
        canonicalize_name(one.name): {"metadata": {"requires_dist": one.requires or []}}
        for one in metadata.distributions()
    }
    environment = {key: str(value) for key, value in default_environment().items()}
    here = Report(python=python, environment=environment, packages=packages)
    needed = {one for one in here.reach([extra for extra in LOCKS[name] if extra != "s3"]) if not OF_CUDA.match(one)}
    assert needed - on(python, read_lock(name)).keys() == set()


def test_a_package_that_not_every_python_has_gets_a_marker() -> None:
    def item(name: str, version: str, *needs: str) -> dict[str, Any]:
        digest = {"hashes": {"sha256": f"{name}-{version}"}}
        return {
            "metadata": {"name": name, "version": version, "requires_dist": needs},
            "download_info": {"archive_info": digest},
        }

    needs = ("a", "b[x]>=1", 'c; python_version < "3.12"', 'd; extra == "other"')
    reports = []
    for python, version in (("3.11", "1"), ("3.12", "2")):
        items = [item("corpuscle", "0", *needs), item("a", "1"), item("b", version, 'e; extra == "x"')]
        packages = {one["metadata"]["name"]: one for one in [*items, item("c", "1"), item("e", "1")]}
        reports.append(Report(python=python, environment={"python_version": python}, packages=packages))
    assert lock_text("container", reports).split("Do not edit it here.\n")[1] == (
        "a==1 \\\n    --hash=sha256:a-1\n"
        'b==1 ; python_version == "3.11" \\\n    --hash=sha256:b-1\n'
        'b==2 ; python_version == "3.12" \\\n    --hash=sha256:b-2\n'
        'c==1 ; python_version == "3.11" \\\n    --hash=sha256:c-1\n'
        "e==1 \\\n    --hash=sha256:e-1\n"
    )
