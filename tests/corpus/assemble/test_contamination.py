"""Evaluation sets against documents: Python sets as the oracle, the forms of BioASQ and PubMedQA, the rule for n."""

import json
import os
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import storage
from corpus.assemble.config import AssembleConfig
from corpus.assemble.contamination import (
    EvaluationIndex,
    evaluation_facts,
    find_contamination,
    load_index,
    stated_index,
)
from corpus.assemble.evaluation_sets import read_evaluation
from corpus.errors import RetryError, UsageError
from corpus.stage.workspace import plan_stage
from corpus.storage import sha256_file
from tests.support.dedup_truth import documented_words

WORDS = ("renal", "BRCA1", "cells", "of", "the", "IL-6", "rose", "p<0.05", "5 mg", "β-actin", "non-small", "were", "µg")
texts = st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join)


def write(folder: Path, items: list[dict[str, Any]], name: str = "set.jsonl") -> str:
    path = folder / name
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return str(path)


def documents(rows: list[dict[str, Any]]) -> pa.Table:
    columns = {
        "doc_id": pa.string(),
        "source": pa.string(),
        "pmid": pa.int64(),
        "pmcid": pa.int64(),
        "doi": pa.string(),
    }
    columns["text"] = pa.string()
    filled = [{"doc_id": f"pmid:{k}", "source": "pubmed", "text": ""} | row for k, row in enumerate(rows)]
    return pa.table({name: pa.array([row.get(name) for row in filled], kind) for name, kind in columns.items()})


def found(table: pa.Table, index: EvaluationIndex, share: float = 0.5) -> list[tuple[Any, ...]]:
    rows = find_contamination(table, index, share=share).to_pylist()
    return [(row["doc_id"], row["item"], row["by"], row["found"], row["of"]) for row in rows]


def runs(text: str, size: int) -> set[tuple[str, ...]]:
    words = documented_words(text)
    return {tuple(words[k : k + size]) for k in range(len(words) - size + 1)}


@settings(max_examples=150, deadline=None)
@given(st.lists(texts, min_size=1, max_size=5), st.lists(texts, max_size=6), st.sampled_from([1, 2, 5, 9]), st.data())
def test_ngrams_equal_python_sets(
    tmp_path_factory: pytest.TempPathFactory, questions: list[str], held: list[str], size: int, data: st.DataObject
) -> None:
    share = data.draw(st.sampled_from([0.01, 0.5, 1.0]))
    path = write(tmp_path_factory.mktemp("set"), [{"question": text} for text in questions])
    expected = []
    for place, text in enumerate(held):
        for number, question in enumerate(questions, start=1):
            wanted = runs(question, size)
            common = len(wanted & runs(text, size))
            if common and common >= share * len(wanted):
                expected.append((f"pmid:{place}", str(number), "ngram", common, len(wanted)))
    index = load_index((path,), size)
    assert found(documents([{"text": text} for text in held]), index, share) == expected


def test_a_real_sample_equals_python_sets(real_data: Path, tmp_path: Path) -> None:
    from tests.support.dedup_truth import abstracts

    texts = [text for text, _ in zip(abstracts(real_data), range(4000), strict=False)][::20]
    rng = random.Random(8)
    passages = [" ".join(text.split()[k : k + 20]) for text in texts[::5] for k in (rng.randrange(10),)]
    index = load_index((write(tmp_path, [{"question": passage} for passage in passages]),), None)
    assert 8 <= index.words <= 13
    expected = set()
    for place, text in enumerate(texts):
        grams = runs(text, index.words)
        for number, passage in enumerate(passages, start=1):
            wanted = runs(passage, index.words)
            if wanted and 2 * len(wanted & grams) >= len(wanted):
                expected.add((f"pmid:{place}", str(number)))
    assert {row[:2] for row in found(documents([{"text": text} for text in texts]), index)} == expected
    assert len(expected) >= len(passages) * 0.9


BIOASQ = {
    "id": "55031181e9bde69634000014",
    "type": "yesno",
    "body": "Is RANKL secreted from the cells that line the bone of an adult with osteoporosis?",
    "documents": ["http://www.ncbi.nlm.nih.gov/pubmed/23827649", "https://pubmed.ncbi.nlm.nih.gov/21618594/"],
    "snippets": [
        {"document": "http://www.ncbi.nlm.nih.gov/pubmed/22867712", "text": "RANKL is a protein of osteoblasts"}
    ],
}
PUBMEDQA = {"QUESTION": "Do mitochondria play a role?", "CONTEXTS": ["Programmed cell death is a regulated process."]}


def test_bioasq_and_pubmedqa_name_their_papers(tmp_path: Path) -> None:
    lines = write(tmp_path, [BIOASQ, {"pubid": 21645374, "question": "Do they?", "context": {"contexts": ["A", "B"]}}])
    whole = tmp_path / "bioasq.json"
    whole.write_text(json.dumps({"questions": [BIOASQ]}))
    mapping = tmp_path / "ori_pqal.json"
    mapping.write_text(json.dumps({"21645374": PUBMEDQA}))
    one, two = read_evaluation(lines)
    assert (one.name, sorted(one.pmids)) == ("55031181e9bde69634000014", [21618594, 22867712, 23827649])
    assert one.texts == (BIOASQ["body"], "RANKL is a protein of osteoblasts")
    assert (two.name, set(two.pmids), two.texts) == ("21645374", {21645374}, ("Do they?", "A", "B"))
    assert [item.pmids for item in read_evaluation(str(whole))] == [one.pmids]
    assert [(item.name, item.texts[0]) for item in read_evaluation(str(mapping))] == [
        ("21645374", PUBMEDQA["QUESTION"])
    ]


PAPERS = {
    23827649: "RANKL is secreted from osteocytes in bone and steers the resorption of bone by osteoclasts in old age",
    21645374: "Mitochondria move along actin while the perforations of the lace plant leaf form by programmed death",
}
QUESTION = "Do mitochondria play a role in remodelling lace plant leaves during programmed cell death of whole tissues?"


def published(folder: Path) -> dict[str, tuple[str, list[tuple[str, set[int]]]]]:
    """Write each set as its makers publish it; return by name its path and the names and PMIDs of its items."""
    rankl, lace = PAPERS.items()
    address = f"http://www.ncbi.nlm.nih.gov/pubmed/{rankl[0]}"
    snippet = {"offsetInBeginSection": 0, "offsetInEndSection": 90, "text": rankl[1], "document": address}
    snippet |= {"beginSection": "abstract", "endSection": "abstract"}
    question = {
        **{"body": "Is RANKL secreted?", "documents": [address], "snippets": [snippet], "type": "list", "id": "5c52"},
        **{"ideal_answer": ["Yes."], "exact_answer": [["osteocytes"]], "concepts": ["http://amigo.geneontology.org/x"]},
        "triples": [{"p": "http://linkedlifedata.com/p", "s": "http://linkedlifedata.com/s", "o": "RANKL"}],
    }
    labelled = {
        **{"QUESTION": QUESTION, "CONTEXTS": [lace[1], "Short."], "LABELS": ["BACKGROUND", "RESULTS"]},
        **{"MESHES": ["Alismataceae"], "YEAR": "2011", "reasoning_required_pred": "yes", "final_decision": "yes"},
        **{"reasoning_free_pred": "yes", "LONG_ANSWER": "Results depicted mitochondrial dynamics in vivo."},
    }
    article = {"journal": "Bone", "meshMajor": ["Aged"], "year": "2013", "abstractText": rankl[1], "pmid": "23827649"}
    sets: dict[str, tuple[Any, list[tuple[str, set[int]]]]] = {
        "training13b.json": ({"questions": [question]}, [("5c52", {rankl[0]})]),
        "allMeSH_2022.json": ({"articles": [article]}, [("23827649", {rankl[0]})]),
        "ori_pqal.json": ({str(lace[0]): labelled}, [(str(lace[0]), {lace[0]})]),
        "test_ground_truth.json": ({str(lace[0]): "yes"}, [(str(lace[0]), {lace[0]})]),
        "list.json": (
            [question, {"pubid": lace[0], "question": QUESTION}],
            [("5c52", {rankl[0]}), (str(lace[0]), {lace[0]})],
        ),
        "by_number.json": ({"7": {"question": QUESTION}}, [("7", set())]),
    }
    for name, (content, _) in sets.items():
        (folder / name).write_text(json.dumps(content, indent=4))
    return {name: (str(folder / name), items) for name, (_, items) in sets.items()}


def test_sets_are_read_as_their_makers_publish_them(tmp_path: Path) -> None:
    copies = [{"text": f"Copied: {text}"} for text in PAPERS.values()]
    papers = [{"pmid": pmid, "text": text} for pmid, text in PAPERS.items()]
    table = documents([*papers, *copies, {"text": QUESTION}, {"pmid": 7, "text": "Of no set."}])
    labels = {"abstract", "BACKGROUND", "yes", "Alismataceae", "RANKL", "Bone"}
    hits: dict[str, tuple[set[str], set[str]]] = {}
    for name, (path, items) in published(tmp_path).items():
        read = read_evaluation(path)
        assert [(item.name, set(item.pmids)) for item in read] == items
        assert not labels & {text for item in read for text in item.texts}
        rows = find_contamination(table, load_index((path,), None), share=0.5).to_pylist()
        by_id, by_text = ({row["doc_id"] for row in rows if (row["by"] == "ngram") == text} for text in (False, True))
        hits[name] = by_id, by_text
    assert hits == {
        "training13b.json": ({"pmid:0"}, {"pmid:0", "pmid:2"}),
        "allMeSH_2022.json": ({"pmid:0"}, {"pmid:0", "pmid:2"}),
        "ori_pqal.json": ({"pmid:1"}, {"pmid:1", "pmid:3", "pmid:4"}),
        "test_ground_truth.json": ({"pmid:1"}, set()),
        "list.json": ({"pmid:0", "pmid:1"}, {"pmid:0", "pmid:2", "pmid:4"}),
        "by_number.json": (set(), {"pmid:4"}),
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{\n "questionz": [],\n "b": 1\n}', "one JSON object of the keys b, questionz; expected JSONL"),
        (b'[{"question": "a"}, 3]', "item 2 is of type int"),
        (b'{"questions": []}', "holds no question"),
        (b'{"question": "a"}\n{"question": \n', r"set\.json:2: not JSON"),
        (b"PK\x03\x04rest", "compressed; unpack it"),
    ],
)
def test_other_shapes_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "set.json").write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_evaluation(str(tmp_path / "set.json"))


def test_ids_of_all_kinds_meet_citations_and_articles(tmp_path: Path) -> None:
    items = [{"id": "a", "pmid": "7"}, {"id": "b", "pmcid": "PMC9"}, {"id": "c", "doi": "https://doi.org/10.1000/X"}]
    table = documents([{"pmid": 7}, {"pmcid": 9, "pmid": 7}, {"doi": "10.1000/x"}, {"pmid": 9, "pmcid": 7}, {}])
    assert found(table, load_index((write(tmp_path, items),), None)) == [
        ("pmid:0", "a", "pmid", 0, 0),
        ("pmid:1", "a", "pmid", 0, 0),
        ("pmid:1", "b", "pmcid", 0, 0),
        ("pmid:2", "c", "doi", 0, 0),
    ]


@pytest.mark.parametrize(("length", "words"), [(3, 8), (9, 9), (13, 13), (40, 13)])
def test_n_follows_the_lengths_of_the_texts(tmp_path: Path, length: int, words: int) -> None:
    path = write(tmp_path, [{"question": " ".join(f"w{k}" for k in range(length))}] * 3)
    assert load_index((path,), None).words == words
    facts = evaluation_facts(load_index((path,), None))
    assert facts == {
        "evaluation_items": 3,
        "evaluation_items_by_id_only": 3 if length < 8 else 0,
        "evaluation_words": words,
    }


@pytest.mark.parametrize("content", ["not json\n", "[1]\n", "", "3\n"])
def test_what_is_no_jsonl_is_a_usage_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.jsonl").write_text(content)
    with pytest.raises(UsageError, match=r"bad\.jsonl"):
        read_evaluation(str(tmp_path / "bad.jsonl"))
    with pytest.raises(UsageError, match="no such evaluation file"):
        read_evaluation(str(tmp_path / "none.jsonl"))


def test_a_set_whose_name_is_no_utf8_is_read_and_one_that_is_a_pipe_refused(tmp_path: Path) -> None:
    name = os.fsdecode(b"set\xff.jsonl")
    found = read_evaluation(write(tmp_path, [{"question": "why"}], name))
    assert [item.file for item in found] == [storage.readable(name)]  # `set\\xff.jsonl`, where names are UTF-8
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(UsageError, match=r"pipe\.jsonl: a pipe, not a regular file"):
        read_evaluation(str(tmp_path / "pipe.jsonl"))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"[" * 100_000, r"bad\.json: not JSON \(nested more than 100 deep"),
        (b'{"question": "a"}\n' + b'{"a":' * 5_000 + b"\n", r"bad\.json:2: not JSON \(nested more than 100 deep"),
        (b'{"question": "\xff"}', r"bad\.json: not JSON \(byte 14 is not UTF-8"),
        (b'{\n "id": 1,\n "id": 2}', r"bad\.json: not JSON \(the key 'id' is given twice"),
        (b'{"question": "\\ud800"}', "half of a surrogate pair"),
        (b'{"question": ' + b"1" * 5_000 + b"}", "5,000 digits"),
    ],
)
def test_damaged_sets_are_named_with_the_place(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "bad.json").write_bytes(raw)
    with pytest.raises(UsageError, match=said):
        read_evaluation(str(tmp_path / "bad.json"))
    with pytest.raises(UsageError, match="not a regular file"):
        read_evaluation(str(tmp_path))


def test_an_address_with_a_number_too_long_is_no_paper(tmp_path: Path) -> None:
    address = "https://pubmed.ncbi.nlm.nih.gov/" + "7" * 5_000
    (item,) = read_evaluation(write(tmp_path, [{"question": "a", "documents": [address]}]))
    assert item.pmids == frozenset()


def test_a_set_that_is_another_one_than_was_stated_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, [{"question": "one", "pmid": 1}])
    inputs = load_index((path,), None).inputs
    assert [(one.name, one.fingerprint) for one in inputs] == [("evaluation set.jsonl", sha256_file(path))]
    space, _ = plan_stage(str(tmp_path / "out"), stage="assemble", revision=1, config={}, inputs=inputs)
    config = AssembleConfig(evaluation=(path,))
    assert stated_index(config, space) is load_index((path,), None)
    write(tmp_path, [{"question": "two", "pmid": 2}, {"question": "three", "pmid": 3}])
    assert len(load_index((path,), None).items) == 2
    with pytest.raises(RetryError, match=r"evaluation set\.jsonl: changed after the start"):
        stated_index(config, space)
