"""Start of the check on this machine alone: a rank for each device, as `train` starts them. No torch here."""

import os
import tempfile
from pathlib import Path

from corpus import storage
from corpus.errors import UsageError
from corpus.stage.workspace import WORK
from corpus.storage.json_files import read_json
from train.health.facts import ClusterFacts, facts_of
from train.launch.processes import run_ranks
from train.loop.device import has_driver

MODULE = "train.health.rank"
FOUND = "found.json"  # what rank 0 found


def examine_devices(folder: str, *, ranks: int | None = None) -> ClusterFacts:
    """Return what `ranks` of this machine found, one for each GPU unless told; their files are written into `folder`.

    Raises UsageError for a folder that cannot be written and for more ranks than GPUs, and what else ended a rank.
    """
    if storage.is_remote(folder):
        raise UsageError(f"{folder}: the speed of a local or mounted folder is measured; give --output one")
    try:
        os.makedirs(folder, exist_ok=True)
        place = tempfile.TemporaryDirectory(prefix=".corpuscle-doctor-", dir=os.path.abspath(folder))
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}; give --output a folder that can be written") from error
    with place as where:
        (Path(where) / WORK).mkdir()
        run_ranks(where, ranks or _devices(), module=MODULE)
        return facts_of(read_json(storage.join(where, FOUND), "run the command again"))


def _devices() -> int:
    """Return the number of GPUs that torch finds, at least one; a rank says why it cannot use those that are there."""
    if not has_driver():
        return 1
    import torch

    return max(1, torch.cuda.device_count())
