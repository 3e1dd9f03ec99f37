"""Fates of the documents of anyone's corpus: from verified pairs to who is left out, for whom, and in which cluster."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.lookup import index_in_sorted
from corpus.arrays.types import Keys, Numbers
from corpus.assemble.other_corpus import PREFIX
from corpus.assemble.other_ids import OtherId, other_ids_path
from corpus.dedup.cluster_places import cluster_places
from corpus.dedup.resolve import Outcome, resolve
from corpus.dedup.survivor_rank import other_ranks
from corpus.dedup.verify import Edges
from corpus.foreign.keys import foreign_keys, foreign_places
from corpus.foreign.signing import listed_ranks, read_listed
from corpus.records import are_other, other_places
from corpus.stage.workspace import WORK, Workspace
from corpus.storage import parquet
from corpus.storage.array_files import load_arrays, save_arrays
from corpus.storage.schema import to_table

_OUTCOME = f"{WORK}/outcome.npy"
_CLUSTERS = f"{WORK}/clusters.npy"
_NAMES = f"{WORK}/names.parquet"


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignFates:
    """What became of all documents that resemble another, and the names of these."""

    outcome: Outcome
    sizes: Numbers  # [num_members], of `outcome.member`: documents in its cluster
    places: Numbers  # [num_members], from 0, the best first
    names: dict[int, str]  # of all members, by key; against:… of another corpus

    def save(self, workspace: Workspace) -> None:
        """Write the fates, for the steps that write files."""
        self.outcome.save(workspace.path(_OUTCOME))
        save_arrays(workspace.path(_CLUSTERS), sizes=self.sizes, places=self.places)
        rows = [OtherId(key=key, id=name) for key, name in sorted(self.names.items())]
        parquet.write_table(workspace.path(_NAMES), to_table(rows, OtherId))

    @classmethod
    def load(cls, workspace: Workspace) -> "ForeignFates":
        """Read what `save` wrote."""
        names = parquet.read_table(workspace.path(_NAMES))
        return cls(
            outcome=Outcome.load(workspace.path(_OUTCOME)),
            **load_arrays(workspace.path(_CLUSTERS)),
            names=dict(zip(names.column("key").to_pylist(), names.column("id").to_pylist(), strict=True)),
        )

    def members(self, keys: Keys) -> Numbers:
        """Return the place of each document among the members, int64[num_docs]; -1 for those that are alone."""
        return index_in_sorted(keys, self.outcome.member)


def decide_foreign(edges: Edges, workspace: Workspace, *, num_ranks: int) -> ForeignFates:
    """Return the fate of every document from the verified pairs."""
    keys = np.unique(np.concatenate([edges.a, edges.b]))
    other = are_other(keys)  # the last of them
    own, found = keys[~other], dict[int, str]()
    ranks = [np.zeros((0, num_ranks), np.int64)]
    for some, listed in _listed_rows(own, workspace):
        ranks.append(listed_ranks(listed, some))
        found |= zip(some.tolist(), listed.column("doc_id").to_pylist(), strict=True)
    found |= _other_names(keys[other], workspace)
    together = np.concatenate([*ranks, other_ranks(keys[other], num_ranks)])
    nobody = np.zeros(0, np.uint64)
    outcome = resolve(edges, doc_keys=keys, ranks=together, citations=nobody, full_texts=nobody)
    assert np.array_equal(outcome.member, keys), "the members are the documents of verified pairs"
    sizes, places = cluster_places(outcome.cluster, together)
    return ForeignFates(outcome=outcome, sizes=sizes, places=places, names=found)


def lengths_of(workspace: Workspace) -> Callable[[Keys], Numbers]:
    """Return a function from keys, ascending, to the lengths of their texts in bytes; of another corpus 0."""

    def lengths(keys: Keys) -> Numbers:
        own = keys[~are_other(keys)]
        parts = [listed.column("length").to_numpy() for _, listed in _listed_rows(own, workspace, ["place", "length"])]
        return np.concatenate([*parts, np.zeros(len(keys) - len(own), np.int64)]).astype(np.int64)

    return lengths


def _listed_rows(keys: Keys, workspace: Workspace, columns: list[str] | None = None) -> Iterator[tuple[Keys, pa.Table]]:
    """Yield (keys of one file, their rows of its list); keys: ascending."""
    numbers, places = foreign_places(keys)
    for number in np.unique(numbers).tolist():
        listed = read_listed(number, workspace, columns)
        at = index_in_sorted(
            places[numbers == number].astype(np.uint64), listed.column("place").to_numpy().astype(np.uint64)
        )
        assert (at >= 0).all(), "every document that was signed is listed"
        yield foreign_keys(number, places[numbers == number]), listed.take(pa.array(at))


def _other_names(keys: Keys, workspace: Workspace) -> Iterator[tuple[int, str]]:
    """Yield (key, name) of documents of another corpus."""
    wanted = pa.array(keys.astype(np.int64))
    for number in np.unique(other_places(keys)[0]).tolist():
        table = parquet.read_table(workspace.path(other_ids_path(number)))
        table = table.filter(pc.is_in(table.column("key"), wanted))
        names = (f"{PREFIX}{one}" for one in table.column("id").to_pylist())
        yield from zip(table.column("key").to_pylist(), names, strict=True)
