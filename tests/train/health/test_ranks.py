"""Two real ranks on the CPU measure together: by one command, below torchrun, and with one that lags and is ahead."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.errors import UsageError
from pipelines.cli.app import main
from tests.conftest import REPOSITORY
from train.health.rank import rank_environment
from train.health.start import examine_devices
from train.launch.processes import free_port

LAGGING = """
import sys, time
from train.health import measures
from pipelines.cli.app import main
clock, speed = time.time, measures.gemm_tflops
measures.now = lambda: clock() + 3.0
measures.gemm_tflops = lambda device, sizes: speed(device, sizes) / 20
sys.exit(main(["doctor", "--cluster", "--output", sys.argv[1]]))
"""
DOCTOR = "import sys\nfrom pipelines.cli.app import main\nsys.exit(main(sys.argv[1:]))"


def rank(number: int, port: int, *command: str) -> "subprocess.Popen[str]":
    place = {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    place |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", *command],
        cwd=REPOSITORY,
        env=os.environ | place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_one_command_measures_the_devices_of_this_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--devices", "--ranks", "2", "--output", str(tmp_path / "runs"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    first, second = found["measured"]["ranks"]
    assert (first["rank"], second["rank"]) == (0, 1)
    assert first["machine"] == second["machine"]
    assert first["tflops"] > 0 < second["tflops"]
    assert first["write_mb_s"] > 0 < second["write_mb_s"]
    assert abs(second["clock_seconds"]) < 0.5  # one clock
    assert first["sees_folder"]
    assert second["sees_folder"]
    assert found["measured"]["sum_is_right"]
    assert found["measured"]["all_reduce_gb_s"] > 0
    assert found["fit"]
    assert [*(tmp_path / "runs").iterdir()] == []  # nothing is left


def test_a_rank_that_lags_and_is_ahead_is_named(tmp_path: Path) -> None:
    port = free_port()
    healthy = rank(0, port, DOCTOR, "doctor", "--cluster", "--output", str(tmp_path))
    lagging = rank(1, port, LAGGING, str(tmp_path))
    said, errors = healthy.communicate(timeout=300)
    assert (lagging.communicate(timeout=60)[0], lagging.returncode) == ("", 0)
    assert healthy.returncode == 0, errors
    rows = [line.split() for line in said.splitlines()[:3]]
    assert rows[0][:2] == ["rank", "machine"]
    assert float(rows[2][-1]) == pytest.approx(3.0, abs=0.2)
    assert re.search(r"^warn  clocks +rank 1 on \S+ is [23]\.\d s ahead of rank 0; set them by", said, re.MULTILINE)
    assert re.search(r"^warn  slow rank +rank 1 on \S+: [\d.]+ TFLOP/s, [\d.]+ in the median; look", said, re.MULTILINE)
    assert re.search(r"^ok    network +all-reduce of 16 MiB over 2 ranks on 1 machine: [\d.]+ GB/s", said, re.MULTILINE)


def test_without_ranks_it_says_how_they_are_started_and_that_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--cluster"]) == 2
    error = capsys.readouterr().err
    command = re.search(r"torchrun .* --output DIR", error)
    assert command is not None
    program = tmp_path / "corpuscle"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pipelines.cli.process "$@"\n')
    program.chmod(0o755)
    line = command[0].replace("torchrun", f"{sys.executable} -m torch.distributed.run")
    for word, value in (
        ("NODES", "1"), ("=N ", "=1 "), ("GPUS", "2"), ("HOST:PORT", f"127.0.0.1:{free_port()}"),
        ("no-python corpuscle", f"no-python {program}"), ("DIR", str(tmp_path / "runs")),
    ):  # fmt: skip
        line = line.replace(word, value)
    done = subprocess.run(
        shlex.split(line), cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "over 2 ranks on 1 machine" in done.stdout
    assert done.stdout.count("TFLOP/s in the median") == 1  # rank 0 alone speaks


def test_srun_says_all_but_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "scontrol"
    program.write_text('#!/bin/sh\n[ "$*" = "show hostnames node[3-4]" ] && printf "node3\\nnode4\\n"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    slurm = {"SLURM_PROCID": "9", "SLURM_STEP_NUM_TASKS": "16", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "4711"}
    slurm["SLURM_STEP_NODELIST"] = "node[3-4]"
    found = rank_environment(slurm)
    port = found.pop("MASTER_PORT")
    assert found == {"RANK": "9", "WORLD_SIZE": "16", "LOCAL_RANK": "1", "MASTER_ADDR": "node3"}
    assert 1024 < int(port) < 32768  # the same on all ranks, below what the system gives to clients
    assert rank_environment(slurm | {"MASTER_ADDR": "10.0.0.1"})["MASTER_ADDR"] == "10.0.0.1"
    with pytest.raises(UsageError, match="nobody started this process as one"):
        rank_environment({name: value for name, value in slurm.items() if name != "SLURM_STEP_NUM_TASKS"})


def test_what_cannot_be_measured_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="give --output a folder that can be written"):
        examine_devices(str(tmp_path / "file" / "runs"))
    with pytest.raises(UsageError, match="a local or mounted folder"):
        examine_devices("gs://bucket/runs")
    assert main(["doctor", "--ranks", "2"]) == 2
    assert main(["doctor", "--devices", "--cluster"]) == 2
