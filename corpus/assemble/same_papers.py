"""Same papers: documents that share an id of their own, and how much of the one's text stands in the other's.

An id says that two documents are of one paper, and not that one of them can be spared: an article may come without
the abstract that its citation holds, a supplement's abstracts share a DOI, an erratum carries that of its paper. So a
document goes for another of the same id only when its text is there. A full text nearly always holds an abstract as
long as its citation's; the texts of the others are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpus.arrays.columns import among, bools, doc_keys, numbers
from corpus.arrays.hashing_kernels import string_hashes
from corpus.arrays.lookup import index_in_sorted
from corpus.arrays.types import EdgeKeys, Hashes, Keys, Mask, Numbers
from corpus.assemble.rules import RETRACTED_TAG
from corpus.assemble.text_store import gather_texts
from corpus.dedup.candidates import candidate_edges, distinct_edges
from corpus.dedup.notices import are_notices
from corpus.dedup.shingles import normalize, shingle
from corpus.dedup.survivor_rank import rank_places
from corpus.dedup.verify import Edges
from corpus.records import Kind, is_pmc
from corpus.storage import parquet

# Of 841 citations of the real data that are joined to a full text, 834 have an abstract of 0.93 times and more the
# length; 1 has 0.77, and 6 have none.
LENGTH_SHARE: Final = 0.8  # of a citation's abstract, that a full text's must be long to be believed unread
HELD_SHARE: Final = 0.5  # of the 5-shingles of a text, which stand in another one that holds it
_MAX_PAIRS: Final = 8  # documents of one id up to which every pair is compared
_PAIRS_AT_ONCE: Final = 512  # pairs whose texts are held at once, about 30 MB
_WHOLE: Final = (str(Kind.CITATION), str(Kind.BOOK), str(Kind.ARTICLE))
_COLUMNS: Final = ("doc_key", "kind", "full_text", "pmid", "pmcid", "doi")

Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """How the texts of some pairs of documents compare; all arrays are [num_pairs]."""

    first_held: Shares  # share of the first text's shingles, its title's aside, that stand in the second
    second_held: Shares
    jaccard: Shares  # of the whole texts
    notice: Mask  # one of them is a notice (`corpus.dedup.notices`)


def id_numbers(table: pa.Table, name: str) -> Hashes:
    """Return the column of an id without nulls (pmid, pmcid, doi) as uint64[num_rows]; DOIs as 64-bit hashes."""
    column = table.column(name)
    return string_hashes(column) if name == "doi" else numbers(column)


def pairs_by_id(paths: Sequence[str]) -> EdgeKeys:
    """Return the pairs that share an id of their own, uint64[num_pairs, 2], but for citations with their full texts.

    paths: of all documents parts. Those are joined (`corpus.assemble.full_text_join`); the rest are two citations, two
    articles (a manuscript and what was published), or a citation and an article without a body.
    """
    found: dict[str, list[tuple[Hashes, Keys]]] = {name: [] for name in _COLUMNS[3:]}
    full: list[Keys] = [np.zeros(0, np.uint64)]
    for path in paths:
        table = parquet.read_table(path, columns=_COLUMNS)
        table = table.filter(pa.array(among(table.column("kind"), _WHOLE)))
        full.append(doc_keys(table)[bools(table.column("full_text"))])
        for name, pieces in found.items():
            own = table.filter(pc.is_valid(table.column(name)))
            pieces.append((id_numbers(own, name), doc_keys(own)))
    edges = [
        candidate_edges(*map(np.concatenate, zip(*pieces, strict=True)), max_pairs_bucket=_MAX_PAIRS)
        for pieces in found.values()
        if pieces
    ]
    pairs = distinct_edges(np.concatenate([np.zeros((0, 2), np.uint64), *edges]))
    has_body = np.isin(pairs, np.concatenate(full))
    joined = (is_pmc(pairs[:, 0]) != is_pmc(pairs[:, 1])) & has_body.any(axis=1)
    return pairs[~joined]


def compare_texts(pairs: EdgeKeys, paths: Sequence[tuple[str, str]]) -> Compared:
    """Return how the texts of pairs of documents, uint64[num_pairs, 2], compare.

    paths: (documents, texts) of all documents parts.
    """
    found: list[tuple[float, float, float]] = []
    notice = np.zeros(len(pairs), np.bool_)
    places = _places(np.unique(pairs), [path for path, _ in paths])
    for first in range(0, len(pairs), _PAIRS_AT_ONCE):
        block = pairs[first : first + _PAIRS_AT_ONCE]
        wanted = np.unique(block)
        own = places[:, index_in_sorted(wanted, places[0].astype(np.uint64))]
        texts = gather_texts([path for _, path in paths], *own[1:])
        sets, titles = _shingle_sets(texts), _shingle_sets(_titles(texts))
        ends = np.searchsorted(wanted, block)
        notice[first : first + len(block)] = are_notices(texts)[ends].any(axis=1)
        for a, b in ends.tolist():
            common = len(np.intersect1d(sets[a], sets[b], assume_unique=True))
            union = len(sets[a]) + len(sets[b]) - common
            found.append((_held(sets[a], titles[a], sets[b]), _held(sets[b], titles[b], sets[a]), common / union))
    shares = np.array(found, np.float64).reshape(-1, 3)
    return Compared(first_held=shares[:, 0], second_held=shares[:, 1], jaccard=shares[:, 2], notice=notice)


def edges_by_id(pairs: EdgeKeys, paths: Sequence[tuple[str, str]], ranks: Numbers) -> Edges:
    """Return the pairs of which the worse document's text stands in the better one's, as verified edges.

    pairs: uint64[num_pairs, 2], a < b; ranks: of their documents, ascending by key (`corpus.dedup.survivor_rank`). A
    notice never goes for carrying an id of its paper: `corpus.dedup.verify` has a rule for those.
    """
    compared = compare_texts(pairs, paths)
    places = rank_places(ranks)[np.searchsorted(np.unique(pairs), pairs)]
    held = np.where(places[:, 0] > places[:, 1], compared.first_held, compared.second_held) >= HELD_SHARE
    kept = held & ~compared.notice
    return Edges(
        a=pairs[kept, 0],
        b=pairs[kept, 1],
        score=compared.jaccard[kept],
        exact=np.zeros(int(kept.sum()), np.bool_),
        by_id=np.ones(int(kept.sum()), np.bool_),
    )


def _held(text: Hashes, title: Hashes, other: Hashes) -> float:
    """Return the share of a text's shingles that stand in another one; its title's count only where it has no more."""
    asked = np.setdiff1d(text, title, assume_unique=True)
    asked = asked if len(asked) else text
    return len(np.intersect1d(asked, other, assume_unique=True)) / len(asked) if len(asked) else 0.0


def _shingle_sets(texts: pa.Array | pa.ChunkedArray) -> list[Hashes]:
    made = shingle(normalize(texts))
    return np.split(made.hashes, made.offsets[1:-1]) if len(made) else []


def _titles(texts: pa.ChunkedArray) -> pa.Array:
    """Return the first line of each text, if it has more: the title of a rendered record."""
    plain = (text.removeprefix(f"{RETRACTED_TAG}\n\n").partition("\n\n") for text in texts.to_pylist())
    return pa.array([title if rest else "" for title, _, rest in plain], pa.large_string())


def _places(wanted: Keys, paths: Sequence[str]) -> Numbers:
    """Return key, part, start of the text and its length of some documents, int64[4, num_wanted], ascending by key."""
    rows = [np.zeros((4, 0), np.int64)]
    for number, path in enumerate(paths):
        table = parquet.read_table(path, columns=["doc_key", "text_start", "length"])
        keys = doc_keys(table)
        own = np.flatnonzero(index_in_sorted(keys, wanted) >= 0)
        columns = (table.column(name).to_numpy()[own] for name in ("text_start", "length"))
        rows.append(np.stack([keys[own].astype(np.int64), np.full(len(own), number), *columns]))
    found = np.concatenate(rows, axis=1)
    return found[:, np.argsort(found[0])]
