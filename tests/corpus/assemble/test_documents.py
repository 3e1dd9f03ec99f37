"""A part of records gives its documents once, and again only when its records or the verdicts on them are others."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from corpus.assemble import documents
from corpus.assemble.config import AssembleConfig
from corpus.assemble.documents import FILES, make_documents, work_path
from corpus.assemble.inputs import RecordParts
from corpus.assemble.updates import PMC_ENTITY, PUBMED_ENTITY, VERDICT, RevisionStatus
from corpus.stage.workspace import Receipt, Workspace, plan_stage
from corpus.storage import parquet
from corpus.storage.array_files import load_arrays
from corpus.synthetic.rehearsal.parts import RehearsedParts

PARTS = RehearsedParts(seed=0, num_citations=1000, num_articles=0)
CONFIG = AssembleConfig()


@dataclass(frozen=True)
class NoRows:
    """A file of nothing but dead letters."""

    names = ("empty",)
    digests = ("x",)

    def keys(self, part: int, *, more: Sequence[str] = ()) -> pa.Table:
        return PARTS.keys(0).slice(0, 0)

    def batches(self, part: int, *, without: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
        return iter(())


def workspace(folder: Path, **config: int) -> Workspace:
    return plan_stage(str(folder), stage="assemble", revision=1, config=config, inputs=[])[0]


def make(
    place: Workspace, verdicts: np.ndarray, *, retracted: Sequence[int] = (), parts: RecordParts = PARTS
) -> Receipt:
    named = np.array(retracted, np.uint64)
    return make_documents(parts, part=0, verdicts=verdicts, retracted=named, workspace=place, config=CONFIG)


def test_a_part_without_rows_is_a_part(tmp_path: Path) -> None:
    verdicts = np.zeros(0, VERDICT)
    receipt = make(workspace(tmp_path), verdicts, parts=NoRows())
    assert [file.path for file in receipt.work] == [work_path(name, "empty") for name in FILES]
    assert parquet.read_table(str(tmp_path / work_path("documents", "empty"))).num_rows == 0
    assert len(load_arrays(str(tmp_path / work_path("buckets", "empty")))["keys"]) == 0


def test_a_part_is_made_again_only_for_other_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = np.zeros(1000, VERDICT)
    verdicts["row"] = np.arange(1000)
    made = make(workspace(tmp_path), verdicts)
    calls: list[int] = []
    real = documents.decide_batch
    monkeypatch.setattr(documents, "decide_batch", lambda *a, **more: calls.append(1) or real(*a, **more))
    verdicts["part"], verdicts["live_version"] = 7, 3  # another place among the parts, and what only outdated rows need
    same = make(workspace(tmp_path), verdicts)
    assert (same, calls) == (made, [])
    verdicts["code"][5] = RevisionStatus.SUPERSEDED
    other = make(workspace(tmp_path), verdicts)
    assert calls == [1]
    assert other.facts["verdicts"] != made.facts["verdicts"]
    elsewhere = make(workspace(tmp_path), verdicts, retracted=[PUBMED_ENTITY | 5_000_000, PMC_ENTITY | 3])
    assert (elsewhere, calls) == (other, [1]), "papers that this part does not speak of"
    marked = make(workspace(tmp_path), verdicts, retracted=[PUBMED_ENTITY | 3])
    assert calls == [1, 1]
    assert marked.facts["retractions"] != other.facts["retractions"]
    make(workspace(tmp_path, other=1), verdicts)
    assert calls == [1, 1, 1]
