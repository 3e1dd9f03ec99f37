"""What facts of ranks say: right for a healthy cluster, and a line, with what helps, for each thing that is off."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.health.facts import ClusterFacts, RankFacts, facts_of
from train.health.report import health_lines, table
from train.loop import rank as rank_module
from train.loop.network import ask_nccl, is_slow, network_used, networks_in


def one_rank(rank: int, **changes: Any) -> RankFacts:
    values = {
        "machine": f"node{rank // 2}",
        "device": "NVIDIA H200",
        "tflops": 780.0,
        "peak_tflops": 989.4,
        "clock_seconds": 0.0,
        "write_mb_s": 500.0,
        "write_error": None,
        "sees_folder": True,
        "versions": {"torch": "2.13.0", "nccl": "2.29.3"},
    }
    return RankFacts(rank=rank, **{**values, **changes})


def cluster(*of_ranks: dict[str, Any], **changes: Any) -> ClusterFacts:
    values = {
        "ranks": tuple(one_rank(rank, **own) for rank, own in enumerate(of_ranks)),
        "folder": "/shared/runs",
        "backend": "nccl",
        "network": ("IB",),
        "sum_is_right": True,
        "all_reduce_bytes": 256 << 20,
        "all_reduce_gb_s": 312.4,
        "all_reduce_micros": 28.0,
        "inside_gb_s": {"node0": 380.0, "node1": 381.0},
    }
    return ClusterFacts(**{**values, **changes})


HEALTHY: tuple[dict[str, Any], ...] = ({}, {}, {}, {})


def said(facts: ClusterFacts, level: str) -> list[str]:
    return [f"{subject}: {found}; {advice}" for own, subject, found, advice in health_lines(facts) if own == level]


def test_a_healthy_cluster_has_no_warning() -> None:
    facts = cluster(*HEALTHY)
    assert [level for level, *_ in health_lines(facts)] == ["ok"] * 5
    text = "\n".join(said(facts, "ok"))
    assert "4 x NVIDIA H200: 780 TFLOP/s in the median, 79% of the peak" in text
    assert (
        "all-reduce of 256 MiB over 4 ranks on 2 machines: 312 GB/s of the bus (nccl, IB), of one number 28 µs" in text
    )
    assert "2,000 MB/s together into /shared/runs" in text
    assert [line.split()[:2] for line in table(facts).splitlines()[1:]] == [
        ["0", "node0"], ["1", "node0"], ["2", "node1"], ["3", "node1"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("off", "changes", "level", "words"),
    [
        ({"tflops": 500.0}, {}, "warn", "slow rank: rank 3 on node1: 500 TFLOP/s, 780 in the median; look there for"),
        ({"clock_seconds": -3.04}, {}, "warn", "clocks: rank 3 on node1 is 3.0 s behind rank 0; set them by chrony"),
        (
            {"versions": {"torch": "2.12.0", "nccl": "2.29.3"}},
            {},
            "warn",
            "torch 2.13.0, but 2.12.0 on rank 3",
        ),
        ({"device": "NVIDIA H100"}, {}, "warn", "devices: of 2 kinds: NVIDIA H200, NVIDIA H100"),
        ({"sees_folder": False}, {}, "fail", "what rank 0 writes there is not seen by rank 3 on node1; give --output"),
        ({"write_mb_s": None, "write_error": "No space left on device"}, {}, "fail", "No space left on device (rank 3"),
        ({"write_mb_s": 100.0}, {}, "warn", "slow disk: rank 3 on node1 write at less than half"),
        (
            {},
            {"network": ("Socket",)},
            "warn",
            "NCCL goes through TCP sockets between the machines; give",
        ),
        ({}, {"sum_is_right": False}, "fail", "an all-reduce gave a wrong sum"),
    ],
)
def test_what_is_off_is_said_once_with_what_helps(
    off: dict[str, Any], changes: dict[str, Any], level: str, words: str
) -> None:
    facts = cluster(*HEALTHY[:3], off, **changes)
    found = said(facts, "warn") + said(facts, "fail")
    assert len(found) == 1
    assert words in found[0]
    assert said(facts, level) == found


def test_sockets_on_one_machine_are_no_fault() -> None:
    facts = cluster({}, {}, network=("Socket",), inside_gb_s={})
    assert facts.machines == ("node0",)
    assert said(facts, "warn") == []


def test_one_rank_has_nothing_to_send() -> None:
    facts = cluster({}, all_reduce_gb_s=None, all_reduce_micros=None, network=(), inside_gb_s={})
    assert "network: one rank, nothing to send; " in said(facts, "ok")


@given(st.lists(st.floats(1, 1000), min_size=1, max_size=40))
def test_no_more_than_half_of_the_ranks_are_slow(speeds: list[float]) -> None:
    """Slow is against the median, so the fast half is never blamed."""
    lines = health_lines(cluster(*({"tflops": speed} for speed in speeds)))
    slow = [found for _, subject, found, _ in lines if subject == "slow rank"]
    assert len(slow) <= len(speeds) / 2
    assert len(slow) == sum(f"rank {rank} on" in " ".join(slow) for rank in range(len(speeds)))


def test_facts_come_back_from_plain_values() -> None:
    facts = cluster(*HEALTHY)
    assert facts_of(dataclasses.asdict(facts)) == facts


# Lines as NCCL 2.22 to 2.30 writes them.
INFINIBAND = """\
node1:7:19 [0] NCCL INFO NET/IB : Using [0]mlx5_0:1/IB [1]mlx5_1:1/IB [RO]; OOB eth0:10.0.4.51<0>
node1:7:19 [0] NCCL INFO Using network IB
node1:7:19 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[0] [send] via NET/IB/0
"""
SOCKETS = """\
node1:1482:1482 [0] NCCL INFO NET/IB : No device found.
node1:1482:1482 [0] NCCL INFO NET/Socket : Using [0]eno1:172.22.116.89<0>
node1:1482:1482 [0] NCCL INFO Using network Socket
"""
EFA = """\
node1:21:21 [0] NCCL INFO NET/OFI Selected Provider is efa (found 1 nics)
node1:21:21 [0] NCCL INFO Using network AWS Libfabric
"""


@pytest.mark.parametrize(
    ("log", "names", "slow"),
    [(INFINIBAND * 2, ["IB"], False), (SOCKETS, ["Socket"], True), (EFA, ["AWS Libfabric"], False), ("", [], False)],
)
def test_the_network_is_what_nccl_says(log: str, names: list[str], slow: bool) -> None:
    assert networks_in(log) == names
    assert is_slow(tuple(names)) is slow


def test_nccl_is_asked_where_the_user_has_not_and_what_it_wrote_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("NCCL_DEBUG", "NCCL_DEBUG_SUBSYS", "NCCL_DEBUG_FILE")
    for name in names:
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    assert network_used() == ()
    monkeypatch.setenv("NCCL_DEBUG", "WARN")
    ask_nccl(str(tmp_path / "logs"))
    assert "NCCL_DEBUG_FILE" not in os.environ
    monkeypatch.delenv("NCCL_DEBUG")
    ask_nccl(str(tmp_path / "logs"))
    assert (os.environ["NCCL_DEBUG"], os.environ["NCCL_DEBUG_SUBSYS"]) == ("INFO", "INIT,NET")
    (tmp_path / "logs" / "nccl-node1-7.log").write_text(INFINIBAND)  # %h the machine, %p the process
    (tmp_path / "logs" / "nccl-node2-9.log").write_text(SOCKETS)
    assert network_used() == ("IB", "Socket")


def test_a_run_says_its_network_and_warns_of_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    for ranks, used in ((8, ("Socket",)), (16, ("IB",)), (16, ("Socket",)), (16, ())):
        monkeypatch.setattr(rank_module, "network_used", lambda used=used: used)
        monkeypatch.setenv("WORLD_SIZE", str(ranks))
        monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
        rank_module._say_network(said.append)
    assert said[:3] == ["network: Socket", "network: IB", "network: Socket"]
    assert said[3].startswith("warning: NCCL goes through TCP sockets between the machines; give the container")
    assert len(said) == 4
