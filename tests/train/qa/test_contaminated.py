"""Contamination in `qa evaluate`: source abstracts planted in a corpus are found, and the scores are those by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from corpus.assemble.config import AssembleConfig
from corpus.errors import UsageError
from corpus.extract.config import ExtractConfig
from corpus.qa.contaminated_scores import contamination_facts, contamination_lines
from corpus.qa.predictions import Prediction, read_predictions
from corpus.qa.store import write_questions
from corpus.stage.manifest import read_manifest
from corpus.synthetic.sample.model import Citation, SamplePart
from corpus.synthetic.sample.pubmed import pubmed_xml
from pipelines.assemble.pipeline import assemble
from pipelines.cli.app import main
from pipelines.extract import extract
from tests.support.faulty_server import faulty_server
from tests.support.qa_data import QA_DATA, needs_qa_data
from tests.train.qa.models import planted_choice
from train.qa.chat import chat_turns

LABELS = ("maybe", "no", "yes")


def test_scores_of_several_seeds_by_hand() -> None:
    def row(number: int, seed: int, right: bool) -> Prediction:
        return Prediction(
            id=str(number), task="t", split="test", gold=0, choice=0 if right else 1, seed=seed, contaminated=number < 4
        )

    # Of 4 contaminated items one seed has 4 right, the other 3; of 10 clean ones 5 and 4.
    rows = [row(number, 0, number < 4 or number < 9) for number in range(14)]
    rows += [row(number, 1, number < 3 or 4 <= number < 8) for number in range(14)]
    facts = contamination_facts(rows)
    assert (facts["items"], facts["contaminated_items"]) == (14, 4)
    assert facts["contaminated"] == pytest.approx(7 / 8)
    assert facts["clean"] == facts["adjusted"] == pytest.approx(9 / 20)
    assert facts["all"] == pytest.approx(16 / 28)
    assert facts["difference"] == pytest.approx(7 / 8 - 9 / 20)
    assert facts["low"] < facts["difference"] < facts["high"]
    none = contamination_facts([row(number, 0, True) for number in range(4)])
    assert none["clean"] is none["difference"] is none["adjusted"] is None
    assert [*contamination_lines("t", none)] == [
        "of 4 items the corpus holds 4: none is clean, so nothing says what it would score on questions that it has "
        "not read"
    ]


def corpus_of(citations: list[Citation], folder: Path, evaluation: str) -> str:
    """Return a corpus assembled of PubMed citations, looked through for evaluation items."""
    folder.mkdir()
    (folder / "pubmed26n0001.xml").write_bytes(pubmed_xml(citations))
    extract(ExtractConfig(pubmed=(str(folder / "pubmed26n0001.xml"),)), output=str(folder / "records"))
    config = AssembleConfig(evaluation=(evaluation,))
    assemble(config, records=str(folder / "records"), output=str(folder / "clean"))
    return str(folder / "clean")


def planted(items: list[dict[str, Any]]) -> list[Citation]:
    """Return ten papers under their own PMID with another text, ten with their text under another, and strangers."""
    strange = "Number {0} says that {1} of {2} patients were other ones, and that {3} came back for a visit later on."
    texts = [" ".join(strange.format(n, n * 7 + k, n * 31 + k, n + k) for k in range(5)) for n in range(1, 41)]
    found = [Citation(pmid=int(one["id"]), title=f"Paper {place}", abstract=(SamplePart(text=texts[place]),))
             for place, one in enumerate(items[:10])]  # fmt: skip
    found += [Citation(pmid=99_000_000 + place, title=f"Copy {place}", abstract=(SamplePart(text=one["context"]),))
              for place, one in enumerate(items[10:20])]  # fmt: skip
    found += [Citation(pmid=98_000_000 + place, title=f"Other {place}", abstract=(SamplePart(text=texts[20 + place]),))
              for place in range(15)]  # fmt: skip
    return found


@pytest.mark.slow
@needs_qa_data
def test_planted_source_papers_of_pubmedqa_are_found_and_the_score_adjusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server has 18 of 20 contaminated items right and 15 of 30 others; the corpus is looked up afterwards."""
    from corpus.qa.store import read_questions

    files = [str(QA_DATA / name) for name in ("pubmedqa_cv500.json", "pubmedqa_official_split_ids.json")]
    questions, output = str(tmp_path / "questions"), str(tmp_path / "out")
    assert main(["qa", "questions", *files, "--output", questions, "--partial"]) == 0
    asked = read_questions(questions, task="pubmedqa", split="dev")
    turns = [chat_turns(one, labels=True)[0] for one in asked]
    right = {*range(18), *range(20, 35)}

    def answer(path: str, body: dict[str, Any]) -> dict[str, Any]:
        place = turns.index(body["messages"][-1])
        label = asked[place].label
        assert label is not None
        return {"choices": [{"message": {"content": LABELS[label if place in right else (label + 1) % 3]}}]}

    items = [{"id": one.id, "context": one.context} for one in asked[:20]]
    corpus = corpus_of(planted(items), tmp_path / "corpus", f"{questions}/evaluation.jsonl")
    words = ["--questions", questions, "--task", "pubmedqa", "--split", "dev", "--method", "chat", "--model", "m"]
    with faulty_server(answer) as server:
        given = ["qa", "evaluate", server.base, *words, "--output", output]
        assert main(given) == 0
        assert "made from PubMed: a model trained on PubMed has read the papers" in capsys.readouterr().out
        count = len(server.asked)
        assert count == len(asked) == 50
        assert main([*given, "--contamination", corpus]) == 0
        assert len(server.asked) == count  # nothing is asked again
        shown = capsys.readouterr().out
    assert "of 50 items the corpus holds 20: clean 50.0, contaminated 90.0, difference +40.0 (95 % " in shown
    assert "; all 66.0, or 50.0 had the contaminated been as wrong as the clean" in shown
    assert "by construction" in shown
    rows = read_predictions(output)
    assert {row.id for row in rows if row.contaminated} == {one.id for one in asked[:20]}
    assert all(row.contaminated is not None for row in rows)
    facts = read_manifest(output).summary["contamination"]["pubmedqa"]["chat"]
    assert (facts["all"], facts["clean"], facts["contaminated"]) == pytest.approx((33 / 50, 15 / 30, 18 / 20))
    assert main(["qa", "evaluate", server.base, *words, "--limit", "3", "--output", output]) == 2


@pytest.mark.slow
def test_a_corpus_in_which_nobody_looked_is_refused_before_any_question(tmp_path: Path) -> None:
    for name, seed in (("questions", 1), ("others", 2)):
        write_questions(planted_choice(4, "test", seed=seed), str(tmp_path / name))
    (tmp_path / "other.jsonl").write_text(json.dumps({"id": "1", "question": "What is it that nobody knows?"}) + "\n")
    corpus = corpus_of(planted([])[:5], tmp_path / "corpus", str(tmp_path / "other.jsonl"))
    from train.qa.config import EvaluateConfig
    from train.qa.evaluation import evaluate

    with faulty_server(lambda path, body: {}) as server:
        config = EvaluateConfig(task="planted", method="chat", name="m", contamination=corpus)
        with pytest.raises(UsageError, match=r"were not looked for in it; assemble it with --evaluation"):
            evaluate(config, model=server.base, questions=str(tmp_path / "questions"), output=str(tmp_path / "out"))
        assert not server.asked
