"""What a finished, an interrupted and a different stage look like to the next command."""

import hashlib
import json
import os
import pickle
from pathlib import Path

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from corpus import storage
from corpus.errors import CorruptError, DataError, DiskError, RetryError, UsageError
from corpus.stage.lock import RUN_FACTS, running_stage
from corpus.stage.manifest import MANIFEST, Books, Input, Manifest, read_manifest, verify_parts
from corpus.stage.workspace import Receipt, Workspace, open_workspace, plan_stage

INPUTS = (Input(name="b", fingerprint="2"), Input(name="a", fingerprint="1"))


def plan(folder: Path | str, **config: int) -> Workspace:
    return plan_stage(str(folder), stage="extract", revision=1, config=config, inputs=INPUTS)[0]


def finish(workspace: Workspace, name: str, content: bytes) -> Receipt:
    with storage.write_atomic(workspace.path(name)) as sink:
        sink.write(content)
    part = workspace.measure(name, role="records", rows=1)
    return workspace.finish(Receipt(task=name, parts=(part,), books=Books(read=2, kept=1, dropped={"bad": 1})))


def test_commit_then_up_to_date_then_a_difference(tmp_path: Path) -> None:
    workspace = plan(tmp_path, size=1)
    receipts = [finish(workspace, "records/b", b"b"), finish(workspace, "records/a", b"a")]
    workspace.commit(receipts, summary={"n": 2})
    manifest = plan_stage(str(tmp_path), stage="extract", revision=1, config={"size": 1}, inputs=reversed(INPUTS))[1]
    assert manifest is not None
    assert manifest.books == Books(read=4, kept=2, dropped={"bad": 2})
    assert [part.path for part in manifest.parts] == ["records/a", "records/b"]
    assert not os.path.exists(tmp_path / "_receipts")
    with pytest.raises(UsageError, match="size: 1 there, 2 asked for"):
        plan(tmp_path, size=2)
    with pytest.raises(UsageError, match="input only asked for: c 3"):
        plan_stage(
            str(tmp_path), stage="extract", revision=1, config={"size": 1}, inputs=[Input(name="c", fingerprint="3")]
        )
    with pytest.raises(UsageError, match="holds the output of `extract`, expected `pack`"):
        read_manifest(str(tmp_path), "pack")


def test_unfinished_tasks_are_found_and_damaged_ones_are_not_reused(tmp_path: Path) -> None:
    workspace = plan(tmp_path, size=1)
    receipt = finish(workspace, "records/a", b"abc")
    assert plan(tmp_path, size=1).finished("records/a") == receipt
    assert plan(tmp_path, size=2).finished("records/a") is None
    assert workspace.finished("records/other") is None
    assert workspace.num_finished() == 1
    (tmp_path / "records" / "a").write_bytes(b"abd")
    assert workspace.finished("records/a") is None


def test_tasks_that_are_done_in_a_store_are_counted() -> None:
    workspace = plan("memory://counted", size=1)
    assert workspace.num_finished() == 0
    finish(workspace, "records/a", b"abc")
    finish(workspace, "records/b", b"abc")
    assert workspace.num_finished() == 2


def test_only_a_process_of_the_same_code_takes_a_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = plan(tmp_path, size=1)
    sent = pickle.dumps(workspace)
    assert pickle.loads(sent) == workspace
    monkeypatch.setattr("corpus.stage.code_version.code_version", lambda: "0.0.1 (code 0000000000)")
    with pytest.raises(UsageError, match=r"another corpuscle than this command: 0\.0\.1 \(code 0000000000\) there"):
        pickle.loads(sent)


def test_damaged_work_is_not_reused_and_no_part_of_the_result(tmp_path: Path) -> None:
    workspace = plan(tmp_path, size=1)
    names = ("_work/a.bin", "_work/b.bin")
    for name in names:
        with storage.write_atomic(workspace.path(name)) as sink:
            sink.write(name.encode() * 200_000)
    receipt = workspace.finish(Receipt(task="a", work=tuple(workspace.measure_work(name) for name in names)))
    assert receipt.work[1].xxh3 == xxhash.xxh3_128_hexdigest(b"_work/b.bin" * 200_000)
    assert receipt.work[1].bytes == 11 * 200_000
    assert workspace.finished("a") == receipt
    with open(tmp_path / names[1], "r+b") as file:
        file.seek(-5, os.SEEK_END)
        file.write(b"X")
    assert workspace.finished("a") is None
    assert workspace.commit([receipt], summary={}).parts == ()
    workspace.clean(keep=[receipt])
    assert sorted(storage.walk_files(str(tmp_path / "_work"))) == ["a.bin", "b.bin"]


def test_a_task_with_inputs_of_its_own_outlives_a_change_elsewhere(tmp_path: Path) -> None:
    one = plan(tmp_path, size=1)
    receipt = one.finish(Receipt(task="a", parts=()), of="the file's hash")
    other = plan_stage(str(tmp_path), stage="extract", revision=1, config={"size": 1}, inputs=INPUTS[:1])[0]
    assert other.finished("a", of="the file's hash") == receipt
    assert other.finished("a", of="another hash") is None
    assert plan(tmp_path, size=2).finished("a", of="the file's hash") is None


def test_what_a_killed_write_left_is_taken_away(tmp_path: Path) -> None:
    receipt = finish(plan(tmp_path), "records/a", b"abc")
    (tmp_path / "records" / ".tmp-b-1-00").write_bytes(b"ha")
    assert plan(tmp_path).finished("records/a") == receipt
    assert os.listdir(tmp_path / "records") == ["a"]


def test_books_that_do_not_balance_commit_nothing(tmp_path: Path) -> None:
    workspace = plan(tmp_path)
    with pytest.raises(DataError, match="read 3 ≠ kept 1"):
        workspace.commit([], summary={}, books=Books(read=3, kept=1, dropped={"x": 1}))
    assert not os.path.exists(tmp_path / MANIFEST)


def test_every_flipped_bit_of_a_manifest_is_noticed(tmp_path: Path) -> None:
    workspace = plan(tmp_path)
    workspace.commit([finish(workspace, "records/a", b"abc")], summary={"text": "é"})
    path = tmp_path / MANIFEST
    good, committed = path.read_bytes(), read_manifest(str(tmp_path))
    for bit in range(0, len(good) * 8, 7):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            # White space around the JSON is no content; anything else must be refused.
            assert read_manifest(str(tmp_path)) == committed
        except CorruptError:
            continue


def test_verify_names_missing_and_changed_parts(tmp_path: Path) -> None:
    workspace = plan(tmp_path)
    manifest = workspace.commit([finish(workspace, f"records/{name}", b"abc") for name in "abcd"], summary={})
    (tmp_path / "records/a").unlink()
    (tmp_path / "records/b").write_bytes(b"abd")
    (tmp_path / "records/c").write_bytes(b"abcd")
    faults = list(verify_parts(str(tmp_path), manifest))
    assert [fault.rsplit("/", 1)[1] for fault in faults] == [
        "a: missing",
        "b: content differs from the manifest's sha256",
        "c: 4 bytes, the manifest says 3",
    ]


def test_one_writer_a_directory(tmp_path: Path) -> None:
    with (
        running_stage(str(tmp_path)),
        pytest.raises(RetryError, match="another corpuscle"),
        running_stage(str(tmp_path)),
    ):
        pass
    with running_stage(str(tmp_path)):
        pass


def test_a_committed_run_leaves_what_it_cost(tmp_path: Path) -> None:
    with running_stage(str(tmp_path)):
        pass
    assert not (tmp_path / RUN_FACTS).exists()
    with running_stage(str(tmp_path)):
        plan(tmp_path).commit([], summary={})
    assert json.loads((tmp_path / RUN_FACTS).read_bytes())["cpu_seconds"] >= 0


def test_no_partial_file_under_its_name(tmp_path: Path) -> None:
    with pytest.raises(TypeError), storage.write_atomic(str(tmp_path / "x")) as sink:
        sink.writelines([b"first half", "not bytes"])
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_a_disk_error_that_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"cannot write .*x: No space left"), storage.write_atomic(str(tmp_path / "x")):
        raise OSError(28, "No space left on device")


def test_object_stores_speak_the_same_language() -> None:
    base = "memory://corpuscle-test"
    workspace = plan_stage(base, stage="extract", revision=1, config={}, inputs=INPUTS)[0]
    receipt = finish(workspace, "records/a", b"abc")
    assert workspace.finished("records/a") == receipt
    manifest = workspace.commit([receipt], summary={})
    workspace.clean()
    assert read_manifest(base, "extract") == manifest
    assert list(verify_parts(base, manifest)) == []
    assert storage.walk_files(base) == ["manifest.json", "records/a"]


COUNTS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 9))
BOOKS = st.builds(Books, read=st.integers(0, 99), kept=st.integers(0, 99), dropped=COUNTS)


@given(BOOKS, BOOKS, BOOKS)
def test_books_add_up_in_any_order(one: Books, two: Books, three: Books) -> None:
    assert (one + two) + three == three + (two + one)
    assert sum((one + two).dropped.values()) == sum(one.dropped.values()) + sum(two.dropped.values())


def test_a_file_that_goes_while_a_directory_is_listed_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").write_bytes(b"123")
    monkeypatch.setattr(os, "walk", lambda base: [(str(tmp_path), [], ["gone", "there"])])
    assert storage.walk_sizes(str(tmp_path)) == {"there": 3}
    assert storage.walk_files(str(tmp_path)) == ["there"]


def test_another_revision_of_the_code_is_told_apart_as_other_settings_are(tmp_path: Path) -> None:
    def planned(revision: int) -> tuple[Workspace, Manifest | None]:
        return plan_stage(str(tmp_path), stage="extract", revision=revision, config={}, inputs=INPUTS)

    workspace, _ = planned(1)
    whole, own = finish(workspace, "records/a", b"a"), workspace.finish(Receipt(task="b"), of="hash")
    newer, _ = planned(2)
    assert (workspace.finished("records/a"), workspace.finished("b", of="hash")) == (whole, own)
    assert (newer.finished("records/a"), newer.finished("b", of="hash")) == (None, None)
    workspace.commit([whole, own], summary={})
    assert planned(1)[1] is not None
    with pytest.raises(UsageError, match="code: revision 1 there, now 2, which gives other bytes"):
        planned(2)
    asked: list[Workspace] = []  # an update takes over no part of older code: nobody is asked for any
    again, there = plan_stage(
        str(tmp_path),
        stage="extract",
        revision=2,
        config={},
        inputs=INPUTS[:1],
        update=lambda workspace, _: asked.append(workspace) or ["records/a"],
    )
    assert (there, again.beside, asked) == (None, True, [])
    assert again.finished("records/a") is None


def test_a_manifest_from_before_revisions_is_read_and_not_taken_for_this_one(tmp_path: Path) -> None:
    workspace = plan(tmp_path)
    workspace.commit([], summary={})
    content = json.loads((tmp_path / MANIFEST).read_bytes())
    del content["revision"], content["sha256"]
    content["fingerprint"] = "made of the version of the package"
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (tmp_path / MANIFEST).write_text(json.dumps(content))
    assert read_manifest(str(tmp_path)).revision == 1
    with pytest.raises(UsageError, match="before its revisions were counted"):
        plan(tmp_path)


def test_receipts_in_a_store_are_counted(tmp_path: Path) -> None:
    """A job is not called one without workers when its tasks end in a bucket."""
    workspace = open_workspace(f"memory://{tmp_path.name}/out", stage="extract", revision=1, config={}, inputs=[])
    assert workspace.num_finished() == 0
    workspace.finish(Receipt(task="extract/a"))
    workspace.finish(Receipt(task="extract/b"))
    assert workspace.num_finished() == 2
