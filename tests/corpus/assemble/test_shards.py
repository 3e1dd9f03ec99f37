"""Kept documents reach exactly one shard, and clusters stay on one side of the split."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from corpus.assemble.config import AssembleConfig
from corpus.assemble.decide import Document, EarlyDecision
from corpus.assemble.documents import work_path, write_documents
from corpus.assemble.shards import place, shard_blocks, write_shard
from corpus.assemble.splits import Shards
from corpus.dedup.resolve import Outcome
from corpus.reasons import DUPLICATE_REASONS, DropReason
from corpus.records import doc_id, doc_key
from corpus.stage.manifest import Books
from corpus.stage.workspace import Workspace, plan_stage
from corpus.storage import parquet
from corpus.storage.schema import to_table
from tests.corpus.assemble.test_full_text_join import document

NUM = 3000
SHARDS = Shards(starts=((0, 1 << 62, 3 << 62), (0, 1 << 63), (0,)), text_bytes=((0, 0, 0), (0, 0), (0,)))
CONFIG = AssembleConfig(validation=0.3, test=0.1, seed=7)
KEYS = np.array([doc_key(f"pmid:{number}") for number in range(1, NUM + 1)], np.uint64)


@pytest.fixture(params=["local", "remote"])
def workspace(tmp_path: Path, request: pytest.FixtureRequest) -> Workspace:
    base = str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}"
    made = plan_stage(base, stage="assemble", revision=1, config={}, inputs=[])[0]
    documents = [
        replace(document(name, full_text=False, pmid=None, pmcid=None, doi=None), text=text_of(name), length=len(text))
        for name in map(doc_id, KEYS.tolist())
        for text in [text_of(name)]
    ]
    early = [EarlyDecision(row=0, doc_id="pmid:9999", source="pubmed", kind="citation", reason="no_text", survivor="")]
    write_documents(to_table(documents, Document), "a", workspace=made, seed=CONFIG.seed)
    parquet.write_table(made.path(work_path("early", "a")), to_table(early, EarlyDecision))
    return made


def text_of(name: str) -> str:
    return f"{name} " * (1 + int(name[5:]) % 7)


def outcome() -> Outcome:
    """Documents 1 to 1000 form one cluster; 2 to 11 are dropped for 1."""
    dropped = KEYS[1:11]
    return Outcome(
        dropped=dropped,
        survivor=np.full(len(dropped), KEYS[0]),
        matched=np.full(len(dropped), KEYS[0]),
        score=np.full(len(dropped), 0.9),
        reason=np.full(len(dropped), DUPLICATE_REASONS.index(DropReason.NEAR_DUPLICATE), np.uint8),
        member=KEYS[:1000],
        cluster=np.full(1000, KEYS[0]),
    )


def test_every_kept_document_is_in_one_shard_and_every_record_has_a_decision(workspace: Workspace) -> None:
    receipt, kept = place(part=0, stem="a", outcome=outcome(), shards=SHARDS, workspace=workspace, config=CONFIG)
    blocks = [*shard_blocks([kept.slice(0, 1000), kept.slice(1000)]), *shard_blocks([])]
    assert receipt.books == Books(read=NUM + 1, kept=NUM - 10, dropped={"near_duplicate": 10, "no_text": 1})
    written = {}
    for shard in range(SHARDS.num_all):
        own = [block for number, block in blocks if number == shard]
        part = write_shard(shard, own, shards=SHARDS, workspace=workspace, stems=["a"]).parts[0]
        table = parquet.read_table(workspace.path(part.path))
        assert table.num_rows == part.rows
        assert table.column("text").to_pylist() == [text_of(name) for name in table.column("doc_id").to_pylist()]
        written[part.path] = table.column("doc_id").to_pylist()
    placed = [name for names in written.values() for name in names]
    assert sorted(placed) == sorted(doc_id(int(key)) for key in [KEYS[0], *KEYS[11:]])
    rows = parquet.read_table(workspace.path(receipt.parts[0].path)).to_pylist()
    split_of = {name: path.partition("/")[0] for path, names in written.items() for name in names}
    assert {row["doc_id"]: row["split"] for row in rows if row["kept"]} == split_of
    lost = [row for row in rows if row["reason"] == "near_duplicate"]
    assert {(row["survivor"], row["matched"], row["score"]) for row in lost} == {("pmid:1", "pmid:1", 0.9)}


def test_a_cluster_stays_on_one_side_and_the_rest_is_split_by_its_share(workspace: Workspace) -> None:
    receipt, _ = place(part=0, stem="a", outcome=outcome(), shards=SHARDS, workspace=workspace, config=CONFIG)
    rows = parquet.read_table(workspace.path(receipt.parts[0].path)).to_pylist()
    assert len({row["split"] for row in rows if row["kept"] and row["cluster"] == "pmid:1"}) == 1
    alone = [row["split"] for row in rows if row["kept"] and row["cluster"] != "pmid:1"]
    # Binomial(2000, 0.3) and (2000, 0.1): four standard deviations are 82 and 54.
    assert abs(alone.count("validation") - 600) < 82
    assert abs(alone.count("test") - 200) < 54


def test_an_empty_shard_is_a_shard(workspace: Workspace) -> None:
    receipt = write_shard(4, [], shards=SHARDS, workspace=workspace, stems=["a"])
    assert receipt.parts[0].path == "validation/part-00001-of-00002.parquet"
    assert parquet.read_table(workspace.path(receipt.parts[0].path)).num_rows == 0
