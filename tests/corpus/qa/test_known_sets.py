"""Evaluation sets by name: the shared files whatever they are called and packed in, and what is not known."""

import gzip
import json
import lzma
import random
import shutil
from pathlib import Path

import pytest

from corpus.assemble.evaluation_sets import describe_evaluation, find_evaluation_files, read_evaluation
from corpus.errors import UsageError
from corpus.qa.known_sets import absent_sets, known_sets, papers_digest, recognise_sets
from corpus.qa.published import published_counts
from tests.support.qa_data import QA_DATA, needs_qa_data


def names(path: Path) -> list[tuple[str, str]]:
    """Return the sets of a file and what they were known by, with the PMIDs that `assemble` finds in it."""
    pmids = {pmid for item in read_evaluation(str(path)) for pmid in item.pmids}
    return [(one.name, one.by) for one in recognise_sets(str(path), pmids)]


@needs_qa_data
def test_every_shared_file_is_known_renamed_and_packed(tmp_path: Path) -> None:
    files = sorted(path for path in QA_DATA.rglob("*") if path.is_file())
    assert len(files) == 26
    for number, path in enumerate(files):
        suffix = "".join(path.suffixes)
        renamed = tmp_path / f"x{number}{suffix}"
        shutil.copyfile(path, renamed)
        expected = next(name for name in known_sets() if str(path.relative_to(QA_DATA)).startswith(name))
        assert names(path) == names(renamed) == [(expected, "SHA-256")], path
        if suffix != ".jsonl.xz":
            packed = tmp_path / f"y{number}{suffix}.gz"
            packed.write_bytes(gzip.compress(path.read_bytes()))
            assert names(packed) == [(expected, "SHA-256")], path
            assert read_evaluation(str(packed))[0].texts == read_evaluation(str(path))[0].texts
        (found,) = recognise_sets(str(renamed))
        assert found.revision
        assert found.licence in (known_sets()[expected].licence, "CC BY 4.0")


@needs_qa_data
def test_pubmedqa_is_known_by_its_papers_in_whatever_form(tmp_path: Path) -> None:
    split = json.loads((QA_DATA / "pubmedqa_official_split_ids.json").read_bytes())
    folds = [pmid for fold in split["folds"] for pmid in fold]
    forms = {
        "answers.json": dict.fromkeys(split["test"], "yes"),
        "table.json": [{"pubid": int(pmid), "question": "Is it?"} for pmid in folds],
        "all.json": {pmid: {"QUESTION": "Is it?", "CONTEXTS": []} for pmid in random.Random(3).sample(folds, 500)}
        | {pmid: {"QUESTION": "Is it?", "CONTEXTS": []} for pmid in split["test"]},
        "less.json": dict.fromkeys(split["test"][1:], "yes"),
    }
    for name, content in forms.items():
        (tmp_path / name).write_text(json.dumps(content))
    by_papers = [("pubmedqa", "its PMIDs")]
    assert [names(tmp_path / name) for name in forms] == [by_papers, by_papers, by_papers, []]
    parts = known_sets()["pubmedqa"].papers
    assert [part.sha256 for part in parts] == [
        papers_digest(map(int, ids)) for ids in (split["test"], folds, split["test"] + folds)
    ]


def medqa(folder: Path, name: str, labels: dict[str, int]) -> Path:
    """Write MedQA's form with so many questions of each right letter."""
    letters = [letter for letter, number in labels.items() for _ in range(number)]
    rows = [
        {"question": f"Which is {k}?", "options": dict(zip("ABCD", "wxyz", strict=True)), "answer_idx": letter}
        for k, letter in enumerate(letters)
    ]
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_published_form_is_known_by_number_and_labels_alone(tmp_path: Path) -> None:
    labels = published_counts()["medqa"]["labels"]["test"]
    assert names(medqa(tmp_path, "phrases_no_exclude_test.jsonl", labels)) == [("medqa", "published counts")]
    assert names(medqa(tmp_path, "renamed.jsonl", labels)) == [("medqa", "published counts")]
    (found,) = recognise_sets(str(tmp_path / "renamed.jsonl"))
    assert found.text() == (
        "medqa, test of medqa, 1,273 questions (known by published counts); revision not known; licence MIT"
    )
    other = labels | {"A": labels["A"] + 1, "B": labels["B"] - 1}
    assert names(medqa(tmp_path, "other_test.jsonl", other)) == []
    assert names(medqa(tmp_path, "more_test.jsonl", labels | {"A": labels["A"] + 1})) == []


def test_what_is_no_question_set_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"passage": "a", "pmid": 7}\n')
    assert names(path) == []
    path.write_bytes(b"\xff\xfe")
    assert recognise_sets(str(path)) == ()


def test_a_folder_is_searched_and_each_file_described(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    labels = published_counts()["medqa"]["labels"]["test"]
    test = medqa(tmp_path / "deep", "test.jsonl", labels)
    own = tmp_path / "own.jsonl"
    own.write_text('{"passage": "a"}\n')
    (tmp_path / "README.md").write_text("no questions")
    paths = (str(tmp_path),)
    assert find_evaluation_files(paths) == sorted([str(own), str(test)], key=lambda path: Path(path).name)
    items = [item for path in find_evaluation_files(paths) for item in read_evaluation(path)]
    found = describe_evaluation(paths, items)
    assert {Path(path).name: [one.name for one in sets] for path, sets in found.items()} == {
        "own.jsonl": [],
        "test.jsonl": ["medqa"],
    }
    assert absent_sets(("medqa", "bioasq"), {"medqa"}, "raw/evaluation") == [
        f"bioasq: not in raw/evaluation, so not looked for; BioASQ 7b, yes or no: {known_sets()['bioasq'].get}"
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no file here may hold questions"):
        find_evaluation_files((str(tmp_path / "empty"),))


@needs_qa_data
@pytest.mark.parametrize("name", ["mmlu/val/virology_val.csv", "healthsearchqa_questions.txt", "medquad_part.jsonl.xz"])
def test_tables_lines_and_packed_files_give_their_texts(name: str) -> None:
    path = QA_DATA / name
    raw = path.read_bytes()
    text = (lzma.decompress(raw) if name.endswith(".xz") else raw).decode()
    items = read_evaluation(str(path))
    plain = text.replace('""', '"').replace("\\n", "\n").replace('\\"', '"').replace("\\u00a0", "\u00a0")
    held = sum(one.texts[0] in plain for one in items)
    assert held >= 0.99 * len(items), "the first text of an item stands in the file"
    assert (
        len(items)
        == {"virology_val": 18, "healthsearchqa_questions": 3173, "medquad_part": 3002}[path.name.split(".")[0]]
    )


def test_every_counted_set_has_a_name() -> None:
    for counted in published_counts():
        assert any(counted.startswith(name) for name in known_sets()), counted
