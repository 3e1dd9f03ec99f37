"""The search for input files: paths, directories and globs as a user gave them in, the usable files behind them out.

Nothing that a path stands for is passed over in silence. A folder that cannot be listed and a thing that is no regular
file end the search, all of them named at once; other files are named in one line. A folder behind a link is searched
like any other, each folder and each file once.
"""

import glob
import os
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from corpus import storage
from corpus.ncbi.archives.fetched import PUBMED_STAGE, fetched, pubmed_files, stated_digests

# What lies beside NCBI's files and holds no records: checksums, lists, metadata, statistics, an article's figures.
_COMPANIONS = (
    *(".md5", ".sha256", ".txt", ".csv", ".csv.gz", ".json", ".html", ".htm", ".md", ".log"),
    *(".pdf", ".jpg", ".jpeg", ".gif", ".png", ".tif", ".tiff", ".svg", ".eps"),
)
_SHOWN = 3  # files that a line names


@dataclass(kw_only=True, slots=True)
class SearchNotes:
    """What a search came upon besides usable files."""

    problems: list[str] = field(default_factory=list)  # what ends it, a line each
    usable: set[str] = field(default_factory=set)  # files that some reader takes, by identity
    others: dict[str, str] = field(default_factory=dict)  # files that one reader does not take, path by identity
    digests: dict[str, str] = field(default_factory=dict)  # the SHA-256 that fetched mirrors state of their files


def find_files(arguments: Sequence[str], suffixes: tuple[str, ...], what: str, notes: SearchNotes) -> list[str]:
    """Return the usable files behind the arguments, each once; the rest goes to `notes`."""
    found: dict[str, str] = {}
    before = len(notes.problems)
    for argument in arguments:
        known = len(notes.problems)
        files, named = _expand(argument, notes)
        files = [path for path in files if not _hidden(path, argument)]
        usable = {path for path in files if path.lower().endswith(suffixes)}
        if not usable and not named and len(notes.problems) == known:
            said = f"holds no {what}" if files else "nothing is there"
            unset = " (an empty path: is a variable of the shell not set?)" if not argument.strip() else ""
            notes.problems.append(f"{argument or repr(argument)}: {said}{unset}")
        for path in files:
            identity = path if storage.is_remote(path) else os.path.realpath(path)
            if (path in usable or named) and (problem := _problem(path)):
                notes.problems.append(f"{path}: {problem}")
            if path in usable:
                found[identity] = min(path, found.get(identity, path))
            elif not _companion(path):
                notes.others[identity] = path
    notes.usable |= found.keys()
    if arguments and not found and len(notes.problems) == before:
        notes.problems.append(f"{' '.join(arguments)}: no {what} among these files")
    return sorted(found.values())


def unread(notes: SearchNotes) -> list[str]:
    """Return the files that no reader takes, in order."""
    return sorted(path for identity, path in notes.others.items() if identity not in notes.usable)


def first_of(paths: Sequence[str]) -> str:
    """Return the first few of some paths as a list in a sentence."""
    return ", ".join(paths[:_SHOWN]) + (", …" if len(paths) > _SHOWN else "")


def _companion(path: str) -> bool:
    name = storage.base_name(path).lower()
    return name.endswith(_COMPANIONS) or name.startswith("readme")


def _problem(path: str, *, folders: bool = False) -> str:
    """Say why a file (or a folder, where one may be) cannot be read, "" when nothing speaks against it."""
    if storage.is_remote(path):
        return ""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return f"{error.strerror}" + (f" (a link to {os.readlink(path)})" if os.path.islink(path) else "")
    if folders and stat.S_ISDIR(mode):
        return ""
    if not stat.S_ISREG(mode):
        return f"{storage.kind_of_special(mode)}, not a regular file"
    return "" if os.access(path, os.R_OK, effective_ids=True) else "Permission denied"


def _expand(argument: str, notes: SearchNotes) -> tuple[list[str], bool]:
    """Return the files an argument stands for, and whether it names one file that exists."""
    if (mirror := fetched(argument)) and mirror.stage == PUBMED_STAGE:
        notes.digests |= stated_digests(argument, mirror)
        return pubmed_files(argument, mirror), False
    if storage.is_remote(argument):
        return _expand_remote(argument)
    if os.path.isdir(argument):
        return list(_walk(argument, notes.problems)), False
    if os.path.lexists(argument):
        return [argument], True
    files: list[str] = []
    for match in _matches(argument, notes.problems):
        files += _walk(match, notes.problems) if os.path.isdir(match) else [match]
    return files, False


def _matches(pattern: str, problems: list[str]) -> list[str]:
    """Return what a glob matches; the folders that it looks into must be readable, which `glob` itself never says."""
    folder = pattern
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
        for place in glob.glob(folder or ".", recursive=True):
            if os.path.isdir(place):
                _entries(place, problems)
    return glob.glob(pattern, recursive=True)


def _walk(base: str, problems: list[str]) -> Iterator[str]:
    """Yield the files below a folder, hidden ones left out.

    Links to folders are followed after all that lies there itself, so that a loop, or a folder that is reached twice,
    does not take the place of the real one.
    """
    seen: set[tuple[int, int]] = set()
    folders, links = [base], deque[str]()
    while folders or links:
        folder = folders.pop() if folders else links.popleft()
        about = os.stat(folder)
        if (about.st_dev, about.st_ino) in seen:
            continue
        seen.add((about.st_dev, about.st_ino))
        for entry in _entries(folder, problems):
            linked = entry.is_symlink()
            if entry.name.startswith(".") or (linked and _companion(entry.path)):
                continue
            if linked and (problem := _problem(entry.path, folders=True)):  # a disk that is not mounted, too
                problems.append(f"{entry.path}: {problem}")
            elif os.path.isdir(entry.path) if linked else entry.is_dir():
                (links if linked else folders).append(entry.path)
            else:
                yield entry.path


def _entries(folder: str, problems: list[str]) -> list[os.DirEntry[str]]:
    """Return what a folder holds, by name; one that cannot be listed, or not entered, is a problem."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        os.stat(os.path.join(folder, "."))
    except OSError as error:
        problem = f"{folder}: {error.strerror}"
        if problem not in problems:
            problems.append(problem)
        return []
    return found


def _expand_remote(argument: str) -> tuple[list[str], bool]:
    import fsspec  # 0.35 s, and local paths never need it

    if glob.has_magic(argument):
        return [opened.full_name for opened in fsspec.open_files(argument)], False
    names = storage.walk_files(argument)
    if not names and storage.exists(argument):
        return [argument], True
    return [storage.join(argument, name) for name in names], False


def _hidden(path: str, argument: str) -> bool:
    """Say whether a file, or a folder on the way to it below the argument, is hidden (`.part`, `._name`)."""
    below = path[len(argument) :] if path.startswith(argument) else storage.base_name(path)
    return storage.base_name(path).startswith(".") or any(name.startswith(".") for name in below.split("/"))
