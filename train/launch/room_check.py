"""Checks of room before the start: do the CPU ranks' model states fit into this machine, and checkpoints on the disk?

Where states do not fit, Linux kills a rank after minutes, and on a bad day something else that runs beside it; where
checkpoints do not, the first save would tell, after hours.
"""

import shutil

from corpus.errors import DiskError, UsageError
from corpus.stage.machine import memory_bytes
from corpus.stage.progress import say
from train.checkpoint.store import read_list
from train.config import AnyShape, TrainConfig
from train.loop.device import has_driver
from train.plan.memory import checkpoint_bytes, model_memory, snapshot_bytes


def check_memory(config: TrainConfig, shape: AnyShape) -> None:
    """Raise UsageError when this machine's memory does not hold what will surely be in it.

    Of CPU ranks these are the states of the model; of an asynchronous save the copy of them, of GPU ranks too.
    Activations, buckets and libraries come on top, so what passes may still be too much. Swap does not count: a step
    reads all of it. Nothing is said of GPUs' own memory, nor of other machines: a hostfile, or a command that is only
    printed.
    """
    if config.launcher == "print" or config.hostfile is not None or (available := memory_bytes()) is None:
        return
    stage, ranks = config.zero_stage, config.ranks
    on_gpus = has_driver() and config.device != "cpu"
    memory = model_memory(shape, stage=stage, ranks=ranks, precision=config.precision, micro_batch=1, activations=0)
    each = 0 if on_gpus or memory is None else memory.weights + memory.gradients + memory.optimizer
    if ranks * each > available:
        raise UsageError(
            f"no GPU is found here, and {ranks} CPU ranks need {ranks} x {each / 1e9:.1f} GB for weights,"
            f" gradients and optimizer states at ZeRO-{stage}; this machine has {available / 1e9:.1f} GB. "
            "Train on GPUs (`corpuscle plan` says how many of which, `corpuscle doctor` what is found here), "
            "with fewer --ranks, a higher --set zero_stage, or a smaller model: --config 125m or tiny"
        )
    copy = snapshot_bytes(shape, precision=config.precision, stage=stage, ranks=ranks, ranks_here=ranks)
    if config.save_async and ranks * each + copy > available:
        beside = f" beside {ranks * each / 1e9:.1f} GB of the {ranks} CPU ranks" if each else ""
        raise UsageError(
            f"save_async copies {copy / 1e9:.1f} GB of states into this machine's memory at each save{beside}, and it "
            f"has {available / 1e9:.1f} GB: save at once, --set save_async=false"
        )


def check_disk(output: str, config: TrainConfig, shape: AnyShape) -> None:
    """Raise DiskError when not even one checkpoint fits beside what is there; warn when those to be kept do not.

    A new one is written whole before the oldest is removed.
    """
    each = checkpoint_bytes(shape, config.precision, config.zero_stage)
    free, there = shutil.disk_usage(output).free, len(read_list(output) or ())
    sizes = f"a checkpoint takes {each / 1e9:,.2f} GB, and {free / 1e9:,.2f} GB are free"
    if free < each:
        raise DiskError(f"{output}: {sizes}: the first could not be saved; free space, or choose another --output")
    if free < (needed := max(1, config.keep_checkpoints + 1 - there) * each):
        say(
            f"warning: {output}: {sizes}; {config.keep_checkpoints} are kept while one is written, which takes up to "
            f"{needed / 1e9:,.2f} GB more: free space, or lower keep_checkpoints"
        )
