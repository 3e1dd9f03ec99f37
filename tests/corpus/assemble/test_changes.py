"""The change feed: applied to the old state it gives the new one, whatever happened between them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.assemble.change_feed import CHANGES, changes_between, counts_text, write_delta
from corpus.assemble.changes import NO_RECORD, ChangeKind, apply
from corpus.assemble.shards import Decision
from corpus.errors import UsageError
from corpus.stage.manifest import SPLITS, Books, read_manifest
from corpus.stage.workspace import Receipt, plan_stage
from corpus.storage import parquet
from corpus.storage.schema import to_table

Row = tuple[str, str, int]  # split, text, year
Corpus = dict[str, Row]
IDS = [f"pmid:{number}" for number in range(1, 9)] + [
    f"pmc:PMC{number}.{version}" for number in (3, 4) for version in (1, 2)
]
ROWS = st.tuples(st.sampled_from(SPLITS), st.sampled_from(["", "one", "two", "naïve"]), st.integers(2000, 2001))
CORPORA = st.dictionaries(st.sampled_from(IDS), ROWS)


def write(base: Path, corpus: Corpus, *, shards: int = 2, reasons: Mapping[str, str] | None = None) -> str:
    """Commit a corpus of documents with a year and a list beside the text, and the reasons of what is not in it."""
    config = {"documents": sorted(map(repr, corpus.items())), "shards": shards}
    workspace, _ = plan_stage(str(base), stage="assemble", revision=1, config=config, inputs=[])
    parts = []
    for split in SPLITS:
        own = sorted(name for name, row in corpus.items() if row[0] == split)
        for number in range(shards):
            chosen = own[number::shards]
            table = pa.table(
                {
                    "doc_id": pa.array(chosen, pa.string()),
                    "text": pa.array([corpus[name][1] for name in chosen], pa.string()),
                    "year": pa.array([corpus[name][2] for name in chosen], pa.int64()),
                    "mesh": pa.array([[str(corpus[name][2])] for name in chosen], pa.list_(pa.string())),
                }
            )
            path = f"{split}/part-{number:05d}.parquet"
            parquet.write_table(workspace.path(path), table)
            parts.append(workspace.measure(path, role=split, rows=len(chosen)))
    rows = [decision(name, reason) for name, reason in (reasons or {}).items()]
    parquet.write_table(workspace.path("decisions/part-00000.parquet"), to_table(rows, Decision))
    parts.append(workspace.measure("decisions/part-00000.parquet", role="decisions", rows=len(rows)))
    workspace.commit([Receipt(task="a", parts=tuple(parts), books=Books())], summary={})
    return str(base)


def decision(name: str, reason: str) -> Decision:
    given = dict.fromkeys(("source", "kind", "survivor", "matched", "cluster", "split"), "")
    return Decision(doc_id=name.split(" ")[0], kept=False, reason=reason, score=None, **given)


def state(corpus: Corpus) -> dict[str, tuple[str, str]]:
    return {name: (split, hashlib.sha256(text.encode()).hexdigest()) for name, (split, text, _) in corpus.items()}


@settings(max_examples=30, deadline=None)
@given(
    old=CORPORA, new=CORPORA, same=st.sets(st.sampled_from(IDS)), shards=st.tuples(st.integers(1, 3), st.integers(1, 3))
)
def test_the_old_state_and_the_feed_give_the_new_state(
    tmp_path_factory: pytest.TempPathFactory, old: Corpus, new: Corpus, same: set[str], shards: tuple[int, int]
) -> None:
    base = tmp_path_factory.mktemp("feed")
    new = new | {name: old[name] for name in same if name in old}
    before, after = write(base / "old", old, shards=shards[0]), write(base / "new", new, shards=shards[1])
    changes = changes_between(before, after)
    assert apply(state(old), changes) == state(new)
    assert {one.doc_id for one in changes} == {name for name in {*old, *new} if old.get(name) != new.get(name)}
    for one in changes:
        was, now = old.get(one.doc_id), new.get(one.doc_id)
        kind = "added" if was is None else "removed" if now is None else "moved" if was[1:] == now[1:] else "changed"
        assert one.change == kind
        assert one.new_text == (now is not None and (was is None or was[1] != now[1]))
        assert (one.old_split, one.new_split) == (was[0] if was else "", now[0] if now else "")
        assert (one.old_reason, one.new_reason) == ("" if was else NO_RECORD, "" if now else NO_RECORD)
    delta = write_delta(changes, old=before, corpus=after, output=str(base / "delta"))
    rows = [
        (row["doc_id"], (split, row["text"], row["year"]))
        for split in SPLITS
        for path in delta.paths(str(base / "delta"), split)
        for row in parquet.read_table(path).to_pylist()
    ]
    wanted = {one.doc_id for one in changes if one.change in ("added", "changed")}
    assert sorted(rows) == sorted((name, new[name]) for name in wanted)
    stored = parquet.read_table(str(base / "delta" / f"{CHANGES}.parquet"))
    assert stored.num_rows == len(changes)


def test_reasons_are_those_of_the_live_record(tmp_path: Path) -> None:
    old = write(
        tmp_path / "old",
        {"pmid:1": ("train", "a", 2000), "pmid:2": ("train", "b", 2000)},
        reasons={"pmid:3 first": "superseded", "pmid:3": "no_text"},
    )
    new = write(
        tmp_path / "new",
        {"pmid:2": ("train", "b", 2000), "pmid:3": ("test", "c", 2000), "pmid:4": ("train", "d", 2000)},
        reasons={"pmid:1": "retracted", "pmid:1 again": "superseded"},
    )
    changes = changes_between(old, new)
    assert [(one.doc_id, one.change, one.old_reason, one.new_reason) for one in changes] == [
        ("pmid:1", ChangeKind.REMOVED, "", "retracted"),
        ("pmid:3", ChangeKind.ADDED, "no_text", ""),
        ("pmid:4", ChangeKind.ADDED, NO_RECORD, ""),
    ]
    assert counts_text(changes) == "2 added, 1 removed, 0 changed, 0 moved"
    first = read_manifest(new).fingerprint[:12]
    with pytest.raises(UsageError, match=f"no feed that led to .*, whose fingerprint begins with {first}"):
        changes_between(str(tmp_path / "000000000000-from-111111111111.parquet"), new)
