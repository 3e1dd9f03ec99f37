"""The guard: what is published is found again, every kind of damage is seen, nothing foreign is loaded."""

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from corpus.errors import CorruptError, DiskError, UsageError
from train.checkpoint import store
from train.checkpoint.store import (
    Checkpoint,
    ListedCheckpoint,
    make_temporary,
    newest_good,
    publish,
    read_list,
    start_list,
)

FILES = {
    "model.safetensors": bytes(range(256)) * 9,
    "deepspeed/mp_rank_00_model_states.pt": b"model" * 500,
    "deepspeed/zero_pp_rank_0_mp_rank_00_optim_states.pt": b"optimizer" * 700,
}


def save(
    output: Path,
    step: int,
    *,
    keep: int = 3,
    keep_every: int | None = None,
    replaces: Collection[ListedCheckpoint] = (),
) -> Path:
    temporary = Path(make_temporary(str(output), step, 1))
    for name, content in FILES.items():
        (temporary / name).parent.mkdir(exist_ok=True)
        (temporary / name).write_bytes(content + str(step).encode())
    checkpoint = Checkpoint(
        step=step, tokens=step * 64, ranks=2, zero_stage=1, tokens_fingerprint="f", recipe={"seed": 0}, files={}
    )
    publish(str(output), checkpoint, keep=keep, keep_every=keep_every, replaces=replaces)
    return output / "checkpoints" / f"step-{step:08d}"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    start_list(str(tmp_path))
    for step in (10, 20):
        save(tmp_path, step)
    return tmp_path


def folders(output: Path) -> list[str]:
    return sorted(path.name for path in (output / "checkpoints").iterdir() if path.is_dir())


def test_the_newest_is_found_with_all_its_files(output: Path) -> None:
    said: list[str] = []
    found = newest_good(str(output), said.append)
    assert (found.step, found.tokens, found.ranks, dict(found.recipe)) == (20, 1280, 2, {"seed": 0})
    assert {*found.files} == {*FILES}
    assert said == []


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "the content": lambda path: flip(path, 12_345),
    "bytes instead of": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "is missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("kind", sorted(DAMAGE))
@pytest.mark.parametrize("name", sorted(FILES))
def test_a_damaged_newest_falls_back_and_says_so(output: Path, name: str, kind: str) -> None:
    DAMAGE[kind](output / "checkpoints" / "step-00000020" / name)
    said: list[str] = []
    assert newest_good(str(output), said.append).step == 10
    assert len(said) == 1
    for part in ("step-00000020 is damaged", kind, name, "falling back"):
        assert part in said[0]


def test_every_bit_of_the_description_counts(output: Path) -> None:
    path = output / "checkpoints" / "step-00000020" / "checkpoint.json"
    whole = path.read_bytes()
    for bit in range(0, len(whole) * 8, 97):
        flip(path, bit)
        assert newest_good(str(output), lambda line: None).step == 10, bit
        path.write_bytes(whole)


def test_a_file_that_was_added_is_damage_too(output: Path) -> None:
    (output / "checkpoints/step-00000020/deepspeed/extra.pt").write_bytes(b"pickle")
    assert newest_good(str(output), lambda line: None).step == 10


def test_all_damaged_is_an_error(output: Path) -> None:
    for step in (10, 20):
        (output / f"checkpoints/step-{step:08d}/model.safetensors").unlink()
    with pytest.raises(CorruptError, match="all 2 checkpoints are damaged"):
        newest_good(str(output), lambda line: None)


def test_a_flipped_list_is_never_followed(output: Path) -> None:
    path = output / "checkpoints" / "latest.json"
    whole, silent = path.read_bytes(), 0
    for bit in range(len(whole) * 8):
        flip(path, bit)
        with contextlib.suppress(CorruptError):
            silent += newest_good(str(output), lambda line: None).step != 20
        path.write_bytes(whole)
    assert silent == 0


def test_nothing_to_resume_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no checkpoints/latest\.json"):
        newest_good(str(tmp_path), print)
    start_list(str(tmp_path))
    with pytest.raises(UsageError, match="before its first checkpoint"):
        newest_good(str(tmp_path), print)


def test_a_missing_pointer_is_refused_both_ways(output: Path) -> None:
    (output / "checkpoints" / "latest.json").unlink()
    with pytest.raises(UsageError, match=r"no checkpoints/latest\.json"):
        newest_good(str(output), print)
    with pytest.raises(UsageError, match="not known to be ours"):
        start_list(str(output))
    assert folders(output) == ["step-00000010", "step-00000020"]


def test_a_foreign_directory_is_never_loaded(output: Path) -> None:
    foreign = output / "checkpoints" / "step-00000030"
    shutil.copytree(output / "checkpoints" / "step-00000020", foreign)
    description = foreign / "checkpoint.json"
    description.write_text(json.dumps(json.loads(description.read_text()) | {"step": 30}))
    assert newest_good(str(output), print).step == 20


def test_the_oldest_go_and_the_list_goes_first(output: Path) -> None:
    save(output, 30, keep=2)
    assert folders(output) == ["step-00000020", "step-00000030"]
    assert [entry.step for entry in read_list(str(output)) or ()] == [20, 30]


def test_every_so_many_steps_one_stays(tmp_path: Path) -> None:
    start_list(str(tmp_path))
    for step in range(10, 101, 10):
        save(tmp_path, step, keep=2, keep_every=30)
        assert newest_good(str(tmp_path), pytest.fail).step == step
    assert [entry.step for entry in read_list(str(tmp_path)) or ()] == [30, 60, 90, 100]
    assert folders(tmp_path) == [f"step-{step:08d}" for step in (30, 60, 90, 100)]


def test_a_step_reached_again_replaces_the_damaged_one(output: Path) -> None:
    (output / "checkpoints/step-00000020/model.safetensors").unlink()
    save(output, 20, replaces=read_list(str(output)) or ())
    assert newest_good(str(output), print).step == 20
    save(output, 15, replaces=read_list(str(output)) or ())  # passed over, later ones no longer count
    assert [entry.step for entry in read_list(str(output)) or ()] == [10, 15]
    assert folders(output) == ["step-00000010", "step-00000015"]


@pytest.mark.parametrize("step", [15, 20])
def test_a_later_one_that_the_run_did_not_pass_over_is_never_dropped(output: Path, step: int) -> None:
    before = (read_list(str(output)), folders(output))
    with pytest.raises(UsageError, match=rf"step-00000020 is listed, and was not there .* come to step {step}: other"):
        save(output, step, replaces=(read_list(str(output)) or ())[:1])
    shutil.rmtree(output / f"checkpoints/.tmp-step-{step:08d}")
    assert (read_list(str(output)), folders(output)) == before


@pytest.mark.parametrize("moment", ["before the rename", "before the list"])
def test_a_kill_while_publishing_leaves_the_last_good_one(
    output: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((store.os, "rename") if "rename" in moment else (store, "write_list")), die)
        with pytest.raises(KeyboardInterrupt):
            save(output, 30)
    assert newest_good(str(output), print).step == 20
    save(output, 30)
    assert newest_good(str(output), print).step == 30
    assert folders(output) == ["step-00000010", "step-00000020", "step-00000030"]


def test_what_a_failed_save_left_is_discarded(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise DiskError("the disk is full")

    before = folders(output)
    with monkeypatch.context() as patch:
        patch.setattr(store, "write_list", refuse)
        with pytest.raises(DiskError):
            save(output, 30)
    make_temporary(str(output), 40, 1)
    assert len(folders(output)) == len(before) + 2
    store.discard_unlisted(str(output))
    assert folders(output) == before


def test_a_full_disk_is_seen_before_writing(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = dataclasses.make_dataclass("Usage", ["free"])(free=10**9)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: full)
    with pytest.raises(DiskError, match=r"needs about 36\.00 GB, 1\.00 GB are free"):
        make_temporary(str(output), 30, 36 * 10**9)
