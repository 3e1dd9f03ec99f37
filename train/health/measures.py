"""Measures of one rank, taken by all ranks at the same time: product, all-reduce, written bytes, clock, versions."""

import os
import platform
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor, distributed

from corpus import storage
from corpus.stage.manifest import package_version
from train.plan.gpus import known_gpu

_DRIVER = Path("/proc/driver/nvidia/version")
_MARK = ".corpuscle-doctor"  # begins the name of each file that is written, and removed
_BLOCK = 8 << 20  # bytes of random numbers that are written again and again
_PINGS = 5
_SEEN_SECONDS = 10.0  # a network file system may show another machine's file late
_REPEATS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeSizes:
    """How much is measured on a kind of device."""

    matrix: int  # rows and columns of a product
    dtype: torch.dtype
    seconds: float  # that products are made for, at least: long enough for a device to throttle
    all_reduce: int  # bytes
    written: int  # bytes of a rank


SIZES = {
    "cuda": ProbeSizes(matrix=8192, dtype=torch.bfloat16, seconds=3.0, all_reduce=256 << 20, written=256 << 20),
    "cpu": ProbeSizes(matrix=768, dtype=torch.float32, seconds=0.5, all_reduce=16 << 20, written=32 << 20),
}


def now() -> float:
    """Return this machine's clock in seconds."""
    return time.time()


def gemm_tflops(device: torch.device, sizes: ProbeSizes) -> float:
    """Return the speed of products of square matrices in 10^12 operations a second, the median of several rounds."""
    shape = (sizes.matrix, sizes.matrix)
    left, right = (torch.randn(shape, device=device, dtype=sizes.dtype) for _ in range(2))
    out = torch.empty_like(left)
    timed(lambda: torch.mm(left, right, out=out), device)  # the first one plans
    rounds: list[float] = []
    while sum(rounds) < sizes.seconds or len(rounds) < _REPEATS:
        rounds.append(timed(lambda: torch.mm(left, right, out=out), device))
    return 2 * sizes.matrix**3 / statistics.median(rounds) / 1e12


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Return the seconds that some work takes, on its device."""
    _synchronize(device)
    began = time.perf_counter()
    work()
    _synchronize(device)
    return time.perf_counter() - began


def sum_is_right(device: torch.device) -> bool:
    """Say whether an all-reduce gives the sum; on all ranks together."""
    ranks = distributed.get_world_size()
    values = torch.full((1 << 16,), float(distributed.get_rank() + 1), device=device)
    distributed.all_reduce(values)
    return bool((values == ranks * (ranks + 1) / 2).all())


def all_reduce_seconds(device: torch.device, num_bytes: int, group: distributed.ProcessGroup | None = None) -> float:
    """Return the seconds of an all-reduce of so many bytes in fp32, the median of several; on all of a group."""
    values = torch.zeros(max(1, num_bytes // 4), device=device)
    distributed.all_reduce(values, group=group)
    distributed.all_reduce(values, group=group)
    return statistics.median(
        timed(lambda: distributed.all_reduce(values, group=group), device) for _ in range(_REPEATS)
    )


def bus_gb_s(num_bytes: int, seconds: float, ranks: int) -> float:
    """Return the bandwidth of the bus of an all-reduce in 10^9 bytes a second, as NCCL's tests count it."""
    return 2 * (ranks - 1) / ranks * num_bytes / seconds / 1e9


def clock_ahead(device: torch.device) -> float:
    """Return how far this rank's clock is ahead of rank 0's in seconds; on all ranks together.

    Of several exchanges the fastest counts: half its time is the error.
    """
    rank, ranks = distributed.get_rank(), distributed.get_world_size()
    found = torch.zeros(ranks, dtype=torch.float64, device=device)
    for other in range(1, ranks):
        if rank == 0:
            found[other] = min((_asked(other, device) for _ in range(_PINGS)), key=lambda pair: pair[0])[1]
        elif rank == other:
            for _ in range(_PINGS):
                _answer(device)
    distributed.broadcast(found, 0)
    return float(found[rank])


def _asked(other: int, device: torch.device) -> tuple[float, float]:
    """Return the time of one exchange, and how far the other's clock is ahead."""
    told, began, clock = torch.zeros(1, dtype=torch.float64, device=device), time.perf_counter(), now()
    distributed.send(told, other)
    distributed.recv(told, other)
    theirs, took = float(told.item()), time.perf_counter() - began
    return took, theirs - (clock + took / 2)


def _answer(device: torch.device) -> None:
    told: Tensor = torch.zeros(1, dtype=torch.float64, device=device)
    distributed.recv(told, 0)
    _synchronize(device)
    distributed.send(told.fill_(now()), 0)


def write_speed(folder: str, rank: int, num_bytes: int) -> tuple[float | None, str | None]:
    """Write and sync a file, and remove it; return 10^6 bytes a second, or None and why it could not be done."""
    path, block = storage.join(folder, f"{_MARK}-{rank}"), os.urandom(_BLOCK)
    try:
        began = time.perf_counter()
        with open(path, "wb") as sink:
            for _ in range(-(-num_bytes // _BLOCK)):
                sink.write(block)
            sink.flush()
            os.fsync(sink.fileno())
        return -(-num_bytes // _BLOCK) * _BLOCK / (time.perf_counter() - began) / 1e6, None
    except OSError as error:
        return None, f"{error.strerror or error}"
    finally:
        Path(path).unlink(missing_ok=True)


def sees_folder(folder: str) -> bool:
    """Say whether this rank finds there what rank 0 writes; on all ranks together."""
    path = Path(storage.join(folder, f"{_MARK}-seen"))
    told = [os.urandom(8).hex()]
    distributed.broadcast_object_list(told)
    if distributed.get_rank() == 0:
        try:
            path.write_text(told[0], encoding="ascii")
        except OSError:
            told = [""]
    distributed.barrier()
    deadline, seen = time.monotonic() + _SEEN_SECONDS, False
    while not seen and time.monotonic() < deadline:
        seen = path.is_file() and path.read_text(encoding="ascii") == told[0]
        time.sleep(0 if seen else 0.1)
    distributed.barrier()
    if distributed.get_rank() == 0:
        path.unlink(missing_ok=True)
    return seen


def device_name(device: torch.device) -> tuple[str, float | None]:
    """Return what a device calls itself, and its peak in bf16 if the table of GPUs has it."""
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"CPU, {threads} thread{'s' * (threads > 1)}", None
    properties = torch.cuda.get_device_properties(device)
    known = known_gpu(properties.name, properties.total_memory / 1e9)
    return properties.name, None if known is None else known.bf16_tflops


def versions(device: torch.device) -> dict[str, str]:
    """Return the versions that all ranks should share."""
    found = {"corpuscle": package_version(), "python": platform.python_version(), "torch": torch.__version__}
    found["deepspeed"] = metadata.version("deepspeed")
    if device.type == "cuda":
        found["nccl"] = ".".join(map(str, torch.cuda.nccl.version()))  # type: ignore[no-untyped-call,unused-ignore]
        found["cuda"] = str(torch.version.cuda)
        driver = re.search(r"\d+\.\d[\d.]*", _DRIVER.read_text(encoding="utf-8")) if _DRIVER.exists() else None
        found["driver"] = driver[0] if driver else "unknown"
    return found


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
