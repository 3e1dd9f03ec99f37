"""Training on a real Slurm cluster of two nodes by `configs/deploy/train.slurm`: signals, kills, limits, names.

One road, train, TERM, queued again, go on, is in the normal run; the others are the long proof.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from corpus.stage.manifest import read_manifest
from tests.conftest import REPOSITORY
from tests.support.slurm_cluster import SlurmCluster, slurm_cluster
from tests.support.small_tokens import made_up_texts, write_tokens
from train.checkpoint.store import read_list
from train.loop.metrics import read_metrics

SCRIPT = REPOSITORY / "configs/deploy/train.slurm"
STEPS = 800  # some ten seconds: long enough to be met at work
HOLD = 20  # seconds that a job waits which is queued again; the lifetime of a credential, so no shorter at a high load


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    with slurm_cluster(tmp_path_factory.mktemp("slurm"), hold=HOLD) as running:
        yield running


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "tokens"
    return str(write_tokens(folder, made_up_texts(40, seed=1), vocab_size=300, seq_length=32))


class SlurmRun:
    """One job of the script: its cluster, directory and log."""

    def __init__(self, cluster: SlurmCluster, folder: Path, tokens: str) -> None:
        self.cluster, self.folder, self.tokens = cluster, folder, tokens
        self.output, self.log, self.job = folder / "run", folder / "job.log", ""

    def submit(self, *words: str, steps: int = STEPS, **variables: str) -> None:
        """Submit the script for two nodes of a rank each."""
        config = self.folder / "config.yaml"
        config.write_text(
            "model: {layers: 1, heads: 2, hidden: 16, dropout: 0.1}\n"
            f"steps: {steps}\nbatch_rows: 4\nmicro_batch: 2\nlearning_rate: 0.01\nwarmup_steps: 2\n"
            "eval_every: 1000\neval_rows: 2\nsample_tokens: 2\nsave_every: 100\nkeep_checkpoints: 2\nlog_every: 100\n"
        )
        options = ["--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=0", "--cpus-per-task=1", "--parsable"]
        settings = {"TOKENS": self.tokens, "OUTPUT": str(self.output), "CONFIG": str(config)}
        settings |= {
            "MASTER_ADDR": "127.0.0.1",
            "VENV": sys.prefix,
            "DS_ACCELERATOR": "cpu",
            "PYTHONPATH": str(REPOSITORY),
        }
        command = ["sbatch", *options, f"--output={self.log}", f"--chdir={self.folder}", *words, str(SCRIPT)]
        self.job = self.cluster.run(*command, **settings | variables).strip()

    def step(self) -> int:
        """Return the last step whose loss is written."""
        lines = read_metrics(str(self.output), 1 << 40) if (self.output / "metrics.jsonl").exists() else []
        return max((line["step"] for line in lines if "loss" in line), default=0)

    def until(self, happened: Callable[[], bool]) -> None:
        """Wait for something; a job that ends before is shown."""
        while not happened():
            state = self.cluster.state(self.job)["JobState"]
            assert state not in ("FAILED", "COMPLETED", "CANCELLED", "NODE_FAIL", "TIMEOUT"), self.said()
            time.sleep(0.2)

    def end(self) -> str:
        """Wait until the job has ended for good, and return its state."""
        self.cluster.wait()
        return self.cluster.state(self.job)["JobState"]

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else "no log"

    def errors(self) -> list[str]:
        """Return the log's lines with the word error, but for those by which Slurm says that it did as it was told."""
        told = re.compile(
            r"slurmstepd-\w+: error: \*\*\* (STEP|JOB) \S+ ON \w+ CANCELLED AT \S+( DUE TO [A-Z ]+)? \*\*\*"
        )
        return [line for line in self.said().splitlines() if "error" in line.lower() and not told.fullmatch(line)]

    def losses(self) -> list[float]:
        return [line["loss"] for line in read_metrics(str(self.output), 1 << 40) if "loss" in line]


@pytest.fixture
def run(cluster: SlurmCluster, tmp_path: Path, tokens: str) -> Iterator[SlurmRun]:
    one = SlurmRun(cluster, tmp_path, tokens)
    yield one
    if one.job and cluster.run("squeue", "--noheader", f"--jobs={one.job}"):
        cluster.run("scancel", one.job)
        cluster.wait()


def ranks_of(output: Path) -> list[psutil.Process]:
    """Return the processes of the ranks, in no order."""
    found = psutil.process_iter(["cmdline"])
    return [one for one in found if (one.info["cmdline"] or [])[1:] == ["-m", "train.loop.rank", str(output)]]


@pytest.mark.slow
def test_a_signal_saves_queues_again_and_goes_on(run: SlurmRun) -> None:
    run.submit()
    run.until(lambda: run.step() >= 20)
    run.cluster.run("scancel", "--signal=TERM", run.job)
    run.until(lambda: run.cluster.state(run.job)["Restarts"] == "1")
    saved = read_list(str(run.output))[-1].step
    assert 20 <= saved < STEPS, run.said()
    assert run.end() == "COMPLETED", run.said()
    assert read_manifest(str(run.output), "train").summary["steps"] == STEPS
    assert not run.errors(), run.said()
    assert f"from step {saved}" in run.said()  # it went on from what was saved, and not from the step of a plan
    assert len(run.losses()) == STEPS


@pytest.mark.slow
def test_what_cannot_work_is_not_queued_again(run: SlurmRun) -> None:
    run.submit(TOKENS=str(run.folder))
    assert run.end() == "FAILED"
    assert run.cluster.state(run.job)["ExitCode"] == "2:0"
    assert run.cluster.state(run.job)["Restarts"] == "0"
    assert re.search(r"error: .*no manifest.json", run.said())


@pytest.mark.exhaustive
def test_a_name_that_does_not_resolve_is_said_at_once(run: SlurmRun) -> None:
    """The nodes of this cluster are called node1 and node2, which nobody knows; other tests follow the advice."""
    run.submit(MASTER_ADDR="")
    assert run.end() == "FAILED"
    assert run.cluster.state(run.job)["ExitCode"] == "2:0"
    assert "error: node1, the first machine, is a name that not every machine knows" in run.said()
    assert "Traceback" not in run.said()


@pytest.mark.exhaustive
def test_a_rank_that_is_killed_ends_the_others_and_the_job_goes_on(run: SlurmRun) -> None:
    run.submit()
    run.until(lambda: run.step() >= 120)  # past the checkpoint of step 100
    ranks_of(run.output)[0].kill()
    run.until(lambda: run.cluster.state(run.job)["Restarts"] == "1")
    assert "a rank ended with code 137; queueing again" in run.said()
    assert run.end() == "COMPLETED", run.said()
    assert len(run.losses()) == STEPS
    assert (
        int(re.findall(r"from step (\d+)", run.said())[0]) % 100 == 0
    )  # a checkpoint, for nothing was saved at the kill


@pytest.mark.exhaustive
def test_a_rank_that_is_killed_each_time_ends_the_job_after_its_tries(run: SlurmRun) -> None:
    run.submit(TRIES="1")
    for restarts in "01":
        run.until(lambda restarts=restarts: run.cluster.state(run.job)["Restarts"] == restarts)  # type: ignore[misc]
        run.until(lambda: bool(ranks_of(run.output)))
        for rank in ranks_of(run.output):
            rank.kill()
    assert run.end() == "FAILED"
    assert run.cluster.state(run.job)["ExitCode"] == "137:0"
    assert "error: a rank ended with code 137, the last of 1 tries" in run.said()
    run.submit()  # and by hand it goes on
    assert run.end() == "COMPLETED", run.said()


@pytest.mark.exhaustive
def test_a_time_limit_is_a_signal_before_it(run: SlurmRun) -> None:
    run.submit("--time=2", "--signal=TERM@20", steps=100_000)
    run.until(lambda: run.cluster.state(run.job)["Restarts"] == "1")
    saved = read_list(str(run.output))[-1].step
    assert "stopped by a signal" in run.said()
    assert not run.errors(), run.said()
    run.until(lambda: f"from step {saved}" in run.said().replace(",", ""))


@pytest.mark.exhaustive
def test_a_machine_that_is_lost_queues_the_job_again(run: SlurmRun) -> None:
    """Its slurmd and all that it started die at once, as when the power fails."""
    run.submit()
    run.until(lambda: run.step() >= 120)
    lost = psutil.Process(run.cluster.daemons["node2"].pid)
    for process in [lost, *steps_of(run.output, "node2")]:
        process.kill()
    run.cluster.daemons["node2"].wait()
    run.until(lambda: run.cluster.state(run.job)["Restarts"] == "1")
    run.cluster.start_node("node2")
    assert run.end() == "COMPLETED", run.said()
    assert len(run.losses()) == STEPS


def steps_of(output: Path, node: str) -> list[psutil.Process]:
    """Return the processes of a run that Slurm started on a node, and the slurmstepd above them."""
    found = []
    for process in psutil.process_iter(["environ"]):
        variables = process.info["environ"] or {}
        if (variables.get("OUTPUT"), variables.get("SLURMD_NODENAME")) == (str(output), node):
            found += [process, *(one for one in process.parents() if one.name() == "slurmstepd")]
    return found
