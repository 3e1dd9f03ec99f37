"""The Kubernetes example: a JobSet by its documented form, whose environment our ranks run with, stop and go on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from corpus.errors import CorruptError, DataError, DiskError, RetryError, UsageError
from corpus.stage.manifest import read_manifest
from tests.conftest import REPOSITORY
from tests.support.small_tokens import made_up_texts, write_tokens
from train.checkpoint.store import read_list
from train.config import load_preset
from train.launch.processes import free_port
from train.loop.metrics import METRICS

DEPLOY = REPOSITORY / "configs/deploy"
SCRIPT = DEPLOY / "train_pod.sh"
LOOK = {error.exit_code for error in (UsageError, DataError, CorruptError, DiskError)}  # a person has to
RESTART = "RestartJobSetAndIgnoreMaxRestarts"
# Fields by JobSet's documented API (v1alpha2) and those of Kubernetes' Job and Pod (batch/v1, core/v1).
FIELDS = {
    "spec": {"network", "failurePolicy", "replicatedJobs", "successPolicy", "suspend", "ttlSecondsAfterFinished"},
    "failurePolicy": {"maxRestarts", "restartStrategy", "rules"},
    "failure rule": {
        *("name", "action", "onJobFailureReasons", "onJobFailureMessagePatterns", "targetReplicatedJobs"),
    },
    "replicatedJob": {"name", "groupName", "replicas", "template", "dependsOn"},
    "job": {"completionMode", "parallelism", "completions", "backoffLimit", "podFailurePolicy", "template"},
    "pod": {
        *("restartPolicy", "terminationGracePeriodSeconds", "securityContext", "containers", "volumes"),
        *("nodeSelector", "tolerations", "hostNetwork"),
    },
    "container": {"name", "image", "command", "env", "ports", "resources", "volumeMounts", "securityContext"},
}


@pytest.fixture(scope="module")
def jobset() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "train.jobset.yaml").read_text(encoding="utf-8"))
    return content


def jobs_of(jobset: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one["template"]["spec"] for one in jobset["spec"]["replicatedJobs"]}


def container_of(job: dict[str, Any]) -> dict[str, Any]:
    [container] = job["template"]["spec"]["containers"]
    return dict(container)


def environment_of(job: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container_of(job)["env"]}


def test_every_field_is_one_of_the_api(jobset: dict[str, Any]) -> None:
    assert (jobset["apiVersion"], jobset["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    spec = jobset["spec"]
    assert {*spec} <= FIELDS["spec"]
    assert {*spec["failurePolicy"]} <= FIELDS["failurePolicy"]
    assert all({*rule} <= FIELDS["failure rule"] for rule in spec["failurePolicy"]["rules"])
    for one in spec["replicatedJobs"]:
        job = one["template"]["spec"]
        pod = job["template"]["spec"]
        assert {*one} <= FIELDS["replicatedJob"]
        assert {*job} <= FIELDS["job"]
        assert {*pod} <= FIELDS["pod"]
        assert {*container_of(job)} <= FIELDS["container"]
        assert pod["restartPolicy"] == "Never"  # or Kubernetes refuses a podFailurePolicy
        mounts = {mount["name"] for mount in container_of(job)["volumeMounts"]}
        assert mounts == {volume["name"] for volume in pod["volumes"]}


def test_the_jobs_follow_one_another(jobset: dict[str, Any]) -> None:
    order = [(one["name"], one.get("dependsOn")) for one in jobset["spec"]["replicatedJobs"]]
    assert order == [
        ("plan", None),
        ("ranks", [{"name": "plan", "status": "Complete"}]),
        ("commit", [{"name": "ranks", "status": "Complete"}]),
    ]
    for name, job in jobs_of(jobset).items():
        assert container_of(job)["command"] == ["bash", "/recipes/train_pod.sh", name]
        assert job["backoffLimit"] == 0  # a pod alone is of no use: the set starts again


def test_an_exit_code_restarts_the_set_or_ends_it(jobset: dict[str, Any]) -> None:
    first, second = jobset["spec"]["failurePolicy"]["rules"]
    assert (first["action"], second["action"]) == (RESTART, "FailJobSet")
    assert first["onJobFailureReasons"] == second["onJobFailureReasons"] == ["PodFailurePolicy"]
    assert first["onJobFailureMessagePatterns"] == [f"exit code {RetryError.exit_code} "]
    for job in jobs_of(jobset).values():
        [rule] = job["podFailurePolicy"]["rules"]
        assert (rule["action"], rule["onExitCodes"]["operator"]) == ("FailJob", "In")
        assert {*rule["onExitCodes"]["values"]} == LOOK | {RetryError.exit_code}
        assert rule["onExitCodes"]["containerName"] == container_of(job)["name"]


def test_names_and_numbers_fit_together(jobset: dict[str, Any]) -> None:
    ranks = jobs_of(jobset)["ranks"]
    environment, name = environment_of(ranks), jobset["metadata"]["name"]
    assert environment == environment_of(jobs_of(jobset)["plan"]) == environment_of(jobs_of(jobset)["commit"])
    assert jobset["spec"]["network"]["enableDNSHostnames"]
    assert environment["MASTER_ADDR"] == f"{name}-ranks-0-0.{name}"  # of the job, of the pod
    assert ranks["completionMode"] == "Indexed"  # which gives JOB_COMPLETION_INDEX
    assert ranks["parallelism"] == ranks["completions"]
    each, world = int(environment["LOCAL_WORLD_SIZE"]), int(environment["WORLD_SIZE"])
    assert world == each * ranks["completions"]
    resources = container_of(ranks)["resources"]
    assert resources["requests"]["nvidia.com/gpu"] == resources["limits"]["nvidia.com/gpu"] == str(each)
    assert {"containerPort": int(environment["MASTER_PORT"])} in container_of(ranks)["ports"]
    assert ranks["template"]["spec"]["terminationGracePeriodSeconds"] >= 600
    load_preset(environment["CONFIG"]).model_copy(update={"ranks": world}).accumulation()


class Pods:
    """Pods of the JobSet as processes of this machine, with the environment that it gives them."""

    def __init__(self, jobset: dict[str, Any], folder: Path, tokens: str) -> None:
        self.jobs, self.folder, self.tokens = jobs_of(jobset), folder, tokens
        self.output = folder / "run"
        self.port = "0"

    def start(self, name: str, index: int = 0) -> "subprocess.Popen[str]":
        """Start a pod: places and sizes are a small run's, and the first machine is this one."""
        given = environment_of(self.jobs[name])
        replaced = {"TOKENS": self.tokens, "OUTPUT": str(self.output), "CONFIG": str(self.folder / "config.yaml")}
        replaced |= {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": self.port}
        assert {*replaced} == {*given}
        image = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHON": sys.executable}
        image |= {"CORPUSCLE": str(self.folder / "corpuscle"), "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
        index_of = {"JOB_COMPLETION_INDEX": str(index)} if self.jobs[name].get("completionMode") == "Indexed" else {}
        words = container_of(self.jobs[name])["command"]
        assert words[:2] == ["bash", "/recipes/train_pod.sh"]
        return subprocess.Popen(
            [words[0], str(SCRIPT), *words[2:]], cwd=self.folder, env=image | replaced | index_of,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, name: str) -> tuple[int, str]:
        pod = self.start(name)
        said = pod.communicate(timeout=300)[0]
        return pod.returncode, said

    def start_ranks(self) -> "list[subprocess.Popen[str]]":
        self.port = str(free_port())
        return [self.start("ranks", index) for index in range(2)]


@pytest.fixture
def pods(jobset: dict[str, Any], tmp_path: Path) -> Pods:
    tokens = write_tokens(tmp_path / "tokens", made_up_texts(40, seed=1), vocab_size=300, seq_length=32)
    (tmp_path / "corpuscle").write_text(f'#!/bin/sh\nexec {sys.executable} -m pipelines.cli.process "$@"\n')
    (tmp_path / "corpuscle").chmod(0o755)
    (tmp_path / "config.yaml").write_text(
        "model: {layers: 1, heads: 2, hidden: 16, dropout: 0.1}\n"
        "steps: 600\nbatch_rows: 4\nmicro_batch: 2\nlearning_rate: 0.01\nwarmup_steps: 2\n"
        "eval_every: 1000\neval_rows: 2\nsample_tokens: 2\nsave_every: 100\nkeep_checkpoints: 2\nlog_every: 50\n"
    )
    return Pods(jobset, tmp_path, str(tokens))


def ended(pods: "list[subprocess.Popen[str]]") -> tuple[list[int], str]:
    said = "\n".join(pod.communicate(timeout=300)[0] for pod in pods)
    return [pod.returncode for pod in pods], said


@pytest.mark.slow
def test_two_pods_stop_go_on_and_give_the_bytes_of_one_command(pods: Pods) -> None:
    """A node is drained: its pod alone gets SIGTERM, all ranks save, and the set starts again."""
    code, said = pods.run("plan")
    assert code == 0, said
    first = pods.start_ranks()
    deadline = time.monotonic() + 200
    while not (pods.output / METRICS).exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    first[1].send_signal(signal.SIGTERM)
    codes, said = ended(first)
    assert codes == [RetryError.exit_code] * 2, said
    saved = (read_list(str(pods.output)) or ())[-1].step
    assert 0 < saved < 600
    for _ in range(2):  # and again, when all steps are done: nothing is trained twice
        code, said = pods.run("plan")
        assert code == 0, said
        codes, said = ended(pods.start_ranks())
        assert codes == [0, 0], said
    code, said = pods.run("commit")
    assert code == 0, said
    alone = pods.folder / "alone"
    words = ["train", "--tokens", pods.tokens, "--output", str(alone), "--config", str(pods.folder / "config.yaml")]
    done = subprocess.run(
        [str(pods.folder / "corpuscle"), *words, "--ranks", "2"], cwd=pods.folder, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert read_manifest(str(pods.output)) == read_manifest(str(alone))
    assert (pods.output / METRICS).read_bytes() == (alone / METRICS).read_bytes()


def test_a_fault_of_the_settings_has_its_own_code(pods: Pods) -> None:
    (pods.folder / "config.yaml").write_text("model: {layers: 1}\n")
    code, said = pods.run("plan")
    assert code == UsageError.exit_code, said
    assert pods.run("commit")[0] == UsageError.exit_code
