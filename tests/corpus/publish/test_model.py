"""A published model: its files at their places, and a card that says what it is for and what it took."""

import json
from pathlib import Path

import pytest
import yaml

from corpus.publish.config import PERSON
from corpus.stage.manifest import read_manifest
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
