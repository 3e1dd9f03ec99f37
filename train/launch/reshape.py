"""Resume at another number of ranks or another ZeRO stage, by a universal copy that lives as long as the run.

The launcher makes the copy in a process of its own (`train.checkpoint.universal`), the ranks load it, and it goes
when they have ended, whatever happened; one that was left is removed first. No torch here.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from corpus import storage
from corpus.errors import CorpuscleError, DiskError
from corpus.stage.progress import say
from train.checkpoint.restart import needs_copy
from train.checkpoint.store import UNIVERSAL, Checkpoint, checkpoint_path
from train.config import TrainConfig
from train.job import UNIVERSAL_LOG
from train.launch.processes import environment
from train.launch.rank_errors import last_line


@contextmanager
def universal_copy(output: str, checkpoint: Checkpoint | None, config: TrainConfig) -> Iterator[None]:
    """Keep a universal copy of the checkpoint resumed from while the block runs, when one is needed.

    With launcher `print` it stays, for ranks that somebody else starts, until the next start or the commit.

    Raises DiskError when it does not fit, CorpuscleError with the converter's last line when it fails.
    """
    folder = storage.join(output, UNIVERSAL)
    storage.remove_tree(folder)
    if checkpoint is not None and needs_copy(checkpoint, config):
        _make(output, checkpoint, config)
    try:
        yield
    finally:
        if config.launcher != "print":
            storage.remove_tree(folder)


def _make(output: str, checkpoint: Checkpoint, config: TrainConfig) -> None:
    source = checkpoint_path(output, checkpoint.name)
    needed = 2 * sum(file.bytes for file in checkpoint.files.values())  # the pieces, and the whole
    free = shutil.disk_usage(output).free
    if free < needed:
        raise DiskError(
            f"{output}: converting {checkpoint.name} needs about {needed / 1e9:,.2f} GB beside it, "
            f"{free / 1e9:,.2f} GB are free; free space, or resume with --ranks {checkpoint.ranks} and "
            f"zero_stage {checkpoint.zero_stage}"
        )
    say(
        f"{checkpoint.name} was written by {checkpoint.ranks} ranks with ZeRO-{checkpoint.zero_stage}: converting it "
        f"for {config.ranks} with ZeRO-{config.zero_stage} in {config.precision} (about {needed / 1e9:,.2f} GB of disk "
        "meanwhile)"
    )
    log = storage.join(output, UNIVERSAL_LOG)
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "wb") as sink:
        command = [sys.executable, "-m", "train.checkpoint.universal", output, checkpoint.name]
        env = environment(1) | {"DS_ACCELERATOR": "cpu"}
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT)
    if done.returncode:
        raise CorpuscleError(
            f"{source}: converting it failed: {last_line(log)}; all of it is in {log}. Resume with --ranks "
            f"{checkpoint.ranks} and zero_stage {checkpoint.zero_stage}, which needs no conversion"
        )
    say(f"{checkpoint.name}: converted, and equal to its weights")
