"""`--json` of verify, inspect, doctor and plan: objects that say what the text says, and the same exit codes."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from corpus.stage.manifest import read_manifest
from corpus.storage import parquet
from pipelines.cli.app import main
from tests.support.small_corpus import mixed_corpus


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    assert main(list(words)) == code
    return json.loads(capsys.readouterr().out)


def test_verify_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = mixed_corpus(tmp_path / "corpus")
    found = said(capsys, "verify", str(tmp_path), "--json")
    assert (found["stages"], found["wrong"]) == (1, 0)
    assert [one["level"] for one in found["findings"]] == ["ok"]
    path = tmp_path / "corpus" / manifest.parts[0].path
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    found = said(capsys, "verify", str(tmp_path), "--json", code=4)
    assert found["wrong"] == 1
    assert "content differs" in found["findings"][0]["faults"][0]


def test_inspect_shows_manifests_rows_and_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = mixed_corpus(tmp_path / "corpus")
    found = said(capsys, "inspect", str(tmp_path / "corpus"), "--json")
    assert found["manifest"] == json.loads(json.dumps(asdict(read_manifest(str(tmp_path / "corpus")))))
    above = said(capsys, "inspect", str(tmp_path), "--json")["stages"]["corpus"]
    assert (above["fingerprint"], above["files"]) == (manifest.fingerprint, len(manifest.parts))
    path = str(tmp_path / "corpus" / manifest.parts[0].path)
    table = said(capsys, "inspect", path, "--json")
    assert table["rows"] == parquet.num_rows(path)
    assert table["first_rows"][0]["doc_id"] == "pmid:1"
    [one] = said(capsys, "inspect", str(tmp_path / "corpus"), "--id", "pmid:1", "--json")["rows"]
    assert (one["file"], one["row"]["doc_id"]) == (path, "pmid:1")
    assert main(["inspect", str(tmp_path / "corpus"), "--id", "pmid:999999", "--json"]) == 2
    assert "no row about" in capsys.readouterr().err


def test_doctor_and_plan_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "doctor", "--json")
    assert found["fit"]
    assert {"python", "lxml"} <= {one["subject"] for one in found["findings"]}
    words = ("plan", "--config", "biomedlm-2.7b", "--tokens", "34.6e9", "--gpus", "4")
    plan = said(capsys, *words, "--price", "2", "--json")
    main(list(words))
    text = capsys.readouterr().out
    assert f"{plan['parameters']:,} parameters" in text
    assert f"{plan['days']:,.1f} days" in text
    assert plan["cost"] == pytest.approx(plan["gpu_hours"] * 2)
    assert main([*words, "--finetune", "medqa", "--json"]) == 2
