"""What the facts of all ranks say: a table, and a line for each thing that is right or off, with what helps.

A line is (level, subject, found, advice), level ok, warn or fail. No torch here.
"""

import statistics
from collections.abc import Iterator

from train.health.facts import ClusterFacts, RankFacts
from train.loop.network import SLOW_ADVICE, is_slow

HealthLine = tuple[str, str, str, str]

SLOW_DEVICE = 0.9  # of the median of its kind: less is a device that throttles or is shared
SLOW_DISK = 0.5  # of the median
SKEW_SECONDS = 1.0
_SHOWN = 8  # ranks that a line names


def table(facts: ClusterFacts) -> str:
    """Return a line for each rank: machine, device, speed, share of its peak, written MB/s, clock."""
    head = ("rank", "machine", "device", "TFLOP/s", "of peak", "write MB/s", "clock s")
    rows = [head, *(_row(one) for one in facts.ranks)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    left = (1, 2)  # names; numbers stand to the right
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _row(one: RankFacts) -> tuple[str, ...]:
    share = "" if one.peak_tflops is None else f"{one.tflops / one.peak_tflops:.0%}"
    speed = "-" if one.write_mb_s is None else f"{one.write_mb_s:,.0f}"
    return (
        *(str(one.rank), one.machine, one.device),
        *(f"{one.tflops:,.1f}" if one.tflops >= 10 else f"{one.tflops:.3f}", share, speed),
        f"{one.clock_seconds:+.3f}",
    )


def health_lines(facts: ClusterFacts) -> list[HealthLine]:
    """Return what is right and what is off."""
    return [*_devices(facts), *_versions(facts), *_network(facts), *_clocks(facts), *_disk(facts)]


def _devices(facts: ClusterFacts) -> Iterator[HealthLine]:
    """Compare each device with those of the same kind: one that is slow holds up all."""
    by_kind: dict[str, list[RankFacts]] = {}
    for one in facts.ranks:
        by_kind.setdefault(one.device, []).append(one)
    if len(by_kind) > 1:
        yield "warn", "devices", f"of {len(by_kind)} kinds: {', '.join(by_kind)}", "the slowest kind sets the pace"
    for kind, ranks in by_kind.items():
        usual = statistics.median(one.tflops for one in ranks)
        peak = ranks[0].peak_tflops
        share = "" if peak is None else f", {usual / peak:.0%} of the peak"
        yield "ok", "devices", f"{len(ranks)} x {kind}: {usual:,.3g} TFLOP/s in the median{share}", ""
        for one in ranks:
            if one.tflops < SLOW_DEVICE * usual:
                advice = "look there for heat, a power limit, or another's job: nvidia-smi -q -d PERFORMANCE,POWER"
                if one.device.startswith("CPU"):
                    advice = "look there for another's processes"
                said = f"rank {one.rank} on {one.machine}: {one.tflops:,.3g} TFLOP/s, {usual:,.3g} in the median"
                yield "warn", "slow rank", said, advice


def _versions(facts: ClusterFacts) -> Iterator[HealthLine]:
    names = list(dict.fromkeys(name for one in facts.ranks for name in one.versions))
    same: list[str] = []
    for name in names:
        found = [one.versions.get(name, "none") for one in facts.ranks]
        values = sorted({*found}, key=lambda value: (-found.count(value), value))
        if len(values) == 1:
            same.append(f"{name} {values[0]}")
            continue
        others = "; ".join(
            f"{value} on {_named([one for one in facts.ranks if one.versions.get(name, 'none') == value])}"
            for value in values[1:]
        )
        yield "warn", "versions", f"{name} {values[0]}, but {others}", "give all machines the same environment"
    yield "ok", "versions", ", ".join(same), ""


def _network(facts: ClusterFacts) -> Iterator[HealthLine]:
    ranks, machines = len(facts.ranks), len(facts.machines)
    if not facts.sum_is_right:
        yield "fail", "network", "an all-reduce gave a wrong sum", "do not train on these devices"
    if facts.all_reduce_gb_s is None or facts.all_reduce_micros is None:
        yield "ok", "network", "one rank, nothing to send", ""
        return
    by = facts.backend + (f", {' and '.join(facts.network)}" if facts.network else "")
    inside = "".join(f"; {speed:,.3g} GB/s inside {name}" for name, speed in facts.inside_gb_s.items())
    said = (
        f"all-reduce of {facts.all_reduce_bytes >> 20} MiB over {ranks} ranks on {machines} "
        f"machine{'s' * (machines > 1)}: {facts.all_reduce_gb_s:,.3g} GB/s of the bus ({by}), of one number "
        f"{facts.all_reduce_micros:,.0f} µs{inside}"
    )
    yield "ok", "network", said, ""
    if machines > 1 and is_slow(facts.network):
        yield "warn", "network", "NCCL goes through TCP sockets between the machines", SLOW_ADVICE


def _clocks(facts: ClusterFacts) -> Iterator[HealthLine]:
    apart = [one.clock_seconds for one in facts.ranks]
    off = [one for one in facts.ranks if abs(one.clock_seconds) > SKEW_SECONDS]
    if not off:
        yield "ok", "clocks", f"{max(apart) - min(apart):.3f} s apart", ""
    for machine in dict.fromkeys(one.machine for one in off):
        most = max((one for one in off if one.machine == machine), key=lambda one: abs(one.clock_seconds))
        where = "ahead of" if most.clock_seconds > 0 else "behind"
        said = f"rank {most.rank} on {machine} is {abs(most.clock_seconds):.1f} s {where} rank 0"
        yield "warn", "clocks", said, "set them by chrony or ntpd: times in logs, and of files, are compared"


def _disk(facts: ClusterFacts) -> Iterator[HealthLine]:
    failed = [one for one in facts.ranks if one.write_mb_s is None]
    for reason in dict.fromkeys(one.write_error for one in failed):
        said = f"{facts.folder}: {reason} ({_named([one for one in failed if one.write_error == reason])})"
        yield "fail", "disk", said, "give --output a folder that all ranks can write"
    if apart := [one for one in facts.ranks if not one.sees_folder]:
        said = f"{facts.folder}: what rank 0 writes there is not seen by {_named(apart)}"
        yield "fail", "disk", said, "give --output a folder of a file system that all machines share"
    speeds = [one.write_mb_s for one in facts.ranks if one.write_mb_s is not None]
    if not speeds:
        return
    usual = statistics.median(speeds)
    said = f"{sum(speeds):,.0f} MB/s together into {facts.folder}, synced, {usual:,.0f} of a rank in the median"
    yield "ok", "disk", said, ""
    if slow := [one for one in facts.ranks if one.write_mb_s is not None and one.write_mb_s < SLOW_DISK * usual]:
        said = f"{_named(slow)} write at less than half of the median"
        yield "warn", "slow disk", said, "a save is as slow as the slowest rank"


def _named(ranks: list[RankFacts]) -> str:
    shown = ", ".join(f"{one.rank} on {one.machine}" for one in ranks[:_SHOWN])
    return f"rank{'s' * (len(ranks) > 1)} {shown}" + (", …" if len(ranks) > _SHOWN else "")
