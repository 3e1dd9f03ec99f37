"""Facts that ranks find out about their devices, network, disk and clocks, as plain values: rank 0 gathers them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class RankFacts:
    """What one rank measured at the same time as all others."""

    rank: int
    machine: str
    device: str
    tflops: float  # of a product of square matrices, bf16 on a GPU, fp32 on a CPU [10^12 operations a second]
    peak_tflops: float | None  # of the device by its maker; None: not in the table
    clock_seconds: float  # ahead of rank 0's
    write_mb_s: float | None  # into the folder, synced [10^6 bytes a second]; None: it could not write
    write_error: str | None
    sees_folder: bool  # the file that rank 0 wrote there
    versions: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterFacts:
    """What all ranks found together. Bandwidth is of the bus: 2 (n - 1) / n of the bytes in a second, any n alike."""

    ranks: tuple[RankFacts, ...]
    folder: str
    backend: str  # nccl or gloo
    network: tuple[str, ...]  # what NCCL goes through between machines: IB, Socket, …; () where it did not say
    sum_is_right: bool
    all_reduce_bytes: int
    all_reduce_gb_s: float | None  # None: one rank
    all_reduce_micros: float | None  # of one number
    inside_gb_s: Mapping[str, float]  # among the ranks of each machine, where there are several of both

    @property
    def machines(self) -> tuple[str, ...]:
        """Return the machines, in the order of the ranks."""
        return tuple(dict.fromkeys(one.machine for one in self.ranks))


def facts_of(content: Mapping[str, Any]) -> ClusterFacts:
    """Return the facts from the plain values that `dataclasses.asdict` makes of them, through JSON too."""
    ranks = tuple(RankFacts(**one) for one in content["ranks"])
    return ClusterFacts(**{**content, "ranks": ranks, "network": tuple(content["network"])})
