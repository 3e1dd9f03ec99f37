"""Files of a run: a job, a checkpoint, a list or an error of another version say what is wrong and what to do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpus.errors import CorruptError
from tests.fuzz import metadata
from train.checkpoint import store
from train.job import JOB, error_path, read_error, read_job

CHANGES: list[tuple[str, Any, str]] = [
    ("newer", 1, "newer: a field that this version does not know"),
    ("shape", {"layers": 1}, r"shape\.heads: missing"),
    ("config", {"model": 3}, "model"),
    ("resume", "../../x", "not inside the directory"),
    ("resume_step", "7", "resume_step: expected a whole number, found a text"),
    ("tokens", None, "tokens: expected a text, found null"),
]


@pytest.mark.parametrize(("name", "value", "said"), CHANGES)
def test_a_job_of_another_version(tmp_path: Path, name: str, value: Any, said: str) -> None:
    content = json.loads(metadata.seeds("job")[0])
    (tmp_path / JOB).write_text(json.dumps(content))
    assert read_job(str(tmp_path)).resume_step == 7
    (tmp_path / JOB).write_text(json.dumps({**content, name: value}))
    with pytest.raises(CorruptError, match=rf"(?s)job\.json: not a job of this version \(.*{said}.*--resume"):
        read_job(str(tmp_path))


def _with_file(content: Any) -> None:
    content["files"] = {"../x": {"bytes": 1, "sha256": "0"}}


@pytest.mark.parametrize(
    "change", [lambda content: content.update(newer=1), lambda content: content.pop("files"), _with_file]
)
def test_a_checkpoint_of_another_version(tmp_path: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(metadata.seeds("checkpoint")[0])
    change(content)
    folder = tmp_path / store.FOLDER / "step-00000007"
    folder.mkdir(parents=True)
    (folder / store.DESCRIPTION).write_text(json.dumps(content))
    with pytest.raises(CorruptError, match=r"checkpoint\.json: not the description of a checkpoint \(.*; move it away"):
        store.read_checkpoint(str(tmp_path), "step-00000007")


@pytest.mark.parametrize("raw", ["[" * 100_000, "[]", '{"checkpoints": [3], "sha256": ""}', "", '{"checkpoints": 1}'])
def test_a_list_that_is_none(tmp_path: Path, raw: str) -> None:
    (tmp_path / store.FOLDER).mkdir()
    (tmp_path / store.FOLDER / store.LATEST).write_text(raw)
    with pytest.raises(CorruptError, match=r"latest\.json: not .*; move it away"):
        store.read_list(str(tmp_path))


def test_a_list_that_names_a_checkpoint_elsewhere(tmp_path: Path) -> None:
    (tmp_path / store.FOLDER).mkdir()
    store.write_list(str(tmp_path), (store.ListedCheckpoint(name="../../x", step=1, sha256="0"),))
    with pytest.raises(CorruptError, match="not inside the directory"):
        store.read_list(str(tmp_path))


@pytest.mark.parametrize("raw", ["[]", "{}", '{"exit_code": []}', "", "[" * 100_000])
def test_an_error_that_is_none(tmp_path: Path, raw: str) -> None:
    path = Path(error_path(str(tmp_path), 0))
    path.parent.mkdir(parents=True)
    path.write_text(raw, encoding="utf-8")
    with pytest.raises(CorruptError, match=r"error-0\.json: not .*log"):
        read_error(str(tmp_path), 0)
