"""`qa answer`: what is written ends and is what was learnt; letters with probabilities; sets with a report; errors."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from corpus.errors import UsageError
from corpus.qa.question import Question
from corpus.qa.store import write_questions
from corpus.storage.parquet import read_table
from pipelines.cli.app import main
from tests.support.small_corpus import write_corpus
from tests.train.qa.models import WORDS, planted_choice, planted_labels, write_gpt2
from train.qa import answering
from train.qa.answer_config import AnswerConfig
from train.qa.answering import WARNING, answer_set, open_model
from train.qa.config import finetune_config
from train.qa.formats import END
from train.qa.long_form import AnswerWriter
from train.qa.stage import finetune
from train.qa.writing import write_answers

SETTINGS: dict[str, Any] = {
    "learning_rates": (3e-3,), "warmup_fraction": 0.1, "batch_questions": 16, "micro_batch": 16, "max_tokens": 42,
}  # fmt: skip


def planted(count: int, split: str) -> list[Question]:
    """Return questions that ask for their second word: the answer is that word and one that belongs to it."""
    found = []
    for number in range(count):
        place = (3 * number + (split == "test")) % 8
        text = f"{WORDS[number % 9]} {WORDS[10 + place]} w30"
        answer = f"{WORDS[10 + place]} {WORDS[20 + place]} w31"
        found.append(Question(id=f"{split}-{number}", task="words", split=split, text=text, answer=answer))
    return found


def tune(model: Path, questions: Path, output: Path, **changes: Any) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        config = finetune_config(None, {**SETTINGS, **changes})
        finetune(config, model=str(model), questions=str(questions), output=str(output))
    finally:
        torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with questions of three kinds and a model fine-tuned on each."""
    folder = tmp_path_factory.mktemp("answer")
    rows = [*planted(96, "train"), *planted(16, "dev"), *planted(24, "test")]
    rows += [one for split in ("train", "dev", "test") for one in planted_choice(16, split, seed=1)]
    rows += [one for split in ("train", "dev", "test") for one in planted_labels(16, split, seed=1)]
    write_questions(rows, str(folder / "questions"))
    model = write_gpt2(folder / "gpt2", hidden=64)
    tune(model, folder / "questions", folder / "words", task="words", epochs=25.0)
    tune(model, folder / "questions", folder / "choice", task="planted", epochs=1.0)
    tune(model, folder / "questions", folder / "labels", task="planted-labels", epochs=1.0, seeds=2)
    return folder


def test_what_was_learnt_is_written_and_ends(work: Path) -> None:
    tuned = open_model(str(work / "words"))
    assert isinstance(tuned.model, AnswerWriter)
    asked = planted(24, "test")
    for config in (AnswerConfig(max_tokens=12), AnswerConfig(max_tokens=12, beams=1)):
        found = write_answers(tuned.model, tuned.card, asked, config)
        right = sum(one.answer == question.answer for one, question in zip(found, asked, strict=True))
        assert right >= 23, "of 24"
        assert all(one.ended and one.tokens == 4 for one in found if one.answer in {own.answer for own in asked})


def test_beams_are_those_of_a_search_by_hand(work: Path) -> None:
    """With one beam and nothing forbidden, each token is the likeliest behind those before it, until the end."""
    tuned = open_model(str(work / "words"))
    model: Any = tuned.model.backbone.model
    encode = tuned.model.backbone.text.encode
    one = planted(3, "test")[2]
    row = [*encode(one.text), tuned.card.special_ids["<|startoftext|>"]]
    start = len(row)
    with torch.no_grad():
        while len(row) < start + 9 and row[-1] != tuned.card.special_ids[END]:
            row.append(int(model(input_ids=torch.tensor([row], device=tuned.device)).logits[0, -1].argmax()))
    assert isinstance(tuned.model, AnswerWriter)
    config = AnswerConfig(max_tokens=9, beams=1, no_repeat_ngram=0)
    (found,) = write_answers(tuned.model, tuned.card, [one], config)
    assert (found.tokens, found.ended) == (len(row) - start, row[-1] == tuned.card.special_ids[END])
    assert encode(found.answer) == row[start : len(row) - found.ended]


def test_batches_lengths_and_seeds(work: Path) -> None:
    tuned = open_model(str(work / "words"))
    assert isinstance(tuned.model, AnswerWriter)
    asked = [*planted(5, "test"), Question(id="long", task="words", split="test", text="w1 w2 w3 w4 w12 w30")]
    alone = write_answers(tuned.model, tuned.card, asked, AnswerConfig(max_tokens=6))
    together = write_answers(tuned.model, tuned.card, asked, AnswerConfig(max_tokens=6, batch=6))
    assert [one.answer for one in alone] == [one.answer for one in together], "padding on the left changes nothing"
    (short,) = write_answers(tuned.model, tuned.card, asked[:1], AnswerConfig(max_tokens=2))
    assert (short.ended, short.tokens) == (False, 2)
    hot = {"top_p": 1.0, "temperature": 30.0, "max_tokens": 8, "no_repeat_ngram": 0}
    drawn = [write_answers(tuned.model, tuned.card, asked, AnswerConfig(**hot, seed=seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert write_answers(tuned.model, tuned.card, asked[3:4], AnswerConfig(**hot))[0] == drawn[0][3]
    with pytest.raises(UsageError, match=r"leave room for 92 of the model's 96; ask for --max-tokens 92 or less"):
        write_answers(tuned.model, tuned.card, asked[:1], AnswerConfig())
    write_answers(tuned.model, tuned.card, asked[:1], AnswerConfig(max_tokens=92))  # the advice, followed


def test_a_set_is_answered_with_a_report_and_goes_on_after_a_kill(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "CHUNK", 8)
    config = AnswerConfig(max_tokens=12)
    model, questions = str(work / "words"), str(work / "questions")
    manifest = answer_set(config, model=model, questions=questions, output=str(tmp_path / "whole"))
    report = json.loads((tmp_path / "whole" / "report.json").read_text())
    assert report["warning"] == WARNING
    assert (report["answers"], report["split"], report["numbers_not_given"]) == (24, "test", 0)
    assert report["rouge_l"] > 0.95
    assert report["ended"] > 0.95
    assert report["copied_whole"] > 0.95, "answers of test stand in train: that is what was planted"
    rows = read_table(str(tmp_path / "whole" / "answers.parquet")).to_pylist()
    assert [row["id"] for row in rows] == [one.id for one in planted(24, "test")]
    real, calls = answering.write_answers, list[int]()

    def struck(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(answering, "write_answers", struck)
    with pytest.raises(KeyboardInterrupt):
        answer_set(config, model=model, questions=questions, output=str(tmp_path / "cut"))
    again = answer_set(config, model=model, questions=questions, output=str(tmp_path / "cut"))
    assert (len(calls), again) == (4, manifest)
    names = ("answers.parquet", "report.json", "manifest.json")
    digests = [
        [hashlib.sha256((tmp_path / folder / name).read_bytes()).hexdigest() for name in names]
        for folder in ("whole", "cut")
    ]
    assert digests[0] == digests[1]
    assert answer_set(config, model=model, questions=questions, output=str(tmp_path / "cut")) == manifest


def test_passages_of_a_corpus_are_kept_and_their_numbers_count(work: Path, tmp_path: Path) -> None:
    texts = [f"{WORDS[10 + place]} was seen in {place} of 40." for place in range(8)]
    write_corpus(tmp_path / "corpus", [("train", [("pubmed", text) for text in texts])])
    config = AnswerConfig(max_tokens=12, evidence=str(tmp_path / "corpus"), documents=1, limit=4)
    words = {"model": str(work / "words"), "questions": str(work / "questions")}
    manifest = answer_set(config, **words, output=str(tmp_path / "out"))
    assert (manifest.summary["numbers_found"], manifest.summary["numbers_not_given"]) == (0, 0), "the model writes none"
    rows = read_table(str(tmp_path / "out" / "evidence.parquet")).to_pylist()
    asked = planted(24, "test")[:4]
    assert [row["id"] for row in rows] == [one.id for one in asked]
    assert [row["text"].split()[0] for row in rows] == [one.text.split()[1] for one in asked]
    assert answer_set(config, **words, output=str(tmp_path / "out")) == manifest
    with pytest.raises(UsageError, match="other"):
        answer_set(AnswerConfig(max_tokens=12, limit=4), **words, output=str(tmp_path / "out"))


def test_the_command_line(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, choice, labels = (str(work / name) for name in ("words", "choice", "labels"))
    one = planted(1, "test")[0]
    assert main(["qa", "answer", words, "--question", one.text, "--max-tokens", "12"]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{one.answer}\n"
    assert WARNING in shown.err
    options = [word for option in ("w1", "w2", "w3") for word in ("--option", option)]
    assert main(["qa", "answer", choice, "--question", "w30 w2 w31", *options]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert sorted((letter, option) for letter, _, option in lines) == [("A", "w1"), ("B", "w2"), ("C", "w3")]
    shares = [float(share) for _, share, _ in lines]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=0.002)
    (tmp_path / "q.jsonl").write_text(
        json.dumps({"id": "x", "question": "w30 w31", "context": "w12 w3"}) + "\n" + json.dumps({"question": "w30"})
    )
    assert main(["qa", "answer", labels, "--question-file", str(tmp_path / "q.jsonl"), "--run", "seed-1"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("x: w30 w31\n")
    assert {word for word in shown.split() if word in ("yes", "no", "maybe")} == {"yes", "no"}
    questions = ["--questions", str(work / "questions")]
    assert main(["qa", "answer", words, *questions, "--max-tokens", "12", "--output", str(tmp_path / "a")]) == 0
    shown = capsys.readouterr()
    assert "24 answers: " in shown.out
    assert WARNING in shown.err
    assert main(["verify", str(tmp_path / "a")]) == 0


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("words", [], "ask by --question TEXT or by --question-file FILE"),
        ("words", ["--question", "a", "--questions", "q", "--output", "o"], "and no other question"),
        ("words", ["--question", "a", "--question", "b", "--option", "c"], "--option belongs to one question"),
        ("words", ["--question", "w1", "--run", "seed-9"], "has no run 'seed-9'; there are seed-0"),
        ("words", ["--question", "w1", "--temperature", "2"], "temperature is for what is drawn; give top_p too"),
        ("choice", ["--question", "w1"], "chooses between options, and question 1 has none; give --option TEXT"),
        ("choice", ["--questions", "questions", "--output", "o"], "chooses and writes nothing; score it with"),
        ("gpt2", ["--question", "w1"], "not a result of `corpuscle qa finetune`; fine-tune the model first"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    work: Path, capsys: pytest.CaptureFixture[str], name: str, words: list[str], said: str
) -> None:
    assert main(["qa", "answer", str(work / name), *words]) == 2
    assert said in capsys.readouterr().err
