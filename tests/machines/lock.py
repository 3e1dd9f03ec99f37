"""The locks: every package with its version and the SHA-256 of its files, for Python 3.11 to 3.13 on Linux x86-64.

    .venv/bin/python -m tests.machines.lock python3.11 python3.12 python3.13

asks pip of each Python what it would install under `constraints.txt` (a report; nothing is installed, minutes each) and
writes `locks/development.txt` (all extras), `locks/container.txt` (what the container of training holds) and
`locks/worker.txt` (that of Beam's workers). The JSON reports of `pip install --dry-run --report` are taken in place of
Pythons too. A version or a package that not every Python has gets a marker. What pip would install from source has the
hash of its source.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
# The extras of each lock, those of configs/deploy/Containerfile and configs/deploy/dataflow/Containerfile among them.
LOCKS = {
    "development": ("gcp", "s3", "train", "export", "dev"),
    "container": ("train", "export"),
    "worker": ("gcp", "s3"),
}
HEAD = """# Every package of {what}, for Python {pythons} on Linux x86-64, with the SHA-256
# of what pip would fetch: pip install --require-hashes --no-deps -r locks/{name}.txt
# Written by `python -m tests.machines.lock`; versions are those of constraints.txt. Do not edit it here.
"""


@dataclass(kw_only=True)
class Locked:
    """One version of a package: the Pythons that it is for, and the SHA-256 of its files."""

    pythons: list[str] = field(default_factory=list)
    hashes: set[str] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What pip of one Python would install: its packages by name, and the values of markers there."""

    python: str
    environment: dict[str, str]
    packages: dict[str, dict[str, Any]]

    def reach(self, extras: Sequence[str]) -> set[str]:
        """Return the names of all that `corpuscle[extras]` needs, itself aside."""
        seen: set[tuple[str, str]] = set()
        waiting = [("corpuscle", extra) for extra in ("", *extras)]
        while waiting:
            if (one := waiting.pop()) in seen:
                continue
            seen.add(one)
            waiting += self._needs(*one)
        return {name for name, _ in seen} - {"corpuscle"}

    def _needs(self, name: str, extra: str) -> Iterator[tuple[str, str]]:
        for line in self.packages[name]["metadata"].get("requires_dist", ()):
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate({**self.environment, "extra": extra}):
                yield from ((canonicalize_name(need.name), more) for more in ("", *need.extras))


def read_report(path: Path) -> Report:
    """Return a report that pip wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    packages: dict[str, Any] = {canonicalize_name(item["metadata"]["name"]): item for item in found["install"]}
    return Report(python=found["environment"]["python_version"], environment=found["environment"], packages=packages)


def ask_pip(python: str, folder: Path) -> Path:
    """Ask pip of one Python what it would install; return its report."""
    home, report = folder / python.replace("/", "-"), folder / f"{python.replace('/', '-')}.json"
    subprocess.run([python, "-m", "venv", str(home)], check=True)
    what = [f"{REPOSITORY}[{','.join(LOCKS['development'])}]", "--constraint", str(REPOSITORY / "constraints.txt")]
    command = [str(home / "bin/python"), "-m", "pip", "install", "--quiet", "--dry-run", "--report", str(report)]
    subprocess.run([*command, *what], check=True)
    return report


def lock_text(name: str, reports: Sequence[Report]) -> str:
    """Return the text of a lock."""
    found: dict[tuple[str, str], Locked] = {}
    for report in reports:
        for package in report.reach(LOCKS[name]):
            item = report.packages[package]
            one = found.setdefault((package, item["metadata"]["version"]), Locked())
            one.pythons.append(report.python)
            one.hashes.add(item["download_info"]["archive_info"]["hashes"]["sha256"])
    pythons = [report.python for report in reports]
    lines = [HEAD.format(what=f"corpuscle[{','.join(LOCKS[name])}]", pythons=", ".join(pythons), name=name)]
    for (package, version), one in sorted(found.items()):
        some = " or ".join(f'python_version == "{python}"' for python in one.pythons)
        marker = "" if one.pythons == pythons else f" ; {some}"
        hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sorted(one.hashes))
        lines.append(f"{package}=={version}{marker}{hashes}\n")
    return "".join(lines)


def read_lock(name: str) -> dict[Requirement, set[str]]:
    """Return the requirements of a lock, each with its hashes."""
    text = (REPOSITORY / "locks" / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.partition(" --hash=")[::2] for line in text.splitlines() if not line.startswith("#")]
    return {Requirement(what.strip()): set(re.findall(r"sha256:([0-9a-f]{64})\b", rest)) for what, rest in lines}


def main(words: Sequence[str]) -> None:
    """Write the locks from the reports, or Pythons, that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.machines.lock", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("source", nargs="+", help="a Python, as python3.12, or the JSON report of its pip")
    sources = parser.parse_args(words).source
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(one) if one.endswith(".json") else ask_pip(one, Path(folder)) for one in sources]
        reports = sorted((read_report(path) for path in paths), key=lambda one: [*map(int, one.python.split("."))])
    for name in LOCKS:
        (REPOSITORY / "locks").mkdir(exist_ok=True)
        (REPOSITORY / "locks" / f"{name}.txt").write_text(lock_text(name, reports), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
