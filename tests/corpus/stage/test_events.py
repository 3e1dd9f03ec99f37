"""The log of events of a stage: what happened, how it ended, and that it is in nobody's way."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corpus.errors import DataError, UsageError
from corpus.stage import progress
from corpus.stage.events import EVENTS_LOG, LOG_FORMAT, failure_of
from corpus.stage.lock import LOCK, running_stage
from corpus.stage.manifest import Books, read_manifest
from corpus.stage.progress import Progress, say
from corpus.stage.workspace import Receipt, plan_stage
from corpus.synthetic.sample.write import write_sample
from pipelines.cli.app import main


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / EVENTS_LOG).read_text().splitlines()]


def commit(folder: Path) -> None:
    workspace, done = plan_stage(str(folder), stage="extract", revision=1, config={}, inputs=[])
    if done is None:
        workspace.commit([Receipt(task="a", books=Books(read=3, kept=2, dropped={"a": 1}))], summary={})


def test_a_run_says_how_it_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    with running_stage(str(tmp_path)):
        say("a line")
        shown = Progress("extract", 2, "tasks")
        shown.advance()
        assert [one["event"] for one in events(tmp_path)] == ["start", "message", "progress"]  # at once
        commit(tmp_path)
    found = events(tmp_path)
    assert [one["event"] for one in found] == ["start", "message", "progress", "planned", "end"]
    assert (found[2]["done"], found[2]["total"], found[2]["unit"]) == (1, 2, "tasks")
    assert found[3]["stage"] == "extract"
    assert found[4]["fingerprint"] == found[3]["fingerprint"] == read_manifest(str(tmp_path)).fingerprint
    assert (found[4]["code"], found[4]["books"]) == (0, {"read": 3, "kept": 2, "dropped": {"a": 1}})


def test_a_stage_that_is_up_to_date_leaves_no_line(tmp_path: Path) -> None:
    for _ in range(2):
        with running_stage(str(tmp_path)):
            commit(tmp_path)
    assert [one["event"] for one in events(tmp_path)] == ["start", "planned", "end"]


@pytest.mark.parametrize(
    ("error", "code", "cause"),
    [
        (DataError("too many rejects; allow more"), 3, "too many rejects; allow more"),
        (OSError(errno.ENOSPC, "No space left on device"), 5, "the disk is full"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (SystemExit(75), 75, "stopped by a signal"),
        (ZeroDivisionError("x"), 1, "ZeroDivisionError: x"),
    ],
)
def test_a_failure_leaves_code_and_cause(tmp_path: Path, error: BaseException, code: int, cause: str) -> None:
    with pytest.raises(type(error)), running_stage(str(tmp_path)):
        raise error
    last = events(tmp_path)[-1]
    assert (last["event"], last["code"]) == ("failure", code)
    assert cause in last["cause"]
    assert failure_of(error)["code"] == code


def test_what_was_refused_leaves_no_log(tmp_path: Path) -> None:
    with pytest.raises(UsageError), running_stage(str(tmp_path)):
        raise UsageError("another directory, please")
    assert os.listdir(tmp_path) == [LOCK]


def test_a_log_that_cannot_be_written_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / EVENTS_LOG).mkdir()
    with running_stage(str(tmp_path)):
        commit(tmp_path)
    assert read_manifest(str(tmp_path)).stage == "extract"


@pytest.mark.slow
def test_logs_as_json_are_json_to_the_last_line(tmp_path: Path) -> None:
    sample = write_sample(str(tmp_path / "raw"), scale=0.02)
    out = tmp_path / "records"
    command = [
        sys.executable,
        "-m",
        "pipelines.cli.process",
        "extract",
        "--log-format",
        "json",
        "--pubmed",
        *sample.pubmed,
    ]
    done = subprocess.run([*command, "-o", str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines() if not line.startswith("compiling once")]
    assert [one["event"] for one in lines if one["event"] in ("start", "end")] == ["start", "end"]
    assert done.stdout.startswith("extract: ")
    refused = subprocess.run(
        [*command, "--max-reject-rate", "7", "-o", str(out)], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    last = json.loads(refused.stderr.splitlines()[-1])
    assert (last["event"], last["code"]) == ("exit", 2)
    assert "--max-reject-rate" in last["cause"]


def test_another_format_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--log-format", "xml", "doctor"]) == 2
    assert "--log-format xml: it is one of text, json" in capsys.readouterr().err
    assert LOG_FORMAT not in os.environ


@pytest.mark.slow
def test_a_terminated_stage_says_so(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pipelines.cli.signals import end_on_signals\nfrom corpus.stage.lock import running_stage\n"
        "import time\nwith end_on_signals():\n    with running_stage(sys.argv[1]):\n        print('on', flush=True)\n"
        "        time.sleep(600)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "on\n"
    child.terminate()
    assert child.wait() == 75
    last = events(tmp_path)[-1]
    assert (last["event"], last["code"]) == ("failure", 75)
