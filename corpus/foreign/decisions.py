"""Decisions on the documents of one file, as a table, from the fates of all; and the tags that say the same."""

import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from corpus.arrays.types import Keys, Mask, Numbers
from corpus.foreign.fates import ForeignFates
from corpus.foreign.keys import foreign_keys
from corpus.foreign.rows import LineDecision
from corpus.reasons import DUPLICATE_REASONS
from corpus.storage.schema import schema_of

TAG_COLUMNS: Final = ("reason", "cluster", "cluster_size", "cluster_rank", "score")  # what the five tags say


def decide_documents(number: int, name: str, listed: pa.Table, fates: ForeignFates, *, tag: bool) -> pa.Table:
    """Return the decisions on listed documents of a file, in their order; with `tag` all are kept."""
    places = listed.column("place").to_numpy()
    keys = foreign_keys(number, places)
    dropped = fates.outcome.index_of(keys)
    lost = np.flatnonzero(dropped >= 0)
    reasons, survivors, matched = ([""] * len(keys) for _ in range(3))
    scores: list[float | None] = [None] * len(keys)
    outcome = fates.outcome
    columns = (
        column[dropped[lost]].tolist() for column in (outcome.reason, outcome.survivor, outcome.matched, outcome.score)
    )
    for row, reason, survivor, match, score in zip(lost.tolist(), *columns, strict=True):
        reasons[row] = str(DUPLICATE_REASONS[reason])
        survivors[row], matched[row] = fates.names[survivor], fates.names[match]
        scores[row] = None if math.isnan(score) else score
    clusters, sizes, ranks = _clusters(keys, listed.column("doc_id").to_pylist(), fates)
    kept = np.ones(len(keys), np.bool_) if tag else dropped < 0
    made: dict[str, Any] = {
        "doc_id": listed.column("doc_id").to_pylist(),
        "file": [name] * len(keys),
        "line": places + 1,
        "kept": kept,
        "reason": reasons,
        "survivor": survivors,
        "matched": matched,
        "score": scores,
        "cluster": clusters,
        "cluster_size": sizes,
        "cluster_rank": ranks,
    }
    schema = schema_of(LineDecision)
    return pa.Table.from_arrays([pa.array(made[one.name], one.type) for one in schema], schema=schema)


def _clusters(keys: Keys, ids: list[str], fates: ForeignFates) -> tuple[list[str], Numbers, Numbers]:
    """Return the first document, the size and the place in it of each document's cluster."""
    member = fates.members(keys)
    inside = np.flatnonzero(member >= 0)
    clusters = list(ids)
    for row, cluster in zip(inside.tolist(), fates.outcome.cluster[member[inside]].tolist(), strict=True):
        clusters[row] = fates.names[cluster]
    sizes, ranks = np.ones(len(keys), np.int64), np.zeros(len(keys), np.int64)
    sizes[inside], ranks[inside] = fates.sizes[member[inside]], fates.places[member[inside]]
    return clusters, sizes, ranks


def tags_of(decisions: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the tags of documents as columns of these names."""
    return decisions.select(TAG_COLUMNS).rename_columns(list(names))


def json_tags(tags: pa.Table) -> list[bytes]:
    """Return the tags of each document as what goes before the last brace of its JSON object."""
    encode = msgspec.json.encode
    keys = [b"," + encode(name) + b":" for name in tags.column_names]
    rows = zip(*(tags.column(name).to_pylist() for name in tags.column_names), strict=True)
    return [b"".join(part for pair in zip(keys, map(encode, row), strict=True) for part in pair) for row in rows]


def kept_places(decisions: pa.Table, num_places: int, letters: Numbers) -> Mask:
    """Say of each line or row of a file whether it is written, bool[num_places]; blank lines are.

    letters: places of those that are no documents, int64[num_letters].
    """
    wanted = np.ones(num_places, np.bool_)
    wanted[letters] = False
    wanted[decisions.column("line").to_numpy() - 1] = decisions.column("kept").to_numpy(zero_copy_only=False)
    return wanted
