"""Conflicts of ids: PMIDs, PMC ids and DOIs of all documents that contradict each other.

Ids come from anchored paths and the bucket's JSON, never from a reference list. A paper should have one of each; what
has more is listed, as a join by such an id may meet the wrong paper. Nothing is dropped for a conflict.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.columns import doc_keys, equals, filled, numbers
from corpus.arrays.hashing_kernels import string_hashes
from corpus.arrays.lookup import index_in_sorted
from corpus.arrays.types import Keys
from corpus.assemble import facts
from corpus.records import Kind, Source
from corpus.storage import parquet

_ROW: Final = np.dtype(
    [
        *((name, "<u8") for name in ("key", "pmid", "pmcid", "doi")),
        *((name, "?") for name in ("citation", "article", "stated")),
    ]
)
_COLUMNS: Final = ("doc_key", "doc_id", "source", "kind", "pmid", "pmcid", "doi", "id_conflict")


class ConflictKind(StrEnum):
    """What is wrong with an id."""

    DOI_OF_SEVERAL_PMIDS = "doi_of_several_pmids"  # one DOI on several citations
    PMCID_OF_SEVERAL_PMIDS = "pmcid_of_several_pmids"  # one PMC id on several citations
    PMID_OF_SEVERAL_PMCIDS = "pmid_of_several_pmcids"  # one PMID on several articles
    DOI_OF_SEVERAL_PMCIDS = "doi_of_several_pmcids"  # one DOI on several articles
    OTHER_PMID_IN_ARTICLE = "other_pmid_in_article"  # a citation's article names another PMID
    OTHER_PMCID_IN_CITATION = "other_pmcid_in_citation"  # an article's citation names another PMC id
    METADATA_DISAGREES = "metadata_disagrees"  # the bucket's JSON names other ids than the article's XML


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """One id that belongs to more than it should."""

    kind: str  # what is wrong
    id: str  # the id in question
    documents: str  # who claims it, with what; joined by "; "


def find_conflicts(paths: Sequence[str]) -> list[Conflict]:
    """Return the conflicts among the documents of all documents parts, ordered by kind and id."""
    suspects = _suspects(paths)
    if not len(suspects):
        return []
    tables = (parquet.read_table(path, columns=_COLUMNS) for path in paths)
    wanted = (table.filter(pa.array(index_in_sorted(doc_keys(table), suspects) >= 0)) for table in tables)
    table = pa.concat_tables(list(wanted))
    citations = table.filter(pc.equal(table.column("source"), "pubmed"))
    articles = table.filter(pc.equal(table.column("kind"), str(Kind.ARTICLE)))
    found = [
        *_several(citations, "doi", ConflictKind.DOI_OF_SEVERAL_PMIDS),
        *_several(citations, "pmcid", ConflictKind.PMCID_OF_SEVERAL_PMIDS),
        *_several(articles, "pmid", ConflictKind.PMID_OF_SEVERAL_PMCIDS),
        *_several(articles, "doi", ConflictKind.DOI_OF_SEVERAL_PMCIDS),
        *_disagreements(citations, articles, "pmcid", "pmid", ConflictKind.OTHER_PMID_IN_ARTICLE),
        *_disagreements(articles, citations, "pmid", "pmcid", ConflictKind.OTHER_PMCID_IN_CITATION),
        *_stated(table),
    ]
    return sorted(found, key=lambda conflict: (conflict.kind, conflict.id, conflict.documents))


def _suspects(paths: Sequence[str]) -> Keys:
    """Return the keys, ascending, of the documents with some conflict; numbers only: 35 bytes a document."""
    pieces: list[np.ndarray] = [np.zeros(0, _ROW)]
    for path in paths:
        table = parquet.read_table(path, columns=_COLUMNS)
        rows = np.zeros(table.num_rows, _ROW)
        rows["key"] = doc_keys(table)
        rows["citation"] = equals(table.column("source"), Source.PUBMED)
        rows["article"] = equals(table.column("kind"), Kind.ARTICLE)
        rows["stated"] = filled(table.column("id_conflict"))
        for name in ("pmid", "pmcid"):
            rows[name] = numbers(table.column(name))
        known = pc.is_valid(table.column("doi")).to_numpy()
        rows["doi"] = np.where(known, string_hashes(table.column("doi")), 0)
        pieces.append(rows)
    rows = np.concatenate(pieces)
    citations, articles = rows[rows["citation"]], rows[rows["article"]]
    return np.unique(
        np.concatenate(
            [
                *(_repeated(citations, name) for name in ("doi", "pmcid")),
                *(_repeated(articles, name) for name in ("doi", "pmid")),
                *_at_odds(citations, articles, "pmcid", "pmid"),
                *_at_odds(articles, citations, "pmid", "pmcid"),
                rows["key"][rows["stated"]],
            ]
        )
    )


def _repeated(rows: np.ndarray, name: str) -> Keys:
    """Return the keys of the rows that share an id with another row."""
    _, places, counts = np.unique(rows[name], return_inverse=True, return_counts=True)
    return rows["key"][(counts[places] > 1) & (rows[name] != 0)]


def _at_odds(one: np.ndarray, other: np.ndarray, by: str, name: str) -> tuple[Keys, Keys]:
    """Return the keys of the rows on both sides that share the id `by` and have different ids `name`."""
    other = other[np.argsort(other[by], kind="stable")]
    at = index_in_sorted(one[by], other[by])
    one, other = one[(at >= 0) & (one[by] != 0)], other[at[(at >= 0) & (one[by] != 0)]]
    odd = (one[name] != other[name]) & (one[name] != 0) & (other[name] != 0)
    return one["key"][odd], other["key"][odd]


def _written(name: str, value: object) -> str:
    return f"PMC{value}" if name == "pmcid" else f"{name}:{value}"


def _several(table: pa.Table, name: str, kind: ConflictKind) -> Iterator[Conflict]:
    """Yield a conflict for each value of a column that several documents have."""
    table = table.filter(pc.is_valid(table.column(name)))
    counts = table.group_by(name).aggregate([("doc_id", "count")])
    repeated = counts.filter(pc.greater(counts.column("doc_id_count"), 1)).column(name).combine_chunks()
    rows = table.filter(pc.is_in(table.column(name), repeated)).select([name, "doc_id"])
    owners: dict[object, list[str]] = {}
    for value, document in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        owners.setdefault(value, []).append(document)
    for value, documents in owners.items():
        yield Conflict(kind=kind, id=_written(name, value), documents="; ".join(sorted(documents)))


def _disagreements(one: pa.Table, other: pa.Table, by: str, name: str, kind: ConflictKind) -> Iterator[Conflict]:
    """Yield a conflict for each pair of documents that share the id `by` and have different ids `name`."""
    one, other = (
        table.select([by, name, "doc_id"]).filter(
            pc.and_(pc.is_valid(table.column(by)), pc.is_valid(table.column(name)))
        )
        for table in (one, other)
    )
    pairs = one.join(other, keys=by, right_suffix="_there", join_type="inner")
    pairs = pairs.filter(pc.not_equal(pairs.column(name), pairs.column(f"{name}_there")))
    for row in pairs.to_pylist():
        first, second = _written(name, row[name]), _written(name, row[f"{name}_there"])
        claims = f"{row['doc_id']} has {first}; {row['doc_id_there']} has {second}"
        yield Conflict(kind=kind, id=_written(by, row[by]), documents=claims)


def _stated(table: pa.Table) -> Iterator[Conflict]:
    """Yield the conflicts that the reading of an article found between its XML and the bucket's JSON."""
    for row in (
        table.filter(pc.not_equal(table.column("id_conflict"), "")).select(["doc_id", "id_conflict"]).to_pylist()
    ):
        yield Conflict(kind=ConflictKind.METADATA_DISAGREES, id=row["doc_id"], documents=row["id_conflict"])


def conflict_counts(conflicts: Iterable[Conflict]) -> dict[str, int]:
    """Return the number of conflicts of each kind, for the manifest; kinds without one are 0."""
    counts = dict.fromkeys((facts.id_conflicts(kind) for kind in ConflictKind), 0)
    for conflict in conflicts:
        counts[facts.id_conflicts(conflict.kind)] += 1
    return counts
