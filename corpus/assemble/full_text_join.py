"""Join by id of citations to their full texts: PMC id, else PMID, else DOI.

MinHash cannot see that an abstract is part of an article (their Jaccard similarity is about 0.04); ids can. Only a
record's own ids count. Where several full texts carry an id, a published one comes before an author manuscript, and
then the smallest key.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.columns import bools, doc_keys, numbers
from corpus.arrays.hashing_kernels import string_hashes
from corpus.arrays.lookup import index_in_sorted
from corpus.dedup.survivor_rank import rank_columns
from corpus.storage import parquet

RANKED_COLUMNS = ("doc_key", "full_text", "retracted", "manuscript", "year", "version", "length")
_COLUMNS = (*RANKED_COLUMNS, "source", "pmid", "pmcid", "doi")


_LATE = np.uint64(63)  # a bit above all document keys, which sorts author manuscripts behind


@dataclass(frozen=True, kw_only=True, slots=True)
class IdJoin:
    """Citations with a full text among the documents, ordered by citation."""

    citations: np.ndarray  # uint64[num_joined], ascending
    full_texts: np.ndarray  # uint64[num_joined]
    found_by: dict[str, int]  # number of citations by the id that found them


def join_full_texts(paths: Sequence[str]) -> IdJoin:
    """Join the citations to the full texts of all documents parts."""
    tables: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"pmcid": [], "pmid": [], "doi": []}
    for table in _read(paths):
        full = table.filter(table.column("full_text"))
        for name in tables:
            ids, keys = _ids(full, name)
            late = bools(full.filter(pc.is_valid(full.column(name))).column("manuscript"))
            tables[name].append((ids, keys | late.astype(np.uint64) << _LATE))
    indexes = {name: _index(pieces) for name, pieces in tables.items()}
    citations, targets = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
    found_by = dict.fromkeys(tables, 0)
    for table in _read(paths):
        rest = table.filter(pc.equal(table.column("source"), "pubmed"))
        for name, (values, owners) in indexes.items():
            if not len(values):  # no full text has one, so those of the citations need not be hashed
                continue
            ids, keys = _ids(rest, name)
            at = index_in_sorted(ids, values)
            hit = at >= 0
            citations.append(keys[hit])
            targets.append(owners[at[hit]])
            found_by[name] += int(hit.sum())
            rest = rest.filter(pa.array(~np.isin(doc_keys(rest), keys[hit])))
    keys, owners = np.concatenate(citations), np.concatenate(targets)
    order = np.argsort(keys)
    return IdJoin(citations=keys[order], full_texts=owners[order], found_by=found_by)


def ranks_of(wanted: np.ndarray, paths: Sequence[str], join: IdJoin) -> np.ndarray:
    """Return the survivor ranks of some documents, int64[num_docs, columns], in the order of their keys.

    wanted: uint64[num_docs], ascending and distinct; each is found in exactly one documents part.
    """
    pieces = [_ranked(table, join) for table in _read(paths, wanted)]
    keys = np.concatenate([piece[0] for piece in pieces])
    ranks = np.concatenate([piece[1] for piece in pieces])
    order = np.argsort(keys)
    assert np.array_equal(keys[order], wanted), "every document involved has one row"
    return ranks[order]


def rank_table(table: pa.Table, joined: np.ndarray) -> np.ndarray:
    """Return the survivor ranks of the rows of a documents table; joined: bool[num_rows]."""
    return rank_columns(
        doc_keys=doc_keys(table),
        full_text=bools(table.column("full_text")),
        joined=joined,
        retracted=bools(table.column("retracted")),
        manuscript=bools(table.column("manuscript")),
        years=table.column("year").fill_null(0).to_numpy(),
        versions=table.column("version").to_numpy(),
        lengths=table.column("length").to_numpy(),
    )


def _ranked(table: pa.Table, join: IdJoin) -> tuple[np.ndarray, np.ndarray]:
    keys = doc_keys(table)
    return keys, rank_table(table, index_in_sorted(keys, join.citations) >= 0)


def _read(paths: Sequence[str], wanted: np.ndarray | None = None) -> Iterable[pa.Table]:
    for path in paths:
        table = parquet.read_table(path, columns=_COLUMNS)
        yield table if wanted is None else table.filter(pa.array(index_in_sorted(doc_keys(table), wanted) >= 0))


def _ids(table: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (ids, document keys) of the rows that have the id; DOIs as 64-bit hashes."""
    table = table.filter(pc.is_valid(table.column(name)))
    column = table.column(name)
    if name != "doi":
        return numbers(column), doc_keys(table)
    return string_hashes(column), doc_keys(table)


def _index(pieces: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    values = np.concatenate([np.zeros(0, np.uint64), *(ids for ids, _ in pieces)])
    owners = np.concatenate([np.zeros(0, np.uint64), *(keys for _, keys in pieces)])
    order = np.lexsort((owners, values))
    values, first = np.unique(values[order], return_index=True)
    return values, owners[order][first] & ~(np.uint64(1) << _LATE)
