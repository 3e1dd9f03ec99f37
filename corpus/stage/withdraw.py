"""Withdrawal of files of a finished stage: what no manifest names any more goes, though the run was killed meanwhile.

The list of what will go is on disk before the manifest changes. Whoever comes next removes what is in the list and not
in the manifest that it finds, so that a kill anywhere leaves every file that a manifest names.
"""

import json
from collections.abc import Iterable, Mapping

from corpus import storage
from corpus.stage.lock import RUN_FACTS
from corpus.stage.manifest import MANIFEST, Manifest, has_manifest, read_manifest
from corpus.storage.json_files import read_names

WITHDRAWN = "_withdrawn.json"  # names of the files that go


def withdraw(base: str, manifest: Manifest, *, keep: Iterable[str] = ()) -> None:
    """Take back a committed stage below `base`: its manifest and all its parts but those whose paths are in `keep`."""
    announce_withdrawal(base, {part.path for part in manifest.parts} - set(keep))
    for name in (MANIFEST, RUN_FACTS):
        storage.remove_file(storage.join(base, name))
    finish_withdrawal(base)


def announce_withdrawal(base: str, names: Iterable[str]) -> None:
    """Put on disk which files go as soon as the manifest does not name them, beside those that were announced before.

    On a bucket another commit of the same result may be between its manifest and its withdrawal.
    """
    names = {*names, *_announced(storage.join(base, WITHDRAWN))}
    with storage.write_atomic(storage.join(base, WITHDRAWN)) as sink:
        sink.write(json.dumps(sorted(names)).encode())


def finish_withdrawal(base: str) -> None:
    """Remove the files that were announced and that the manifest, if there is one, does not name."""
    path = storage.join(base, WITHDRAWN)
    if not storage.exists(path):
        return
    announced = _announced(path)
    parts = read_manifest(base).parts if has_manifest(base) else ()
    named = {part.name for part in parts}
    for name in announced:
        if name not in named:
            storage.remove_file(storage.join(base, name))
    storage.remove_file(path)


def _announced(path: str) -> list[str]:
    """Return the names in a list of files that go; none where there is no list, or none any more."""
    if not storage.exists(path):
        return []
    try:
        return read_names(path, "see what it names, remove it, and run the same command again")
    except FileNotFoundError:
        return []


def changes_text(changes: Mapping[str, Iterable[str]], shown: int = 5) -> str:
    """Return `2 new (a, b), 1 changed (c)` for the names behind each word, `nothing else` when there are none."""
    phrases = []
    for word, found in changes.items():
        names = sorted(found)
        if names:
            more = f" and {len(names) - shown} more" if len(names) > shown else ""
            phrases.append(f"{len(names)} {word} ({', '.join(names[:shown])}{more})")
    return ", ".join(phrases) or "nothing else"
