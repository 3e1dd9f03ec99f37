"""A finished result that is made again stays until the next one is whole: stopped anywhere, one of both is there."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest

from corpus import storage
from corpus.errors import DiskError, RetryError
from corpus.stage import reading, switch
from corpus.stage.lock import LOCK, RUN_FACTS, running_stage
from corpus.stage.manifest import MANIFEST, NEXT, Input, Manifest, read_manifest, verify_parts
from corpus.stage.reading import held_for_reading
from corpus.stage.withdraw import WITHDRAWN
from corpus.stage.workspace import RECEIPTS, WORK, Receipt, Workspace, plan_stage
from corpus.storage import files
from pipelines.inspection.verification import verify_directory

OLD = {"records/a": b"a", "records/b": b"old b", "records/gone": b"g", "rejects/b": b"r"}
NEW = {"records/a": b"a", "records/b": b"b", "records/new": b"n"}


class Killed(BaseException):
    """What stands for a SIGKILL: no `except Exception` stops it."""


@pytest.fixture(params=["local", "remote"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "out") if request.param == "local" else f"memory://{tmp_path.name}/out"


def make(base: str, contents: dict[str, bytes], *, stop: Callable[[], object] = lambda: None) -> None:
    """Make a stage of one task a file; each file is an input, and a finished result of others is brought up to date."""
    inputs = [Input(name=name, fingerprint=content.hex()) for name, content in contents.items()]

    def reuse(workspace: Workspace, manifest: Manifest) -> list[str]:
        for part in manifest.parts:
            if contents.get(part.path) == _read(workspace.path(part.path)):
                workspace.finish(Receipt(task=part.path, parts=(part,)), of=contents[part.path].hex())
        return []

    with running_stage(base):
        workspace, finished = plan_stage(base, stage="extract", revision=1, config={}, inputs=inputs, update=reuse)
        if finished is not None:
            workspace.clean()
            return
        receipts = []
        for name, content in contents.items():
            receipt = workspace.finished(name, of=content.hex())
            if receipt is None:
                with storage.write_atomic(workspace.path(name)) as sink:
                    sink.write(content)
                part = workspace.measure(name, role="records", rows=1)
                receipt = workspace.finish(Receipt(task=name, parts=(part,)), of=content.hex())
            receipts.append(receipt)
        stop()
        workspace.commit(receipts, summary={})
        workspace.clean()


def there(base: str) -> dict[str, bytes]:
    """Return all files but lock and costs."""
    names = [name for name in storage.walk_files(base) if name not in (LOCK, RUN_FACTS, "events.jsonl")]
    return {name: _read(storage.join(base, name)) for name in names}


def _read(path: str) -> bytes:
    with storage.open_read(path) as source:
        return source.read()


def result(base: str) -> dict[str, bytes]:
    """Return the contents that the manifest names, each part as it says."""
    manifest = read_manifest(base)
    assert list(verify_parts(base, manifest)) == []
    assert verify_directory(base).num_wrong == 0
    return {part.name: _read(storage.join(base, part.path)) for part in manifest.parts}


@contextmanager
def killed_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Stop at the change of the disk or bucket of this number; yield a list that has one entry a change."""
    changes: list[int] = []

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            changes.append(1)
            if len(changes) == number:
                raise Killed
            return real(*arguments, **named)

        return call

    memory = type(fsspec.filesystem("memory"))
    with monkeypatch.context() as patch:
        for place, name in ((os, "replace"), (os, "link"), (os, "unlink"), (shutil, "rmtree")):
            patch.setattr(place, name, counted(getattr(place, name)))
        for name in ("cp_file", "rm", "open"):
            patch.setattr(memory, name, counted(getattr(memory, name)))
        yield changes


def test_stopped_at_any_change_the_old_or_the_new_result_is_whole(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make(base, NEW)
    expected = there(base)
    seen = []
    for number in range(1, 500):
        storage.remove_tree(base)
        make(base, OLD)
        try:
            with killed_at(number, monkeypatch):
                make(base, NEW)
        except Killed:
            seen.append(result(base))
            assert seen[-1] in (OLD, NEW)
            make(base, NEW)
        else:
            break
        assert there(base) == expected
    assert seen == sorted(seen, key=lambda one: one == NEW)  # first the old one, from one moment on the new one
    assert OLD in seen
    assert seen.count(NEW) > 5


def test_the_old_result_is_read_while_the_next_one_is_made(base: str) -> None:
    make(base, OLD)
    seen = []
    make(base, NEW, stop=lambda: seen.append(result(base)))
    assert (seen, result(base)) == ([OLD], NEW)


def test_what_an_update_to_other_inputs_left_does_not_get_into_the_result(base: str) -> None:
    make(base, OLD)
    third = {**NEW, "records/b": b"third", "records/a": b"another a", "records/third": b"3"}

    def stop() -> None:
        raise Killed

    with pytest.raises(Killed):
        make(base, third, stop=stop)
    assert result(base) == OLD
    make(base, NEW)
    assert result(base) == NEW
    assert not [name for name in there(base) if name.startswith((NEXT, WORK, RECEIPTS, WITHDRAWN))]
    with pytest.raises(Killed):
        make(base, third, stop=stop)
    make(base, NEW)  # up to date: the update was given up
    assert set(there(base)) == {MANIFEST, *NEW}


@pytest.mark.parametrize("place", ["records/new", "manifest.json", WITHDRAWN])
def test_on_a_full_disk_the_old_result_stays(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    base = str(tmp_path)
    make(base, OLD)
    before = there(base)
    real = files.publish

    def full(temporary: str, path: str) -> None:
        if path.endswith(place):
            raise OSError(28, "No space left on device")
        real(temporary, path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "publish", full)
        with pytest.raises(DiskError, match="No space left"):
            make(base, NEW)
    assert result(base) == OLD
    assert {name: there(base).get(name) for name in before} == before
    make(base, NEW)
    assert result(base) == NEW


def test_a_disk_without_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    make(str(tmp_path), OLD)
    make(str(tmp_path), NEW)
    assert result(str(tmp_path)) == NEW


def test_the_switch_waits_for_readers_and_then_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = str(tmp_path)
    make(base, OLD)
    monkeypatch.setattr(reading, "WAIT_SECONDS", 0)
    said = "somebody reads the result that is to be replaced, for longer than 0 s; all that was made is kept"
    with held_for_reading(base), pytest.raises(RetryError, match=said):
        make(base, NEW)
    assert result(base) == OLD
    monkeypatch.setattr(reading, "WAIT_SECONDS", 600)
    entered, asked = threading.Event(), threading.Event()
    monkeypatch.setattr(reading, "say", lambda line: (asked.set(), print(line)))

    def read() -> None:
        with held_for_reading(base):
            entered.set()
            asked.wait(60)
            found.append(result(base))

    found: list[dict[str, bytes]] = []
    reader = threading.Thread(target=read)
    reader.start()
    entered.wait(60)
    make(base, NEW)
    reader.join()
    assert (found, result(base)) == ([OLD], NEW)
    assert capsys.readouterr().out.count("waiting for it to end") == 1


def test_a_reader_waits_for_the_end_of_a_switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = str(tmp_path)
    make(base, OLD)
    monkeypatch.setattr(reading, "WAIT_SECONDS", 0)
    tried = []
    real = switch.announce_withdrawal

    def tries(*arguments: Any) -> None:
        with pytest.raises(RetryError, match="its next result is being put in its place"), held_for_reading(base):
            pass
        tried.append(1)
        real(*arguments)

    monkeypatch.setattr(switch, "announce_withdrawal", tries)
    make(base, NEW)
    assert tried == [1]


def test_a_directory_that_nobody_may_write_to_can_be_held(tmp_path: Path) -> None:
    make(str(tmp_path), OLD)
    (tmp_path / LOCK).unlink()
    before = sorted(os.listdir(tmp_path))
    tmp_path.chmod(0o555)
    with held_for_reading(str(tmp_path)), held_for_reading(str(tmp_path)):
        assert result(str(tmp_path)) == OLD
    tmp_path.chmod(0o755)
    assert sorted(os.listdir(tmp_path)) == before
