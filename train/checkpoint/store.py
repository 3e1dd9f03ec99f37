"""Checkpoint store: publish checkpoints atomically, list them, and find the newest whose hashes hold.

DeepSpeed loads flipped bits without a word, runs pickles on load and starts from scratch when its pointer is
missing. So it writes into a temporary directory; then every file is hashed into `checkpoint.json`, the
directory is published by a rename, and `latest.json`, replaced atomically, lists the published checkpoints
with the hash of their `checkpoint.json`. Only a checkpoint reached through that chain is ever loaded, after
all its hashes were checked; a directory from elsewhere is not in the list. No torch here.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from corpus import storage
from corpus.errors import CorruptError, DiskError, UsageError
from corpus.stage.workspace import WORK
from corpus.storage.json_files import BadJsonError, build, check_inside, read_json

FOLDER = "checkpoints"
LATEST = "latest.json"
DESCRIPTION = "checkpoint.json"
TAG = "deepspeed"  # the directory DeepSpeed writes its shards to, inside a checkpoint
WEIGHTS = "model.safetensors"
UNIVERSAL = f"{WORK}/universal"  # the copy of a checkpoint that any number of ranks can load, while they start
PREFIX = "step-"
_TEMPORARY = ".tmp-"
_REMEDY = "move it away and go on with --resume --trust, which checks what is there"
_HASH_THREADS = 8  # hashlib releases the interpreter lock


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedCheckpoint:
    """One published checkpoint in `latest.json`; `sha256` is that of its checkpoint.json."""

    name: str  # its directory below checkpoints/
    step: int  # optimizer steps done [steps]
    sha256: str  # of its checkpoint.json, hexadecimal


@dataclass(frozen=True, kw_only=True, slots=True)
class _CheckpointList:
    checkpoints: tuple[ListedCheckpoint, ...]
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FileHash:
    """Size and hash of one file of a checkpoint."""

    bytes: int  # size [bytes]
    sha256: str  # of the content, hexadecimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """Description of a checkpoint, its checkpoint.json: the step, the run's recipe, and every file's hash."""

    step: int  # optimizer steps done [steps]
    tokens: int  # trained on so far [tokens]
    ranks: int  # processes that wrote it
    zero_stage: int  # of DeepSpeed, 0 to 3
    tokens_fingerprint: str  # of the `pack` it was trained on
    recipe: Mapping[str, Any]  # the settings that a resumed run must share; see [train.md](train.md)
    files: Mapping[str, FileHash]  # by their name in the checkpoint
    skipped_batches: tuple[int, ...] = ()  # left out of the order; not there when none are. See skipped.json

    @property
    def name(self) -> str:
        """Return the name of its directory."""
        return checkpoint_name(self.step)


def checkpoint_name(step: int) -> str:
    """Return the directory name of a step's checkpoint."""
    return f"{PREFIX}{step:08d}"


def checkpoint_path(output: str, name: str) -> str:
    """Return the path of a checkpoint's directory."""
    return storage.join(output, FOLDER, name)


def start_list(output: str) -> None:
    """Write the empty list of a new run, after removing what an unfinished start left.

    Raises UsageError when the directory holds checkpoints that no list names, since they are not known to be ours.
    """
    folder = storage.join(output, FOLDER)
    if os.path.isdir(folder) and os.listdir(folder) and read_list(output) is None:
        raise UsageError(f"{folder}: holds files but no {LATEST}, so they are not known to be ours; move them away")
    storage.remove_tree(folder)
    write_list(output, ())


def read_list(output: str) -> tuple[ListedCheckpoint, ...] | None:
    """Return the published checkpoints, oldest first; None when there is no list.

    Raises CorruptError when the list's bytes were changed.
    """
    path = storage.join(output, FOLDER, LATEST)
    if not storage.exists(path):
        return None
    try:
        listed = build(_CheckpointList, read_json(path, _REMEDY))
        entries, intact = listed.checkpoints, listed.sha256 == _list_hash(listed.checkpoints)
        for entry in entries:
            check_inside(entry.name)
    except BadJsonError as error:
        raise CorruptError(f"{path}: not a list of checkpoints ({error}); {_REMEDY}") from error
    if not intact:
        raise CorruptError(f"{path}: does not match its own hash; {_REMEDY}")
    return entries


def temporary_path(output: str, step: int) -> str:
    """Return the path where a checkpoint is written before it is published."""
    return storage.join(output, FOLDER, _TEMPORARY + checkpoint_name(step))


def make_temporary(output: str, step: int, expected_bytes: int) -> str:
    """Return an empty temporary directory for a checkpoint; raises DiskError when the disk cannot hold it."""
    temporary = temporary_path(output, step)
    storage.remove_tree(temporary)
    os.makedirs(temporary)
    free = shutil.disk_usage(temporary).free
    if free < expected_bytes:
        raise DiskError(
            f"{temporary}: a checkpoint needs about {expected_bytes / 1e9:,.2f} GB, {free / 1e9:,.2f} GB are free"
        )
    return temporary


def publish(
    output: str,
    checkpoint: Checkpoint,
    *,
    keep: int,
    keep_every: int | None = None,
    replaces: Collection[ListedCheckpoint] = (),
) -> Checkpoint:
    """Hash the files in a checkpoint's temporary directory, publish it and drop all but the newest `keep`.

    Those at a multiple of `keep_every` steps stay too. Files in `checkpoint.files` were hashed and synced by who wrote
    them; the others are here. `replaces` are
    the damaged ones that the run passed over; raises UsageError when any other of this step or a later one is listed.
    """
    temporary = temporary_path(output, checkpoint.step)
    older = _older(output, checkpoint.step, replaces)
    names = [name for name in storage.walk_files(temporary) if name not in (DESCRIPTION, *checkpoint.files)]
    with ThreadPoolExecutor(_HASH_THREADS) as pool:
        hashes = list(pool.map(lambda name: hash_and_sync(storage.join(temporary, name)), names))
    fields = {name: getattr(checkpoint, name) for name in checkpoint.__dataclass_fields__}
    full = Checkpoint(**{**fields, "files": {**checkpoint.files, **dict(zip(names, hashes, strict=True))}})
    content = asdict(full)
    if not content["skipped_batches"]:
        del content["skipped_batches"]
    description = json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"
    with storage.write_atomic(storage.join(temporary, DESCRIPTION)) as sink:
        sink.write(description)
    for folder, _, _ in os.walk(temporary):
        storage.sync_path(folder)
    final = checkpoint_path(output, full.name)
    storage.remove_tree(final)  # damaged, or published but never listed
    os.rename(temporary, final)
    entry = ListedCheckpoint(name=full.name, step=full.step, sha256=hashlib.sha256(description).hexdigest())
    newest = (*older, entry)[-keep:]
    marked = [known for known in older if keep_every and known.step % keep_every == 0 and known not in newest]
    entries = (*marked, *newest)
    write_list(output, entries)
    _remove_unlisted(output, entries)
    return full


def _older(output: str, step: int, replaces: Collection[ListedCheckpoint]) -> tuple[ListedCheckpoint, ...]:
    """Return the listed checkpoints before a step; raises UsageError when the step is not the newest."""
    entries = read_list(output) or ()
    if others := [known.name for known in entries if known.step >= step and known not in replaces]:
        raise UsageError(
            f"{output}: {others[-1]} is listed, and was not there when this run began, which has come to step {step:,}:"
            " other ranks were training here too. Nothing was removed; run the same command again with --resume"
        )
    return tuple(known for known in entries if known.step < step)


def discard_unlisted(output: str) -> None:
    """Remove what a save that failed has left: its temporary directory, or one that was published and not listed."""
    if (entries := read_list(output)) is not None:
        _remove_unlisted(output, entries)


def newest_good(output: str, say: Callable[[str], None]) -> Checkpoint:
    """Return the newest checkpoint whose hashes all hold, saying which damaged ones were passed over.

    Raises UsageError when there is none to resume from, CorruptError when all are damaged.
    """
    entries = read_list(output)
    if entries is None:
        raise UsageError(
            f"{output}: no {FOLDER}/{LATEST}, so no checkpoint here is known to be ours, and loading a foreign one "
            "runs its pickles; check the path, take up checkpoints of ours that lost their list with --resume --trust, "
            "or train from the start in another --output"
        )
    if not entries:
        raise UsageError(f"{output}: stopped before its first checkpoint; run the same command without --resume")
    for entry in reversed(entries):
        damage = find_damage(output, entry)
        if damage is None:
            return read_checkpoint(output, entry.name)
        say(f"checkpoint {entry.name} is damaged ({damage}); falling back to the one before")
    raise CorruptError(f"{output}: all {len(entries)} checkpoints are damaged; train again into another --output")


def what_is_left(output: str) -> str:
    """Say what a run whose disk is full goes on from, and how."""
    entries = read_list(output)
    if not entries:
        return "and nothing was saved before; free space, then run the same command again"
    return f"{entries[-1].name} is the last good checkpoint; free space, then run the same command with --resume"


def find_damage(output: str, entry: ListedCheckpoint) -> str | None:
    """Return what is wrong with a published checkpoint, of which every byte is read; None when all is well."""
    folder = checkpoint_path(output, entry.name)
    description = storage.join(folder, DESCRIPTION)
    if not os.path.isfile(description):
        return f"{DESCRIPTION} is missing"
    if storage.sha256_file(description) != entry.sha256:
        return f"{DESCRIPTION} was changed"
    stated = read_checkpoint(output, entry.name).files
    present = {*storage.walk_files(folder)} - {DESCRIPTION}
    if extra := sorted(present - {*stated}):
        return f"{extra[0]} does not belong to it"
    for name in sorted(stated):
        path = storage.join(folder, name)
        if name not in present:
            return f"{name} is missing"
        if storage.size(path) != stated[name].bytes:
            return f"{name} has {storage.size(path):,} bytes instead of {stated[name].bytes:,}"
    with ThreadPoolExecutor(_HASH_THREADS) as pool:
        hashes = pool.map(lambda name: storage.sha256_file(storage.join(folder, name)), sorted(stated))
        for name, found in zip(sorted(stated), hashes, strict=True):
            if found != stated[name].sha256:
                return f"the content of {name} was changed"
    return None


def read_checkpoint(output: str, name: str) -> Checkpoint:
    """Return a checkpoint's description, its hashes unchecked."""
    path = storage.join(checkpoint_path(output, name), DESCRIPTION)
    try:
        checkpoint = build(Checkpoint, read_json(path, _REMEDY), optional=("skipped_batches",))
        for file in checkpoint.files:
            check_inside(file)
    except BadJsonError as error:
        raise CorruptError(f"{path}: not the description of a checkpoint ({error}); {_REMEDY}") from error
    return checkpoint


def write_list(output: str, entries: tuple[ListedCheckpoint, ...]) -> None:
    """Replace the list of published checkpoints, oldest first, atomically."""
    content = {"checkpoints": [asdict(entry) for entry in entries], "sha256": _list_hash(entries)}
    with storage.write_atomic(storage.join(output, FOLDER, LATEST)) as sink:
        sink.write(json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")


def _list_hash(entries: tuple[ListedCheckpoint, ...]) -> str:
    return hashlib.sha256(json.dumps([asdict(entry) for entry in entries], sort_keys=True).encode()).hexdigest()


def _remove_unlisted(output: str, entries: tuple[ListedCheckpoint, ...]) -> None:
    """Remove checkpoints that the list no longer names, and what kills left; it was written first, so none dangles."""
    keep = {entry.name for entry in entries}
    for name in os.listdir(storage.join(output, FOLDER)):
        if name not in keep and name.startswith((PREFIX, _TEMPORARY)):  # what has another name is not ours
            storage.remove_tree(checkpoint_path(output, name))


def hash_and_sync(path: str) -> FileHash:
    """Make a file survive a power cut, and return its size and hash."""
    storage.sync_path(path)
    return FileHash(bytes=storage.size(path), sha256=storage.sha256_file(path))
