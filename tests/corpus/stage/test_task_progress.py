"""What processes tell of the tasks in hand reaches the person who waits, and nothing of it stays."""

import json
import multiprocessing
import re
from pathlib import Path

import pytest

from corpus.extract.config import ExtractConfig
from corpus.stage import progress, task_progress
from pipelines.extract import extract


def tell_much(output: str, count: int) -> None:
    task_progress.add(output, "records read", count)
    task_progress.add(output, "records read", 5)  # within a second: told with the next


def test_the_counts_of_all_processes_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert task_progress.summary(str(tmp_path)) == ""
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=tell_much, args=(str(tmp_path), count)) for count in (1000, 234)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert task_progress.summary(str(tmp_path)) == "1,234 records read"
    monkeypatch.setattr(task_progress, "EVERY_SECONDS", 0.0)
    task_progress.add(str(tmp_path), "compared", 2)
    task_progress.add(str(tmp_path), "compared", 2)
    assert set(task_progress.summary(str(tmp_path)).split(", ")) == {"1,234 records read", "4 compared"}
    task_progress.reset(str(tmp_path))
    assert task_progress.summary(str(tmp_path)) == ""


def test_a_file_that_is_being_replaced_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / task_progress.FOLDER
    folder.mkdir(parents=True)
    (folder / "1.json.new").write_text('{"records re')
    (folder / "2.json").write_text(json.dumps({"records read": 3}))
    assert task_progress.summary(str(tmp_path)) == "3 records read"


def test_nothing_is_told_of_a_remote_stage() -> None:
    task_progress.add("memory://bucket/corpus", "records read", 7)
    assert task_progress.summary("memory://bucket/corpus") == ""


@pytest.mark.slow
def test_a_single_large_input_shows_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    article = '<article><front><article-meta><article-id pub-id-type="pmc">{}</article-id></article-meta></front>'
    article += "<body><p>" + "Cells of the kidney were seen. " * 400 + "</p></body></article>"
    folder = tmp_path / "loose"
    folder.mkdir()
    for number in range(1, 1000):
        (folder / f"PMC{number}.xml").write_text(article.format(number))
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(task_progress, "EVERY_SECONDS", 0.0)
    config = ExtractConfig(pmc=(str(folder),), articles_per_part=5000)
    extract(config, output=str(tmp_path / "records"))
    assert re.search(r"extract: 0 of 1 tasks \([\d,]+ records read\)", capfd.readouterr().err)
    assert not (tmp_path / "records" / "_work").exists()


def test_progress_that_cannot_be_written_stops_no_work(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("a file where the directory should be")
    task_progress.add(str(tmp_path / "output"), "records read", 5)
    assert task_progress.summary(str(tmp_path / "output")) == ""
