"""Tables of results: each number of ours from predictions, each recorded row once, in three forms and a picture."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from lxml import etree, html
from scipy import stats

from corpus.errors import CorruptError, UsageError
from corpus.qa.references import references
from corpus.qa.result_pages import HEADER, size_text
from corpus.qa.result_stage import write_results
from corpus.qa.results import ResultTable, result_tables
from corpus.qa.runs import find_runs
from tests.support.answered_runs import answers, write_run


def table_of(directory: Path, name: str, split: str = "test") -> ResultTable:
    tables = result_tables(find_runs(str(directory)))
    return next(table for table in tables if (table.question_set, table.split) == (name, split))


def test_our_row_stands_in_the_papers_table_by_its_accuracy(tmp_path: Path) -> None:
    write_run(tmp_path / "mine", {"seed-0": answers("medqa", 1273, 640)}, parameters=1.25e8)
    table = table_of(tmp_path, "medqa")
    assert table.items == 1273
    assert len(table.rows) == 1 + sum(row.question_set == "medqa" for row in references())
    own = next(row for row in table.rows if row.ours)
    wanted = stats.binomtest(640, 1273).proportion_ci(method="wilson")
    assert (own.value, own.model, own.method, own.parameters) == ("50.3", "mine", "finetune, paper", 1.25e8)
    assert (own.low, own.high) == pytest.approx((wanted.low, wanted.high))
    values = [row.accuracy for row in table.rows]
    assert values == sorted(values, reverse=True)
    assert table.remarks[0].startswith("Without reading: majority 2")
    assert "random 25.00" in table.remarks[0]


def test_a_score_on_dev_is_not_put_among_those_on_test(tmp_path: Path) -> None:
    write_run(tmp_path / "mine", {"": answers("medqa", 50, 20, split="dev")})
    assert not any(row.ours for row in table_of(tmp_path, "medqa").rows)
    assert [row.value for row in table_of(tmp_path, "medqa", "dev").rows] == ["40.0"]


def test_seeds_are_one_row_with_their_spread_and_settings_are_rows(tmp_path: Path) -> None:
    runs = {
        f"lr-{rate}-seed-{seed}": answers("pubmedqa", 200, right + seed, options=3, seed=seed)
        for rate, right in (("1e-05", 120), ("2e-06", 90))
        for seed in range(3)
    }
    write_run(tmp_path / "sweep", runs)
    table = table_of(tmp_path, "pubmedqa")
    own = {row.model: row for row in table.rows if row.ours}
    assert set(own) == {"sweep/lr-1e-05", "sweep/lr-2e-06"}
    row = own["sweep/lr-1e-05"]
    assert row.value == f"60.5 ± {100 * np.std([0.6, 0.605, 0.61], ddof=1):.1f}"
    assert "3 seeds" in row.note
    assert "macro-F1" in row.note
    assert row.low < 0.605 < row.high
    assert any("by items and seeds" in line for line in table.remarks)
    assert any("made from PubMed" in line for line in table.remarks)


def test_questions_cut_are_counted_once_and_a_sweep_of_zeros_has_an_interval(tmp_path: Path) -> None:
    rows = {}
    for seed in range(3):
        own = answers("medqa", 8, 0, seed=seed)
        rows[f"seed-{seed}"] = [msgspec.structs.replace(one, truncated_tokens=5) for one in own[:3]] + own[3:]
    write_run(tmp_path / "mine", rows)
    row = next(row for row in table_of(tmp_path, "medqa").rows if row.ours)
    assert "3 questions cut" in row.note
    wanted = stats.binomtest(0, 8).proportion_ci(method="wilson")
    assert (row.low, row.high) == pytest.approx((wanted.low, wanted.high))


def test_answers_given_twice_stand_once(tmp_path: Path) -> None:
    rows = answers("medqa", 40, 20)
    moved = [msgspec.structs.replace(one, scores=tuple(score + 1e-6 for score in one.scores)) for one in rows]
    write_run(tmp_path / "a", {"": rows})
    write_run(tmp_path / "b", {"": moved[::-1]})
    write_run(tmp_path / "c", {"": [msgspec.structs.replace(one, scores=(0.0, 0.5, 0.0, 0.0)) for one in rows]})
    table = table_of(tmp_path, "medqa")
    assert [row.model for row in table.rows if row.ours] == ["a", "c"]
    assert "b: the same answers as a, so they stand there once." in table.remarks


def test_runs_are_paired_by_item(tmp_path: Path) -> None:
    first, second = answers("bioasq", 140, 94, options=2), answers("bioasq", 140, 120, options=2, seed=5)
    write_run(tmp_path / "a", {"": first})
    write_run(tmp_path / "b", {"": second})
    line = next(line for line in table_of(tmp_path, "bioasq").remarks if "McNemar" in line)
    hits = [[one.gold == one.choice for one in run] for run in (first, second)]
    lost = sum(one and not other for one, other in zip(*hits, strict=True))
    won = sum(other and not one for one, other in zip(*hits, strict=True))
    p = stats.binomtest(lost, lost + won).pvalue
    assert line.startswith("b (paper) − a (paper): +18.6, 95 % ")
    assert f"{won} right by b (paper) alone, {lost} by a (paper), exact McNemar p = {p:.3g}" in line


def test_mmlu_is_told_by_subject_and_clean_items_apart(tmp_path: Path) -> None:
    rows = answers("mmlu", 100, 70, subject="medical_genetics", contaminated=10)
    rows += answers("mmlu", 135, 40, subject="anatomy", contaminated=0)
    write_run(tmp_path / "mine", {"": rows})
    genetics = table_of(tmp_path, "mmlu/medical_genetics")
    assert next(row.value for row in genetics.rows if row.ours) == "70.0"
    clean = sum(one.gold == one.choice for one in rows[10:100])
    assert f"mine: clean {100 * clean / 90:.1f} of 90, contaminated {100 * (70 - clean) / 10:.1f} of 10 questions." in (
        genetics.remarks
    )
    assert [row.value for row in table_of(tmp_path, "mmlu/anatomy").rows] == ["29.6"]
    assert [row.value for row in table_of(tmp_path, "mmlu").rows] == [f"{100 * 110 / 235:.1f}"]


def test_three_forms_hold_the_same_cells(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "a_run & more", {"": answers("medqa", 1273, 640)})
    texts = {}
    for ending in ("md", "html", "tex"):
        path = tmp_path / f"results.{ending}"
        line = write_results(str(tmp_path / "runs"), str(path))
        texts[ending] = path.read_text()
    assert line.startswith(f"8 tables, 1 rows of 1 runs and {len(references())} recorded ones: ")
    lines = texts["md"].splitlines()
    cells = [line for line in lines if line.startswith("| ") and not line.startswith(("| model", "| ---"))]
    assert len(cells) == 1 + len(references())
    assert (
        "| **a_run & more** | **?** | **finetune, paper** | **ours** | **50.3** | **47.5–53.0** |  | **predictions** |"
        in cells
    )
    page = html.fromstring(texts["html"])
    rows = [[cell.text_content() for cell in row.iter("td")] for row in page.iter("tr")]
    rows = [row for row in rows if row]
    assert len(rows) == len(cells)
    assert all(len(row) == len(HEADER) for row in rows)
    plain = {"| " + " | ".join(row) + " |" for row in rows}
    assert {line.replace("**", "") for line in cells} == plain
    assert not page.xpath("//script | //link")
    assert texts["tex"].count(r"\\" + "\n") == len(cells)
    assert r"\textbf{a\_run \& more}" in texts["tex"]
    for row in references():
        assert row.value in texts["tex"]


def test_pictures_are_whole_and_the_same_each_time(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "mine", {"": answers("medqa", 100, 64)}, parameters=2.7e9)
    content = []
    for name in ("one", "two"):
        for ending in ("svg", "png"):
            figure = tmp_path / f"{name}.{ending}"
            write_results(str(tmp_path / "runs"), str(tmp_path / "results.md"), figure=str(figure))
            content.append(figure.read_bytes())
    assert content[:2] == content[2:]
    assert content[1].startswith(b"\x89PNG")
    texts = "".join(str(text) for text in etree.fromstring(content[0]).itertext())
    assert "mine 64.0" in texts
    assert texts.count("BioMedLM 57.38") == 1


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no finished run"):
        find_runs(str(tmp_path))
    with pytest.raises(UsageError, match="no such directory"):
        find_runs(str(tmp_path / "none"))
    folder = write_run(tmp_path / "mine", {"": answers("medqa", 10, 5)})
    for name in ("results.pdf", "results"):
        with pytest.raises(UsageError, match="which form"):
            write_results(str(tmp_path), str(tmp_path / name))
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        write_results(str(tmp_path), str(tmp_path / "results.md"), figure=str(tmp_path / "x.gif"))
    assert not (tmp_path / "results.md").exists()
    path = folder / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CorruptError):
        find_runs(str(tmp_path))


def test_sizes() -> None:
    assert [size_text(size) for size in (2.7e9, 1.25e8, 1.2e11, 0.0, None)] == ["2.7B", "125M", "120B", "0", "?"]
