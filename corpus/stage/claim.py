"""Claim of an output directory: only one that is empty or that a stage of ours marked is ever written to or cleaned.

The mark is the first line of the lock file, which stays when the stage is finished. A directory that lost it, as a copy
without dot files does, is known by what a stage alone writes: a manifest, a receipt, a list of checkpoints.
"""

import os
from collections.abc import Collection, Mapping

from corpus import storage
from corpus.errors import UsageError
from corpus.stage.manifest import MANIFEST

LOCK = ".lock"
MARK = b"corpuscle\n"
Forms = Mapping[str, tuple[bytes, ...]]  # words that files of ours hold, by path; of `_receipts` any file does
NO_FORMS: Forms = {}
_OF_THE_SYSTEM = {"lost+found", ".DS_Store"}  # in directories that nobody used yet
_NO_STORES = ("file", "ftp", "http", "https", "local")
_SHOWN = 3
_RECEIPTS_READ = 9
_READ = 64 << 20  # bytes of a file that are looked at, at most
# Until 2026 the lock was empty: then what else is there must have one of these names, or there must be nothing else.
_BESIDE_EMPTY_LOCK = {
    "_work",
    "_receipts",
    "_withdrawn.json",
    "checkpoints",
    "fetch.jsonl",
    "pinned.json",
    "baseline",
    "updatefiles",
}
_FORMS: Forms = {
    MANIFEST: (b'"books"', b'"fingerprint"'),
    "_receipts": (b'"books"', b'"fingerprint"', b'"task"'),
    "_work/fetching": (b"corpuscle fetch",),
    "checkpoints/latest.json": (b'"checkpoints"', b'"sha256"'),
}


def check_claim(output: str, *, also: Forms = NO_FORMS) -> None:
    """Refuse a directory that holds files and is not ours; nothing is written, removed or locked there.

    `also` are files that only we write there, for outputs that are no stage's.

    Raises UsageError that names some of what is there.
    """
    if not output.strip():
        raise UsageError("--output is empty; name a directory (is a variable of the shell not set?)")
    if output.partition("://")[0].lower() in _NO_STORES and storage.is_remote(output):
        raise UsageError(f"{output}: nothing is written there; --output is a path of this machine, gs://… or s3://…")
    if not storage.is_remote(output) and os.path.lexists(output) and not os.path.isdir(output):
        what = "a file" if os.path.exists(output) else "a link to nowhere"
        raise UsageError(f"{output}: is {what}, so no output can go there; choose another --output")
    names = storage.list_names(output)
    foreign = sorted(set(names) - _OF_THE_SYSTEM)
    if not foreign or _is_ours(output, names, {**_FORMS, **also}):
        return
    if not storage.holds_files(output, but=_OF_THE_SYSTEM):
        return
    more = f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
    raise UsageError(
        f"{output}: is not empty and was not made by corpuscle (it holds {', '.join(foreign[:_SHOWN])}{more}), so "
        "nothing was written there; choose another --output, a new or an empty directory"
    )


def empty_claimed(folder: str) -> None:
    """Remove all that lies in a local directory of ours but its mark, so that a kill leaves it ours."""
    for name in set(storage.list_names(folder)) - {LOCK}:
        path = storage.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            storage.remove_tree(path)
        else:
            storage.remove_file(path)


def remove_claimed(folder: str) -> None:
    """Remove a local directory of ours, its mark last."""
    empty_claimed(folder)
    storage.remove_tree(folder)


def _is_ours(output: str, names: Collection[str], forms: Forms) -> bool:
    """Say whether a directory that holds these names bears the mark of a stage, or files that a stage alone writes."""
    if LOCK in names:
        content = _content(storage.join(output, LOCK))
        if content == MARK:
            return True
        others = set(names) - _OF_THE_SYSTEM - {LOCK}
        if content == b"" and (not others or others & _BESIDE_EMPTY_LOCK):
            return True
    for name, words in forms.items():
        path = storage.join(output, name)
        if name.partition("/")[0] not in names:
            continue
        some = storage.list_names(path)[:_RECEIPTS_READ] if name == "_receipts" else ()
        paths = [storage.join(path, one) for one in some] or [path]
        if any(all(word in _content(one) for word in words) for one in paths):
            return True
    return False


def _content(path: str) -> bytes:
    """Return the bytes of a file, b"-" for what is none."""
    regular = storage.exists(path) if storage.is_remote(path) else os.path.isfile(path)
    if not regular:
        return b"-"
    with storage.open_read(path) as source:
        return source.read(_READ)
