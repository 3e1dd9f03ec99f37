"""One rank of the check of devices and cluster: it meets the others, all measure at once, and rank 0 gathers.

`python -m train.health.rank WHERE` is one that `corpuscle doctor --devices` starts; `corpuscle doctor --cluster`
is one itself, started by srun or torchrun on every machine, with the environment that a rank of a training has.
"""

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from corpus import storage
from corpus.errors import CorpuscleError, DiskError, UsageError
from corpus.stage.progress import say
from train.health import measures
from train.health.facts import ClusterFacts, RankFacts
from train.health.start import FOUND
from train.job import write_error
from train.loop.device import choose_device
from train.loop.meeting import meet
from train.loop.network import ask_nccl, network_used
from train.loop.rank import run_and_exit

_PATIENCE = timedelta(minutes=5)
_OF_RANKS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_SLURM = {"RANK": "SLURM_PROCID", "WORLD_SIZE": "SLURM_STEP_NUM_TASKS", "LOCAL_RANK": "SLURM_LOCALID"}


def examine_cluster(folder: str) -> ClusterFacts | None:
    """Measure as one of the ranks that a batch system started, into `folder`; return what all found, on rank 0.

    Raises UsageError where nobody started this process as a rank, CorpuscleError when another does not come.
    """
    os.environ |= rank_environment(os.environ)
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as logs:
        return _measured_together(folder, logs, say)


def rank_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a rank that are not given as such but follow from srun's own.

    Raises UsageError, with the commands, where neither is there.
    """
    if all(name in given for name in _OF_RANKS):
        return {}
    if "SLURM_STEP_NUM_TASKS" not in given:  # which srun alone sets
        raise UsageError(
            "doctor --cluster is one of many ranks, and nobody started this process as one. On Slurm: srun "
            "--ntasks-per-node=GPUS corpuscle doctor --cluster --output DIR; elsewhere, on each machine: torchrun "
            "--nnodes=N --nproc-per-node=GPUS --rdzv-backend=c10d --rdzv-endpoint=HOST:PORT --no-python corpuscle "
            "doctor --cluster --output DIR; of this machine alone: corpuscle doctor --devices"
        )
    found = {name: given[theirs] for name, theirs in _SLURM.items()}
    found["MASTER_ADDR"] = given.get("MASTER_ADDR") or _first_machine(given)
    found["MASTER_PORT"] = given.get("MASTER_PORT") or str(20_000 + (int(given["SLURM_JOB_ID"]) + 1) % 10_000)
    return found


def _first_machine(given: Mapping[str, str]) -> str:
    """Return the first machine of a Slurm step; its list is written as Slurm alone reads it: node[1-4,7]."""
    nodes = given.get("SLURM_STEP_NODELIST") or given["SLURM_JOB_NODELIST"]
    if shutil.which("scontrol") is None:
        raise UsageError(f"{nodes}: which is the first of them? there is no scontrol here; give MASTER_ADDR=NAME")
    done = subprocess.run(["scontrol", "show", "hostnames", nodes], capture_output=True, text=True, check=True)
    return done.stdout.split()[0]


def main(where: str) -> int:
    """Measure as a rank of this machine, started by `corpuscle doctor --devices`; return the exit code.

    `where` takes logs, an error, and what was found; files are written beside it for their speed.
    """
    rank = int(os.environ["RANK"])
    try:
        facts = _measured_together(os.path.dirname(where), where, lambda line: None)
        if facts is not None:
            with storage.write_atomic(storage.join(where, FOUND)) as sink:
                sink.write(json.dumps(dataclasses.asdict(facts)).encode())
    except CorpuscleError as error:
        with suppress(OSError, DiskError):
            write_error(where, rank, error)
        return error.exit_code
    return 0


def _measured_together(folder: str, logs: str, say: Callable[[str], None]) -> ClusterFacts | None:
    """Join the other ranks, measure with them, and return what all found on rank 0."""
    device = choose_device()
    if device.type == "cpu":
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    else:
        ask_nccl(logs)
    _join(device, say)
    own = _of_this_rank(device, folder)
    together = _of_all(device)
    of_ranks: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(of_ranks, own)
    used: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(used, network_used())
    distributed.barrier()
    if distributed.get_backend() == "nccl":
        distributed.destroy_process_group()
    if own.rank:
        return None
    network = tuple(dict.fromkeys(name for names in used for name in names))
    return ClusterFacts(ranks=tuple(of_ranks), folder=folder, network=network, **together)


def _join(device: torch.device, say: Callable[[str], None]) -> None:
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    rank, ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    store = meet(say, patience=_PATIENCE)
    place: MutableMapping[str, Any] = {} if store is None else {"store": store, "rank": rank, "world_size": ranks}
    distributed.init_process_group(backend, timeout=_PATIENCE, **place)


def _of_this_rank(device: torch.device, folder: str) -> RankFacts:
    """Measure what each rank has for itself, at the same time as all others."""
    sizes, (name, peak) = measures.SIZES[device.type], measures.device_name(device)
    distributed.barrier()
    tflops = measures.gemm_tflops(device, sizes)
    clock = measures.clock_ahead(device)
    seen = measures.sees_folder(folder)
    distributed.barrier()
    speed, reason = measures.write_speed(folder, distributed.get_rank(), sizes.written)
    return RankFacts(
        rank=distributed.get_rank(),
        machine=socket.gethostname(),
        device=name,
        tflops=tflops,
        peak_tflops=peak,
        clock_seconds=clock,
        write_mb_s=speed,
        write_error=reason,
        sees_folder=seen,
        versions=measures.versions(device),
    )


def _of_all(device: torch.device) -> dict[str, Any]:
    """Measure what all ranks do together: sums of few and of many numbers, over all and inside each machine."""
    ranks, size = distributed.get_world_size(), measures.SIZES[device.type].all_reduce
    distributed.barrier()
    right = measures.sum_is_right(device)
    large = measures.all_reduce_seconds(device, size) if ranks > 1 else None
    small = measures.all_reduce_seconds(device, 4) if ranks > 1 else None
    return {
        "backend": distributed.get_backend(),
        "sum_is_right": right,
        "all_reduce_bytes": size,
        "all_reduce_gb_s": None if large is None else measures.bus_gb_s(size, large, ranks),
        "all_reduce_micros": None if small is None else 1e6 * small,
        "inside_gb_s": _inside(device, size),
    }


def _inside(device: torch.device, size: int) -> dict[str, float]:
    """Return the bandwidth among the ranks of each machine, where there are several machines of several ranks."""
    names: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(names, socket.gethostname())
    by_machine = {name: [rank for rank, its in enumerate(names) if its == name] for name in dict.fromkeys(names)}
    if len(by_machine) < 2:
        return {}
    found: dict[str, float] = {}
    groups = {name: distributed.new_group(ranks) for name, ranks in by_machine.items()}  # by all ranks, in one order
    own = by_machine[socket.gethostname()]
    if len(own) > 1:
        seconds = measures.all_reduce_seconds(device, size, groups[socket.gethostname()])
        found = {socket.gethostname(): measures.bus_gb_s(size, seconds, len(own))}
    everywhere: list[Any] = [None] * len(names)
    distributed.all_gather_object(everywhere, found)
    return {name: speed for one in everywhere for name, speed in one.items()}


if __name__ == "__main__":
    run_and_exit(lambda: main(sys.argv[1]))
