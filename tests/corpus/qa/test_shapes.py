"""Every published form of the same questions gives equal Questions."""

import gzip
import lzma
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.qa.question import Question
from corpus.qa.recognise import read_file
from corpus.qa.sources import open_file
from tests.support import question_shapes as shapes

WORDS = st.text("abcXYZ019αβ,;\"'()%-?. ", min_size=1, max_size=40).map(str.strip).filter(bool)
PROSE = st.lists(WORDS, min_size=1, max_size=3).map("\n".join)  # with line breaks
SPACED = WORDS.map(lambda text: " ".join(text.split()))
YES_NO = ("no", "yes")
YES_NO_MAYBE = ("maybe", "no", "yes")
SEVERAL = settings(max_examples=40, deadline=None)


def choices(task: str, split: str, *, hidden: bool = False, prose: Any = PROSE) -> Any:
    """Lists of multiple-choice questions of one set."""
    label = st.integers(0, 3) | st.none() if hidden else st.integers(0, 3)
    one = st.tuples(prose, st.tuples(prose, prose, prose, prose), label)

    def build(rows: Sequence[Any]) -> list[Question]:
        return [
            Question(id=f"{split}-{number:05d}", task=task, split=split, text=text, options=options, label=answer)
            for number, (text, options, answer) in enumerate(rows)
        ]

    return st.lists(one, min_size=1, max_size=6).map(build)


def read(path: Path) -> list[Question]:
    """The questions of a file as they are whatever the file: without its name and line."""
    reading = read_file(open_file(str(path)))
    assert not reading.dropped
    return [msgspec.structs.replace(one, file="", line=0) for one in reading.questions]


def without(questions: Sequence[Question], **fields: Any) -> list[Question]:
    return [msgspec.structs.replace(one, **fields) for one in questions]


@SEVERAL
@given(choices("medqa", "test"))
def test_medqa(questions: list[Question]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        rows = [shapes.gbaker_row(one) for one in questions]
        assert read(shapes.json_lines(rows, folder / "phrases_no_exclude_test.jsonl")) == questions
        assert read(shapes.parquet_rows(rows, folder / "test-00000-of-00001.parquet")) == questions
        endings = [shapes.endings_row(one) for one in questions]
        assert read(shapes.json_lines(endings, folder / "test.json")) == questions
        assert read(shapes.mirage({"medqa": questions}, folder / "benchmark.json")) == questions


@SEVERAL
@given(choices("medmcqa", "dev", hidden=True))
def test_medmcqa(questions: list[Question]) -> None:
    # Of each base the file must hold what tells it from the other.
    last = msgspec.structs.replace(questions[0], id="last", label=3)
    first = msgspec.structs.replace(questions[0], id="first", label=0)
    with TemporaryDirectory() as name:
        folder, whole = Path(name), [*questions, first, last]
        old = [shapes.medmcqa_row(one, 1) for one in whole]
        new = [shapes.medmcqa_row(one, 0) for one in whole]
        assert read(shapes.json_lines(old, folder / "dev.json")) == whole
        assert read(shapes.json_lines(new, folder / "validation.jsonl")) == whole
        assert read(shapes.parquet_rows(new, folder / "validation-00000-of-00001.parquet")) == whole
        known = [one for one in whole if one.label is not None]
        assert read(shapes.mirage({"medmcqa": known}, folder / "benchmark.json")) == known


@SEVERAL
@given(choices("mmlu", "test"))
def test_mmlu(questions: list[Question]) -> None:
    named = [
        msgspec.structs.replace(one, id=f"anatomy-test-{number:03d}", subject="anatomy")
        for number, one in enumerate(questions)
    ]
    with TemporaryDirectory() as name:
        folder = Path(name)
        assert read(shapes.mmlu_csv(named, folder / "anatomy_test.csv", header=False)) == named
        assert read(shapes.mmlu_csv(named, folder / "anatomy_test.csv", header=True)) == named
        rows = [shapes.mmlu_choices_row(one) for one in named]
        assert read(shapes.parquet_rows(rows, folder / "test-00000-of-00001.parquet")) == named
        assert read(shapes.mirage({"mmlu": named}, folder / "benchmark.json")) == named


@SEVERAL
@given(st.lists(st.tuples(SPACED, SPACED, SPACED, st.integers(0, 2)), min_size=1, max_size=5))
def test_pubmedqa(rows: list[tuple[str, str, str, int]]) -> None:
    questions = [
        Question(id=str(10 + number), task="pubmedqa", split="test", text=text, context=context, answer=conclusion,
                 options=YES_NO_MAYBE, label=label, pmids=(str(10 + number),))
        for number, (text, context, conclusion, label) in enumerate(rows)
    ]  # fmt: skip
    with TemporaryDirectory() as name:
        folder = Path(name)
        assert read(shapes.pubmedqa_original(questions, folder / "ori_pqal.json")) == questions
        table = [shapes.pubmedqa_row(one) for one in questions]
        assert read(shapes.parquet_rows(table, folder / "train-00000-of-00001.parquet")) == questions
        assert read(shapes.json_lines(table, folder / "pqa_labeled.jsonl")) == questions


@SEVERAL
@given(st.lists(st.tuples(SPACED, SPACED, st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=5))
def test_bioasq(rows: list[tuple[str, str, int, int]]) -> None:
    questions = [
        Question(id=f"5c58a74e86df2b91740000{number:02d}", task="bioasq", split="test", text=text, context=context,
                 options=YES_NO, label=label, pmids=(str(900 + number), "7"))
        for number, (text, context, label, _) in enumerate(rows)
    ]  # fmt: skip
    with TemporaryDirectory() as name:
        folder = Path(name)
        official = shapes.bioasq_official(questions, folder / "7B1_golden.json", [row[3] for row in rows])
        assert read(official) == questions
        assert read(shapes.blurb(questions, folder / "test.tsv")) == without(questions, pmids=())


@SEVERAL
@given(st.lists(st.tuples(WORDS, PROSE.map(str.strip)), min_size=1, max_size=4), st.booleans())
def test_medquad(rows: list[tuple[str, str]], old: bool) -> None:
    questions = [
        Question(id=f"5_NIDDK_QA/{number:07d}/2", task="medquad", split="train", text=text, answer=answer,
                 subject="symptoms")
        for number, (text, answer) in enumerate(rows)
    ]  # fmt: skip
    with TemporaryDirectory() as name:
        folder = Path(name)
        paths = shapes.medquad_xml(questions, folder / "5_NIDDK_QA", old=old)
        assert [one for path in paths for one in read(path)] == questions
        lines = shapes.json_lines([shapes.medquad_row(one) for one in questions], folder / "medquad.jsonl")
        assert read(lines) == questions


@SEVERAL
@given(choices("own", "train", hidden=True))
def test_plain(questions: list[Question]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        rows = [msgspec.to_builtins(one) for one in questions]
        path = shapes.json_lines(rows, folder / "mine.jsonl")
        assert read(path) == questions
        for pack, ending in ((gzip.compress, "gz"), (lzma.compress, "xz")):
            packed = folder / f"mine.jsonl.{ending}"
            packed.write_bytes(pack(path.read_bytes()))
            assert read(packed) == questions
        words = [{**row, "label": one.options[one.label]} for row, one in zip(rows, questions, strict=True)
                 if one.label is not None and one.options.index(one.options[one.label]) == one.label]  # fmt: skip
        if words:
            labels = {one.id: one.label for one in questions}
            assert all(labels[one.id] == one.label for one in read(shapes.json_lines(words, folder / "words.jsonl")))
