"""The fate of every document: ids and verified pairs of all documents parts, brought together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from corpus.arrays.lookup import index_in_sorted
from corpus.arrays.types import Keys
from corpus.assemble.full_text_join import IdJoin, join_full_texts, ranks_of, spared_only_where_held
from corpus.assemble.same_papers import edges_by_id, pairs_by_id
from corpus.dedup.resolve import Outcome, resolve
from corpus.dedup.survivor_rank import other_ranks
from corpus.dedup.verify import Edges
from corpus.records import are_other


@dataclass(frozen=True, kw_only=True, slots=True)
class DecidedFates:
    """What becomes of all documents, and by which pairs and joins."""

    outcome: Outcome
    edges: Edges  # verified by their texts, and those that share an id
    join: IdJoin


def equals_elsewhere(full_texts: Keys, edges: Edges) -> Keys:
    """Return full texts, each replaced by the document of another corpus that is equal to it, where one is.

    That one stays, and holds the abstract as this one does: so the citation of a full text that goes for it goes too.
    """
    equal = edges.exact & are_other(edges.b)  # the larger key of a pair
    own, first = np.unique(edges.a[equal], return_index=True)  # of several the one with the smallest key
    at = index_in_sorted(full_texts, own)
    return np.where(at >= 0, edges.b[equal][first][at], full_texts) if len(own) else full_texts


def decide_fates(edges: Edges, parts: Sequence[tuple[str, str]], *, by_id: bool) -> DecidedFates:
    """Return the fate of every document from the pairs that were verified by their texts.

    parts: (documents, texts) of all documents parts; by_id: whether ids of their own say that documents are of one
    paper, as they do but in The Pile.
    """
    paths = [path for path, _ in parts]
    asked = parts if by_id else ()
    join = spared_only_where_held(join_full_texts([path for path, _ in asked]), asked)
    pairs = pairs_by_id([path for path, _ in asked])
    edges = edges.with_more(edges_by_id(pairs, asked, ranks_of(np.unique(pairs), paths, join)))
    keys = np.unique(np.concatenate([edges.a, edges.b]))
    other = are_other(keys)  # the last of them
    full_texts = equals_elsewhere(join.full_texts, edges)
    outcome = resolve(
        edges,
        doc_keys=keys,
        ranks=np.concatenate([ranks_of(keys[~other], paths, join), other_ranks(keys[other])]),
        citations=join.citations,
        full_texts=full_texts,
        beside=np.column_stack([join.beside, join.beside_full_texts]),
    )
    return DecidedFates(outcome=outcome, edges=edges, join=join)
