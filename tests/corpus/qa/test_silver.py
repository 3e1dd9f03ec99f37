"""`qa silver`: books that balance, splits that share nothing, fair options, no test paper, same bytes after a kill."""

import hashlib
import json
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.errors import DataError, UsageError
from corpus.qa.question import Question
from corpus.qa.silver import stage
from corpus.qa.silver.candidate import Candidate, SilverDrop, journal_key, order_of
from corpus.qa.silver.config import SilverConfig
from corpus.qa.silver.questions import ALIKE, make_questions_of
from corpus.qa.silver.sample import sample
from corpus.qa.silver.stage import make_silver
from corpus.qa.stage import make_questions
from corpus.qa.store import read_questions, write_questions
from corpus.records import Record
from corpus.stage.manifest import read_manifest, verify_parts
from pipelines.cli import app
from tests.support.silver_corpus import FILLER, paper, write_silver_corpus

WORDS = [a + b for a in ("lum", "ter", "gon", "phy", "mel", "rad", "cor", "vex") for b in ("a", "or", "in", "us", "et")]


def title_of(rng: Random) -> str:
    return f"{' '.join(rng.sample(WORDS, 7)).capitalize()}."


def papers(count: int, *, first: int = 1, journals: int = 12) -> list[Record]:
    """Return papers of several journals: every third title asks, every third states."""
    rng = Random(first)
    found = []
    for number in range(first, first + count):
        title = title_of(rng)
        if number % 3 == 0:
            title = f"Is {title.lower().rstrip('.')} of use? A trial"
        elif number % 3 == 1:
            title = f"{title.rstrip('.')} is {'not ' if number % 2 else ''}{' '.join(rng.sample(WORDS, 4))}"
        found.append(paper(number, title, journal=f"Journal {number % journals}", conclusion=f"It is so, {number}."))
    return found


def digest(folder: Path) -> dict[str, str]:
    of_the_run = ("run.json", ".lock", "events.jsonl")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in of_the_run]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_questions_of_a_corpus(tmp_path: Path) -> None:
    corpus, records = write_silver_corpus(tmp_path, [papers(100), papers(80, first=200)], dropped=frozenset({"pmid:3"}))
    manifest = make_silver(SilverConfig(), corpus=corpus, records=records, output=str(tmp_path / "q"))
    assert manifest.books.read == 3 * 179
    counts = manifest.summary["silver"]
    assert all(sum(own.values()) == 179 for own in counts.values())
    questions = read_questions(str(tmp_path / "q"))
    assert Counter(one.task for one in questions) == {task: own["made"] for task, own in counts.items()}
    assert "pmid:3" not in {one.id for one in questions}
    assert counts["silver-conclusion"]["made"] == 59
    assert counts["silver-statement"] == {"made": 60, "no_statement": 119}
    stated = {one.id: one.options[one.label or 0] for one in questions if one.task == "silver-statement"}
    assert all((word == "no") == bool(int(own.removeprefix("pmid:")) % 2) for own, word in stated.items())
    assert not list(verify_parts(str(tmp_path / "q"), manifest))
    assert make_silver(SilverConfig(), corpus=corpus, records=records, output=str(tmp_path / "q")) == manifest


def test_papers_of_test_sets_give_no_question(tmp_path: Path) -> None:
    rows = papers(60)
    secret = "the quick violet heron gave nine of its rings to a slow heron of the north"
    rows[10] = paper(11, rows[10].title, journal="Journal 11", conclusion="It is so.", context=f"{FILLER} {secret}")
    corpus, records = write_silver_corpus(tmp_path, [rows])
    own = Question(id="a", task="own", split="test", text="Is it so?", pmids=("20",), file="own.jsonl", line=1)
    write_questions([own], str(tmp_path / "test"))
    (tmp_path / "other.jsonl").write_text(json.dumps({"question": secret}) + "\n")
    config = SilverConfig(evaluation=(str(tmp_path / "test"), str(tmp_path / "other.jsonl")))
    manifest = make_silver(config, corpus=corpus, records=records, output=str(tmp_path / "q"))
    for counts in manifest.summary["silver"].values():
        assert (counts["contaminated_by_id"], counts["contaminated_by_text"]) == (1, 1)
    said = {text for one in read_questions(str(tmp_path / "q")) for text in (one.text, one.context, *one.options)}
    assert not {"pmid:11", "pmid:20"} & {one.id for one in read_questions(str(tmp_path / "q"))}
    assert not any(secret in text or rows[10].title.rstrip(".") in text for text in said), "nor as another's option"


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [papers(40, first=1 + 100 * number) for number in range(4)]
    corpus, records = write_silver_corpus(tmp_path, parts)
    config = SilverConfig(limit=30, per_journal=4)
    make_silver(config, corpus=corpus, records=records, output=str(tmp_path / "whole"))
    real, calls = stage.read_papers, list[str]()

    def struck(path: str, *more: str, **named: tuple[str, str]) -> object:
        calls.append(path)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(path, *more, **named)

    monkeypatch.setattr(stage, "read_papers", struck)
    with pytest.raises(KeyboardInterrupt):
        make_silver(config, corpus=corpus, records=records, output=str(tmp_path / "cut"))
    assert not (tmp_path / "cut" / "manifest.json").exists()
    make_silver(config, corpus=corpus, records=records, output=str(tmp_path / "cut"))
    assert len(calls) == 5, "two parts were done before"
    assert digest(tmp_path / "cut") == digest(tmp_path / "whole")
    one = read_manifest(str(tmp_path / "cut"))
    assert one.summary["silver"]["silver-conclusion"]["made"] <= 30


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    corpus, _ = write_silver_corpus(tmp_path / "a", [papers(20)])
    other, records = write_silver_corpus(tmp_path / "b", [papers(21)])
    with pytest.raises(UsageError, match=r"was not assembled from .* give the --records that it was made from"):
        make_silver(SilverConfig(), corpus=corpus, records=records, output=str(tmp_path / "q"))
    make_silver(SilverConfig(), corpus=other, records=records, output=str(tmp_path / "q"))  # the advice, followed
    bare, records = write_silver_corpus(tmp_path / "c", [[paper(1, "Nothing")]])
    with pytest.raises(DataError, match=r"none of 1 papers gives a question: conclusion: no_question 1; .*give a larg"):
        make_silver(SilverConfig(), corpus=bare, records=records, output=str(tmp_path / "none"))
    assert not (tmp_path / "none" / "manifest.json").exists()


def test_the_command_line_and_questions_of_both_kinds_in_one_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, records = write_silver_corpus(tmp_path, [papers(90)])
    output = str(tmp_path / "q")
    argv = ("qa", "silver", corpus, "--records", records, "--output", output)
    assert app.main(argv) == 0
    shown = capsys.readouterr()
    assert "no --evaluation was given" in shown.err
    assert "silver-conclusion: 30 of 90 papers; no_question 60" in shown.out
    assert app.main(argv) == 0
    assert "up to date" in capsys.readouterr().err
    own = tmp_path / "own.jsonl"
    own.write_text(json.dumps({"task": "own", "split": "test", "text": "Is it?", "options": ["no", "yes"], "label": 1}))
    manifest = make_questions([f"{output}/questions.parquet", str(own)], str(tmp_path / "both"))
    kept = read_questions(output)
    assert manifest.books.kept == len(kept) + 1
    both = {(one.task, one.id): one for one in read_questions(str(tmp_path / "both"))}
    for one in kept:
        read = both[one.task, one.id]
        assert (read.text, read.options, read.label, read.answer) == (one.text, one.options, one.label, one.answer)


CANDIDATES = st.lists(
    st.tuples(st.integers(1, 400), st.integers(0, 6), st.integers(0, 3), st.integers(0, 30)), max_size=80,
    unique_by=lambda row: row[0],
).map(lambda rows: [made(*row) for row in rows])  # fmt: skip


def made(number: int, journal: int, twin: int, title: int) -> Candidate:
    doc_id = f"pmid:{number}"
    cluster = f"pmid:{number - twin}" if twin == 1 else doc_id
    return Candidate(
        kind=("title", "title", "conclusion")[number % 3], doc_id=doc_id, cluster=cluster, journal=f"J. {journal}",
        order=order_of(0, doc_id), text=f"abstract {number}", answer=title_of(Random(title)),
    )  # fmt: skip


@settings(deadline=None)
@given(CANDIDATES, st.sampled_from(["journal", "document"]))
def test_splits_and_options_are_fair_and_nothing_is_lost(candidates: list[Candidate], split: str) -> None:
    by_id = {one.doc_id: one for one in candidates}
    questions, dropped = make_questions_of(candidates, SilverConfig(split=split))
    assert len(questions) + sum(dropped.values()) == len(candidates)
    assert {reason for _, reason in dropped} <= {SilverDrop.FEW_TITLES, SilverDrop.PAPER_IN_TWO_SPLITS}
    held = defaultdict(set)
    for one in questions:
        source = by_id[one.id]
        held[source.cluster].add(one.split)
        if split == "journal":
            held[journal_key(source.journal)].add(one.split)
        if one.task == "silver-title":
            assert one.options[one.label or 0] == source.answer
            words = [set(option.casefold().split()) for option in one.options]
            pairs = [(a, b) for place, a in enumerate(words) for b in words[:place]]
            assert len(words) == 4
            assert all(len(a & b) < ALIKE * len(a | b) for a, b in pairs)
            of_journal = {other.answer for other in candidates if other.journal == source.journal}
            assert set(one.options) <= of_journal
    assert all(len(splits) == 1 for splits in held.values())


@settings(deadline=None)
@given(CANDIDATES, st.integers(0, 80), st.integers(1, 20), st.integers(4, 6))
def test_a_sample_of_samples_is_the_sample_of_all(rows: list[Candidate], cut: int, limit: int, journal: int) -> None:
    config = SilverConfig(limit=limit, per_journal=journal)
    whole = sample(rows, config)
    assert sample([*sample(rows[:cut], config), *sample(rows[cut:], config)], config) == whole
    assert sample(rows[::-1], config) == whole


def test_the_right_title_stands_anywhere_and_is_wrong_as_often() -> None:
    rows = [made(3 * number, number % 5, 0, number) for number in range(1, 601)]
    questions, dropped = make_questions_of(rows, SilverConfig(per_journal=1000))
    assert (len(questions), dict(dropped)) == (600, {})
    places = Counter(one.label for one in questions)
    assert all(110 <= places[place] <= 190 for place in range(4)), "150 expected, sd 10.6"
    shown = Counter(option for one in questions for option in one.options)
    assert max(shown.values()) <= 8, "each title is right once and wrong about three times"
