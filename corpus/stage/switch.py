"""Switch from a finished result to the next one: at every moment the manifest names files that are all there.

What takes the place of a committed result is written below `_next/`, under the names that it will have. Then, in this
order: the list of the old files that go (`corpus.stage.withdraw`); the manifest of the new result, in which a file that
lies in `_next/` stands with that folder, and this is the commit; every such file under its own name too, as a second
link, on a bucket as a copy; the manifest with the names alone; then the old files go, and `_next/`. A kill before the
commit leaves the old result, one behind it the new one, and the next command finishes the switch.
"""

from dataclasses import replace

from corpus import storage
from corpus.stage.lock import RUN_FACTS
from corpus.stage.manifest import NEXT, Manifest, Part, has_manifest, read_manifest, write_manifest
from corpus.stage.reading import without_readers
from corpus.stage.withdraw import announce_withdrawal, finish_withdrawal


def switch_to(base: str, manifest: Manifest) -> None:
    """Commit a result in the place of the one below `base`; its new files are in `_next/`, all others in place.

    Raises RetryError, with nothing changed, when somebody goes on reading the old result.
    """
    with without_readers(base):
        old = read_manifest(base) if has_manifest(base) else None
        gone = {part.path for part in old.parts} - {part.path for part in manifest.parts} if old else set()
        if old and old.fingerprint != manifest.fingerprint:
            gone.add(RUN_FACTS)
        announce_withdrawal(base, gone)
        fresh = set(storage.walk_files(storage.join(base, NEXT)))
        parts = (replace(part, path=f"{NEXT}/{part.path}") if part.path in fresh else part for part in manifest.parts)
        write_manifest(base, replace(manifest, parts=tuple(parts)))
        _finish(base)


def finish_switch(base: str) -> None:
    """Go on where a switch was stopped behind its commit, or a withdrawal anywhere, if one was."""
    if has_manifest(base) and any(part.path != part.name for part in read_manifest(base).parts):
        with without_readers(base):
            _finish(base)
    finish_withdrawal(base)


def _finish(base: str) -> None:
    manifest = read_manifest(base)
    if moved := [part for part in manifest.parts if part.path != part.name]:
        for part in moved:
            _put_in_place(base, part)
        write_manifest(base, replace(manifest, parts=tuple(replace(part, path=part.name) for part in manifest.parts)))
    finish_withdrawal(base)
    storage.remove_tree(storage.join(base, NEXT))


def _put_in_place(base: str, part: Part) -> None:
    """Give a file of `_next/` its own name too.

    On a bucket another commit of the same result, of an engine's second try, may have done so and removed `_next/`.
    """
    path, name = storage.join(base, part.path), storage.join(base, part.name)
    try:
        storage.put_also(path, name)
    except FileNotFoundError:
        if not storage.exists(name) or storage.size(name) != part.bytes:
            raise
