"""Duplicates resolved: from verified pairs to the documents that are dropped, each for a survivor with a score.

Documents are decided from best to worst by the survivor policy (`corpus.dedup.survivor_rank`), so every answer a
decision needs is there when it is made, and the order of the input does not matter:

- A citation joined by its ids to a full text that is kept is dropped for it (`full_text_kept`); it stays the
  representative of that full text among documents that resemble the citation. One whose abstract the full text does
  not hold is a document like any other, in the cluster of its full text.
- Any other document is dropped if it is verified against a document already kept, or against such a
  representative; the best of these (or the full text it stands for) is the survivor.
- A document whose text equals that of a dropped one shares its fate, since the score holds for it word for word.
- All others are kept.

So a survivor is always a kept document, and no document goes by a chain of resemblances without a score of its own.
Documents of another corpus come first of all and have no pairs among themselves, so each is kept, and what resembles
one is dropped for it (`in_other_corpus`).
"""

from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from corpus.arrays.kernel import kernel
from corpus.arrays.lookup import index_in_sorted
from corpus.arrays.types import EdgeKeys, Keys, Mask, Numbers
from corpus.dedup.survivor_rank import rank_order, rank_places
from corpus.dedup.verify import Edges, components
from corpus.reasons import DUPLICATE_REASONS
from corpus.records import are_other
from corpus.storage.array_files import load_arrays, save_arrays

_JOINED, _EXACT = range(2)
_NEAR, _SAME_ID, _OTHER = range(2, len(DUPLICATE_REASONS))
_KEPT, _REPRESENTED, _DROPPED = 0, 1, 2
_NO_TEXT, _ELSEWHERE = -1, -2


def _no_keys() -> Keys:
    return np.zeros(0, np.uint64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The fate of all documents that were dropped, and the cluster of all that resemble another."""

    dropped: Keys  # [num_dropped], ascending
    survivor: Keys  # [num_dropped], always a kept document, of this corpus or another
    matched: Keys  # [num_dropped], the document that `score` compares with
    score: npt.NDArray[np.float64]  # [num_dropped], exact Jaccard similarity; NaN for full_text_kept
    reason: npt.NDArray[np.uint8]  # [num_dropped], positions in DUPLICATE_REASONS
    member: Keys  # [num_members], ascending: documents of verified pairs, full texts joined to them or beside them
    cluster: Keys  # [num_members], the smallest key of the member's cluster
    beside: Keys = field(default_factory=_no_keys)  # [num_beside], ascending: citations that stay beside a full text
    beside_full_texts: Keys = field(default_factory=_no_keys)  # [num_beside], which does not hold their abstract

    def index_of(self, keys: Keys) -> Numbers:
        """Return the index of each document among the dropped ones, int64[num_docs]; -1 for those kept."""
        return index_in_sorted(keys, self.dropped)

    def are_alone(self, keys: Keys) -> Mask:
        """Say of each document whether it resembles no other, bool[num_docs]."""
        return index_in_sorted(keys, self.member) < 0

    def clusters_of(self, keys: Keys) -> Keys:
        """Return the smallest key of the cluster of each document, its own key where it is alone."""
        member = index_in_sorted(keys, self.member)
        clusters = keys.copy()
        clusters[member >= 0] = self.cluster[member[member >= 0]]
        return clusters

    def save(self, path: str) -> None:
        """Write the outcome as one file."""
        save_arrays(path, **{one.name: getattr(self, one.name) for one in fields(self)})

    @classmethod
    def load(cls, path: str) -> "Outcome":
        """Read a file written by `save`."""
        return cls(**load_arrays(path))


@kernel
def _neighbours(a: Numbers, b: Numbers, num_docs: int) -> tuple[Numbers, Numbers, Numbers]:
    """Return (starts, others, edge numbers): for each document the ends of its edges."""
    starts = np.zeros(num_docs + 1, np.int64)
    for k in range(len(a)):
        starts[a[k] + 1] += 1
        starts[b[k] + 1] += 1
    for d in range(num_docs):
        starts[d + 1] += starts[d]
    fill = starts[:-1].copy()
    others, numbers = np.empty(2 * len(a), np.int64), np.empty(2 * len(a), np.int64)
    for k in range(len(a)):
        for here, there in ((a[k], b[k]), (b[k], a[k])):
            others[fill[here]], numbers[fill[here]] = there, k
            fill[here] += 1
    return starts, others, numbers


@kernel
def _decide(
    order: Numbers, places: Numbers, starts: Numbers, others: Numbers, numbers: Numbers, exact: Mask, full_text: Numbers
) -> tuple[npt.NDArray[np.int8], Numbers, Numbers]:
    """Return (state, leader, edge) of each document: what it is, who stands for it, and the edge that says so.

    A leader is a kept or represented document. `full_text` is the position of the joined full text, `_ELSEWHERE`
    when that has no verified pair (and so is kept), `_NO_TEXT` when there is none.
    """
    state = np.empty(len(order), np.int8)
    leader, edge = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    state[:], leader[:], edge[:] = _KEPT, -1, -1  # numba compiles `np.full` for a second
    for d in order:
        if full_text[d] == _ELSEWHERE or (full_text[d] >= 0 and state[full_text[d]] == _KEPT):
            state[d] = _REPRESENTED
            continue
        for k in range(starts[d], starts[d + 1]):
            other, through = others[k], numbers[k]
            if places[other] > places[d]:
                continue
            if state[other] == _DROPPED:
                if not exact[through]:
                    continue
                other, through = leader[other], edge[other]
            if leader[d] < 0 or places[other] < places[leader[d]]:
                leader[d], edge[d] = other, through
        if leader[d] >= 0:
            state[d] = _DROPPED
    return state, leader, edge


def _joined_keys(keys: Keys, citations: Keys, full_texts: Keys) -> tuple[Mask, Keys]:
    """Return for each of `keys` whether it is a joined citation, and the key of its full text (else its own)."""
    joined, partners = np.isin(keys, citations), keys.copy()
    partners[joined] = full_texts[np.searchsorted(citations, keys[joined])]
    return joined, partners


def _positions(keys: Keys, joined: Mask, partners: Keys) -> Numbers:
    """Return the position of each joined full text in `keys`, or `_ELSEWHERE`; `_NO_TEXT` where nothing is joined."""
    places = np.minimum(np.searchsorted(keys, partners), len(keys) - 1)
    found = np.where(keys[places] == partners, places, _ELSEWHERE) if len(keys) else places
    return np.where(joined, found, _NO_TEXT)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fates:
    """The decisions on the documents of verified pairs, [num_keys] each."""

    keys: Keys
    joined: Mask
    partners: Keys
    state: npt.NDArray[np.int8]
    leader: Numbers
    edge: Numbers


def _fates(edges: Edges, keys: Keys, ranks: Numbers, joined: Mask, partners: Keys) -> _Fates:
    full_text = _positions(keys, joined, partners)
    places = rank_places(ranks)
    assert np.all(places[full_text[full_text >= 0]] < places[full_text >= 0]), "full texts rank before citations"
    starts, others, numbers = _neighbours(np.searchsorted(keys, edges.a), np.searchsorted(keys, edges.b), len(keys))
    state, leader, edge = _decide(rank_order(ranks), places, starts, others, numbers, edges.exact, full_text)
    return _Fates(keys=keys, joined=joined, partners=partners, state=state, leader=leader, edge=edge)


def _clusters(edges: Edges, fates: _Fates, beside: EdgeKeys) -> tuple[Keys, Keys]:
    """Return the components of verified pairs, the id joins of their citations, and full texts with what is beside."""
    joins = np.column_stack([fates.keys[fates.joined], fates.partners[fates.joined]])
    return components(np.concatenate([np.column_stack([edges.a, edges.b]), joins, beside]))


def _outcome(edges: Edges, fates: _Fates, citations: Keys, full_texts: Keys, beside: EdgeKeys) -> Outcome:
    """Gather the documents dropped by a pair, then the joined citations, in the order of their keys."""
    near = np.flatnonzero(fates.state == _DROPPED)
    leader, edge = fates.leader[near], fates.edge[near]
    stands_in = fates.state[leader] == _REPRESENTED
    kept_text = ~np.isin(full_texts, fates.keys[near]) & ~np.isin(citations, fates.keys[near])
    citations, full_texts = citations[kept_text], full_texts[kept_text]
    dropped = np.concatenate([fates.keys[near], citations])
    order = np.argsort(dropped)
    by_id = np.zeros(len(edge), np.bool_) if edges.by_id is None else edges.by_id[edge]
    reason = np.select([edges.exact[edge], by_id], [_EXACT, _SAME_ID], _NEAR)
    whole = np.full(len(citations), _JOINED)
    member, cluster = _clusters(edges, fates, beside)
    survivor = np.where(stands_in, fates.partners[leader], fates.keys[leader])
    survivor = np.concatenate([survivor, full_texts])[order]
    return Outcome(
        dropped=dropped[order],
        survivor=survivor,
        matched=np.concatenate([fates.keys[leader], full_texts])[order],
        score=np.concatenate([edges.score[edge], np.full(len(citations), np.nan)])[order],
        reason=np.where(are_other(survivor), _OTHER, np.concatenate([reason, whole])[order]).astype(np.uint8),
        member=member,
        cluster=cluster,
        beside=beside[:, 0],
        beside_full_texts=beside[:, 1],
    )


def resolve(
    edges: Edges,
    *,
    doc_keys: Keys,
    ranks: Numbers,
    citations: Keys,
    full_texts: Keys,
    beside: EdgeKeys | None = None,
) -> Outcome:
    """Return the fate of every document.

    `doc_keys`, uint64[num_docs] in any order, and `ranks` (`corpus.dedup.survivor_rank.rank_columns`) go together and
    hold at least every document of `edges`. `citations`, ascending, and `full_texts`, uint64[num_joined], are the
    citations whose full text is in the corpus, and that full text; all of them, not only those of some edge. `beside`,
    uint64[num_beside, 2], are citations that stay beside their full text, ascending, with that.
    """
    beside = np.zeros((0, 2), np.uint64) if beside is None else beside
    assert np.all(citations[:-1] < citations[1:]), "joined citations are ascending and distinct"
    keys = np.unique(np.concatenate([edges.a, edges.b]))
    assert np.isin(keys, doc_keys).all(), "every document of a verified pair has a rank"
    by_key = np.argsort(doc_keys)
    rows = by_key[np.searchsorted(doc_keys[by_key], keys)]
    joined, partners = _joined_keys(keys, citations, full_texts)
    return _outcome(edges, _fates(edges, keys, ranks[rows], joined, partners), citations, full_texts, beside)
