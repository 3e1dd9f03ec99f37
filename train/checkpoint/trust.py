"""Adopt checkpoints that no list names (`--trust`), after checking their hashes and the globals of their pickles.

Loading a DeepSpeed checkpoint unpickles it, and a pickle can run anything. A checkpoint of ours that lost its
list (a copy of a run without `latest.json`) still has its description with all hashes; but who wrote that
description is not known, so every pickle is read first, without running it, for what it would import. Only
torch's own safe types and the three classes that DeepSpeed saves are let through.
"""

import os
from collections.abc import Callable

import torch

from corpus import storage
from corpus.errors import CorruptError, UsageError
from train.checkpoint import store
from train.checkpoint.store import DESCRIPTION, FOLDER, PREFIX, ListedCheckpoint, checkpoint_path

KNOWN_GLOBALS = frozenset(
    {
        "deepspeed.runtime.fp16.loss_scaler.LossScaler",
        "deepspeed.runtime.zero.config.ZeroStageEnum",
        "deepspeed.utils.tensor_fragment.fragment_address",
    }
)


def adopt_unlisted(output: str, say: Callable[[str], None]) -> None:
    """Write a list of the good checkpoints that lie in `output`; nothing to do where there is one already.

    Raises CorruptError when a pickle would import anything unknown, UsageError when no checkpoint is good.
    """
    if store.read_list(output) is not None:
        return
    folder = storage.join(output, FOLDER)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    entries = []
    for name in names:
        if not name.startswith(PREFIX):
            continue
        if (damage := _damage(output, name)) is not None:
            say(f"{name} is not taken up: {damage}")
            continue
        check_pickles(checkpoint_path(output, name))
        entries.append(_entry(output, name))
        say(f"{name} is taken up: its hashes hold, and its pickles import nothing unknown")
    if not entries:
        raise UsageError(
            f"{folder}: no checkpoint of ours that is whole (a directory {PREFIX}… with {DESCRIPTION}); "
            "train from the start in another --output"
        )
    store.write_list(output, tuple(entries))


def check_pickles(folder: str) -> None:
    """Raise CorruptError when a pickle below a folder would import anything but known types; runs none of them."""
    for name in storage.walk_files(folder):
        if not name.endswith((".pt", ".pth", ".bin", ".pkl", ".ckpt")):
            continue
        path = storage.join(folder, name)
        try:
            found = {*torch.serialization.get_unsafe_globals_in_checkpoint(path)}
        except Exception as error:  # a damaged or hostile file can fail in any way
            raise CorruptError(f"{path}: its pickle cannot be read ({error}); it is not loaded") from error
        if unknown := sorted(found - KNOWN_GLOBALS):
            raise CorruptError(
                f"{path}: its pickle would import {', '.join(unknown)}, which no checkpoint of ours does; it is not "
                "loaded. Remove that directory, or get the checkpoint from a source you know"
            )


def _damage(output: str, name: str) -> str | None:
    if not os.path.isfile(storage.join(checkpoint_path(output, name), DESCRIPTION)):
        return f"{DESCRIPTION} is missing, so it is not a checkpoint of ours"
    try:
        return store.find_damage(output, _entry(output, name))
    except CorruptError as error:
        return str(error)


def _entry(output: str, name: str) -> ListedCheckpoint:
    digest = storage.sha256_file(storage.join(checkpoint_path(output, name), DESCRIPTION))
    return ListedCheckpoint(name=name, step=store.read_checkpoint(output, name).step, sha256=digest)
