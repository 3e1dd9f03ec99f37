"""Tags of a corpus from which no duplicate is left out: which document would be, for what, and in which cluster.

They are columns of the shards, so that a weight or another choice needs no second run; the decisions say, as ever, whom
a document resembles and how much.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.columns import doc_keys
from corpus.arrays.lookup import index_in_sorted
from corpus.arrays.types import Numbers
from corpus.assemble.full_text_join import IdJoin, ranks_of
from corpus.dedup.cluster_places import cluster_places
from corpus.dedup.resolve import Outcome
from corpus.dedup.survivor_rank import RANK_COLUMNS, other_ranks
from corpus.records import are_other
from corpus.stage.workspace import WORK, Workspace
from corpus.storage.array_files import load_arrays, save_arrays
from corpus.storage.schema import schema_of

_PATH = f"{WORK}/clusters.npy"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """What a shard says of a document among its duplicates."""

    duplicate: str  # why it would be left out, a reason of duplicates; "" for none
    cluster: str  # smallest id of the documents that resemble each other, or its full text's; its own id when alone
    cluster_size: int  # documents of the cluster, those of another corpus too
    cluster_rank: int  # place in the cluster by the survivor policy, 0 the best
    cluster_score: float | None  # exact Jaccard similarity with the document it would be left out for


TAGS = tuple(schema_of(Tag).names)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterPlaces:
    """Size of the cluster and place in it of each member of an outcome, int64[num_members]."""

    sizes: Numbers
    places: Numbers

    def save(self, workspace: Workspace) -> None:
        """Write the places, for the steps that write shards."""
        save_arrays(workspace.path(_PATH), sizes=self.sizes, places=self.places)

    @classmethod
    def load(cls, workspace: Workspace) -> "ClusterPlaces":
        """Read what `save` wrote."""
        return cls(**load_arrays(workspace.path(_PATH)))


def beside_survivors(outcome: Outcome) -> Outcome:
    """Return an outcome in which every document that would go is in the cluster of its survivor.

    An abstract resembles nothing but its full text, and is in no cluster else: kept, it has to be in that one's split.
    """
    alone = outcome.are_alone(outcome.dropped)
    survivors = outcome.survivor[alone]
    new = np.unique(survivors[outcome.are_alone(survivors)])
    members = np.concatenate([outcome.member, outcome.dropped[alone], new])
    clusters = np.concatenate([outcome.cluster, outcome.clusters_of(survivors), new])
    order = np.argsort(members)
    return replace(outcome, member=members[order], cluster=clusters[order])


def places_in_clusters(outcome: Outcome, join: IdJoin, paths: Sequence[str]) -> ClusterPlaces:
    """Return the place of every member of a cluster; paths: of all documents parts."""
    keys = outcome.member
    other = are_other(keys)  # the last of them
    ranks = np.zeros((len(keys), len(RANK_COLUMNS)), np.int64)
    if len(keys):
        ranks = np.concatenate([ranks_of(keys[~other], paths, join), other_ranks(keys[other])])
    sizes, places = cluster_places(outcome.cluster, ranks)
    return ClusterPlaces(sizes=sizes, places=places)


def with_tags(table: pa.Table, decided: pa.Table, clusters: ClusterPlaces, outcome: Outcome) -> pa.Table:
    """Return documents with `TAGS` beside their columns; `decided`: the decisions on them, row for row."""
    member = index_in_sorted(doc_keys(table), outcome.member)
    inside = member >= 0
    sizes, places = np.ones(len(member), np.int64), np.zeros(len(member), np.int64)
    sizes[inside], places[inside] = clusters.sizes[member[inside]], clusters.places[member[inside]]
    left_out = pc.invert(decided.column("kept"))
    scores = pc.if_else(left_out, decided.column("score"), None)
    columns = (decided.column("reason"), decided.column("cluster"), pa.array(sizes), pa.array(places), scores)
    for one, column in zip(schema_of(Tag), columns, strict=True):
        table = table.append_column(one, column.cast(one.type))
    return table


def all_kept(decided: pa.Table, split: pa.Array) -> pa.Table:
    """Return decisions that keep every document, in its split; whom it resembles, and how much, stays said."""
    kept, reason = pa.array(np.ones(decided.num_rows, np.bool_)), pa.array([""] * decided.num_rows, pa.string())
    made = {"kept": kept, "reason": reason, "split": split}
    columns = [made.get(name, decided.column(name)) for name in decided.column_names]
    return pa.Table.from_arrays(columns, schema=decided.schema)
