"""A directory that is not ours is refused before anything is written, removed or locked; ours are gone on with."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import fsspec
import pytest

from corpus import storage
from corpus.errors import RetryError, UsageError
from corpus.stage.claim import LOCK, MARK, remove_claimed
from corpus.stage.lock import running_stage
from corpus.stage.manifest import Input
from corpus.stage.workspace import Receipt, Workspace, plan_stage
from pipelines.workflow.demo import run_demo
from pipelines.workflow.rehearse import rehearse

FOREIGN: dict[str, dict[str, bytes]] = {
    "notes": {"README.md": b"mine", "sub/.tmp-x-1-ab": b"mine"},
    "names that ours have": {"_work/plan.md": b"mine", "_receipts/taxi.json": b"{}", ".tmp-letter": b"mine"},
    "an environment with a lock": {".lock": b"", "pyvenv.cfg": b"home"},
    "another program's lock": {".lock": b"4711\n"},
    "another program's manifest": {"manifest.json": b'{"name": "extension", "version": "2"}'},
    "another program's checkpoints": {"checkpoints/latest.json": b'{"step": 9}', "checkpoints/9.pt": b"w"},
}
OURS: dict[str, dict[str, bytes]] = {
    "nothing": {},
    "of the system": {"lost+found/#12": b"", ".DS_Store": b"x"},
    "marked": {LOCK: MARK, "records/a": b"half", "notes.md": b"mine"},
    "killed at the lock": {LOCK: b""},
    "killed before locks were marked": {LOCK: b"", "_work/a": b"", "records/a": b""},
    "a write that was killed": {"records/.tmp-a.parquet-17-0a1b2c3d": b"x"},
}


def put(base: str, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        with storage.write_atomic(storage.join(base, name)) as sink:
            sink.write(content)


def there(base: str) -> dict[str, bytes]:
    found = {}
    for name in storage.walk_files(base):
        with storage.open_read(storage.join(base, name)) as source:
            found[name] = source.read()
    return found


@pytest.fixture(params=["local", "remote"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "out") if request.param == "local" else f"memory://{tmp_path.name}/out"


@pytest.mark.parametrize("files", FOREIGN.values(), ids=FOREIGN)
def test_what_is_not_ours_is_refused_and_stays_as_it_is(base: str, files: dict[str, bytes]) -> None:
    put(base, files)
    said = r"out: is not empty and was not made by corpuscle \(it holds .*choose another --output"
    with pytest.raises(UsageError, match=said), running_stage(base):
        pytest.fail("went on")
    assert there(base) == files


@pytest.mark.parametrize("files", OURS.values(), ids=OURS)
def test_what_is_ours_or_nobodys_is_gone_on_with(tmp_path: Path, files: dict[str, bytes]) -> None:
    put(str(tmp_path), files)
    with running_stage(str(tmp_path)):
        assert (tmp_path / LOCK).read_bytes() == MARK
        plan_stage(str(tmp_path), stage="extract", revision=1, config={}, inputs=())
    assert there(str(tmp_path)) == {LOCK: MARK} | {
        name: content for name, content in files.items() if ".tmp-" not in name and name != LOCK
    }


def made(base: str, *, commit: bool = True) -> Workspace:
    with running_stage(base):
        workspace, _ = plan_stage(base, stage="extract", revision=1, config={}, inputs=INPUTS)
        for name, content in {"records/a": b"aa", "records/b": b"bb"}.items():
            with storage.write_atomic(workspace.path(name)) as sink:
                sink.write(content)
        parts = tuple(workspace.measure(f"records/{name}", role="records", rows=1) for name in "ab")
        receipt = workspace.finish(Receipt(task="both", parts=parts))
        if commit:
            workspace.commit([receipt], summary={})
            workspace.clean()
    return workspace


INPUTS = (Input(name="a", fingerprint="1"),)


@pytest.mark.parametrize("commit", [True, False])
def test_files_of_the_users_beside_ours_stay_and_block_nothing(base: str, commit: bool) -> None:
    workspace = made(base, commit=commit)
    own = {"README.md": b"mine", "notes/.tmp-draft": b"mine", ".tmp-notes-to-self": b"mine"}
    put(base, own)
    if storage.exists(workspace.path(LOCK)) and commit:
        storage.remove_file(workspace.path(LOCK))  # copied without dot files
    made(base)
    assert there(base).items() >= own.items()


def test_a_remote_directory_is_marked_until_a_manifest_says_whose_it_is(tmp_path: Path) -> None:
    base = f"memory://{tmp_path.name}"
    with pytest.raises(TypeError), running_stage(base):
        put(base, {"records/a": b"half", "records/b": None})  # type: ignore[dict-item]  the run is stopped here
    assert set(there(base)) >= {LOCK, "records/a"}
    made(base)
    assert set(there(base)) == {"manifest.json", "records/a", "records/b", "run.json", "events.jsonl"}


def test_a_stage_above_another_leaves_its_temporary_files(tmp_path: Path) -> None:
    left, own = "records/.tmp-a-7-0a", ".tmp-manifest.json-7-0a"
    with running_stage(str(tmp_path)), running_stage(str(tmp_path / "inner")):
        put(str(tmp_path), {left: b"", own: b"", f"inner/{left}": b"", f"inner/{own}": b""})
        plan_stage(str(tmp_path), stage="extract", revision=1, config={}, inputs=())
    (tmp_path / "finished").mkdir()
    assert set(there(str(tmp_path))) == {LOCK, f"inner/{LOCK}", f"inner/{left}", f"inner/{own}"}


@pytest.mark.parametrize("part", ["records/a", "records/b"])
@pytest.mark.parametrize("content", [None, b"b", b"bbb"])
def test_a_part_that_is_missing_or_cut_is_made_again(
    base: str, part: str, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    before = there(made(base).output)
    path = storage.join(base, part)
    storage.remove_file(path)
    put(base, {part: content} if content is not None else {})
    damaged = there(base)
    _, dry = plan_stage(base, stage="extract", revision=1, config={}, inputs=INPUTS, dry=True)
    assert (dry, there(base)) == (None, damaged)
    assert f"{part}: {'missing' if content is None else f'{len(content)} bytes'}" in capsys.readouterr().err
    asked: list[object] = []
    with running_stage(base):
        _, found = plan_stage(
            base, stage="extract", revision=1, config={}, inputs=INPUTS, repair=lambda *_: asked.append(1) or ()
        )
    assert (found, len(asked)) == (None, 1)
    assert {name: content for name, content in there(base).items() if name != LOCK} == {
        name: content for name, content in damaged.items() if name != LOCK
    }  # nothing goes before there is something better
    made(base)
    assert there(base) == before


@pytest.mark.parametrize("moved", [True, False])
def test_a_directory_that_vanishes_while_a_stage_runs_is_said(tmp_path: Path, moved: bool) -> None:
    output = tmp_path / "out"

    def work() -> None:
        if moved:
            output.rename(tmp_path / "moved")
            put(str(output), {"records/a": b"aa"})  # a stage may make the folder again without knowing
        else:
            shutil.rmtree(output)
            (output / "a").read_bytes()

    said = "out: the directory vanished while the stage was running"
    with pytest.raises(RetryError, match=said), running_stage(str(output)):
        work()
    if moved:
        shutil.rmtree(output)
    made(str(output))


def test_a_folder_that_vanishes_under_a_file_is_said(tmp_path: Path) -> None:
    said = "a: its directory vanished while it was written; run the same"
    with pytest.raises(RetryError, match=said), storage.write_atomic(str(tmp_path / "sub" / "a")):
        shutil.rmtree(tmp_path / "sub")
    with pytest.raises(FileNotFoundError), storage.write_atomic(str(tmp_path / "a")):
        (tmp_path / "input").read_bytes()


def test_a_file_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(UsageError, match="out: is a file"), running_stage(str(tmp_path / "out")):
        pass


def test_demo_and_rehearse_refuse_too(tmp_path: Path) -> None:
    for number, files in enumerate(({"raw/a": b"mine"}, {"rehearsal/a": b"mine"}, {"rehearsal.json": b"mine"})):
        folder = str(tmp_path / str(number))
        put(folder, files)
        with pytest.raises(UsageError, match="was not made by corpuscle"):
            run_demo(folder)
        with pytest.raises(UsageError, match="was not made by corpuscle"):
            rehearse(1000, output=folder)
        assert there(folder) == files


def test_a_directory_of_ours_that_is_being_removed_is_ours_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path / "rehearsal")
    put(folder, {LOCK: MARK, ".a": b"", "a/b": b"", "z": b""})
    seen: list[bool] = []
    for name in ("remove_tree", "remove_file"):
        real = getattr(storage, name)
        monkeypatch.setattr(
            storage, name, lambda path, real=real: seen.append(os.path.exists(f"{folder}/{LOCK}")) or real(path)
        )
    remove_claimed(folder)
    assert (seen, os.listdir(tmp_path)) == ([True] * 4, [])


def test_a_rehearsal_at_work_is_not_taken_away(tmp_path: Path) -> None:
    with running_stage(str(tmp_path / "rehearsal")):
        with pytest.raises(RetryError, match="another corpuscle"):
            rehearse(1000, output=str(tmp_path))
        assert os.listdir(tmp_path / "rehearsal") == [LOCK]


def test_listing_sees_what_others_write(tmp_path: Path) -> None:
    base = f"memory://{tmp_path.name}"
    assert storage.list_names(base) == []
    put(base, {"a/b": b"", "c": json.dumps({}).encode()})
    assert storage.list_names(base) == ["a", "c"]
    assert fsspec.filesystem("memory").exists(f"{base}/c")
