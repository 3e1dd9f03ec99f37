"""The script that a user with a cluster runs, on Prism: one verdict, and an honest one."""

from pathlib import Path

import pytest

from tests.machines.on_a_cluster import main, verdict
from tests.support.engines import free_port, prism_server, worker_pool


@pytest.mark.slow
def test_the_verdict_on_prism(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--scale", "0.05", "--output", str(tmp_path), "--"]
    with prism_server() as (jobs, _), worker_pool() as (workers, _):
        flags = ["--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", "--environment_type=EXTERNAL"]
        flags += [f"--environment_config=localhost:{workers}"]
        assert main([*words, *flags]) == 0
        assert "VERDICT: the same bytes, " in capsys.readouterr().out
        part = next((tmp_path / "engine" / "corpus" / "train").iterdir())
        part.write_bytes(part.read_bytes()[:-1] + b"?")  # the same size, so the stage is called up to date
        assert main([*words, *flags]) == 1
        said = capsys.readouterr().out
    assert f"other bytes: corpus/train/{part.name}\nVERDICT: 1 of " in said


def test_an_engine_that_is_not_there_is_no_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dead = f"--job_endpoint=localhost:{free_port()}"
    words = ["--scale", "0.05", "--output", str(tmp_path), "--", "--runner=PortableRunner", dead]
    assert main(words) == 75
    assert "VERDICT: the engine failed, exit code 75" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--output", str(tmp_path)])


def test_each_difference_is_named() -> None:
    assert verdict({"a": "1", "b": "2"}, {"b": "3", "c": "4"}) == [
        "only here: a",
        "only on the engine: c",
        "other bytes: b",
    ]
    assert verdict({"a": "1"}, {"a": "1"}) == []
