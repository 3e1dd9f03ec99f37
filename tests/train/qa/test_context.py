"""Evidence for questions: BM25 as its formula says, word by word, and planted passages found and read by the model."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.qa.predictions import read_predictions
from corpus.qa.question import Question
from corpus.qa.store import write_questions
from corpus.stage.manifest import read_manifest
from corpus.storage import parquet
from tests.support.faulty_server import faulty_server
from tests.support.small_corpus import sentences, write_corpus
from train.qa.config import EvaluateConfig
from train.qa.context import find_evidence, passages_of, words_of
from train.qa.evaluation import evaluate

word = st.sampled_from([f"w{number}" for number in range(12)])
documents = st.lists(st.lists(word, min_size=1, max_size=12).map(" ".join), min_size=1, max_size=14)


def by_formula(question: str, texts: list[str]) -> dict[int, float]:
    """Return the score of each text that shares a word with a question, by the formula, one by one."""
    split = [text.split() for text in texts]
    mean = sum(map(len, split)) / len(split)
    found = {}
    for number, words in enumerate(split):
        total, held = 0.0, Counter(words)
        for one in question.split():
            holders = sum(one in other for other in split)
            idf = math.log(1 + (len(split) - holders + 0.5) / (holders + 0.5))
            total += idf * held[one] / (held[one] + 1.5 * (1 - 0.75 + 0.75 * len(words) / mean))
        if total:
            found[number] = total
    return found


@settings(max_examples=40, deadline=None)
@given(texts=documents, asked=st.lists(word, min_size=1, max_size=6).map(" ".join), most=st.integers(1, 5))
def test_scores_are_those_of_the_formula(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], asked: str, most: int
) -> None:
    base = tmp_path_factory.mktemp("corpus")
    half = len(texts) // 2
    shards = [("train", [("pubmed", text) for text in part]) for part in (texts[:half], texts[half:]) if part]
    write_corpus(base, shards)
    question = Question(id="1", task="t", split="test", text=asked)
    found = find_evidence([question], str(base), read_manifest(str(base)), documents=most)
    expected = by_formula(asked, texts)
    order = sorted(expected, key=lambda number: (-round(expected[number], 9), f"pmid:{number + 1}"))[:most]
    assert [one.score for one in found] == pytest.approx([expected[number] for number in order])
    assert all(texts[int(one.doc_id.removeprefix("pmid:")) - 1] == one.text for one in found)
    assert [one.rank for one in found] == [*range(1, len(order) + 1)]


def test_words_and_passages() -> None:
    assert words_of("IL-6 and TNF-α: β-actin, 37 °C") == ["il-6", "and", "tnf-α", "β-actin", "37", "c"]
    sizes = {"a": 90, "b": 90, "c": 90, "d": 500}
    long = [" ".join(f"{letter}{number}" for number in range(size)) for letter, size in sizes.items()]
    found = [*passages_of("\n\n".join(long))]
    assert [len(one.split()) for one in found] == [180, 90, 200, 200, 100]
    assert " ".join(found).split() == " ".join(long).split()
    assert [*passages_of(" \n\n")] == []


def test_planted_evidence_is_found_read_and_kept(tmp_path: Path) -> None:
    """Each answer stands in one document of 120; a server that reads nothing but its prompt has all of them right."""
    names = [f"zq{number}x" for number in range(6)]
    facts = [
        f"The colour of {name} is {'red' if place % 2 else 'blue'} in all who were seen."
        for place, name in enumerate(names)
    ]
    texts = [*sentences(1, 60), *facts, *sentences(2, 54)]
    write_corpus(tmp_path / "corpus", [("train", [("pubmed", text) for text in texts])])
    questions = [
        Question(id=str(place), task="t", split="test", text=f"What is the colour of {name}?", context="old",
                 options=("blue", f"red{'' if place % 2 else 'dish'}"), label=place % 2)
        for place, name in enumerate(names)
    ]  # fmt: skip
    write_questions(questions, str(tmp_path / "questions"))

    def reads(path: str, body: dict[str, Any]) -> dict[str, Any]:
        said = body["messages"][-1]["content"]
        name = said.split("colour of ")[-1].split("?")[0]
        assert "old" not in said.split("Question:")[0]
        return {"choices": [{"message": {"content": "B" if f"{name} is red" in said else "A"}}]}

    with faulty_server(reads) as server:
        config = EvaluateConfig(
            task="t", method="chat", name="m", context=str(tmp_path / "corpus"), documents=3, requests=1
        )
        words = {"model": server.base, "questions": str(tmp_path / "questions"), "output": str(tmp_path / "out")}
        evaluate(config, **words)
        count = len(server.asked)
        evaluate(config, **words)
        assert len(server.asked) == count == 6
    rows = read_predictions(words["output"])
    assert [row.choice for row in rows] == [row.gold for row in rows]
    evidence = parquet.read_table(str(tmp_path / "out" / "evidence.parquet")).to_pylist()
    first = {row["id"]: row for row in evidence if row["rank"] == 1}
    assert {key: row["doc_id"] for key, row in first.items()} == {str(n): f"pmid:{61 + n}" for n in range(6)}
    assert [first[str(n)]["text"] for n in range(6)] == facts
