"""Verbs `qa …` as a user meets them: what they print and how they end."""

import json
from pathlib import Path

import pytest

from pipelines.cli import app
from tests.support.answered_runs import answers, write_run

ROW = {"question": "Which?", "answer": "b", "options": {"A": "a", "B": "b", "C": "c", "D": "d"}, "answer_idx": "B"}


def run(*argv: str) -> int:
    return app.main(argv)


def test_questions_end_with_3_unless_partial(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, output = tmp_path / "test.jsonl", str(tmp_path / "questions")
    path.write_text(json.dumps(ROW) + "\n{no json\n" + json.dumps({**ROW, "question": "Who?"}) + "\n")
    assert run("qa", "questions", str(path), "--output", output) == 3
    shown = capsys.readouterr()
    assert "medqa test: 2 questions, published 1,273" in shown.err
    assert "add --partial" in shown.err
    assert run("qa", "questions", str(path), "--output", output, "--partial") == 0
    shown = capsys.readouterr()
    assert f"dropped bad_json: 1, first {path}:2: " in shown.err
    assert shown.out.splitlines()[:3] == [
        "medqa test: 2 questions; B 2",
        "  words: mean 1.0, median 1, 95 % up to 1, most 1",
        "  without reading: majority 100.00, longest 0.00, first 0.00, random 25.00",
    ]
    assert "qa questions: 3 read = 2 kept + 1 dropped (bad_json 1); 4 files" in shown.out
    assert run("verify", output) == 0
    assert run("inspect", output) == 0
    assert "not_as_published" in capsys.readouterr().out
    other = tmp_path / "other.json"
    other.write_text('{"a": 1}')
    assert run("qa", "questions", str(other), "--output", output) == 2
    assert "one JSON object of the keys a; expected MedQA" in capsys.readouterr().err


def test_results_say_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "runs" / "mine", {"": answers("medqa", 40, 20)})
    output, figure = str(tmp_path / "results.md"), str(tmp_path / "results.svg")
    assert run("qa", "results", str(tmp_path / "runs"), "--output", output, "--figure", figure) == 0
    assert capsys.readouterr().out == f"8 tables, 1 rows of 1 runs and 76 recorded ones: {output}, {figure}\n"
    assert run("qa", "results", str(tmp_path / "runs"), "--output", output, "--references", "none") == 0
    assert capsys.readouterr().out == f"1 tables, 1 rows of 1 runs and 0 recorded ones: {output}\n"
    assert "GPT-4" not in Path(output).read_text(encoding="utf-8")
    assert run("qa", "results", str(tmp_path), "--output", str(tmp_path / "x.pdf")) == 2


def test_compare_pairs_by_seed_and_item_and_shows_the_papers_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = str(tmp_path / "gpt2"), str(tmp_path / "ours")
    for folder, right in ((first, (60, 62, 64)), (second, (70, 71, 75))):
        rows = [row for seed, count in enumerate(right) for row in answers("medqa", 200, count, seed=seed)]
        write_run(Path(folder), {"": rows}, parameters=108e6)
    assert run("qa", "compare", first, second) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:3] == [
        "medqa test: 200 items, seeds 0, 1, 2, paired by (seed, item)",
        f"  31.00  {first}, 108,000,000 parameters",
        f"  36.00  {second}, 108,000,000 parameters",
    ]
    assert shown[3].startswith("  difference +5.00, 95 % ")
    assert shown[4].startswith("  by seed +5.00, +4.50, +5.50; of 600 pairs ")
    assert shown[5] == (
        "  the paper, 125M, five seeds, test: GPT-2's tokenizer 33.05 (30.5–35.7) → its own 34.98 (32.4–37.6); "
        "these intervals overlap"
    )
    write_run(tmp_path / "other", {"": answers("pubmedqa", 20, 10)})
    assert run("qa", "compare", first, str(tmp_path / "other")) == 2
    assert "answer no task and split in common" in capsys.readouterr().err
    assert run("qa", "compare", first, str(tmp_path)) == 2
    assert "3 runs are here" in capsys.readouterr().err
