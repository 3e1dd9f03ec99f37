"""Builds of the compiled readers: what is compiled, where a build lies, and whether it is one of these very sources.

A build is a folder named after the Python and the sources that it was made of, so that an edited source finds none. Its
`stamp.json` holds the size and hash of each of its files: one that was damaged would end the process that loads it.
"""

import hashlib
import json
import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import xxhash

from corpus.arrays.cache_folder import user_caches

PACKAGE: Final = Path(__file__).resolve().parents[1]
STAMP: Final = "stamp.json"
GROUP: Final = "corpuscle_readers"  # the library that holds the code of all modules
LIBRARY: Final = f"{GROUP}__mypyc"  # its name as a module
COMMAND: Final = "corpuscle doctor --compile"
# One group: calls from one of these modules to another are calls of C. They import each other natively, so that all of
# them are compiled or none.
MODULES: Final = tuple(
    f"corpus.ncbi.{room}.{name}"
    for room, names in (
        (
            "markup",
            "attributes document formulas math_line math_scripts math_tables math_tree scripts tex tex_cursor "
            "tex_names tex_tokens two_languages",
        ),
        (
            "jats",
            "abstracts accounts back body citation_needs citation_words citations context floats forms front inline "
            "lines lists places reader reference_labels rules sections tables usual_citations",
        ),
        ("pubmed", "fields metadata reader split text"),
    )
    for name in names.split()
)
# Constants and types of modules that are not compiled are in the code too.
_FOLDERS: Final = (".", "ncbi", "ncbi/archives", "ncbi/jats", "ncbi/markup", "ncbi/pubmed", "storage")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReaderBuild:
    """The build that fits, or why there is none: `folder` is None then."""

    folder: Path | None
    found: str  # what to tell a person


def sources(package: Path = PACKAGE) -> Iterator[str]:
    """Yield the files whose content decides, by their place in the package and in a fixed order."""
    for folder in _FOLDERS:  # by names, for a `Path` each takes as long as to read them
        yield from sorted(f"{folder}/{name}" for name in os.listdir(package / folder) if name.endswith(".py"))


def fingerprint(package: Path = PACKAGE) -> str:
    """Return a SHA-256 of the sources, of the Python that runs and of what is compiled, hexadecimal."""
    digest = hashlib.sha256(f"{sys.version}\n{sysconfig.get_platform()}\n{MODULES}".encode())
    for name in sources(package):
        with open(f"{package}/{name}", "rb", buffering=0) as source:
            content = source.read()
        digest.update(f"\n{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def places() -> list[Path]:
    """Return the folders that builds may lie in: that of the installation, then the user's own."""
    caches = user_caches()
    return [PACKAGE / "compiled" / "__pycache__" / "builds", *([caches / "corpuscle" / "builds"] if caches else [])]


def build_name(digest: str) -> str:
    """Return the name of the folder of a build."""
    return f"{sys.implementation.cache_tag}-{digest[:32]}"


def find_build() -> ReaderBuild:
    """Return the build of these very sources and this very Python; with `folder` None, and why, where there is none."""
    built = [place for place in places() if any(place.glob(f"[!.]*/{STAMP}"))]
    if not built:
        return ReaderBuild(folder=None, found="not built")
    name = build_name(fingerprint())
    for place in built:
        folder = place / name
        if (folder / STAMP).is_file():
            if is_whole(folder):
                return ReaderBuild(folder=folder, found=f"used, from {folder}")
            return ReaderBuild(folder=None, found=f"not used, the build in {folder} is damaged")
    return ReaderBuild(folder=None, found="not used, those that are built are of other sources or another Python")


def write_stamp(folder: Path) -> None:
    """Write the sizes and hashes of all files of a build."""
    files = {path.relative_to(folder).as_posix(): _identity(path) for path in sorted(folder.rglob("*.so"))}
    (folder / STAMP).write_text(json.dumps({"files": files}), encoding="utf-8")


def is_whole(folder: Path) -> bool:
    """Say whether all files of a build are as they were made, and all modules are there."""
    try:
        stamp: Any = json.loads((folder / STAMP).read_bytes())
        files = stamp["files"]
        there = set(files) == {*map(file_of, MODULES), file_of(LIBRARY)}
        return there and all(_identity(f"{folder}/{name}") == stated for name, stated in files.items())
    except (OSError, ValueError, TypeError, KeyError):
        return False


def file_of(module: str) -> str:
    """Return the path of a module in a build."""
    return module.replace(".", "/") + str(sysconfig.get_config_var("EXT_SUFFIX"))


def _identity(path: str | Path) -> list[Any]:
    with open(path, "rb", buffering=0) as file:
        content = file.read()
    return [len(content), xxhash.xxh3_128_hexdigest(content)]


def is_switched_off() -> bool:
    """Say whether the user wants pure Python: `CORPUSCLE_PURE=1`."""
    return os.environ.get("CORPUSCLE_PURE", "") not in ("", "0")
