"""Ids of another corpus for decisions that name its documents: by key, those of candidates, then those of survivors."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.assemble.other_corpus import PREFIX
from corpus.dedup.resolve import Outcome
from corpus.records import are_other, doc_id, other_places
from corpus.stage.workspace import WORK, Workspace
from corpus.storage import parquet
from corpus.storage.schema import schema_of

_SURVIVORS = f"{WORK}/other_ids.parquet"


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherId:
    """The id of one document of another corpus."""

    key: int  # of `corpus.records.other_keys`
    id: str  # as its corpus states it, else its file and row


def other_ids_path(number: int) -> str:
    """Return the path, relative to the output, of the ids of the candidates in one file of another corpus."""
    return f"{WORK}/other_ids/{number:05d}.parquet"


def save_survivor_ids(outcome: Outcome, workspace: Workspace) -> None:
    """Write the ids of the documents of another corpus that an outcome names."""
    keys = np.unique(outcome.survivor[are_other(outcome.survivor)])
    wanted = pa.array(keys.astype(np.int64))
    paths = [workspace.path(other_ids_path(number)) for number in np.unique(other_places(keys)[0]).tolist()]
    found = [schema_of(OtherId).empty_table()]
    for path in paths:
        table = parquet.read_table(path)
        found.append(table.filter(pc.is_in(table.column("key"), wanted)))
    parquet.write_table(workspace.path(_SURVIVORS), pa.concat_tables(found))


def load_survivor_ids(workspace: Workspace) -> dict[int, str]:
    """Return the ids that `save_survivor_ids` wrote, by key."""
    table = parquet.read_table(workspace.path(_SURVIVORS))
    return dict(zip(table.column("key").to_pylist(), table.column("id").to_pylist(), strict=True))


def named(key: int, ids: Mapping[int, str]) -> str:
    """Return the id of a document as decisions write it: `against:…` of another corpus."""
    return f"{PREFIX}{ids[int(key)]}" if int(key) in ids else doc_id(key)
