"""The comparison of decisions with what was planted: it accepts the truth in any order and nothing else."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from corpus.stage.manifest import Books, Manifest, Part
from corpus.storage import parquet
from pipelines.workflow.planted import Comparison, compare_with_planted

FATES = [
    {"doc_id": "pmid:1", "kind": "citation", "outcomes": ["superseded"], "survivor": None},
    {"doc_id": "pmid:1", "kind": "citation", "outcomes": ["older_version", "superseded"], "survivor": None},
    {"doc_id": "pmid:1", "kind": "citation", "outcomes": ["kept"], "survivor": None},
    {"doc_id": "pmid:2", "kind": "citation", "outcomes": ["near_duplicate"], "survivor": "pmid:1"},
    {"doc_id": "pmid:2", "kind": "deletion", "outcomes": ["deletion_notice"], "survivor": None},
]
TRUE = [
    ("pmid:1", "citation", "older_version", ""),
    ("pmid:1", "citation", "kept", ""),
    ("pmid:1", "citation", "superseded", ""),
    ("pmid:2", "citation", "near_duplicate", "pmid:1"),
    ("pmid:2", "deletion", "deletion_notice", ""),
]


def compare(folder: Path, decided: list[tuple[str, str, str, str]]) -> Comparison:
    rows: list[dict[str, Any]] = [
        {"doc_id": doc_id, "kind": kind, "kept": outcome == "kept", "survivor": survivor}
        | {"reason": "" if outcome == "kept" else outcome}
        for doc_id, kind, outcome, survivor in decided
    ]
    parquet.write_table(str(folder / "decisions.parquet"), pa.Table.from_pylist(rows))
    (folder / "planted.json").write_text(json.dumps({"cases": [{"name": "case", "fates": FATES}]}))
    part = Part(path="decisions.parquet", role="decisions", rows=len(rows), bytes=0, sha256="")
    manifest = Manifest(
        stage="assemble", revision=1, fingerprint="", config={}, inputs=(), parts=(part,), books=Books(), summary={}
    )
    return compare_with_planted(str(folder), manifest, str(folder / "planted.json"))


@pytest.mark.parametrize("turn", range(5))
def test_the_truth_agrees_in_any_order(tmp_path: Path, turn: int) -> None:
    comparison = compare(tmp_path, TRUE[turn:] + TRUE[:turn])
    assert comparison.differences == ()
    assert comparison.num_records == 5
    assert comparison.outcomes["kept"] == 1


@pytest.mark.parametrize(
    ("index", "wrong"),
    [
        (0, ("pmid:1", "citation", "kept", "")),
        (1, ("pmid:1", "citation", "deleted", "")),
        (2, ("pmid:3", "citation", "superseded", "")),
        (3, ("pmid:2", "citation", "near_duplicate", "pmid:9")),
        (3, ("pmid:2", "citation", "exact_duplicate", "pmid:1")),
        (4, ("pmid:2", "citation", "deletion_notice", "")),
    ],
)
def test_any_other_decision_differs(tmp_path: Path, index: int, wrong: tuple[str, str, str, str]) -> None:
    assert compare(tmp_path, [*TRUE[:index], wrong, *TRUE[index + 1 :]]).differences


@pytest.mark.parametrize("index", range(5))
def test_a_record_that_is_lost_differs(tmp_path: Path, index: int) -> None:
    (difference,) = compare(tmp_path, TRUE[:index] + TRUE[index + 1 :]).differences
    assert difference.startswith(TRUE[index][0])
