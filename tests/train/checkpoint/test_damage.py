"""Real checkpoints damaged in every way are seen every time; those that lost their list, with and without --trust."""

import pickle
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from corpus.errors import CorruptError, UsageError
from corpus.storage.files import walk_files
from tests.support.small_tokens import made_up_texts, write_tokens
from tests.train.launch.test_kills import SETTINGS
from train.checkpoint.store import newest_good, read_list
from train.checkpoint.trust import adopt_unlisted, check_pickles
from train.config import TrainConfig
from train.launch.stage import train

FLIPS, CUTS = 60, 16


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "tokens"
    return str(write_tokens(folder, made_up_texts(40, seed=1), vocab_size=300, seq_length=32))


@pytest.fixture(scope="module")
def trained(tokens: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run with checkpoints of its steps 2 and 4."""
    return run_of(tokens, tmp_path_factory.mktemp("run") / "run")


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def run_of(tokens: str, output: Path, **changes: Any) -> Path:
    train(TrainConfig.model_validate(SETTINGS | {"steps": 4} | changes), tokens=tokens, output=str(output))
    return output


def damages(path: Path, generator: random.Random) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield what can happen to a file: bits that flip, an end that is lost or added, zeros for a block, no file."""
    whole = path.read_bytes()
    for _ in range(FLIPS):
        bit = generator.randrange(len(whole) * 8)
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit}", lambda changed=changed: path.write_bytes(changed)  # type: ignore[misc]
    for lost in [*range(1, CUTS + 1), len(whole) // 2, len(whole)]:
        yield f"{lost} bytes lost", lambda lost=lost: path.write_bytes(whole[:-lost])  # type: ignore[misc]
    yield "a byte added", lambda: path.write_bytes(whole + b"\0")
    block = generator.randrange(max(1, len(whole) - 64))
    if any(whole[block : block + 64]):
        yield "zeros", lambda: path.write_bytes(whole[:block] + bytes(64) + whole[block + 64 :])
    yield "missing", path.unlink


def seen_every_time(run: Path) -> int:
    """Damage each file of the newest checkpoint in every way; each must be seen and fall back. Return how many."""
    newest = newest_good(str(run), pytest.fail)
    folder = run / "checkpoints" / newest.name
    generator, count = random.Random(7), 0
    for name in walk_files(str(folder)):
        path = folder / name
        whole = path.read_bytes()
        for what, damage in damages(path, generator):
            damage()
            said: list[str] = []
            assert newest_good(str(run), said.append).step == newest.step - 2, (name, what)
            assert len(said) == 1
            assert "is damaged" in said[0]
            assert "falling back" in said[0]
            path.write_bytes(whole)
            count += 1
    assert newest_good(str(run), pytest.fail).step == newest.step
    return count


@pytest.mark.slow
def test_every_damage_to_a_real_checkpoint_is_seen(run: Path) -> None:
    assert seen_every_time(run) >= 4 * (FLIPS + CUTS)


@pytest.mark.exhaustive
@pytest.mark.parametrize("stage", range(4))
def test_every_damage_of_every_stage_is_seen(tokens: str, tmp_path: Path, stage: int) -> None:
    run = run_of(tokens, tmp_path / "run", zero_stage=stage, ranks=2)
    seen = seen_every_time(run)
    assert seen >= 4 * (FLIPS + CUTS)
    print(f"ZeRO-{stage}: {seen} damages, all seen")


@pytest.mark.slow
def test_checkpoints_without_a_list_are_refused_and_taken_up_with_trust(run: Path, tokens: str) -> None:
    (run / "checkpoints" / "latest.json").unlink()
    (run / "manifest.json").unlink()
    settings = TrainConfig.model_validate(SETTINGS | {"steps": 6})
    with pytest.raises(UsageError, match=r"no checkpoint here is known to be ours.*--resume --trust"):
        train(settings, tokens=tokens, output=str(run), resume=True)
    with pytest.raises(UsageError, match="add --resume"):
        train(settings, tokens=tokens, output=str(run), trust=True)
    (run / "checkpoints" / "step-00000004" / "model.safetensors").unlink()
    (run / "checkpoints" / "somebody's own").mkdir()
    said: list[str] = []
    adopt_unlisted(str(run), said.append)
    assert [entry.step for entry in read_list(str(run)) or ()] == [2]
    assert any("step-00000004 is not taken up: model.safetensors is missing" in line for line in said)
    manifest = train(settings, tokens=tokens, output=str(run), resume=True, trust=True)
    assert manifest.summary["steps"] == 6
    assert (run / "checkpoints" / "somebody's own").exists()


class Harmful:
    """Unpickling this would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.slow
def test_a_pickle_that_would_run_something_is_not_loaded(trained: Path, tmp_path: Path) -> None:
    check_pickles(str(trained))
    mark = tmp_path / "was run"
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    torch.save({"module": Harmful(mark)}, folder / "mp_rank_00_model_states.pt")
    with pytest.raises(CorruptError, match=r"its pickle would import builtins.getattr, pathlib(\._local)?\.Path"):
        check_pickles(str(folder))
    (folder / "mp_rank_00_model_states.pt").write_bytes(pickle.dumps(Harmful(mark)))
    with pytest.raises(CorruptError, match="its pickle"):
        check_pickles(str(folder))
    (folder / "mp_rank_00_model_states.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(CorruptError, match="cannot be read"):
        check_pickles(str(folder))
    assert not mark.exists()


def test_no_good_checkpoint_is_nothing_to_trust(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "step-00000007").mkdir(parents=True)
    said: list[str] = []
    with pytest.raises(UsageError, match="no checkpoint of ours that is whole"):
        adopt_unlisted(str(tmp_path), said.append)
    assert said == ["step-00000007 is not taken up: checkpoint.json is missing, so it is not a checkpoint of ours"]
