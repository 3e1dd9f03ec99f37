"""Checks of room before the start: do the CPU ranks' model states fit into this machine, and checkpoints on the disk?

Where states do not fit, Linux kills a rank after minutes, and on a bad day something else that runs beside it; where
checkpoints do not, the first save would tell, after hours.
"""

import shutil

from corpus.errors import DiskError, UsageError
from corpus.stage.machine import address_limit, memory_bytes
from corpus.stage.progress import say
from tokenizer.blocks import check_tokens
from train.checkpoint.store import read_list
from train.config import AnyShape, TrainConfig
from train.loop.device import has_driver
from train.plan.memory import checkpoint_bytes, model_memory, snapshot_bytes

RANK_ADDRESSES = 6_500_000_000  # of a rank of the smallest model on a CPU, torch's build for CUDA; 0.8 GB in memory


def _warn_of_addresses() -> None:
    """Say when a shell's limit is below what a rank takes before it has a model."""
    if (limit := address_limit()) is not None and limit.bytes < RANK_ADDRESSES:
        say(
            f"warning: {limit.by} allows each process {limit.bytes / 1e9:.1f} GB of addresses, and a rank takes some "
            f"{RANK_ADDRESSES / 1e9:.1f} GB for its libraries alone: it may fail or hang; raise the limit"
        )


def check_memory(config: TrainConfig, shape: AnyShape) -> None:
    """Raise UsageError when this machine's memory does not hold what will surely be in it.

    Of CPU ranks these are the states of the model; of an asynchronous save the copy of them, of GPU ranks too.
    Activations, buckets and libraries come on top, so what passes may still be too much. Swap does not count: a step
    reads all of it. Nothing is said of GPUs' own memory, nor of other machines: a hostfile, or a command that is only
    printed.
    """
    _warn_of_addresses()
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


def check_room_and_tokens(config: TrainConfig, shape: AnyShape, *, tokens: str, output: str) -> None:
    """Raise UsageError or DiskError for what does not fit here, CorruptError for tokens that are not as packed."""
    check_memory(config, shape)
    check_disk(output, config, shape)
    read = check_tokens(tokens, ("train", "validation"), whole=config.verify_tokens)
    say(f"tokens: {read / 1e6:,.1f} MB of them hashed and compared with what `pack` wrote")
