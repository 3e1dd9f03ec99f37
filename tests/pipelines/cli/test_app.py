"""Command line as a user meets it: help, messages, exit codes, and what is not imported."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corpus import errors
from corpus.extract.config import ExtractConfig
from corpus.stage.explain import explain
from corpus.stage.manifest import Books, Manifest
from pipelines.cli import app

VERBS = [command.callback.__name__ for command in app.app.registered_commands if command.callback]
HEAVY = ("apache_beam", "torch", "pydantic", "yaml", "rich", "fsspec", "pyarrow", "numpy")


def run(*argv: str) -> int:
    return app.main(argv)


def test_no_verb_prints_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in ("extract", "assemble", "tokenizer", "pack", "train", "run", "demo", "doctor"))


def test_help_imports_nothing_heavy_and_is_quick() -> None:
    program = (
        "import sys; from pipelines.cli.app import main; code = main(['--help']); print(*sys.modules); sys.exit(code)"
    )
    seconds = []
    for _ in range(9):  # a core that others share counts more: the least of some is the program's own
        before = os.times()
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        after = os.times()
        loaded = {name.partition(".")[0] for name in done.stdout.split()}
        assert not loaded & set(HEAVY)
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
        if seconds[-1] < 0.3:
            return
    raise AssertionError(f"CPU seconds of --help: {seconds}")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(verb, "--help") == 0
    shown = capsys.readouterr().out
    assert f"Usage: corpuscle {verb}" in shown
    assert run(verb, "-h") == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("extrct --output x", "no such command 'extrct'. Did you mean 'extract'"),
        ("extract --ouput x", "no option --ouput; did you mean --output?"),
        ("qa silver --corpus x", "no option --corpus; its value is given alone: corpuscle qa silver CORPUS"),
        ("pack --vocab_size 3", "no option --vocab_size"),
        ("extract --runner=x", "Beam's own flags go after --"),
        ("assemble --records a", "missing option '--output'"),
        ("assemble --records a --output b --threshold high", "'--threshold'"),
        ("assemble --records a --output b --threshold 7 --seed -1", "2 things are wrong"),
        ("assemble --records a --output b --profile odd", "--profile: input should be 'clean' or 'pile' (got 'odd')"),
        ("tokenizer --corpus a --output b --source both", "--source: input should be 'pubmed', 'pmc' or 'all'"),
        ("tokenizer --corpus a --output b -- --runner=x", "runs no Beam pipeline"),
        ("train --tokens a --output b --config huge", "neither a file nor a preset"),
        ("run", "which CONFIG.yaml?"),
        ("run missing.yaml", "missing.yaml: cannot be read"),
        ("extract --pubmed a --output b --workers 1e9", "unable to parse string as an integer (got '1e9')"),
        ("extract --pubmed a --output b --workers=", "(got '')"),
        ("assemble --records a --output b --threshold 0,85", "(got '0,85')"),
        ("assemble --records a --output b --threshold nan", "--threshold: input should be a finite number (got nan)"),
        ("train --tokens a --output b --config tiny --set learning_rate=.inf", "should be a finite number (got inf)"),
        ("train --tokens a --output b --config tiny --set clip=.nan", "should be a finite number (got nan)"),
        ("extract --pubmed a --output b --shard 0/0", "--shard: expected I/N, such as 2/8"),
        ("extract --pubmed a --output b --shard 3/2", "--shard: shard 3/2: there is no part 3 of 2"),
        ("verify /no/such/place", "nothing to verify"),
        ("inspect /no/such/place", "there is no such file"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(argv: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*argv.split()) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ")
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


def finished(stage: str) -> Manifest:
    books = Books(read=3, kept=2, dropped={"bad_xml": 1})
    return Manifest(stage=stage, revision=1, fingerprint="f", config={}, inputs=(), parts=(), books=books, summary={})


@pytest.fixture
def extract_calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replace the extract stage by one that records how it was called."""
    from pipelines import extract as module

    calls: list[dict[str, Any]] = []

    def fake(config: ExtractConfig, **places: Any) -> Manifest:
        calls.append({"config": config, **places})
        return finished("extract")

    monkeypatch.setattr(module, "extract", fake)
    return calls


@pytest.mark.slow
def test_paths_workers_and_beam_flags_reach_the_stage(
    extract_calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    argv = "extract --pubmed a b --pmc c --pubmed d --output o --workers 3 --update -- --experiments=x"
    assert run(*argv.split()) == 0
    expected = ExtractConfig(pubmed=("a", "b", "d"), pmc=("c",), workers=3)
    assert extract_calls == [{"config": expected, "output": "o", "beam_args": ("--experiments=x",), "update": True}]
    assert capsys.readouterr().out == "extract: 3 read = 2 kept + 1 dropped (bad_xml 1); 0 files of 0 bytes in o\n"


@pytest.mark.slow
def test_an_unknown_beam_flag_stops_before_any_work(
    extract_calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("extract", "--pubmed", "a", "--output", "o", "--", "--direct_num_workerz=2") == 2
    assert "did you mean --direct_num_workers?" in capsys.readouterr().err
    assert extract_calls == []


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (errors.UsageError("u"), 2, "u"),
        (errors.DataError("d"), 3, "d"),
        (errors.CorruptError("c"), 4, "c"),
        (errors.DiskError("k"), 5, "k"),
        (errors.RetryError("r"), 75, "r"),
        (OSError(errno.ENOSPC, "No space left on device", "part"), 5, "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 5, "the disk is full"),
        (RuntimeError("OSError: [Errno 28] No space left on device [while running 'Write']"), 5, "the disk is full"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.xml"), 2, "a.xml: No such file"),
        (ImportError("Please install gcsfs to access Google Storage"), 2, "pip install -e '.[gcp,train]'"),
        (MemoryError(), 75, "fewer --workers"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (KeyError("oops"), 1, "KeyError: 'oops'"),
    ],
)
def test_exit_codes(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipelines.inspection import doctor

    def fail() -> None:
        raise error

    monkeypatch.setattr(doctor, "examine", fail)
    assert run("doctor") == code
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert message in shown
    assert "Traceback" not in shown
    assert run("doctor", "--debug") == code
    assert "Traceback" in capsys.readouterr().err


def test_what_is_not_wrong_is_not_called_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipelines.inspection import doctor

    def fail() -> None:
        raise errors.NotYetError("the job is written")

    monkeypatch.setattr(doctor, "examine", fail)
    assert run("doctor") == 75
    assert capsys.readouterr().err == "the job is written\n"


def test_a_full_disk_is_found_behind_another_error() -> None:
    footer = ValueError("could not write the footer")
    footer.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert explain(footer)[1] == 5
    footer.__cause__ = OSError(errno.EIO, "Input/output error")
    assert explain(footer)[1] == 5
    footer.__cause__ = OSError(errno.EINVAL, "Invalid argument")
    assert explain(footer)[1] == 1


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    program = "from pipelines.cli.app import main; import sys; sys.exit(main(['run', '--schema']))"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert b"Traceback" not in process.stderr.read()
    process.wait(timeout=30)
    process.stderr.close()
