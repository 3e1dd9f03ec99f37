"""Join by id of citations to their full texts: PMC id, else PMID, else DOI.

MinHash cannot see that an abstract is part of an article (their Jaccard similarity is about 0.04); ids can. Only a
record's own ids count. Where several full texts carry an id, a published one comes before an author manuscript, and
then the smallest key.

A citation goes for its full text only when that holds an abstract: one as long as the citation's, or the citation's
own words, wherever they stand (`spared_only_where_held`). All others stay beside their full text, as documents of
their own; nothing is put into an article that its publisher did not put there, under a licence that is not its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.columns import bools, doc_keys
from corpus.arrays.lookup import index_in_sorted
from corpus.arrays.types import Keys, Mask, Numbers
from corpus.assemble.same_papers import HELD_SHARE, LENGTH_SHARE, compare_texts, id_numbers
from corpus.dedup.survivor_rank import rank_columns
from corpus.storage import parquet

RANKED_COLUMNS = ("doc_key", "notice", "full_text", "retracted", "manuscript", "year", "version", "length")
_COLUMNS = (*RANKED_COLUMNS, "source", "pmid", "pmcid", "doi", "abstract_length")


_LATE = np.uint64(63)  # a bit above all document keys, which sorts author manuscripts behind


@dataclass(frozen=True, kw_only=True, slots=True)
class IdJoin:
    """Citations with a full text among the documents, ordered by citation."""

    citations: Keys  # [num_joined], ascending
    full_texts: Keys  # [num_joined]
    doubtful: Mask  # [num_joined]: the full text has no abstract, or one shorter than the citation's
    found_by: dict[str, int]  # number of citations by the id that found them
    beside: Keys = field(default_factory=lambda: np.zeros(0, np.uint64))  # [num_beside], ascending: citations that stay
    beside_full_texts: Keys = field(default_factory=lambda: np.zeros(0, np.uint64))  # [num_beside], those of them


def join_full_texts(paths: Sequence[str]) -> IdJoin:
    """Join the citations to the full texts of all documents parts."""
    tables: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"pmcid": [], "pmid": [], "doi": []}
    for table in _read(paths):
        full = table.filter(table.column("full_text"))
        for name in tables:
            own = full.filter(pc.is_valid(full.column(name)))
            late = bools(own.column("manuscript"))
            tables[name].append((id_numbers(own, name), doc_keys(own) | late.astype(np.uint64) << _LATE))
    indexes = {name: _index(pieces) for name, pieces in tables.items()}
    citations, targets, wanted = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    found_by = dict.fromkeys(tables, 0)
    for table in _read(paths):
        rest = table.filter(pc.equal(table.column("source"), "pubmed"))
        for name, (values, owners) in indexes.items():
            if not len(values):  # no full text has one, so those of the citations need not be hashed
                continue
            own = rest.filter(pc.is_valid(rest.column(name)))
            at = index_in_sorted(id_numbers(own, name), values)
            hit = at >= 0
            citations.append(doc_keys(own)[hit])
            targets.append(owners[at[hit]])
            wanted.append(own.column("abstract_length").to_numpy()[hit])
            found_by[name] += int(hit.sum())
            rest = rest.filter(pa.array(~np.isin(doc_keys(rest), citations[-1])))
    keys, owners, lengths = np.concatenate(citations), np.concatenate(targets), np.concatenate(wanted)
    order = np.argsort(keys)
    return IdJoin(
        citations=keys[order],
        full_texts=owners[order],
        doubtful=_abstract_lengths(paths, owners[order]) < LENGTH_SHARE * lengths[order],
        found_by=found_by,
    )


def spared_only_where_held(join: IdJoin, paths: Sequence[tuple[str, str]]) -> IdJoin:
    """Return the join without the citations whose abstract their full text does not hold; those stand beside it.

    paths: (documents, texts) of all documents parts.
    """
    asked = np.flatnonzero(join.doubtful)
    pairs = np.column_stack([join.citations[asked], join.full_texts[asked]])
    gone = asked[compare_texts(pairs, paths).first_held < HELD_SHARE]
    stays = np.ones(len(join.citations), np.bool_)
    stays[gone] = False
    return replace(
        join,
        citations=join.citations[stays],
        full_texts=join.full_texts[stays],
        doubtful=join.doubtful[stays],
        beside=join.citations[gone],
        beside_full_texts=join.full_texts[gone],
    )


def _abstract_lengths(paths: Sequence[str], wanted: Keys) -> Numbers:
    """Return how much abstract some documents have, int64[num_wanted]; `wanted` in any order, with repeats."""
    ordered, places = np.unique(wanted, return_inverse=True)
    lengths = np.zeros(len(ordered), np.int64)
    for path in paths:
        table = parquet.read_table(path, columns=["doc_key", "abstract_length"])
        at = index_in_sorted(doc_keys(table), ordered)
        lengths[at[at >= 0]] = table.column("abstract_length").to_numpy()[at >= 0]
    return lengths[places]


def ranks_of(wanted: np.ndarray, paths: Sequence[str], join: IdJoin) -> np.ndarray:
    """Return the survivor ranks of some documents, int64[num_docs, columns], in the order of their keys.

    wanted: uint64[num_docs], ascending and distinct; each is found in exactly one documents part.
    """
    noticed = _joined_to_notices(paths, join)
    pieces = [_ranked(table, join, noticed) for table in _read(paths, wanted)]
    keys = np.concatenate([piece[0] for piece in pieces])
    ranks = np.concatenate([piece[1] for piece in pieces])
    order = np.argsort(keys)
    assert np.array_equal(keys[order], wanted), "every document involved has one row"
    return ranks[order]


def _joined_to_notices(paths: Sequence[str], join: IdJoin) -> Keys:
    """Return the citations, ascending, whose full text is a notice."""
    tables = (parquet.read_table(path, columns=["doc_key", "notice"]) for path in paths)
    notices = np.concatenate([doc_keys(table.filter(table.column("notice"))) for table in tables])
    return join.citations[np.isin(join.full_texts, notices)]


def rank_table(table: pa.Table, joined: Mask, noticed: Mask | None = None) -> np.ndarray:
    """Return the survivor ranks of the rows of a documents table; joined, noticed (by another's): bool[num_rows]."""
    notice = bools(table.column("notice"))
    return rank_columns(
        doc_keys=doc_keys(table),
        notice=notice if noticed is None else notice | noticed,
        full_text=bools(table.column("full_text")),
        joined=joined,
        retracted=bools(table.column("retracted")),
        manuscript=bools(table.column("manuscript")),
        years=table.column("year").fill_null(0).to_numpy(),
        versions=table.column("version").to_numpy(),
        lengths=table.column("length").to_numpy(),
    )


def _ranked(table: pa.Table, join: IdJoin, noticed: Keys) -> tuple[np.ndarray, np.ndarray]:
    keys = doc_keys(table)
    joined, of_notice = (index_in_sorted(keys, some) >= 0 for some in (join.citations, noticed))
    return keys, rank_table(table, joined, of_notice)


def _read(paths: Sequence[str], wanted: np.ndarray | None = None) -> Iterable[pa.Table]:
    for path in paths:
        table = parquet.read_table(path, columns=_COLUMNS)
        yield table if wanted is None else table.filter(pa.array(index_in_sorted(doc_keys(table), wanted) >= 0))


def _index(pieces: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    values = np.concatenate([np.zeros(0, np.uint64), *(ids for ids, _ in pieces)])
    owners = np.concatenate([np.zeros(0, np.uint64), *(keys for _, keys in pieces)])
    order = np.lexsort((owners, values))
    values, first = np.unique(values[order], return_index=True)
    return values, owners[order][first] & ~(np.uint64(1) << _LATE)
