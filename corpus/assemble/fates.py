"""The fate of every document: ids and verified pairs of all documents parts, brought together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from corpus.assemble.full_text_join import IdJoin, join_full_texts, ranks_of, spared_only_where_held
from corpus.assemble.same_papers import edges_by_id, pairs_by_id
from corpus.dedup.resolve import Outcome, resolve
from corpus.dedup.verify import Edges


@dataclass(frozen=True, kw_only=True, slots=True)
class DecidedFates:
    """What becomes of all documents, and by which pairs and joins."""

    outcome: Outcome
    edges: Edges  # verified by their texts, and those that share an id
    join: IdJoin


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
    outcome = resolve(
        edges,
        doc_keys=keys,
        ranks=ranks_of(keys, paths, join),
        citations=join.citations,
        full_texts=join.full_texts,
        beside=np.column_stack([join.beside, join.beside_full_texts]),
    )
    return DecidedFates(outcome=outcome, edges=edges, join=join)
