"""Check of this machine, `doctor`: what the stages need and it lacks, and the command that helps.

Each check gives one line: ok, warn (something optional or tight is missing) or fail (a stage cannot run),
with the next command. The versions to expect are those that the installed distribution itself declares.
"""

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from corpus.arrays.numba_cache import FOLDER, LOCK
from corpus.compiled.builds import COMMAND, is_switched_off
from corpus.ncbi import COMPILED
from corpus.stage.machine import memory_bytes, usable_cores

# Below this lxml reads local files through entities that a document declares (CVE-2026-41066).
LXML_FLOOR = (6, 1, 0)
PYTHON_FLOOR, PYTHON_CEILING = (3, 11), (3, 14)
# The real data of `configs/shared-data.yaml` and the demo stay below these.
MEMORY_GB, DISK_GB = 8, 10
INSTALL = "pip install -e '.[train]' -c constraints.txt"
# What optional packages are for, which of them to name, and how to get them.
EXTRAS = {
    "train": ("training", ("torch", "deepspeed"), INSTALL),
    "export": (
        "export",
        ("gguf", "ctranslate2"),
        "needed for GGUF and CTranslate2 alone: pip install -e '.[train,export]' -c constraints.txt",
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Finding about this machine, one line: `level` is ok, warn or fail; `advice` is the next command."""

    level: str
    subject: str
    found: str
    advice: str = ""

    @classmethod
    def of(cls, line: tuple[str, str, str, str]) -> "Finding":
        """Return the finding of a line of another room."""
        return cls(level=line[0], subject=line[1], found=line[2], advice=line[3])

    def line(self) -> str:
        """Return the finding as text."""
        return f"{self.level:<5} {self.subject:<12} {self.found}" + (f"; {self.advice}" if self.advice else "")


def examine() -> list[Finding]:
    """Return what was found about this machine and environment."""
    return [_python(), *_packages(), _lxml(), *_machine(), _compiled(), _readers(), _accelerator()]


def _python() -> Finding:
    fits = PYTHON_FLOOR <= sys.version_info[:2] < PYTHON_CEILING
    advice = "" if fits else "make a .venv with Python 3.11, 3.12 or 3.13"
    return Finding(level="ok" if fits else "fail", subject="python", found=platform.python_version(), advice=advice)


def _packages() -> Iterator[Finding]:
    """Compare the packages that are installed with what the distribution declares."""
    try:
        declared = metadata.requires("corpuscle") or []
    except metadata.PackageNotFoundError:
        yield Finding(level="fail", subject="corpuscle", found="not installed", advice=INSTALL)
        return
    wrong = [fault for line in declared if (fault := _package_fault(line)) is not None]
    faults = {extra: ", ".join(fault for own, fault in wrong if own == extra) for extra in ("", *EXTRAS)}
    if faults[""]:
        yield Finding(level="fail", subject="packages", found=faults[""], advice=INSTALL)
    else:
        yield Finding(level="ok", subject="packages", found="all that extract, assemble, tokenizer and pack need")
    for extra, (subject, names, advice) in EXTRAS.items():
        # An installation from before an extra was there does not declare it: look for its packages themselves.
        absent = [found[1] for name in names if (found := _package_fault(name)) is not None]
        if absent or faults[extra]:
            yield Finding(level="warn", subject=subject, found=faults[extra] or ", ".join(absent), advice=advice)
        else:
            versions = " and ".join(f"{name} {metadata.version(name)}" for name in names)
            yield Finding(level="ok", subject=subject, found=versions)


def _package_fault(requirement: str) -> tuple[str, str] | None:
    """Return (the extra that needs it, "" for all, and what is wrong) for one declared requirement, or None."""
    from packaging.requirements import Requirement

    parsed = Requirement(requirement)
    marked = re.search(r"extra\s*==\s*['\"](\w+)['\"]", str(parsed.marker or ""))
    extra = marked[1] if marked else ""
    if extra and extra not in EXTRAS:
        return None
    try:
        version = metadata.version(parsed.name)
    except metadata.PackageNotFoundError:
        return extra, f"{parsed.name} is missing"
    if parsed.specifier.contains(version, prereleases=True):
        return None
    return extra, f"{parsed.name} {version} is not {parsed.specifier}"


def _lxml() -> Finding:
    try:
        from lxml import etree
    except ImportError:
        return Finding(level="fail", subject="lxml", found="missing", advice=INSTALL)
    version = etree.LXML_VERSION[:3]
    found = f"{'.'.join(map(str, version))} with libxml2 {'.'.join(map(str, etree.LIBXML_VERSION))}"
    if version < LXML_FLOOR:
        return Finding(level="fail", subject="lxml", found=f"{found} can be made to read local files", advice=INSTALL)
    return Finding(level="ok", subject="lxml", found=found)


def _machine() -> Iterator[Finding]:
    cores = usable_cores()
    yield Finding(level="ok", subject="cores", found=f"{cores}; use --workers {cores}")
    if (memory := memory_bytes()) is not None:
        tight = memory < MEMORY_GB * 1e9
        advice = f"below {MEMORY_GB} GB use --workers 1" if tight else ""
        yield Finding(level="warn" if tight else "ok", subject="memory", found=f"{memory / 1e9:.1f} GB", advice=advice)
    free = shutil.disk_usage(".").free / 1e9
    level, advice = ("ok", "") if free >= DISK_GB else ("warn", f"choose an --output with {DISK_GB} GB or more")
    yield Finding(level=level, subject="disk", found=f"{free:.0f} GB free here", advice=advice)


def _compiled() -> Finding:
    """Say where compiled code is kept: of a user without a home, who may not write beside the package either."""
    chosen, advice = os.environ.get(FOLDER), f"set {FOLDER} to a folder that can"
    if LOCK.folder is None:
        found = "no folder for it can be written, so every command compiles, up to 20 s"
        return Finding(level="warn", subject="compiled", found=found, advice=advice)
    if chosen and chosen != str(LOCK.folder):
        found = f"{FOLDER}={chosen} cannot be written; kept in {LOCK.folder}"
        return Finding(level="warn", subject="compiled", found=found, advice=advice)
    found, advice = f"kept in {LOCK.folder}", ""
    if next(LOCK.folder.rglob("*.nbi"), None) is None:
        found += ", where nothing is yet"
        advice = "corpuscle doctor --compile spares the first start of each stage some seconds"
    return Finding(level="ok", subject="compiled", found=found, advice=advice)


def _readers() -> Finding:
    """Say whether the readers of PubMed and JATS run as machine code; pure Python gives the same records."""
    advice = "" if COMPILED.folder or is_switched_off() else f"articles are read a quarter faster after {COMMAND}"
    return Finding(level="ok", subject="readers", found=f"compiled: {COMPILED.found}", advice=advice)


def _accelerator() -> Finding:
    """Ask the driver rather than torch, which takes 4 s to import."""
    if not os.path.exists("/dev/nvidiactl"):
        return Finding(level="ok", subject="gpu", found="none; training runs on CPU ranks")
    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:
        return Finding(level="warn", subject="gpu", found="found, torch is missing", advice=INSTALL)
    if "+cpu" in version:
        advice = f"pip install torch=={version.partition('+')[0]}, the CUDA build"
        return Finding(level="warn", subject="gpu", found=f"found, but torch {version} cannot use it", advice=advice)
    return Finding(level="ok", subject="gpu", found=f"found, torch {version}")
