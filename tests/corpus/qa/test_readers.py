"""What readers refuse, drop and hide, with the place and the reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from corpus.errors import UsageError
from corpus.qa.reading import QuestionReading, split_of
from corpus.qa.recognise import read_file
from corpus.qa.sources import QuestionDrop, find_files, open_file
from tests.support import question_shapes as shapes

MEDQA = {"question": "Which?", "answer": "b", "options": {"A": "a", "B": "b", "C": "c", "D": "d"}, "answer_idx": "B"}
MEDMCQA = {"id": "x", "question": "Which?", "opa": "a", "opb": "b", "opc": "c", "opd": "d", "cop": 1}


def read(path: Path) -> QuestionReading:
    return read_file(open_file(str(path)))


def medmcqa(path: Path, *cops: Any) -> QuestionReading:
    return read(shapes.json_lines([{**MEDMCQA, "id": str(cop), "cop": cop} for cop in cops], path / "train.json"))


def test_the_base_of_cop_is_decided_over_the_whole_file(tmp_path: Path) -> None:
    assert [one.label for one in medmcqa(tmp_path, 1, 4, 2, 3).questions] == [0, 3, 1, 2]
    assert [one.label for one in medmcqa(tmp_path, 1, 0, 2, 3).questions] == [1, 0, 2, 3]
    assert [one.label for one in medmcqa(tmp_path, -1, None).questions] == [None, None]
    assert [one.label for one in medmcqa(tmp_path, 4, -1, None, 1).questions] == [3, None, None, 0]
    for cops, said in (((1, 2, 3), "neither 0 nor 4 occurs"), ((0, 4), "0 and 4 both occur")):
        with pytest.raises(UsageError, match=said):
            medmcqa(tmp_path, *cops)


def test_a_cop_out_of_range_is_dropped_and_not_hidden(tmp_path: Path) -> None:
    found = medmcqa(tmp_path, 4, 5, "x", 1)
    assert [one.label for one in found.questions] == [3, 0]
    reasons = [row.reason for row in found.dropped]
    assert reasons == [QuestionDrop.ANSWER_IN_NO_OPTION, QuestionDrop.BAD_FIELD]


def test_each_row_is_kept_or_dropped_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "dev.jsonl"
    rows = [
        MEDQA,
        {**MEDQA, "answer_idx": "E"},
        {**MEDQA, "answer": "c"},
        {**MEDQA, "question": " "},
        {**MEDQA, "options": {"A": "a", "B": ""}, "answer_idx": "A", "answer": "a"},
        {**MEDQA, "options": {"A": "a", "C": "b"}},
        {**MEDQA, "question": 5},
    ]
    lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join([lines[0], "{not json", "[1]", "", *lines[1:], lines[0]]))
    found = read(path)
    assert [(row.line, str(row.reason)) for row in found.dropped] == [
        (2, "bad_json"),
        (3, "bad_json"),
        (5, "answer_in_no_option"),
        (6, "answer_differs"),
        (7, "no_question"),
        (8, "no_options"),
        (9, "no_options"),
        (10, "bad_field"),
    ]
    assert [(one.id, one.line) for one in found.questions] == [("dev-00000", 1), ("dev-00007", 11)]


def test_five_options_are_another_task(tmp_path: Path) -> None:
    five = {**MEDQA, "options": {**MEDQA["options"], "E": "e"}}  # type: ignore[dict-item]
    assert read(shapes.json_lines([five], tmp_path / "test.jsonl")).questions[0].task == "medqa-5"


def test_quoted_line_breaks_and_headers_of_mmlu(tmp_path: Path) -> None:
    path = tmp_path / "anatomy_val.csv"
    path.write_text('"one\ntwo, ""three""",a,b,c,d,C\nfour,a,b,c,d,A\nfive,a,b\n')
    found = read(path)
    assert [(one.text, one.label, one.split, one.line) for one in found.questions] == [
        ('one\ntwo, "three"', 2, "val", 1),
        ("four", 0, "val", 3),
    ]
    assert [(row.line, row.reason) for row in found.dropped] == [(4, QuestionDrop.WRONG_COLUMNS)]
    other = tmp_path / "questions.csv"
    other.write_text("q,a,b,c,d,A\n")
    with pytest.raises(UsageError, match="which subject"):
        read(other)


def test_bioasq_of_other_types_and_labels(tmp_path: Path) -> None:
    items = [
        {"id": "1", "type": "yesno", "body": "Is it?", "snippets": [], "exact_answer": "Yes."},
        {"id": "2", "type": "factoid", "body": "Which?", "exact_answer": [["a"]]},
        {"id": "3", "type": "yesno", "body": "Is it?", "exact_answer": "perhaps"},
        {"id": "4", "type": "yesno", "body": "Is it?"},
    ]
    path = tmp_path / "BioASQ-training9b.json"
    path.write_text(json.dumps({"questions": items}))
    found = read(path)
    assert [(one.id, one.label, one.split) for one in found.questions] == [("1", 1, "train"), ("4", None, "train")]
    assert [row.reason for row in found.dropped] == [QuestionDrop.NOT_YES_NO, QuestionDrop.UNKNOWN_LABEL]


def test_mirage_without_contexts_is_a_task_of_its_own(tmp_path: Path) -> None:
    options = {"A": "yes", "B": "no", "C": "maybe"}
    content = {
        "pubmedqa": {"77": {"question": "Is it?", "options": options, "answer": "C", "PMID": [77]}},
        "bioasq": {"5c": {"question": "Is it?", "options": {"A": "yes", "B": "no"}, "answer": "A", "PMID": [7, 8]}},
    }
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(content))
    first, second = read(path).questions
    assert (first.task, first.label, first.options, first.pmids) == (
        "mirage-pubmedqa",
        0,
        ("maybe", "no", "yes"),
        ("77",),
    )
    assert (second.task, second.label, second.pmids) == ("mirage-bioasq", 1, ("7", "8"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train.jsonl", '{"prompt": "a"}\n{"prompt": "b"}\n', "objects of the keys prompt"),
        ("test.json", '{"a": 1, "b": 2}', "one JSON object of the keys a, b"),
        ("test.json", "{broken", "not JSON"),
        ("test.json", "[]", "no JSON object"),
        ("test.tsv", "a\tb\n", "a table of 1 rows of 2 columns"),
        ("test.xml", "<article/>", "without <QAPairs>"),
        ("test.xml", "<article>", "not well-formed"),
        ("notes.txt", "One.\nTwo.\nThree?\n", "3 lines of text, 1 of which"),
        ("test.csv", b"\xff\xfe", "not UTF-8"),
        ("test.jsonl.gz", b"\x1f\x8bxx", "cannot be unpacked"),
        ("questions.jsonl", json.dumps(MEDQA), "which split"),
        ("mine.jsonl", '{"task": "t", "split": "dev", "text": "x", "optoins": []}', "did you mean options"),
    ],
)
def test_what_is_no_question_set_is_refused_with_what_was_found(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    folder = tmp_path / "some"  # a folder's name may say the split too
    folder.mkdir()
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=said) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_xml_brings_in_no_other_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    path = tmp_path / "1.xml"
    path.write_text(
        f'<!DOCTYPE d [<!ENTITY x SYSTEM "file://{secret}">]><Document><QAPairs><QAPair pid="1"><Question>Q?</Question>'
        "<Answer>A &x;</Answer></QAPair></QAPairs></Document>"
    )
    with pytest.raises(UsageError, match="entity_declaration") as refused:
        read(path)
    assert "SECRET" not in str(refused.value)


def test_splits_by_name() -> None:
    names = {
        "phrases_no_exclude_test.jsonl": "test",
        "a/train-00000-of-00001.parquet": "train",
        "BioASQ-training7b/training7b.json": "train",
        "Task7BGoldenEnriched/7B1_golden.json": "test",
        "train/validation.jsonl": "dev",
        "dev/medqa.jsonl": "dev",
    }
    assert {name: split_of(name) for name in names} == names


def test_folders_pass_over_notes(tmp_path: Path) -> None:
    for name in ("b/test.jsonl", "a.csv", "README.md", "readme.txt", ".hidden/test.jsonl", "x.zip", "c.jsonl.xz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found, passed = find_files((str(tmp_path),))
    assert [Path(path).relative_to(tmp_path).as_posix() for path in found] == ["a.csv", "b/test.jsonl", "c.jsonl.xz"]
    assert {Path(path).name for path in passed} >= {"README.md", "readme.txt", "x.zip"}
    with pytest.raises(UsageError, match="no such file"):
        find_files((str(tmp_path / "none"),))
