"""A step that takes long: who is behind is said, and again after twice as long; not of a step that is usual."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import REPOSITORY
from tests.support.small_tokens import made_up_texts, write_tokens
from tests.train.launch.test_stage import RUNNER, SETTINGS, wait_for_step
from train.loop.heartbeat import Beat, Heartbeat, slow_step


def beat(count: int, part: str) -> Beat:
    return Beat(count=count, step=412, part=part, sign=1)


@pytest.mark.parametrize(
    ("beats", "said"),
    [
        (
            [beat(9, "at the end of the step"), beat(7, "in micro-step 3 of 8")],
            "rank 1 has not finished step 412, 90 s: in micro-step 3 of 8, and 1 of 2 ranks are further (at the end of "
            "the step)",
        ),
        ([beat(9, "in a save")] * 3, "step 412 takes 90 s, on all ranks: in a save"),
        (
            [beat(9, "in a save"), None],
            "step 412 takes 90 s: rank 1 has given no sign of life; see logs/rank-1.log, or its machine",
        ),
        (
            [beat(9, "in a save"), None, None],
            "step 412 takes 90 s: ranks 1, 2 have given no sign of life; see logs/rank-1.log, or its machine",
        ),
    ],
)
def test_the_line_names_who_is_behind(beats: list[Beat | None], said: str) -> None:
    assert slow_step(412, 90.0, beats) == said


def test_many_ranks_are_named_by_the_first_of_them() -> None:
    said = slow_step(1, 9.0, [None] * 1024)
    assert "ranks 0, 1, 2, 3, 4, 5, 6, 7, … have" in said


def test_it_speaks_of_a_long_step_and_again_after_twice_as_long(tmp_path: Path) -> None:
    lines: list[str] = []
    first = Heartbeat(output=str(tmp_path), rank=0, ranks=2, stall_seconds=60, say=lines.append)
    second = Heartbeat(output=str(tmp_path), rank=1, ranks=2, stall_seconds=60, say=pytest.fail)
    (tmp_path / "_work" / "beats").mkdir(parents=True)
    first.begin(7)
    second.begin(7)
    first.enter("at the end of the step")
    found = []
    for seconds in (59, 61, 66, 70, 131, 133, 140, 300):
        for each in (second, first):
            each.began = time.monotonic() - seconds
            each.look()
        found.append(len(lines))
    assert found == [0, 0, 1, 1, 1, 2, 2, 3]
    assert lines[0].startswith("rank 1 has not finished step 7, 66 s: waits for its rows, and 1 of 2 ranks are further")


def at_the_clocks(first: Heartbeat, second: Heartbeat, now: float, off: float) -> None:
    """Set what the two machines' clocks say: the second's is `off` seconds ahead."""
    first.clock, second.clock = (lambda: now), (lambda: now + off)


@pytest.mark.parametrize("off", [0.0, 40_000.0, -40_000.0])
def test_a_sign_is_as_old_as_rank_0_saw_it_unchanged_whatever_the_other_machines_clock_says(
    tmp_path: Path, off: float
) -> None:
    lines: list[str] = []
    first = Heartbeat(output=str(tmp_path), rank=0, ranks=2, stall_seconds=60, say=lines.append)
    second = Heartbeat(output=str(tmp_path), rank=1, ranks=2, stall_seconds=60, say=pytest.fail)
    (tmp_path / "_work" / "beats").mkdir(parents=True)
    at_the_clocks(first, second, 1e6, off)
    first.begin(7)
    second.begin(7)
    for seconds in range(61, 300, 5):
        at_the_clocks(first, second, 1e6 + seconds, off)
        if not 100 < seconds < 200:  # and then it hangs for a while
            second.look()
        first.look()
    assert ["no sign of life" in line for line in lines] == [False, True, False]


def test_what_an_earlier_start_or_step_left_is_no_sign(tmp_path: Path) -> None:
    lines: list[str] = []
    first = Heartbeat(output=str(tmp_path), rank=0, ranks=2, stall_seconds=60, say=lines.append)
    second = Heartbeat(output=str(tmp_path), rank=1, ranks=2, stall_seconds=60, say=pytest.fail)
    left = tmp_path / "_work" / "beats" / "rank-1.json"
    left.parent.mkdir(parents=True)
    left.write_text(json.dumps({"count": 9, "step": 7, "part": "in a save", "sign": 3}))
    second.start()
    second.stop()
    assert not left.exists()
    left.write_text(json.dumps({"count": 9, "step": 6, "part": "in a save", "sign": 3}))  # that took long as well
    first.begin(7)
    first.began -= 66
    first.look()
    assert "rank 1 has given no sign of life" in lines[0]


def test_a_step_that_always_takes_as_long_is_nothing_to_speak_of(tmp_path: Path) -> None:
    """Minutes on one GPU: then only five times the usual is long."""
    watch = Heartbeat(output=str(tmp_path), rank=0, ranks=1, stall_seconds=60, say=pytest.fail)
    watch.took.extend([100.0] * 5)
    assert watch.limit() == 500.0
    watch.began = time.monotonic() - 300
    watch.look()
    assert not (tmp_path / "_work").exists()


@pytest.mark.slow
def test_a_rank_that_hangs_is_named_while_the_others_wait(tmp_path: Path) -> None:
    """Stopped by SIGSTOP, as a machine that swaps or a GPU that fell off the bus stops; then it goes on."""
    tokens = write_tokens(tmp_path / "tokens", made_up_texts(40, seed=1), vocab_size=300, seq_length=64)
    changes: dict[str, Any] = {"steps": 5000, "ranks": 2, "micro_batch": 1, "stall_seconds": 2}
    (tmp_path / "config.yaml").write_text(json.dumps(SETTINGS | changes))
    run, log = tmp_path / "run", tmp_path / "log"
    command = [sys.executable, "-c", RUNNER, str(tmp_path / "config.yaml"), str(tokens), str(run)]
    with log.open("wb") as sink, subprocess.Popen(command, cwd=REPOSITORY, stderr=sink) as process:
        try:
            wait_for_step(run, 2)
            ranks = psutil.Process(process.pid).children()
            (hung,) = [each for each in ranks if each.environ().get("RANK") == "1"]
            hung.suspend()
            until = time.monotonic() + 120
            while "rank 1 has " not in log.read_text():
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.2)
            hung.resume()
            process.send_signal(signal.SIGTERM)
            assert process.wait(300) == 75
        finally:
            for each in psutil.Process(process.pid).children() if process.poll() is None else ():
                each.kill()
            process.kill()
    assert "rank 1 has given no sign of life" in log.read_text()
