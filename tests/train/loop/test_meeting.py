"""Ranks that meet, and one that does not come: a line of ours, soon, and an end."""

import os
import subprocess
import sys
import time

import pytest

from tests.conftest import REPOSITORY
from train.launch.processes import free_port

RANK = """
import sys
from datetime import timedelta
from corpus.errors import CorpuscleError
from train.loop import meeting
meeting.SAY_SECONDS, meeting.MEET_SECONDS = float(sys.argv[1]), float(sys.argv[2])
try:
    store = meeting.meet(lambda line: print("said:", line, flush=True), patience=timedelta(seconds=60))
except CorpuscleError as error:
    print("error:", error, flush=True)
    sys.exit(error.exit_code)
store.set("seen", "")
print("met", flush=True)
"""


def rank(
    number: int, ranks: int, port: int, *, say: float = 0.5, end: float = 20.0, **more: str
) -> "subprocess.Popen[str]":
    place = {"RANK": str(number), "WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, "-c", RANK, str(say), str(end)]
    environment = {**os.environ, **place, **more}
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True)


def test_all_come_in_any_order() -> None:
    port = free_port()
    late = [rank(1, 3, port, say=100, end=60), rank(2, 3, port, say=100, end=60)]
    time.sleep(1.0)
    for process in (*late, rank(0, 3, port, say=100, end=60)):
        assert process.communicate(timeout=200)[0].strip() == "met"
        assert process.returncode == 0


def test_one_that_does_not_come_is_named_and_the_wait_ends() -> None:
    port = free_port()
    processes = [rank(0, 3, port, end=12), rank(2, 3, port, end=12)]
    first, third = (process.communicate(timeout=200)[0].splitlines() for process in processes)
    assert f"said: waiting for rank 1 of 3 at 127.0.0.1:{port}, " in first[-3] + first[-2]
    assert first[-1].startswith(f"error: rank 1 of 3 did not come to 127.0.0.1:{port} within 12 s; see the logs of")
    assert third[-1] == f"error: rank 2: rank 0 at 127.0.0.1:{port} went away before all ranks were there"
    assert [process.returncode for process in processes] == [1, 1]


def test_without_rank_0_the_others_say_so_and_end() -> None:
    port = free_port()
    process = rank(1, 2, port, say=0.5, end=4)
    lines = process.communicate(timeout=200)[0].splitlines()
    assert lines[0].startswith(f"said: rank 1 waits for rank 0 at 127.0.0.1:{port}, ")
    assert f"does not reach rank 0 at 127.0.0.1:{port}: " in lines[-1]
    assert "MASTER_PORT" in lines[-1]
    assert process.returncode == 1


@pytest.mark.parametrize("number", [0, 1])
def test_a_name_that_is_not_known_is_an_error_at_once(number: int) -> None:
    process = rank(number, 2, free_port(), MASTER_ADDR="no-such-machine.invalid")
    said = process.communicate(timeout=200)[0]
    assert said.startswith(f"error: rank {number}, on ")
    assert "no-such-machine.invalid, the machine of rank 0, is a name that is not known here" in said
    assert process.returncode == 1
