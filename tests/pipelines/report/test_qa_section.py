"""The page about question answering: its scores are what DuckDB counts in the predictions, its pictures are there."""

from pathlib import Path

import duckdb
import pytest
from lxml import html
from scipy import stats

from corpus.qa.predictions import Prediction
from corpus.qa.runs import AnsweredRun
from corpus.qa.store import write_questions
from pipelines.report.measure_qa import answered_groups
from pipelines.report.page import write_report
from tests.train.qa.models import planted_choice, write_gpt2
from train.qa.config import finetune_config
from train.qa.stage import finetune


def answer(number: int, gold: int | None, choice: int | None, *, seed: int = 0, subject: str = "a") -> Prediction:
    chances = () if choice is None else tuple(0.7 if place == choice else 0.3 for place in range(2))
    return Prediction(
        id=f"q{number}", task="medqa", split="test", subject=subject, gold=gold, choice=choice, scores=(0.0, 0.0),
        probabilities=chances, seed=seed, format="letters",
    )  # fmt: skip


def run_of(*answers: Prediction) -> AnsweredRun:
    return AnsweredRun(
        name="x", setting="", method="evaluate", format="letters", parameters=None, predictions=tuple(answers)
    )


def test_shares_of_a_hand_counted_example() -> None:
    rows = [answer(0, 0, 0), answer(1, 0, 1), answer(2, 1, 1, subject="b"), answer(3, 0, 0), answer(4, None, 1)]
    (group,) = answered_groups(run_of(*rows), {})
    assert (group.items, group.accuracy, group.options) == (4, 0.75, ("A", "B"))
    assert (group.gold_share, group.chosen_share) == ((0.75, 0.25), (0.5, 0.5))
    assert group.found_share == pytest.approx((2 / 3, 1.0))
    assert group.baselines == {"majority": 0.75, "random": 0.5}
    assert [(one.subject, one.items, one.accuracy) for one in group.subjects] == [("a", 3, 2 / 3), ("b", 1, 1.0)]
    wanted = stats.binomtest(3, 4).proportion_ci(method="wilson")
    assert (group.low, group.high) == pytest.approx((wanted.low, wanted.high))
    assert [one.sure for one in group.bins] == pytest.approx([0.7] * 4)
    assert sum(one.right * one.answers for one in group.bins) == 3


def test_seeds_are_means_and_refusals_are_wrong() -> None:
    rows = [answer(number, 1, choice, seed=seed) for seed, choices in enumerate(((1, 1, 0), (1, None, 1)))
            for number, choice in enumerate(choices)]  # fmt: skip
    (group,) = answered_groups(run_of(*rows), {})
    assert (group.items, group.seeds, group.accuracy, group.deviation) == (3, 2, pytest.approx(2 / 3), 0.0)
    assert group.bins == ()
    assert group.low < group.accuracy <= group.high


def test_the_page_shows_what_the_predictions_say(tmp_path: Path) -> None:
    sizes = {"train": 16, "dev": 8, "test": 12}
    asked = [one for split, size in sizes.items() for one in planted_choice(size, split, seed=1)]
    write_questions(asked, str(tmp_path / "work" / "questions"))
    settings = {
        "task": "planted", "learning_rates": (1e-3, 3e-3), "seeds": 2, "batch_questions": 8, "micro_batch": 8,
        "epochs": 2.0, "max_tokens": 32,
    }  # fmt: skip
    model, work = write_gpt2(tmp_path / "model"), tmp_path / "work"
    finetune(finetune_config(None, settings), model=str(model), questions=str(work / "questions"),
             output=str(work / "tuned"))  # fmt: skip
    assert "2 stages" in write_report(str(work))
    page = (work / "report.html").read_text()
    assert page == (write_report(str(work), str(tmp_path / "again.html")), (tmp_path / "again.html").read_text())[1]
    tree = html.fromstring(page)
    cells = [[cell.text_content() for cell in row.findall("td")] for row in tree.iter("tr")]
    rows = {row[0]: row for row in cells if len(row) == 12}
    assert {*rows} == {f"planted {split}, lr-{rate}, paper" for split in ("dev", "test") for rate in ("0.001", "0.003")}
    for (split, rate), row in (((name.split()[1][:-1], name.split("lr-")[1][:5]), row) for name, row in rows.items()):
        query = f"""select 100 * avg(a), 100 * stddev_samp(a) from (select seed, avg((gold = choice)::int) a from
            read_parquet('{work}/tuned/lr-{rate}-seed-*/predictions.parquet') where split = '{split}' group by seed)"""
        found = duckdb.connect().execute(query).fetchone()
        assert found is not None
        assert row[1:4] == [f"{sizes[split]}", "2", f"{found[0]:.1f} ± {found[1]:.1f}"]
    titles = {text.text_content() for text in tree.iter("text")}
    assert {
        "training loss",
        "accuracy on dev",
        "accuracy, 95 %",
        "calibration: planted test, lr-0.001, paper",
    } <= titles
    assert "options: planted dev, lr-0.003, paper" in titles
    longest = 100 * sum(max(one.options, key=len) == one.options[one.label or 0] for one in asked[-12:]) / 12
    assert rows["planted test, lr-0.001, paper"][6] == f"{longest:.1f}"
