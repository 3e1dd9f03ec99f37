"""A job left to its engine: the command ends, the job's last step commits, and the same command finds it done."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corpus.extract.config import ExtractConfig
from corpus.synthetic.sample.write import write_sample
from pipelines.beam.flags import NO_WAIT
from pipelines.cli.app import main
from pipelines.extract import extract
from tests.conftest import REPOSITORY
from tests.pipelines.test_join import hashes
from tests.support.engines import prism_server, worker_pool


@pytest.mark.slow
def test_the_job_commits_when_the_command_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pubmed = write_sample(str(tmp_path / "raw"), seed=4, scale=0.05).pubmed[0]
    words = ["extract", "--pubmed", pubmed, "--output", str(tmp_path / "records")]
    with prism_server() as (jobs, _), worker_pool() as (workers, _):
        flags = ["--", "--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", "--environment_type=EXTERNAL"]
        flags += [f"--environment_config=localhost:{workers}"]
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.cli.process", *words, *flags, NO_WAIT],
            cwd=REPOSITORY, env={**os.environ}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "is submitted and left to the engine" in done.stderr
        assert done.stdout == (
            f"the job goes on without this command; nothing is committed to {tmp_path / 'records'} yet\n"
        )
        manifest = tmp_path / "records" / "manifest.json"
        for _ in range(6_000):
            if manifest.exists():
                break
            time.sleep(0.2)
        capsys.readouterr()
        assert main([*words, *flags]) == 0
    assert "up to date" in capsys.readouterr().err
    extract(ExtractConfig(pubmed=(pubmed,)), output=str(tmp_path / "expected"))
    assert hashes(tmp_path / "records") == hashes(tmp_path / "expected")


def test_a_road_of_stages_leaves_no_job(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--", "--runner=PortableRunner", "--job_endpoint=localhost:1", NO_WAIT]
    assert main(["run", str(REPOSITORY / "configs/demo.yaml"), *flags]) == 2
    assert f"leave {NO_WAIT} out or call them one by one" in capsys.readouterr().err
