"""Verification of candidate pairs: exact Jaccard of the shingle sets decides, never a signature.

Candidates form components; a component is verified whole, so that a link that LSH missed inside it is found as well
(`plan_blocks` packs components into blocks for workers that read texts again). A pair is verified when its texts
are equal, or when its Jaccard similarity reaches the threshold (or, by option, the smaller set is contained in the
larger to a share), both sets are large enough to mean something, and it is not a pair of twins (`corpus.dedup.twins`),
such as one report on BRCA1 and one on BRCA2. Of notices (`corpus.dedup.notices`) more is asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpus.arrays.kernel import kernel
from corpus.arrays.types import EdgeKeys, Hashes, Keys, Mask, Numbers
from corpus.dedup.candidates import MIN_SHINGLES, distinct_edges
from corpus.dedup.notices import NOTICE_SIMILARITY, are_notices
from corpus.dedup.shingles import Shingles
from corpus.dedup.survivor_rank import rank_places
from corpus.dedup.twins import are_twins
from corpus.dedup.worded_text import Wording, wording
from corpus.records import are_other

NEVER: Final = 2.0  # a containment or similarity that no pair reaches
ALL_PAIRS: Final = 64  # documents in a component up to which every pair is compared


@dataclass(frozen=True, kw_only=True, slots=True)
class Edges:
    """Verified pairs, sorted and distinct, a < b; all arrays are [num_edges]."""

    a: Keys
    b: Keys
    score: npt.NDArray[np.float64]  # exact Jaccard similarity, 1.0 for equal texts; containment where that decided
    exact: Mask  # the texts are equal word for word
    num_twins: int = 0  # pairs that reached the threshold and were kept apart as twins
    by_id: Mask | None = None  # pairs that share an id, and are here for that; none when not given

    def __len__(self) -> int:
        return len(self.a)

    def with_more(self, other: "Edges") -> "Edges":
        """Return these pairs and those of the others that are not among them."""
        keys = np.concatenate([np.column_stack([one.a, one.b]) for one in (self, other)])
        _, first = np.unique(keys, axis=0, return_index=True)  # of a pair on both sides that of this one
        masks = [np.zeros(len(one), np.bool_) if one.by_id is None else one.by_id for one in (self, other)]
        return Edges(
            a=keys[first, 0],
            b=keys[first, 1],
            score=np.concatenate([self.score, other.score])[first],
            exact=np.concatenate([self.exact, other.exact])[first],
            num_twins=self.num_twins + other.num_twins,
            by_id=np.concatenate(masks)[first],
        )


def components(edges: EdgeKeys) -> tuple[Keys, Keys]:
    """Return (keys, labels), uint64[num_docs] each: all documents of the edges in ascending order, and for each
    the smallest key of its connected component."""
    keys, ends = np.unique(edges, return_inverse=True)
    if not len(keys):
        return keys, keys
    return keys, keys[_smallest(ends.astype(np.int64).reshape(-1, 2), len(keys))]


@kernel
def _smallest(ends: Numbers, size: int) -> Numbers:
    """Return the smallest member of each number's component, by union and find; `ends` int64[edges, 2]."""
    parent = np.arange(size)  # never above its number, so that an ascending pass ends at the root
    for k in range(len(ends)):
        one, other = ends[k, 0], ends[k, 1]
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        while parent[other] != other:
            parent[other] = parent[parent[other]]
            other = parent[other]
        parent[max(one, other)] = min(one, other)
    for k in range(size):
        parent[k] = parent[parent[k]]
    return parent


@kernel
def _next_fit(sizes: Numbers, limit: int) -> Numbers:
    """Return the block of each component: a new block begins where the next component does not fit."""
    blocks = np.empty(len(sizes), np.int64)
    block, filled = 0, 0
    for k in range(len(sizes)):
        if filled and filled + sizes[k] > limit:
            block, filled = block + 1, 0
        filled += sizes[k]
        blocks[k] = block
    return blocks


def _equally(keys: Keys) -> Numbers:
    return np.ones(len(keys), np.int64)


def plan_blocks(edges: EdgeKeys, *, max_docs: int, weigh: Callable[[Keys], Numbers] = _equally) -> list[EdgeKeys]:
    """Return the distinct edges, uint64[num_edges, 2], as a list of blocks of about equal weight.

    `weigh` says by their keys as how many documents each counts, int64[num_docs]. A component is never parted; only one
    that is itself heavier than `max_docs` makes a block that is. The order of the edges given does not matter.
    """
    edges = distinct_edges(edges)
    if not len(edges):
        return []
    keys, labels = components(edges)
    weights = weigh(keys)
    roots, component = np.unique(labels, return_inverse=True)
    sizes = np.bincount(component, weights).astype(np.int64)
    num_blocks = -(-int(weights.sum()) // max_docs)
    blocks = _next_fit(sizes, -(-int(weights.sum()) // num_blocks))
    of_edge = blocks[np.searchsorted(roots, labels[np.searchsorted(keys, edges[:, 0])])]
    order = np.argsort(of_edge, kind="stable")
    return np.split(edges[order], np.flatnonzero(np.diff(of_edge[order])) + 1)


@kernel
def _all_pairs(members: Numbers, starts: Numbers) -> Numbers:
    """Return the pairs of positions, int64[num_pairs, 2], inside every group `members[starts[g]:starts[g + 1]]`."""
    room = 0
    for group in range(len(starts) - 1):
        size = starts[group + 1] - starts[group]
        room += size * (size - 1) // 2
    pairs = np.empty((room, 2), np.int64)
    filled = 0
    for group in range(len(starts) - 1):
        for j in range(starts[group], starts[group + 1]):
            for i in range(starts[group], j):
                pairs[filled, 0], pairs[filled, 1] = members[i], members[j]  # a row at once compiles for seconds
                filled += 1
    return pairs


def _star_pairs(positions: Numbers, groups: Hashes, places: Numbers) -> Numbers:
    """Return the pairs of the best document of each group with every document of that group, itself included."""
    order = np.lexsort((places[positions], groups))
    _, first, group = np.unique(groups[order], return_index=True, return_inverse=True)
    return np.column_stack([positions[order][first][group], positions[order]])


def _pairs_to_score(edges: EdgeKeys, keys: Keys, texts: Hashes, places: Numbers) -> Numbers:
    """Return the pairs to compare as positions in `keys` (ascending; `texts` and `places` go with it), distinct.

    None is of two documents of another corpus.
    """
    members, labels = components(edges)
    positions = np.searchsorted(keys, members)
    _, group, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    small = sizes[group] <= ALL_PAIRS
    inside = positions[small][np.argsort(labels[small], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(sizes[sizes <= ALL_PAIRS])])
    large = positions[~small]
    parts = [
        _all_pairs(inside, starts),
        np.searchsorted(keys, edges[~small[np.searchsorted(members, edges[:, 0])]]),
        _star_pairs(large, labels[~small], places),
        _star_pairs(large, texts[large], places),
    ]
    pairs = np.sort(np.concatenate(parts), axis=1)
    wanted = (pairs[:, 0] < pairs[:, 1]) & ~are_other(keys)[pairs].all(axis=1)
    return distinct_edges(pairs[wanted].astype(np.uint64)).astype(np.int64)


@kernel
def _scores(
    hashes: Hashes, offsets: Numbers, pairs: Numbers, threshold: float, containment: float
) -> npt.NDArray[np.float64]:
    """Return the exact Jaccard similarity of each pair, or its containment where that alone is enough, else 0.

    Containment is the share of the smaller set that is in the larger; above 1 it is never asked for.
    """
    scores = np.zeros(len(pairs), np.float64)
    for k in range(len(pairs)):
        i, i_end = offsets[pairs[k, 0]], offsets[pairs[k, 0] + 1]
        j, j_end = offsets[pairs[k, 1]], offsets[pairs[k, 1] + 1]
        sizes, common = i_end - i + j_end - j, 0
        least = min(i_end - i, j_end - j)
        if containment > 1.0 and least < threshold * max(i_end - i, j_end - j):
            continue  # the sizes alone keep it below the threshold
        while i < i_end and j < j_end:
            x, y = hashes[i], hashes[j]
            i += x <= y
            j += y <= x
            common += x == y
        if sizes:
            scores[k] = common / (sizes - common)
            if scores[k] < threshold:
                scores[k] = common / least if least and common >= containment * least else 0.0
    return scores


def verified_edges(
    edges: EdgeKeys,
    doc_keys: Keys,
    shingles: Shingles,
    *,
    texts: pa.Array | pa.ChunkedArray,
    threshold: float,
    text_of: Numbers | None = None,
    containment: float | None = None,
    min_shingles: int = MIN_SHINGLES,
    ranks: Numbers | None = None,
    rules: bool = True,
) -> Edges:
    """Return the verified pairs among the components of candidate edges, uint64[num_edges, 2].

    `doc_keys`, uint64[num_docs] in any order, holds every document of the edges. `shingles` and `texts` (as they were
    written, strings) go together; `text_of`, int64[num_docs], is the place of each document's text in them, so that a
    text of many documents stands there once; without it every document has its own, in the order of `doc_keys`. In
    components of up to `ALL_PAIRS` documents every pair is compared; in larger ones the candidate edges, the best
    document by `ranks` (`corpus.dedup.survivor_rank`; without them the smallest key) with every other, and likewise
    inside each set of equal texts. Without `rules`, twins and notices are pairs like any other.
    """
    order = np.argsort(doc_keys)
    keys, own = doc_keys[order], order if text_of is None else text_of[order]
    wholes = shingles.texts[own]
    places = np.arange(len(keys)) if ranks is None else rank_places(ranks)[order]
    assert np.isin(edges, keys).all(), "every document of the candidate edges is among doc_keys"
    pairs = _pairs_to_score(distinct_edges(edges), keys, wholes, places)
    least = shingles.counts[own][pairs].min(axis=1)
    exact = wholes[pairs[:, 0]] == wholes[pairs[:, 1]]
    share = NEVER if containment is None else containment
    scores = np.where(exact, 1.0, _scores(shingles.hashes, shingles.offsets, own[pairs], threshold, share))
    near = (scores > 0.0) & (least >= min_shingles)
    twin = _kept_apart(own[pairs], texts, scores, near, exact) if rules else np.zeros(len(pairs), np.bool_)
    kept = exact | near & ~twin
    own_keys = keys[pairs[kept]]
    return Edges(a=own_keys[:, 0], b=own_keys[:, 1], score=scores[kept], exact=exact[kept], num_twins=int(twin.sum()))


def _kept_apart(
    pairs: Numbers, texts: pa.Array | pa.ChunkedArray, scores: npt.NDArray[np.float64], near: Mask, exact: Mask
) -> Mask:
    """Say of each near pair of positions in `texts` whether it is of twins; takes those with notices from `near`."""
    notices = are_notices(texts)[pairs].sum(axis=1)
    near &= scores >= np.choose(notices, (0.0, NOTICE_SIMILARITY, NEVER))
    asked = np.flatnonzero(near & ~exact)
    twin = np.zeros(len(pairs), np.bool_)
    twin[asked] = _twins(pairs[asked], texts)
    return twin


def _twins(pairs: Numbers, texts: pa.Array | pa.ChunkedArray) -> list[bool]:
    """Say of each pair of positions in `texts` whether it is one of twins; every text is read once."""
    read: dict[int, Wording] = {}
    for d in np.unique(pairs).tolist():
        read[d] = wording(texts[d].as_py)
    return [are_twins(read[one], read[other]) for one, other in pairs.tolist()]
