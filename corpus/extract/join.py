"""Join of extracted shards: of n results of `extract --shard i/n` the one that a single machine makes, byte for byte.

Parts are linked, or copied where they lie on another disk or in a bucket, and checked against their manifests; the
manifest is made of the shards' receipts, as `extract` makes it.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from corpus import storage
from corpus.errors import CorruptError, UsageError
from corpus.extract.config import REVISION, ExtractConfig
from corpus.extract.task import RECEIPTS_FILE, conclude, read_receipts
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Manifest, Part, read_manifest
from corpus.stage.progress import progress, say
from corpus.stage.workspace import Receipt, Workspace, plan_stage

STAGE: Final = "extract"
SHARD_STAGE: Final = "extract-shard"
_OF_SHARD: Final = ("shard", "whole")  # what a shard's settings say beside those of the whole
_CHUNK: Final = 8 << 20


def join(folders: Sequence[str], *, output: str, max_reject_rate: float | None = None) -> Manifest:
    """Make one result of `extract` from all its shards, and return the committed manifest.

    `max_reject_rate` takes the place of the shards' own, as if all had been extracted with it.

    Raises UsageError, by name, for shards that are missing, given twice, or made of other inputs, with other settings
    or by other code; CorruptError for a file that is not what its shard's manifest says; DataError as `extract` does.
    """
    shards = {folder: read_manifest(folder, SHARD_STAGE) for folder in folders}
    config = _checked(shards)
    if max_reject_rate is not None:
        config = ExtractConfig(**config.identity() | {"max_reject_rate": max_reject_rate})
    with running_stage(output):
        workspace, finished = plan_stage(
            output,
            stage=STAGE,
            revision=REVISION,
            config=config.identity(),
            inputs=[item for manifest in shards.values() for item in manifest.inputs],
            sources=shards,
        )
        if finished is not None:
            say(f"{output}: up to date ({STAGE}, {finished.fingerprint[:12]})")
            return finished
        receipts = [receipt for folder, manifest in shards.items() for receipt in _receipts(folder, manifest)]
        _bring(workspace, shards)
        manifest = conclude(sorted(receipts, key=lambda receipt: receipt.task), workspace, config)
        workspace.clean()
        return manifest


def _checked(shards: Mapping[str, Manifest]) -> ExtractConfig:
    """Return the settings that all shards were made with; raises UsageError where they are not those of one whole."""
    first = next(iter(shards))
    problems = [line for folder in shards for line in _differences(first, folder, shards)]
    holders: dict[str, list[str]] = {}
    for folder, manifest in shards.items():
        holders.setdefault(str(manifest.config["shard"]), []).append(folder)
    problems += [f"shard {shard}: given twice: {', '.join(places)}" for shard, places in holders.items() if places[1:]]
    count = int(str(shards[first].config["shard"]).partition("/")[2])
    missing = [f"{number}/{count}" for number in range(1, count + 1) if f"{number}/{count}" not in holders]
    if missing:
        problems.append(f"missing: {', '.join(missing)}; run `corpuscle extract --shard` for them first")
    if problems:
        raise UsageError("these shards are no whole:\n  " + "\n  ".join(problems))
    return ExtractConfig(**{name: value for name, value in shards[first].config.items() if name not in _OF_SHARD})


def _differences(first: str, folder: str, shards: Mapping[str, Manifest]) -> list[str]:
    """Return how a shard differs from the first one in what must be equal."""
    one, other = shards[first], shards[folder]
    if (one.revision, other.revision) != (REVISION, REVISION):
        return [f"{folder}: made by revision {other.revision} of the code, this is {REVISION}; extract it again"]
    settings = [name for name in sorted({*one.config, *other.config}) if name not in _OF_SHARD]
    lines = [
        f"{folder}: {name} is {other.config.get(name)}, {one.config.get(name)} in {first}"
        for name in settings
        if other.config.get(name) != one.config.get(name)
    ]
    counts = [str(manifest.config["shard"]).partition("/")[2] for manifest in (one, other)]
    if counts[0] != counts[1]:
        lines.append(f"{folder}: one of {counts[1]} shards, {first} is one of {counts[0]}")
    elif other.config["whole"] != one.config["whole"]:
        lines.append(f"{folder}: a share of other inputs than {first}; give all shards the same paths")
    return lines


def _receipts(folder: str, manifest: Manifest) -> list[Receipt]:
    """Return what each input of a shard gave."""
    stated = next((part for part in manifest.parts if part.path == RECEIPTS_FILE), None)
    path = storage.join(folder, RECEIPTS_FILE)
    if stated is None or not storage.exists(path) or storage.sha256_file(path) != stated.sha256:
        raise CorruptError(f"{path}: not what the shard's manifest says; extract that shard again")
    return read_receipts(path)


def _bring(workspace: Workspace, shards: Mapping[str, Manifest]) -> None:
    """Bring the parts of all shards into the output, checked."""
    parts = [(folder, part) for folder, one in shards.items() for part in one.parts if part.path != RECEIPTS_FILE]
    with progress("join", len(parts)) as shown:
        for folder, part in parts:
            _bring_part(storage.join(folder, part.path), workspace.path(part.path), part)
            shown.advance()


def _bring_part(source: str, target: str, part: Part) -> None:
    digest = storage.sha256_file(source) if _linked(source, target) else _copied(source, target)
    if digest != part.sha256:
        storage.remove_file(target)
        raise CorruptError(f"{source}: not what its manifest says; extract that shard again")


def _linked(source: str, target: str) -> bool:
    """Link a file of this machine under another name; say whether that could be done."""
    if storage.is_remote(source) or storage.is_remote(target):
        return False
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with suppress(FileNotFoundError):
        os.remove(target)  # of a run that was killed
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without links
        return False
    return True


def _copied(source: str, target: str) -> str:
    """Copy a file and return the SHA-256 of what was read."""
    digest: Any = hashlib.sha256()
    with storage.open_read(source) as read, storage.write_atomic(target) as sink:
        while chunk := read.read(_CHUNK):
            digest.update(chunk)
            sink.write(chunk)
    return str(digest.hexdigest())
