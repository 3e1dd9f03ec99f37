"""Training as a stage: what is refused before anything starts, and runs that are stopped, killed, damaged, extended."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpus.errors import CorpuscleError, CorruptError, DataError, RetryError, UsageError
from corpus.stage.manifest import read_manifest, verify_parts
from tests.conftest import REPOSITORY
from tests.support.small_tokens import made_up_texts, write_tokens
from tokenizer.token_rows import TokenRows
from train.checkpoint.store import Checkpoint, make_temporary, newest_good, publish, read_list, start_list
from train.config import TrainConfig
from train.data.tokens import unigram_entropy
from train.generate.continuation import generate
from train.launch import stage
from train.launch.rank_errors import rank_error
from train.launch.stage import can_resume, train
from train.loop.metrics import read_metrics, speed_text
from train.loop.rank_state import shard_batch

SETTINGS = {
    "model": {"layers": 2, "heads": 2, "hidden": 32, "dropout": 0.1},
    "steps": 8,
    "batch_rows": 4,
    "micro_batch": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 2,
    "eval_every": 4,
    "eval_rows": 5,
    "save_every": 3,
    "log_every": 4,
}

RUNNER = """
import sys
from corpus.errors import CorpuscleError
from train.config import load_preset
from train.launch.stage import train
from pipelines.cli.signals import end_on_signals
with end_on_signals():  # as a command does: a second SIGHUP may come when the ranks have ended
    try:
        train(load_preset(sys.argv[1]), tokens=sys.argv[2], output=sys.argv[3], resume="resume" in sys.argv)
    except CorpuscleError as error:
        print(error, flush=True)
        sys.exit(error.exit_code)
"""


def config(**changes: Any) -> TrainConfig:
    return TrainConfig.model_validate(SETTINGS | changes)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pack") / "tokens"
    return str(write_tokens(folder, made_up_texts(40, seed=1), vocab_size=300, seq_length=64))


def published(output: Path, tokens: str, settings: TrainConfig, **changes: Any) -> None:
    """A directory as a stopped run leaves it, without training."""
    rows = TokenRows(tokens, "train")
    shape = settings.model.shape(seq_length=rows.seq_length, vocab_size=rows.vocab_size)
    sizes = {name: getattr(shape, name) for name in shape.__dataclass_fields__}
    fields = {
        "step": 3,
        "tokens": 1,
        "ranks": 1,
        "zero_stage": 1,
        "tokens_fingerprint": rows.fingerprint,
        "recipe": {**settings.recipe(), "model": sizes},
        "files": {},
    }
    start_list(str(output))
    make_temporary(str(output), 3, 1)
    publish(str(output), Checkpoint(**{**fields, **changes}), keep=3)


def test_mistakes_are_refused_before_anything_starts(tokens: str, tmp_path: Path) -> None:
    output = str(tmp_path / "run")
    with pytest.raises(UsageError, match="micro_batch 2 x ranks 3 = 6"):
        train(config(), tokens=tokens, output=output, ranks=3)
    with pytest.raises(UsageError, match=r"no manifest\.json"):
        train(config(), tokens=str(tmp_path), output=output)
    with pytest.raises(UsageError, match=r"no checkpoints/latest\.json"):
        train(config(), tokens=tokens, output=output, resume=True)
    assert not can_resume(output)


def test_a_folder_of_other_files_is_refused(tokens: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("mine")
    for resume in (False, True):
        with pytest.raises(UsageError, match="was not made by corpuscle"):
            train(config(), tokens=tokens, output=str(tmp_path), resume=resume)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("metrics.jsonl", "mine")]


def test_an_unfinished_run_is_not_overwritten(tokens: str, tmp_path: Path) -> None:
    published(tmp_path, tokens, config())
    assert can_resume(str(tmp_path))
    with pytest.raises(UsageError, match="unfinished run, saved at step 3; go on with --resume"):
        train(config(), tokens=tokens, output=str(tmp_path))


@pytest.mark.parametrize(
    ("stored", "asked", "message"),
    [
        ({}, {"eps": 0.5}, r"another recipe:\n  eps: 1e-08 in it, 0\.5 asked for\n"),
        ({}, {"model": SETTINGS["model"] | {"dropout": 0.0}}, r"another recipe:\n  model: "),  # type: ignore[operator]
        ({"tokens_fingerprint": "0" * 64}, {}, r"other tokens \(corpus or tokenizer\)"),
        ({}, {"steps": 2}, r"is at step 3 already, beyond 2"),
    ],
)
def test_a_resumed_run_must_be_the_same_run(
    tokens: str, tmp_path: Path, stored: dict[str, Any], asked: dict[str, Any], message: str
) -> None:
    published(tmp_path, tokens, config(), **stored)
    with pytest.raises(UsageError, match=message):
        train(config(**asked), tokens=tokens, output=str(tmp_path), resume=True)


def test_a_batch_is_the_same_rows_for_any_ranks_and_micro_batch() -> None:
    batch = np.random.default_rng(0).permutation(64)
    for ranks in (1, 2, 4, 8):
        for micro_batch in (1, 2, 8):
            dealt = shard_batch(batch, ranks=ranks, micro_batch=micro_batch)
            assert sorted(np.concatenate([dealt[:, rank].ravel() for rank in range(ranks)])) == list(range(64))


def test_unigram_entropy_is_that_of_the_counts(tokens: str) -> None:
    rows = TokenRows(tokens, "train")
    counts = np.bincount(rows.rows(range(len(rows))).ravel())
    shares = counts[counts > 0] / counts.sum()
    assert unigram_entropy(rows) == pytest.approx(-(shares * np.log(shares)).sum(), rel=1e-12)


def test_speed_is_printed_with_its_peak() -> None:
    text = speed_text(27_610, 16_556_390_400, 989.4)  # the table of llm-foundry: 46.2 % at this shape
    assert text.endswith("MFU 46.2 % of 989.4 TFLOP/s")
    assert "MFU" not in speed_text(10.0, 10, None)


def test_a_rank_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/rank-0.log").write_text("RuntimeError: Connection closed by peer\n")
    (tmp_path / "logs/rank-1.log").write_text("Traceback\n\nRuntimeError: no space on device\n")
    error = rank_error(str(tmp_path), [1, 1], stopped=False)
    assert type(error) is CorpuscleError
    assert str(error).startswith("rank 1 failed: RuntimeError: no space on device; all of it is in ")
    cuda = (
        "torch.AcceleratorError: CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA` to enable assertions.\n"
    )
    (tmp_path / "logs/rank-1.log").write_text(f"Traceback\n\n{cuda}\n")
    full = str(rank_error(str(tmp_path), [0, 1], stopped=False))
    assert full.startswith("rank 1 failed: torch.AcceleratorError: CUDA error: out of memory. The GPU's memory is full")
    assert "--set activation_checkpointing=true" in full
    (tmp_path / "logs/rank-1.log").write_text("Traceback\n\nRuntimeError: no space on device\n")
    for codes in ([0, -9], [1, -9]):  # the other one ended well, or lost the connection to it
        killed = rank_error(str(tmp_path), codes, stopped=False)
        assert isinstance(killed, RetryError)
    assert "rank 1 was killed by SIGKILL (often: out of memory)" in str(killed)
    aborted = rank_error(str(tmp_path), [0, -6], stopped=False)
    assert str(aborted).startswith("rank 1 was killed by SIGABRT; the last it said: RuntimeError: no space on device;")


@pytest.fixture(scope="module")
def whole(tokens: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    output = tmp_path_factory.mktemp("runs") / "whole"
    train(config(), tokens=tokens, output=str(output))
    return output


def start(folder: Path, tokens: str, *words: str) -> subprocess.Popen[bytes]:
    """Start the same run as a command does, in a process of its own."""
    folder.mkdir(exist_ok=True)
    file = folder / "config.yaml"
    file.write_text(json.dumps(SETTINGS))  # JSON is YAML
    command = [sys.executable, "-c", RUNNER, str(file), tokens, str(folder / "run"), *words]
    return subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True, stdout=subprocess.PIPE)


def wait_for_step(run: Path, step: int) -> None:
    deadline = time.monotonic() + 600
    while not any(line["step"] >= step for line in read_metrics(str(run))):
        assert time.monotonic() < deadline, "the run did not get on"
        time.sleep(0.02)


def same_results(run: Path, whole: Path) -> None:
    assert (run / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert read_manifest(str(run)) == read_manifest(str(whole))


@pytest.mark.slow
def test_a_run_commits_what_it_says(whole: Path, tokens: str) -> None:
    manifest = read_manifest(str(whole), "train")
    assert list(verify_parts(str(whole), manifest)) == []
    lines = read_metrics(str(whole))
    losses = [line["loss"] for line in lines if "loss" in line]
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 9))
    assert [line["step"] for line in lines if "validation_loss" in line] == [4, 8]
    assert losses[0] == pytest.approx(math.log(300), abs=0.2)
    assert losses[-1] < losses[0]
    assert manifest.summary["steps"] == 8
    assert manifest.summary["tokens"] == 8 * 4 * 64
    assert newest_good(str(whole), print).step == 8
    text = generate(str(whole), "ba", 12, seed=1)
    assert text.startswith("ba")
    assert text == generate(str(whole), "ba", 12, seed=1)
    assert text != generate(str(whole), "ba", 12, seed=2)
    before = (whole / "manifest.json").stat().st_mtime_ns
    assert train(config(), tokens=tokens, output=str(whole)) == manifest  # up to date
    assert (whole / "manifest.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_finished_run_with_a_missing_part_is_never_trained_anew_beside_its_checkpoints(
    whole: Path, tokens: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / "tokenizer.json").unlink()
    before = sorted(path for path in run.rglob("*") if path.name != "events.jsonl")
    with pytest.raises(CorruptError, match=r"parts missing or cut:\n.*tokenizer.json: missing\n.*--resume"):
        train(config(), tokens=tokens, output=str(run))
    assert sorted(path for path in run.rglob("*") if path.name != "events.jsonl") == before
    assert train(config(), tokens=tokens, output=str(run), resume=True) == read_manifest(str(whole))
    assert (run / "tokenizer.json").read_bytes() == (whole / "tokenizer.json").read_bytes()
    (run / "metrics.jsonl").unlink()
    with pytest.raises(CorruptError, match="it cannot be made again"):
        train(config(), tokens=tokens, output=str(run), resume=True)
    assert read_manifest(str(run)) == read_manifest(str(whole))


@pytest.mark.slow
def test_tokens_that_are_others_at_the_end_than_at_the_start_are_named(
    whole: Path, tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, read = tmp_path / "run", tmp_path / "tokens"
    shutil.copytree(whole, run)
    shutil.copytree(tokens, read)
    (run / "tokenizer.json").unlink()  # so that there is something to do
    real = stage._describe

    def replace_tokens(*given: object) -> None:
        real(*given)  # type: ignore[arg-type]
        manifest = read / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"revision": ', '"revision": 1'))

    monkeypatch.setattr(stage, "_describe", replace_tokens)
    with pytest.raises(RetryError, match=r"changed while it was read.*nothing was committed"):
        train(config(), tokens=str(read), output=str(run), resume=True)
    assert json.loads((read / "manifest.json").read_text())["revision"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_and_exits_75_and_resuming_changes_nothing(
    number: signal.Signals, tokens: str, whole: Path, tmp_path: Path
) -> None:
    process = start(tmp_path, tokens)
    wait_for_step(tmp_path / "run", 1)
    os.killpg(process.pid, number)  # the ranks too, as a terminal that closes
    if number == signal.SIGHUP:
        time.sleep(0.1)
        process.send_signal(number)  # and the shell once more
    said = process.communicate(timeout=120)[0].decode()
    assert process.returncode == 75, said
    assert "--resume" in said or number == signal.SIGHUP  # the second one may come before the line is printed
    stopped = newest_good(str(tmp_path / "run"), print).step
    assert 1 <= stopped < 8
    train(config(), tokens=tokens, output=str(tmp_path / "run"), resume=True)
    same_results(tmp_path / "run", whole)


HANGING = """
import subprocess, sys, train.launch.processes as processes
processes.STOP_SECONDS = 1.0
rank = "import pathlib, time; print(1, flush=True)\\nwhile True: pathlib.Path('_work/beats/0').touch(); time.sleep(0.1)"
launcher = "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + (
    f"subprocess.run([sys.executable, '-c', {rank!r}], cwd={sys.argv[1]!r}); signal.pause()")
with subprocess.Popen([sys.executable, "-c", launcher]) as child, processes.signals_to([child], sys.argv[1]) as asked:
    child.wait()
print(asked.is_set(), child.returncode)
"""


def test_ranks_that_hang_are_ended_after_one_signal(tmp_path: Path) -> None:
    """Though they give signs of life, as a rank does that waits for another."""
    (tmp_path / "_work/beats").mkdir(parents=True)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", HANGING, str(tmp_path)], cwd=REPOSITORY, text=True, **pipes)  # type: ignore[call-overload]
    assert process.stdout.readline() == "1\n"
    process.send_signal(signal.SIGTERM)
    said, errors = process.communicate(timeout=120)  # the pipe ends when the rank below its launcher does, too
    assert said.startswith("True -")
    assert "asked to stop and have written nothing for 1 s: ended" in errors


@pytest.mark.slow
def test_a_killed_run_with_a_damaged_checkpoint_ends_the_same(
    tokens: str, whole: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    process = start(tmp_path, tokens)
    run = tmp_path / "run"
    while len(read_list(str(run)) or ()) < 2:  # steps 3 and 6; a directory may be there and not yet be listed
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=180)
    wait_until_gone(run)
    newest = run / "checkpoints" / (read_list(str(run)) or ())[-1].name
    shard = next(newest.glob("deepspeed/*optim_states.pt"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 4
    shard.write_bytes(content)
    train(config(), tokens=tokens, output=str(run), resume=True)
    assert f"checkpoint {newest.name} is damaged" in capfd.readouterr().err
    same_results(run, whole)


def wait_until_gone(run: Path) -> None:
    """Wait until no process of the run is left: they go by themselves when their launcher is gone."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        if not any(str(run).encode() in command for command in commands):
            return
        time.sleep(0.1)
    raise AssertionError("a rank outlived its launcher")


@pytest.mark.slow
def test_two_ranks_see_the_same_batches_and_a_finished_run_goes_on(
    tokens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = config(model=SETTINGS["model"] | {"dropout": 0.0}, steps=4)  # type: ignore[operator]
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    first = train(plain, tokens=tokens, output=one)
    second = train(plain, tokens=tokens, output=two, ranks=2)
    assert first.fingerprint == second.fingerprint
    for ours, theirs in zip(read_metrics(one), read_metrics(two), strict=True):
        for name, value in ours.items():
            assert theirs[name] == pytest.approx(value, abs=1e-5), name
    with pytest.raises(UsageError, match="steps: 4 there, 6 asked for"):
        train(plain, tokens=tokens, output=two, ranks=2, steps=6)
    with monkeypatch.context() as newer:
        newer.setattr("train.launch.stage.REVISION", 99)
        with pytest.raises(UsageError, match=r"code: revision \d+ there, now 99"):
            train(plain, tokens=tokens, output=two, ranks=2, steps=6, resume=True)
    longer = train(plain, tokens=tokens, output=two, ranks=2, steps=6, resume=True)
    assert longer.summary["steps"] == 6
    assert read_metrics(two)[:5] == read_metrics(two, 4)
    assert max(line["step"] for line in read_metrics(two)) == 6


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run(tokens: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"step \d: .*(loss is|gradients are) n"):
        train(config(learning_rate=1e30, clip=None), tokens=tokens, output=str(tmp_path / "run"))


@pytest.mark.slow
def test_a_dead_rank_ends_the_run(tokens: str, tmp_path: Path) -> None:
    output = tmp_path / "run"
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(SETTINGS | {"steps": 5000, "ranks": 2, "micro_batch": 1}))
    command = [sys.executable, "-c", RUNNER, str(file), tokens, str(output)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE)
    wait_for_step(output, 2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
    os.kill(int(children[1]), signal.SIGKILL)
    said = process.communicate(timeout=180)[0].decode()
    assert process.returncode in (1, 75), said
    assert "rank" in said
    wait_until_gone(output)
