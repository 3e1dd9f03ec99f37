"""Manifests and receipts of another version or program, or that name files elsewhere: an error that says what to do."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpus import storage
from corpus.errors import CorruptError
from corpus.stage.manifest import MANIFEST, Input, read_manifest
from corpus.stage.withdraw import WITHDRAWN, finish_withdrawal
from corpus.stage.workspace import RECEIPTS, Receipt, Workspace, plan_stage
from pipelines.cli.app import main
from tests.corpus.storage.test_json_files import OUTSIDE


def workspace(folder: Path) -> Workspace:
    inputs = (Input(name="a", fingerprint="1"),)
    return plan_stage(str(folder), stage="extract", revision=1, config={}, inputs=inputs)[0]


def commit(folder: Path, change: Callable[[Any], object]) -> Path:
    """Commit a stage and change its manifest, whose own hash is right again; return the path of the manifest."""
    space = workspace(folder)
    with storage.write_atomic(space.path("records/a")) as sink:
        sink.write(b"abc")
    space.commit([Receipt(task="a", parts=(space.measure("records/a", role="records", rows=1),))], summary={})
    path = folder / MANIFEST
    content = json.loads(path.read_bytes())
    del content["sha256"]
    change(content)
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(content))
    return path


def put(content: Any, name: str, value: object) -> None:
    content[name] = value


CHANGES = [
    (lambda content: put(content, "newer", 1), "newer: a field that this version does not know"),
    (lambda content: put(content["parts"][0], "newer", 1), r"parts\[0\].newer: a field that this version"),
    (lambda content: content.pop("books"), "books: missing"),
    (lambda content: put(content, "parts", {}), "parts: expected a list, found an object"),
    (lambda content: put(content["parts"][0], "rows", "1"), r"parts\[0\].rows: expected a whole number, found a text"),
    (lambda content: put(content["books"], "dropped", {"a": 1.5}), "books.dropped.a: expected a whole number"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES)
def test_a_manifest_of_another_version_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Any], object], said: str
) -> None:
    path = commit(tmp_path, lambda content: (put(content, "version", "99.1"), change(content)))
    with pytest.raises(CorruptError, match=rf"{path}: {said}.*written by corpuscle 99\.1.*install that version, or"):
        read_manifest(str(tmp_path))
    for verb in ("verify", "inspect", "report"):
        assert main([verb, str(tmp_path)]) == 4, verb
        out, err = capsys.readouterr()
        assert "99.1" in out + err
        assert "fault of corpuscle" not in out + err


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_manifest_that_names_a_file_elsewhere_is_refused_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    commit(tmp_path, lambda content: put(content["parts"][0], "path", name))
    opened: list[str] = []
    hashed = storage.sha256_file
    monkeypatch.setattr(storage, "sha256_file", lambda path: opened.append(path) or hashed(path))
    with pytest.raises(CorruptError, match=r"manifest\.json: names the file .* not inside the directory"):
        read_manifest(str(tmp_path))
    assert main(["verify", str(tmp_path)]) == 4
    assert opened == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[" * 100_000,
        b"[]",
        b"3",
        b'{"name": "another program"}',
        b'{"sha256": 1, "sha256": 2}',
        b"\xff",
        b"[NaN]",
    ],
)
def test_what_is_no_manifest_is_damaged(tmp_path: Path, raw: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / MANIFEST).write_bytes(raw)
    for verb in ("verify", "inspect", "report"):
        assert main([verb, str(tmp_path)]) == 4, verb
        out, err = capsys.readouterr()
        assert f"{tmp_path / MANIFEST}: not " in out + err
        assert "run the stage again" in out + err


def test_a_directory_in_the_place_of_a_manifest(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(CorruptError, match=r"manifest\.json: not a regular file"):
        read_manifest(str(tmp_path))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: put(content, "newer", 1),
        lambda content: content.pop("parts"),
        lambda content: put(content["parts"][0], "path", "../../a"),
        lambda content: put(content, "work", [{"path": "/etc/passwd", "bytes": 1, "xxh3": "0"}]),
        lambda content: put(content, "books", []),
    ],
)
def test_a_receipt_of_another_version_says_what_to_remove(tmp_path: Path, change: Callable[[Any], object]) -> None:
    space = workspace(tmp_path)
    with storage.write_atomic(space.path("records/a")) as sink:
        sink.write(b"abc")
    space.finish(Receipt(task="a", parts=(space.measure("records/a", role="records", rows=1),)))
    (path,) = (tmp_path / RECEIPTS).iterdir()
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(CorruptError, match=rf"{path}: not a receipt \(.*\); remove this file"):
        space.finished("a")
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(CorruptError, match=r"not JSON \(nested .*; remove this file"):
        space.finished("a")


def test_a_withdrawal_removes_nothing_outside(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / WITHDRAWN).write_text('["../precious"]')
    with pytest.raises(CorruptError, match="not inside the directory"):
        finish_withdrawal(str(tmp_path / "out"))
    assert (tmp_path / "precious").exists()
