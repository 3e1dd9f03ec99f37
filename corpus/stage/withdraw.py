"""Withdrawal of a finished stage, to be finished again with other inputs: what stays true is kept, the rest goes.

The order makes it safe to be killed anywhere: the list of what will go is on disk before the manifest goes, and it is
the last to go. No reader ever sees a manifest whose files are not there.
"""

import json
from collections.abc import Iterable, Mapping

from corpus import storage
from corpus.stage.lock import RUN_FACTS
from corpus.stage.manifest import MANIFEST, Manifest
from corpus.storage.json_files import read_names

WITHDRAWN = "_withdrawn.json"  # names of the files that go


def withdraw(base: str, manifest: Manifest, *, keep: Iterable[str] = ()) -> None:
    """Take back a committed stage below `base`: its manifest and all its parts but those whose paths are in `keep`."""
    kept = set(keep)
    gone = sorted(part.path for part in manifest.parts if part.path not in kept)
    with storage.write_atomic(storage.join(base, WITHDRAWN)) as sink:
        sink.write(json.dumps(gone).encode())
    finish_withdrawal(base)


def finish_withdrawal(base: str) -> None:
    """Go on where a withdrawal was stopped, if one was."""
    path = storage.join(base, WITHDRAWN)
    if not storage.exists(path):
        return
    gone = read_names(path, "see what it names, remove it, and run the same command again")
    for name in (MANIFEST, RUN_FACTS, *gone):
        storage.remove_file(storage.join(base, name))
    storage.remove_file(path)


def changes_text(changes: Mapping[str, Iterable[str]], shown: int = 5) -> str:
    """Return `2 new (a, b), 1 changed (c)` for the names behind each word, `nothing else` when there are none."""
    phrases = []
    for word, found in changes.items():
        names = sorted(found)
        if names:
            more = f" and {len(names) - shown} more" if len(names) > shown else ""
            phrases.append(f"{len(names)} {word} ({', '.join(names[:shown])}{more})")
    return ", ".join(phrases) or "nothing else"
