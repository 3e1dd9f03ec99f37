"""A published model: its files at their places, and a card that says what it is for and what it took."""

import json
from pathlib import Path

import pytest
import yaml

from corpus.publish.config import PERSON, PublishConfig
from corpus.publish.model import _cost
from corpus.qa.predictions import Prediction, write_predictions
from corpus.stage.manifest import Input, read_manifest
from corpus.stage.workspace import Receipt, plan_stage
from corpus.storage.files import sha256_file
from pipelines.cli.app import main
from pipelines.inspection.verification import verify_directory
from tests.support.small_run import loud_model, write_run

pytestmark = pytest.mark.slow


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    run = write_run(tmp_path / "runs/mine", loud_model(), tokens=str(tmp_path / "tokens/clean"))
    words = [
        "export",
        str(run),
        "--format",
        "folded",
        "--format",
        "gguf-q8_0",
        "--output",
        str(tmp_path / "models/mine"),
    ]
    assert main(words) == 0
    return tmp_path / "models/mine"


def test_a_model_is_published_with_its_card(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "published"
    words = ["publish", str(exported), "--output", str(out), "--model-license", "apache-2.0", "--dataset", "org/texts"]
    assert main(words) == 0
    assert "publish: model" in capsys.readouterr().out
    _, front, body = (out / "README.md").read_text().split("---\n", 2)
    header = yaml.safe_load(front)
    assert (header["license"], header["datasets"]) == ("apache-2.0", ["org/texts"])
    assert header["pipeline_tag"] == "text-generation"
    for heading in ("## Intended use", "## Limitations", "## Evaluation", "## Energy", "**No medical advice.**"):
        assert heading in body
    assert f"What training took is not known here: {PERSON}" in body
    theirs = {part.path.removeprefix("folded/"): part.sha256 for part in read_manifest(str(exported)).parts}
    own = {part.path: part.sha256 for part in read_manifest(str(out), "publish").parts}
    assert own.keys() - theirs.keys() == {"SHA256SUMS"}
    assert {name for name in own if name in theirs and own[name] != theirs[name]} == {"README.md"}
    for line in (out / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        assert sha256_file(str(out / name)) == digest
    assert verify_directory(str(out)).num_wrong == 0
    assert main(words) == 0
    assert "up to date" in capsys.readouterr().err
    architecture = json.loads((out / "config.json").read_text())["architectures"]
    assert architecture == ["GPT2LMHeadModel"]


def test_a_model_without_a_licence_says_so(exported: Path, tmp_path: Path) -> None:
    assert main(["publish", str(exported), "--output", str(tmp_path / "out")]) == 0
    header = yaml.safe_load((tmp_path / "out" / "README.md").read_text().split("---\n")[1])
    assert (header["license"], header["datasets"]) == ("unknown", ["pubmed", "pubmed-central"])


def test_the_card_says_how_an_evaluation_near_went_and_what_training_took(exported: Path, tmp_path: Path) -> None:
    export = read_manifest(str(exported), "export")
    folder = tmp_path / "qa" / "mine"
    inputs = [Input(name="export", fingerprint=export.fingerprint)]
    workspace, _ = plan_stage(str(folder), stage="qa evaluate", revision=1, config={}, inputs=inputs)
    answers = [
        Prediction(id=str(number), task="medqa", split="test", gold=gold, choice=choice)
        for number, (gold, choice) in enumerate([(1, 1), (2, 0), (3, 3), (None, 1)])
    ]
    write_predictions(answers, workspace.path("a/predictions.parquet"))
    part = workspace.measure("a/predictions.parquet", role="predictions", rows=4)
    workspace.commit([Receipt(task="a", parts=(part,))], summary={"predictions": 4, "tasks": ["medqa"]})
    assert main(["publish", str(exported), "--output", str(tmp_path / "out")]) == 0
    assert "| medqa | test | 3 | 66.7% |" in (tmp_path / "out" / "README.md").read_text()

    run = tmp_path / "run"
    trained, _ = plan_stage(str(run), stage="train", revision=1, config={}, inputs=[])
    manifest = trained.commit([], summary={})
    (run / "run.json").write_text(json.dumps({"wall_seconds": 7200.0, "cpu_seconds": 3600.0}))
    near = [(str(run), manifest)]
    said = _cost(near, {manifest.fingerprint}, PublishConfig(watts=500))
    assert said.endswith(
        "2.00 hours on the wall and 1.00 of CPU. At the 500 W stated for all machines that is 1.000 kWh."
    )
    assert PERSON in _cost(near, {manifest.fingerprint}, PublishConfig())
