"""`srun corpuscle doctor --cluster` on a real Slurm cluster of two nodes: srun's own variables are enough."""

import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.support.slurm_cluster import slurm_cluster


@pytest.mark.slow
def test_srun_starts_it_on_all_machines(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    (tmp_path / "slurm").mkdir()
    with slurm_cluster(tmp_path / "slurm", hold=20) as cluster:
        said = cluster.run(
            *("srun", "--nodes=2", "--ntasks-per-node=1", f"--chdir={tmp_path}"),
            *(sys.executable, "-m", "pipelines.cli.process"),
            *("doctor", "--cluster", "--output", str(folder)),
            **{"PYTHONPATH": str(REPOSITORY), "MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"},
        )
    assert said.count("over 2 ranks on") == 1, said
    assert [line.split()[0] for line in said.splitlines()[:3]] == ["rank", "0", "1"]
    assert [*folder.iterdir()] == []
